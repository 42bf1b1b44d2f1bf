import type { ElementValue, Statement } from '../../linux/netfilter/nftables/expression.ts'
import {
  applyNftOp,
  finishNftTables,
  listNftTable,
  type NftChain,
  type NftTable,
  newNftBuilder,
  resolveNftChain,
  sees,
} from '../../linux/netfilter/nftables/ruleset.ts'
import type { NftOp, Op } from '../../linux/op.ts'
import type { Family } from '../../packet/ip.ts'
import { hostPort } from '../../proxy/endpoint.ts'

/** A chain of nf_tables that ops make, in its table. */
export interface NftChainIn {
  readonly table: NftTable
  readonly chain: NftChain
}

const isNft = (op: Op): op is NftOp & Op => op.kind.startsWith('nft.')

export function nftChains(ops: readonly Op[], family: Family): readonly NftChainIn[] {
  const builder = newNftBuilder({ next: 0 })
  for (const op of ops) if (isNft(op)) applyNftOp(builder, op)
  return finishNftTables(builder)
    .filter((table) => sees(table, family))
    .flatMap((table) => listNftTable(table).chains.map((chain) => ({ table, chain })))
}

/** Where a number of a rule's numgen sends a packet. */
export interface NumgenOutcome {
  /** `10.244.1.2:80`. */
  readonly destination: string
  /** The chain that it goes to, if it is sent on there. */
  readonly chain: string | undefined
}

/** By the numbers. */
export function outcomesOf({ table, chain }: NftChainIn, rule: number): readonly NumgenOutcome[] {
  const values = chain.rules.at(rule)?.statements.flatMap(mapValues) ?? []
  return values.map((value) => {
    if (value.kind === 'data') return { destination: addressAndPort(value.data), chain: undefined }
    const { verdict } = value
    const to = 'chain' in verdict ? resolveNftChain(table, chain, verdict.chain) : undefined
    const nat = [...(to?.rules ?? [])].flatMap(({ statements }) => statements.filter(({ kind }) => kind === 'dnat'))[0]
    const natted = nat?.kind === 'dnat' && nat.address?.kind === 'addresses' ? nat.address.min : undefined
    const destination = natted === undefined ? '' : hostPort(natted, (nat?.kind === 'dnat' && nat.ports?.min) || 0)
    return { destination, chain: to?.name }
  })
}

function mapValues(statement: Statement): readonly ElementValue[] {
  const map =
    statement.kind === 'vmap'
      ? statement.map
      : statement.kind === 'dnat' && statement.address?.kind === 'map'
        ? statement.address.map
        : undefined
  return map?.kind === 'anonymous' ? map.elements.flatMap(({ value }) => value ?? []) : []
}

function addressAndPort([address, port]: Extract<ElementValue, { kind: 'data' }>['data']): string {
  return typeof address === 'object' && typeof port === 'number' ? hostPort(address, port) : ''
}
