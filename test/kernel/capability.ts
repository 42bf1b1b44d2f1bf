import { MODES, type Mode } from './scenario/recipe.ts'

/** What the judge cannot do without. */
const NEEDED = ['link veth', 'link bridge', 'iptables-legacy IPv4', 'nft', 'br_netfilter', 'conntrack'] as const

/** What labs of a mode take beside that; a kernel without it skips them, and the report says which and why. */
const OF_MODES: Readonly<Partial<Record<Mode, readonly string[]>>> = {
  vxlan: ['link vxlan'],
  'cluster-vxlan': ['link vxlan'],
  'cluster-directrouting': ['link vxlan'],
  'two-racks': ['link vxlan'],
  udp: ['tun'],
  'cluster-udp': ['tun'],
  bridge6: ['ipv6', 'iptables-legacy IPv6'],
  bridge46: ['ipv6', 'iptables-legacy IPv6'],
  routed6: ['ipv6', 'iptables-legacy IPv6'],
  routed46: ['ipv6', 'iptables-legacy IPv6'],
}

/** What podwalk knows of and no lab is made of where the kernel does not have it. */
const OF_NO_MODE: readonly (readonly [what: string, capability: string])[] = [
  ['calico IPIP', 'link ipip'],
  ['kube-proxy ipvs', 'iptables-legacy -m ipvs'],
]

/** `mode udp: no /dev/net/tun`. */
export function skipped(capabilities: Capabilities): readonly string[] {
  const modes = MODES.flatMap((mode) => {
    const [reason] = lacking(mode, capabilities)
    return reason === undefined ? [] : [`mode ${mode}: ${reason}`]
  })
  const rest = OF_NO_MODE.flatMap(([what, capability]) => {
    const answer = capabilities[capability] ?? 'not asked'
    return answer === true ? [] : [`${what}: ${answer}`]
  })
  return [...modes, ...rest]
}

export const possibleModes = (capabilities: Capabilities): readonly Mode[] =>
  MODES.filter((mode) => lacking(mode, capabilities).length === 0)

const lacking = (mode: Mode, capabilities: Capabilities): readonly string[] =>
  (OF_MODES[mode] ?? []).flatMap((name) => {
    const answer = capabilities[name] ?? 'not asked'
    return answer === true ? [] : [answer]
  })

/** Missing without harm: no scenario asks for them where they are not. */
const MAY_BE_MISSING = [
  'link ipip',
  'link gre',
  'link wireguard',
  'link dummy',
  'netem',
  'iptables-legacy -m ipvs',
  'iptables-nft -m ipvs',
  'iptables-legacy -m nfacct',
  'iptables-nft -m nfacct',
] as const

export type Capabilities = Readonly<Record<string, true | string>>

/** Why this kernel cannot judge; empty where it can. */
export function missingNeeds(capabilities: Capabilities): readonly string[] {
  return NEEDED.flatMap((name) => {
    const answer = capabilities[name] ?? 'not asked'
    return answer === true ? [] : [`${name}: ${answer}`]
  })
}

/** What is missing although a kernel for this judge should have it. */
export function unexpectedlyMissing(capabilities: Capabilities): readonly string[] {
  const allowed = new Set<string>(MAY_BE_MISSING)
  return Object.entries(capabilities)
    .filter(([name, answer]) => answer !== true && !allowed.has(name))
    .map(([name, answer]) => `${name}: ${answer}`)
}

/** Everything the kernel does not have, for the report. */
export const missing = (capabilities: Capabilities): readonly string[] =>
  Object.entries(capabilities)
    .filter(([, answer]) => answer !== true)
    .map(([name, answer]) => `${name}: ${answer}`)
