import { atLeast, type Version } from '../version.ts'

/** The newest flannel whose behaviour is known here; taken where the cluster does not tell its version. */
export const NEWEST: Version = [0, 28, 4]

/** What differs between flannel releases in what they leave on a node. */
export interface FlannelTraits {
  /** Rules live in FLANNEL-POSTRTG and FLANNEL-FWD instead of the built-in chains. */
  readonly chains: boolean
  /** Packets with kube-proxy's masquerade mark are left to kube-proxy. */
  readonly markReturn: boolean
}

const SINCE = { chains: [0, 20, 0], markReturn: [0, 20, 2] } as const satisfies Record<keyof FlannelTraits, Version>

export const flannelTraits = (version: Version): FlannelTraits => ({
  chains: atLeast(version, SINCE.chains),
  markReturn: atLeast(version, SINCE.markReturn),
})
