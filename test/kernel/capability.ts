/**
 * What the judge cannot do without, and what some kernels cannot have. Labs are compiled for what a kernel can do; the
 * report says what was left out.
 */
const NEEDED = [
  'link veth',
  'link bridge',
  'link vxlan',
  'tun',
  'iptables-legacy IPv4',
  'iptables-legacy IPv6',
  'nft',
  'br_netfilter',
  'conntrack',
  'ipv6',
] as const

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
