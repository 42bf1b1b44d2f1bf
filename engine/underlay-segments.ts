import type { LabNetwork } from '../cluster/lab.ts'
import type { Ip } from '../packet/ip.ts'
import { contains, formatPrefix, networkOf, type Prefix, parsePrefix } from '../packet/prefix.ts'
import { INTERNET } from './underlay.ts'
import type { Draft } from './underlay-draft.ts'

/** Networks of the Lab, or the one that holds all nodes. */
export function addSegments(draft: Draft): void {
  const blocked = (network: string): readonly number[] =>
    (draft.cluster.lab.faults ?? []).flatMap((fault) =>
      fault.kind === 'udpBlocked' && (fault.network === undefined || fault.network === network) ? [fault.port] : [],
    )
  const declared = draft.cluster.lab.networks ?? []
  for (const network of declared) {
    const prefixes = prefixesOf(network)
    draft.segments.set(network.name, {
      name: network.name,
      prefixes,
      mtu: network.mtu ?? 1500,
      outside: network.name === INTERNET,
      blockedUdpPorts: blocked(network.name),
    })
  }
  if (declared.length === 0) assumeOneSegment(draft, blocked('lan'))
  if (!draft.segments.has(INTERNET))
    draft.segments.set(INTERNET, {
      name: INTERNET,
      prefixes: [],
      mtu: 1500,
      outside: true,
      blockedUdpPorts: blocked(INTERNET),
    })
}

function prefixesOf(network: LabNetwork): readonly Prefix[] {
  const texts = network.cidr6 === undefined ? [network.cidr] : [network.cidr, network.cidr6]
  return texts.flatMap((text) => {
    const result = parsePrefix(text, 'mask')
    return result.ok ? [result.value] : []
  })
}

function assumeOneSegment(draft: Draft, blockedUdpPorts: readonly number[]): void {
  const all = draft.cluster.nodes.flatMap((node) => node.internalIPs)
  const prefixes = ([4, 6] as const).flatMap((family) => {
    const covering = coveringPrefix(all.filter((address) => address.family === family))
    return covering === undefined ? [] : [covering]
  })
  draft.segments.set('lan', { name: 'lan', prefixes, mtu: 1500, outside: false, blockedUdpPorts })
  if (draft.cluster.nodes.length === 0) return
  draft.assumptions.push({
    code: 'underlay-one-segment',
    text: `all nodes are on one network${prefixes.length === 0 ? '' : ` (${prefixes.map(formatPrefix).join(', ')})`}, MTU 1500`,
    set: 'spec.networks in a Lab document',
    collect: 'ip route; ip -d link   (on each node)',
  })
}

/** The usual /24 or /64 that holds all addresses, else a shorter prefix that does. */
function coveringPrefix(addresses: readonly Ip[]): Prefix | undefined {
  const [first] = addresses
  if (first === undefined) return undefined
  for (let length = first.family === 4 ? 24 : 64; length > 0; length--) {
    const network = networkOf(first, length)
    if (addresses.every((address) => contains(network, address))) return network
  }
  return networkOf(first, 0)
}
