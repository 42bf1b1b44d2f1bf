import { isMulticast, isUnspecified } from '../../../packet/ip.ts'
import { protocolOf } from '../../../packet/packet.ts'
import { portsOf } from '../../../packet/ports.ts'
import { addressType, fibLookup } from '../../fib.ts'
import type { Link } from '../../netns.ts'
import type { IpSkb } from '../../skb.ts'
import { jhash } from '../jhash.ts'
import type { HookState } from '../netfilter.ts'
import { dataBytes } from './data-type.ts'
import type { Data, DataType, Expression, HashExpression, PayloadField } from './expression.ts'
import { typesOf } from './parse-expression.ts'

/** Where an expression takes its values from. */
export interface LoadPlace {
  readonly skb: IpSkb
  readonly state: HookState
  /** What asks for chance: `kube-proxy service-X 2`. */
  readonly entry: () => string
  /** How often each `numgen inc` was asked. */
  readonly counts: Map<Expression, number>
  readonly lookUp: (map: Extract<Expression, { kind: 'map' }>, key: readonly Data[]) => readonly Data[] | undefined
}

/** The fields of a value; undefined: the packet has no such thing, and the rule does not match (NFT_BREAK). */
export function load(expression: Expression, place: LoadPlace): readonly Data[] | undefined {
  switch (expression.kind) {
    case 'concat': {
      const fields: Data[] = []
      for (const part of expression.parts) {
        const value = load(part, place)
        if (value === undefined) return undefined
        fields.push(...value)
      }
      return fields
    }
    case 'map': {
      const key = load(expression.key, place)
      return key === undefined ? undefined : place.lookUp(expression, key)
    }
    default: {
      const value = loadOne(expression, place)
      return value === undefined ? undefined : [value]
    }
  }
}

function loadOne(expression: Exclude<Expression, { kind: 'concat' | 'map' }>, place: LoadPlace): Data | undefined {
  switch (expression.kind) {
    case 'payload':
      return loadPayload(expression, place.skb)
    case 'meta':
      return loadMeta(expression.key, place)
    case 'ct':
      return loadCt(expression.key, place.skb)
    case 'fib':
      return loadFib(expression, place)
    case 'numgen':
      return loadNumgen(expression, place)
    case 'binary': {
      const left = load(expression.left, place)?.[0]
      return typeof left === 'number' ? operate(expression.operator, left, expression.right) : undefined
    }
    case 'jhash':
      return loadHash(expression, place)
    case 'constant':
      return expression.data
    default:
      return expression satisfies never
  }
}

function operate(operator: '&' | '|' | '^', left: number, right: number): number {
  switch (operator) {
    case '&':
      return (left & right) >>> 0
    case '|':
      return (left | right) >>> 0
    case '^':
      return (left ^ right) >>> 0
    default:
      return operator satisfies never
  }
}

/**
 * nft_payload_eval. Another family's header, or another transport's, is not there: nft asks for the protocol before
 * it reads the field. `th` reads whatever transport there is; only those that begin with ports are read here.
 */
function loadPayload({ header, field }: Extract<Expression, { kind: 'payload' }>, { packet }: IpSkb): Data | undefined {
  switch (header) {
    case 'ip':
    case 'ip6':
      if (packet.src.family !== (header === 'ip' ? 4 : 6)) return undefined
      return field === 'saddr'
        ? packet.src
        : field === 'daddr'
          ? packet.dst
          : field === 'ttl'
            ? packet.ttl
            : protocolOf(packet)
    case 'icmp':
    case 'icmpv6': {
      const { payload, src } = packet
      if (payload.kind !== 'icmp' || src.family !== (header === 'icmp' ? 4 : 6)) return undefined
      return field === 'type' ? payload.type : payload.code
    }
    case 'th':
      return portOf(packet, field)
    case 'tcp':
    case 'udp':
    case 'sctp':
      if (protocolOf(packet) !== TRANSPORT[header]) return undefined
      if (field !== 'flags') return portOf(packet, field)
      return packet.payload.kind === 'tcp' ? packet.payload.flags : undefined
    default:
      return header satisfies never
  }
}

const TRANSPORT = { tcp: 6, udp: 17, sctp: 132 } as const

function portOf(packet: IpSkb['packet'], field: PayloadField): number | undefined {
  const ports = portsOf(packet)
  return field === 'sport' ? ports?.src : ports?.dst
}

