import type { Random } from './random.ts'
import type { ExtraRule } from './recipe.ts'

/** What rules of a lab can speak of. */
export interface Surroundings {
  readonly hosts: readonly string[]
  readonly family: 4 | 6
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

function ruleOf(random: Random, around: Surroundings): ExtraRule {
  const table = random.pick(['raw', 'mangle', 'nat', 'nat', 'filter', 'filter', 'filter'] as const)
  const chain = random.pick<string>(CHAINS[table])
  const protocol = random.pick(['tcp', 'udp', around.family === 4 ? 'icmp' : 'ipv6-icmp', undefined])
  const target = targetOf(random, around, { table, chain, protocol })
  const args = [...matchesOf(random, around, { chain, protocol }), target].join(' ')
  return { host: random.pick(around.hosts), family: around.family, table, chain, args, top: random.chance(0.5) }
}

interface Place {
  readonly chain: string
  readonly protocol: string | undefined
}

function matchesOf(random: Random, around: Surroundings, { chain, protocol }: Place): string[] {
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
  if (random.chance(0.2))
    matches.push(
      `-m conntrack ${not()}--ctstate ${random.pick(['NEW', 'RELATED,ESTABLISHED', 'INVALID', 'DNAT', 'SNAT', 'UNTRACKED'])}`,
    )
  if (random.chance(0.15)) matches.push(`-m mark ${not()}--mark ${random.pick(['0x4000/0x4000', '0x1', '0x0/0xff'])}`)
  if (random.chance(0.1))
    matches.push(`-m addrtype ${not()}--dst-type ${random.pick(['LOCAL', 'UNICAST', 'BROADCAST'])}`)
  if (random.chance(0.1)) matches.push('-m comment --comment "made up"')
  return matches
}

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

function targetOf(
  random: Random,
  around: Surroundings,
  { table, chain, protocol }: Place & { table: keyof typeof CHAINS },
): string {
  const plain = ['-j ACCEPT', '-j RETURN', '-j ACCEPT']
  switch (table) {
    case 'raw':
      return random.pick([...plain, '-j CT --notrack', '-j DROP'])
    case 'mangle':
      return random.pick([
        ...plain,
        `-j MARK --set-xmark ${random.pick(['0x1/0xffffffff', '0x4000/0x4000', '0x10/0x0'])}`,
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
      return random.pick([...plain, `-j DNAT --to-destination ${to}`])
    }
  }
}
