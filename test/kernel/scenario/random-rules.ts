import type { Random } from './random.ts'
import type { ExtraRule } from './recipe.ts'

/** What rules of a lab can speak of. */
export interface Surroundings {
  readonly hosts: readonly string[]
  readonly families: readonly (4 | 6)[]
  readonly links: readonly string[]
  readonly addresses: readonly string[]
  readonly networks: readonly string[]
}

/** One to four rules from the matches and targets that our evaluator knows. */
export function randomRules(random: Random, around: Surroundings): ExtraRule[] {
  return [ruleOf(random, around), ...random.list(3, () => ruleOf(random, around))]
}

const CHAINS = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'OUTPUT', 'POSTROUTING', 'INPUT'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
} as const

function ruleOf(random: Random, all: Surroundings): ExtraRule {
  const family = random.pick(all.families)
  const ofFamily = (texts: readonly string[]) => texts.filter((text) => text.includes(':') === (family === 6))
  const around = { ...all, family, addresses: ofFamily(all.addresses), networks: ofFamily(all.networks) }
  const table = random.pick(['raw', 'mangle', 'nat', 'nat', 'filter', 'filter', 'filter'] as const)
  const chain = random.pick<string>(CHAINS[table])
  const protocol = random.pick(['tcp', 'udp', family === 4 ? 'icmp' : 'ipv6-icmp', undefined])
  const target = targetOf(random, around, { table, chain, protocol })
  const set = random.chance(0.1) ? setOf(random, around) : undefined
  const member = set === undefined ? [] : [`-m set --match-set ${set.name} ${random.pick(['src', 'dst'])}`]
  const args = [...matchesOf(random, around, { table, chain, protocol }), ...member, target].join(' ')
  const top = random.chance(0.5)
  return { host: random.pick(all.hosts), family, table, chain, args, top, ...(set === undefined ? {} : { set }) }
}

interface Around extends Surroundings {
  readonly family: 4 | 6
}

function setOf(random: Random, { family, networks, addresses }: Around): NonNullable<ExtraRule['set']> {
  return {
    name: `made-up-${random.below(1_000_000)}`,
    type: family === 4 ? 'hash:net' : 'hash:net family inet6',
    entries: [...new Set([...random.some(networks, 0.5), ...random.some(addresses, 0.2)])],
  }
}

interface Place {
  readonly table: keyof typeof CHAINS
  readonly chain: string
  readonly protocol: string | undefined
}

function matchesOf(random: Random, around: Around, { table, chain, protocol }: Place): string[] {
  const matches: string[] = []
  const not = () => (random.chance(0.2) ? '! ' : '')
  const where = () => random.pick([...around.addresses, ...around.networks, ...around.networks])
  if (random.chance(0.4)) matches.push(`${not()}-s ${where()}`)
  if (random.chance(0.4)) matches.push(`${not()}-d ${where()}`)
  if (random.chance(0.2) && chain !== 'OUTPUT' && chain !== 'POSTROUTING')
    matches.push(`${not()}-i ${random.pick(around.links)}`)
  if (random.chance(0.2) && chain !== 'PREROUTING' && chain !== 'INPUT')
    matches.push(`${not()}-o ${random.pick(around.links)}`)
  if (protocol !== undefined) matches.push(`-p ${protocol}`)
  if ((protocol === 'tcp' || protocol === 'udp') && random.chance(0.4))
    matches.push(`-m ${protocol} ${not()}--dport ${random.pick(['80', '53', '8080', '5353', '1:10000', '8472'])}`)
  if ((protocol === 'tcp' || protocol === 'udp') && random.chance(0.15))
    matches.push(
      `-m multiport ${not()}--${random.pick(['dports', 'sports', 'ports'])} ${random.pick(['53,80', '8080,5353', '1:1024,8080', '80'])}`,
    )
  if (protocol === 'tcp' && random.chance(0.2)) matches.push(`-m tcp ${not()}--tcp-flags ${random.pick(TCP_FLAGS)}`)
  if (protocol === 'icmp' && random.chance(0.3))
    matches.push(`-m icmp ${not()}--icmp-type ${random.pick(ICMP_TYPES[4])}`)
  if (protocol === 'ipv6-icmp' && random.chance(0.5))
    matches.push(`-m icmp6 ${not()}--icmpv6-type ${random.pick(ICMP_TYPES[6])}`)
  if (table === 'filter' && random.chance(0.05))
    matches.push(`-m recent --name made-up ${random.pick(['--set', '--rcheck', '--update --seconds 60'])}`)
  if (random.chance(0.2))
    matches.push(
      `-m conntrack ${not()}--ctstate ${random.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID', 'DNAT', 'SNAT', 'UNTRACKED'])}`,
    )
  if (random.chance(0.15)) matches.push(`-m mark ${not()}--mark ${random.pick(['0x4000/0x4000', '0x1', '0x0/0xff'])}`)
  if (random.chance(0.1))
    matches.push(
      `-m addrtype ${not()}--dst-type ${random.pick(['LOCAL', 'UNICAST', around.family === 4 ? 'BROADCAST' : 'MULTICAST'])}`,
    )
  if (random.chance(0.05)) matches.push(`-m addrtype ${not()}--src-type ${random.pick(['LOCAL', 'UNICAST'])}`)
  if (around.family === 4 && random.chance(0.03)) matches.push(`${not()}-f`)
  if (random.chance(0.05)) matches.push('-m statistic --mode nth --every 2 --packet 0')
  if (random.chance(0.1)) matches.push('-m comment --comment "made up"')
  return matches
}