const NFPROTO = { 4: 2, 6: 10 } as const

/** nft_meta_get_eval. A device that the hook has none of has no name. */
function loadMeta(key: Extract<Expression, { kind: 'meta' }>['key'], { skb, state }: LoadPlace): Data | undefined {
  switch (key) {
    case 'l4proto':
      return protocolOf(skb.packet)
    case 'mark':
      return skb.mark
    case 'iif':
    case 'iifname':
      return state.in?.name ?? ''
    case 'oifname':
      return state.out?.name ?? ''
    case 'nfproto':
      return NFPROTO[skb.packet.src.family]
    case 'pkttype':
      return isMulticast(skb.packet.dst) ? 2 : skb.packet.dst.family === 4 && skb.packet.dst.d === 0xffffffff ? 1 : 0
    default:
      return key satisfies never
  }
}

const CT_STATE = { established: 2, related: 4, new: 8, untracked: 64 } as const
const INVALID = 1

/** nft_ct_get_eval: a packet without an entry has a state, and nothing else. */
function loadCt(key: Extract<Expression, { kind: 'ct' }>['key'], { ct }: IpSkb): Data | undefined {
  if (key === 'state') return ct === undefined ? INVALID : CT_STATE[ct.state]
  if (ct?.entry === undefined) return undefined
  switch (key) {
    case 'status':
      return ct.entry.status
    case 'mark':
      return ct.entry.mark ?? 0
    case 'direction':
      return ct.direction === 'original' ? 0 : 1
    default:
      return key satisfies never
  }
}

const FIB_TYPE = { unspec: 0, unicast: 1, local: 2, broadcast: 3, multicast: 5, unreachable: 7 } as const

/** nft_fib4_eval_type, nft_fib6_eval_type. */
function loadFib({ of, device }: Extract<Expression, { kind: 'fib' }>, { skb, state }: LoadPlace): number {
  const ip = of === 'saddr' ? skb.packet.src : skb.packet.dst
  const dev = device === 'iif' ? state.in : device === 'oif' ? state.out : undefined
  if (ip.family === 4) return FIB_TYPE[addressType(skb.ns, ip, dev)]
  return fibType6(skb, ip, dev)
}

function fibType6({ ns }: IpSkb, ip: IpSkb['packet']['src'], dev: Link | undefined): number {
  if (dev !== undefined && addressType(ns, ip, dev) === 'local') return FIB_TYPE.local
  if (isMulticast(ip)) return FIB_TYPE.multicast
  const found = fibLookup(ns.fib, { dst: ip, ...(dev === undefined ? {} : { oif: dev.name }) })
  if (found.kind !== 'found') return FIB_TYPE.unreachable
  if (dev === undefined && found.entry.route.type === 'local') return FIB_TYPE.local
  return isUnspecified(ip) ? FIB_TYPE.unspec : FIB_TYPE.unicast
}

/** nft_ng_random_eval, nft_ng_inc_eval. What is certain is not drawn. */
function loadNumgen(numgen: Extract<Expression, { kind: 'numgen' }>, place: LoadPlace): number {
  const { mod, offset } = numgen
  if (numgen.mode === 'inc') {
    const count = place.counts.get(numgen) ?? 0
    place.counts.set(numgen, (count + 1) % mod)
    return offset + count
  }
  if (mod === 1) return offset
  const { host, name } = place.skb.ns
  return offset + host.kernel.draw({ host: host.name, netns: name, purpose: 'numgen', entry: place.entry() }, mod)
}

/** nft_jhash_eval, Linux net/netfilter/nft_hash.c; the hash is scaled, not divided (reciprocal_scale). */
function loadHash({ key, mod, seed, offset }: HashExpression, place: LoadPlace): number | undefined {
  const fields = load(key, place)
  if (fields === undefined) return undefined
  const hash = jhash(keyOctets(typesOf(key), fields), seed)
  return offset + Number((BigInt(hash) * BigInt(mod)) >> 32n)
}

/** One value in its own length; several, each filled up to whole registers. */
function keyOctets(types: readonly DataType[], fields: readonly Data[]): readonly number[] {
  const [type] = types
  const octets = fields.flatMap((field, i) => dataBytes(types[i] ?? 'integer', field))
  if (fields.length > 1 || type === undefined) return octets
  return type === 'inet_service' ? octets.slice(0, 2) : type === 'inet_proto' ? octets.slice(0, 1) : octets
}
