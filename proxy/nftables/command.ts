import type { NftObject, NftReference } from '../../linux/netfilter/nftables/object.ts'
import type { Origin } from '../../linux/origin.ts'

/** One line of a transaction of kube-proxy, in the table of one family. */
export type NftCommand = { readonly origin: Origin } & (
  | { readonly kind: 'nft.add'; readonly object: NftObject }
  | { readonly kind: 'nft.flush' | 'nft.delete'; readonly object: NftReference }
)