const TCP_FLAGS = ['FIN,SYN,RST,ACK SYN', 'SYN,RST RST', 'FIN FIN', 'PSH,ACK PSH,ACK']
const ICMP_TYPES = {
  4: ['8', '0', '3', '3/3', '11', '5'],
  6: ['128', '129', '1', '1/4', '3', '2'],
} as const

const REJECTS = {
  4: [
    'icmp-port-unreachable',
    'icmp-host-unreachable',
    'icmp-net-unreachable',
    'icmp-admin-prohibited',
    'icmp-proto-unreachable',
  ],
  6: ['icmp6-port-unreachable', 'icmp6-addr-unreachable', 'icmp6-no-route', 'icmp6-adm-prohibited'],
} as const

function targetOf(random: Random, around: Around, { table, chain, protocol }: Place): string {
  const plain = ['-j ACCEPT', '-j RETURN', '-j ACCEPT']
  switch (table) {
    case 'raw':
      return random.pick([...plain, '-j CT --notrack', '-j DROP'])
    case 'mangle':
      return random.pick([
        ...plain,
        `-j MARK --set-xmark ${random.pick(['0x1/0xffffffff', '0x4000/0x4000', '0x10/0x0'])}`,
        '-j DROP',
      ])
    case 'filter': {
      const reset = protocol === 'tcp' ? ['-j REJECT --reject-with tcp-reset'] : []
      return random.pick([
        ...plain,
        '-j DROP',
        `-j REJECT --reject-with ${random.pick(REJECTS[around.family])}`,
        ...reset,
      ])
    }
    case 'nat': {
      const address = random.pick(around.addresses)
      if (chain === 'POSTROUTING')
        return random.pick([
          ...plain,
          '-j MASQUERADE',
          '-j MASQUERADE --random-fully',
          `-j SNAT --to-source ${address}`,
        ])
      if (chain === 'INPUT') return random.pick([...plain, `-j SNAT --to-source ${address}`])
      const port = protocol === 'tcp' || protocol === 'udp' ? random.pick(['', ':8080', ':53', ':80']) : ''
      const to = port === '' ? address : around.family === 4 ? `${address}${port}` : `[${address}]${port}`
      const redirect = protocol === 'tcp' || protocol === 'udp' ? '-j REDIRECT --to-ports 8080' : '-j REDIRECT'
      return random.pick([...plain, `-j DNAT --to-destination ${to}`, `-j DNAT --to-destination ${to}`, redirect])
    }
  }
}
