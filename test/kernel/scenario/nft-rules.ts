import { nftOps } from '../../../linux/netfilter/testing/nft-ops.ts'
import type { OpBody } from '../../../linux/op.ts'
import type { LabMachine } from '../lab.ts'
import type { Listener, Scenario, ScenarioFlow } from '../scenario.ts'
import { addr, card, inRoot, neigh, route, rules, sysctl, up } from './words.ts'

/** Rules of nft on a router between a client and a server, both families: every statement and expression that is emulated. */

const MACS = {
  client: '02:00:00:00:00:01',
  near: '02:00:00:00:00:02',
  far: '02:00:00:00:00:03',
  server: '02:00:00:00:00:04',
} as const

const FORWARDING = [sysctl('net.ipv4.ip_forward', 1), sysctl('net.ipv6.conf.all.forwarding', 1)]

function labOf(router: readonly OpBody[]): { readonly hosts: readonly LabMachine[] } {
  return {
    hosts: [
      machine(
        'client',
        [{ name: 'eth0', at: MACS.client, segment: 'near', net: 1, last: 2 }],
        [
          neigh('eth0', '10.1.0.1', MACS.near),
          neigh('eth0', 'fd00:1::1', MACS.near),
          route('0.0.0.0/0', { via: '10.1.0.1', dev: 'eth0' }),
          route('::/0', { via: 'fd00:1::1', dev: 'eth0' }),
        ],
      ),
      machine(
        'router',
        [
          { name: 'eth0', at: MACS.near, segment: 'near', net: 1, last: 1 },
          { name: 'eth1', at: MACS.far, segment: 'far', net: 2, last: 1 },
        ],
        [
          ...FORWARDING,
          neigh('eth0', '10.1.0.2', MACS.client),
          neigh('eth0', 'fd00:1::2', MACS.client),
          neigh('eth1', '10.2.0.2', MACS.server),
          neigh('eth1', 'fd00:2::2', MACS.server),
          ...router,
        ],
      ),
      machine(
        'server',
        [{ name: 'eth0', at: MACS.server, segment: 'far', net: 2, last: 2 }],
        [
          neigh('eth0', '10.2.0.1', MACS.far),
          neigh('eth0', 'fd00:2::1', MACS.far),
          route('0.0.0.0/0', { via: '10.2.0.1', dev: 'eth0' }),
          route('::/0', { via: 'fd00:2::1', dev: 'eth0' }),
        ],
      ),
    ],
  }
}

interface Card {
  readonly name: string
  readonly at: string
  readonly segment: string
  readonly net: number
  readonly last: number
}

function machine(name: string, cards: readonly Card[], more: readonly OpBody[]): LabMachine {
  const links = cards.flatMap(({ name: link, at, segment, net, last }) => [
    card(link, at, segment),
    addr(link, `10.${net}.0.${last}/24`),
    addr(link, `fd00:${net}::${last}/64`),
    up(link),
  ])
  return { name, ops: inRoot(up('lo'), ...links, ...more) }
}

const CLIENT = { host: 'client', netns: 'root' } as const
const SERVER_IPS = { 4: '10.2.0.2', 6: 'fd00:2::2' } as const

const to = (ip: string, protocol: ScenarioFlow['protocol'], port = 0): ScenarioFlow => ({
  ...CLIENT,
  protocol,
  to: { ip, port },
  sends: [16],
})

const both = (flow: (ip: string) => ScenarioFlow): readonly ScenarioFlow[] =>
  [4, 6].map((family) => flow(SERVER_IPS[family as 4]))
const EACH: readonly ScenarioFlow[] = [
  ...both((ip) => to(ip, 'tcp', 80)),
  ...both((ip) => to(ip, 'udp', 53)),
  ...both((ip) => to(ip, 'udp', 54)),
  ...both((ip) => to(ip, 'icmp')),
]

const STANDING = [4, 6].flatMap((family): Listener[] =>
  (
    [
      ['tcp', 80],
      ['tcp', 8080],
      ['udp', 53],
      ['udp', 5353],
    ] as const
  ).map(([protocol, port]) => ({
    host: 'server',
    netns: 'root',
    program: 'listen',
    protocol,
    family: family as 4,
    port,
  })),
)

/** Chains f (forward), i (input), o (output), pre, post of a table t, and x and y to go to. */
const table = (family: 'ip' | 'ip6' | 'inet'): string => `
  add table ${family} t
  add chain ${family} t f { type filter hook forward priority 0 ; }
  add chain ${family} t i { type filter hook input priority 0 ; }
  add chain ${family} t o { type filter hook output priority 0 ; }
  add chain ${family} t pre { type nat hook prerouting priority -100 ; }
  add chain ${family} t post { type nat hook postrouting priority 100 ; }
  add chain ${family} t x
  add chain ${family} t y`

interface Ruled {
  readonly about: string
  readonly nft: string
  readonly flows?: readonly ScenarioFlow[]
  readonly more?: readonly OpBody[]
}

const FOUR = table('ip')
const SIX = table('ip6')
const BOTH = table('inet')

const RULED: Readonly<Record<string, Ruled>> = {
  matches: {
    about: 'Comparisons of addresses, ports, devices and marks; counters and verdicts.',
    nft: `${BOTH}
      add rule inet t f ip saddr 10.1.0.0/24 counter
      add rule inet t f ip6 saddr fd00:1::/64 counter
      add rule inet t f ip saddr != 10.1.0.2 drop
      add rule inet t f iifname "eth*" oifname eth1 meta mark set 0x10
      add rule inet t f meta mark & 0x10 != 0 meta mark set mark or 0x1
      add rule inet t f meta mark 0x11 jump x
      add rule inet t x udp dport 54-60 drop
      add rule inet t x meta l4proto { tcp, udp } return
      add rule inet t x meta nfproto ipv6 goto y
      add rule inet t y icmpv6 type echo-request accept
      add rule inet t f ip ttl < 63 drop
      add rule inet t f th dport { 80, 50-53 } accept`,
  },
  sets: {
    about: 'Named sets with intervals, concatenations, maps of verdicts.',
    nft: `${FOUR}
      ${SIX}
      add set ip t s { type ipv4_addr ; flags interval ; }
      add element ip t s { 10.1.0.0/28 }
      add set ip t c { type ipv4_addr . inet_service ; flags interval ; }
      add element ip t c { 10.2.0.0/24 . 50-60 }
      add map ip t m { type ipv4_addr . inet_proto . inet_service : verdict ; }
      add element ip t m { 10.2.0.2 . tcp . 80 : goto x }
      add element ip t m { 10.2.0.2 . udp . 54 : drop }
      add map ip6 t m { type ipv6_addr . inet_proto . inet_service : verdict ; }
      add element ip6 t m { fd00:2::2 . tcp . 80 : jump x }
      add element ip6 t m { fd00:2::2 . udp . 53 : accept }
      add rule ip t f ip saddr @s counter
      add rule ip t f ip daddr . th dport @c counter
      add rule ip t f ip daddr . meta l4proto . th dport vmap @m
      add rule ip6 t f ip6 daddr . meta l4proto . th dport vmap @m
      add rule ip6 t f ip6 saddr { fd00:1::2, fd00:9::/32 } counter
      add rule ip6 t f ip6 saddr != { fd00:1::2, fd00:9::/32 } drop
      add rule ip t x counter
      add rule ip6 t x return
      add rule ip t f ip saddr vmap { 10.1.0.0/24 : continue, 10.9.0.1 : drop }`,
  },
  'conntrack-and-fib': {
    about: 'States of connections, types of addresses, taking turns.',
    nft: `${BOTH}
      add rule inet t f ct state established,related accept
      add rule inet t f ct state { new, untracked } ct direction original jump x
      add rule inet t x fib saddr type unicast counter
      add rule inet t x fib daddr type local drop
      add rule inet t x numgen inc mod 2 vmap { 0 : return, 1 : goto y }
      add rule inet t y counter
      add rule inet t i fib daddr type local counter
      add rule inet t i fib saddr . iif type local drop`,
    flows: [...EACH, to('10.1.0.1', 'icmp'), to('fd00:1::1', 'icmp'), to('10.2.0.1', 'udp', 9)],
  },
  reject: {
    about: 'Refusals of every kind.',
    nft: `${FOUR}
      ${SIX}
      add rule ip t f tcp dport 80 reject with tcp reset
      add rule ip t f udp dport 53 reject
      add rule ip t f udp dport 54 reject with icmp type admin-prohibited
      add rule ip t f reject with icmp type host-unreachable
      add rule ip6 t f tcp dport 80 reject with tcp reset
      add rule ip6 t f udp dport 53 reject
      add rule ip6 t f udp dport 54 reject with icmpv6 type admin-prohibited
      add rule ip6 t f icmpv6 type echo-request reject with icmpv6 type no-route`,
  },
  nat: {
    about: 'Destinations and sources changed, by constants and maps.',
    nft: `${FOUR}
      ${SIX}
      add rule ip t pre meta l4proto tcp dnat to 10.2.0.2:8080
      add rule ip t pre udp dport 53 dnat ip addr . port to numgen random mod 1 map { 0 : 10.2.0.2 . 5353 }
      add rule ip t pre udp dport 54 dnat to ip daddr map { 10.2.0.2 : 10.2.0.9 }
      add rule ip t post ct status dnat masquerade
      add rule ip6 t pre meta l4proto tcp dnat to [fd00:2::2]:8080
      add rule ip6 t pre udp dport 53 dnat ip6 addr . port to numgen random mod 1 map { 0 : fd00:2::2 . 5353 }
      add rule ip6 t post oifname eth1 masquerade`,
    flows: [...both((ip) => to(ip, 'tcp', 80)), ...both((ip) => to(ip, 'udp', 53)), ...both((ip) => to(ip, 'icmp'))],
  },
  'random-choice': {
    about: 'A destination by chance, and a chain by chance that remembers the client.',
    nft: `${FOUR}
      add set ip t a { type ipv4_addr ; flags dynamic,timeout ; timeout 60s ; }
      add rule ip t pre udp dport 55 dnat ip addr . port to numgen random mod 2 map { 0 : 10.2.0.2 . 5353 , 1 : 10.2.0.2 . 53 }
      add rule ip t pre tcp dport 80 ip saddr @a goto x
      add rule ip t pre tcp dport 80 numgen random mod 2 vmap { 0 : goto x , 1 : goto y }
      add rule ip t x update @a { ip saddr }
      add rule ip t x meta l4proto tcp dnat to 10.2.0.2:8080
      add rule ip t y meta l4proto tcp dnat to 10.2.0.2:80`,
    flows: [1, 2, 3].flatMap(() => [to(SERVER_IPS[4], 'tcp', 80), to(SERVER_IPS[4], 'udp', 55)]),
  },
  notrack: {
    about: 'What is not tracked, and a table of the other family that does not matter.',
    nft: `${FOUR}
      add table ip6 t
      add chain ip t raw { type filter hook prerouting priority -300 ; }
      add rule ip t raw udp dport 53 notrack
      add rule ip t f ct state untracked counter
      add rule ip t f ct state invalid drop`,
  },
  'beside-iptables': {
    about: 'Hooks of nft and iptables with the same priorities: what came last is asked first.',
    nft: `${FOUR}
      add rule ip t f udp dport 53 counter
      add rule ip t pre udp dport 53 dnat to 10.2.0.2:5353
      add chain ip t later { type filter hook forward priority 10 ; }
      add rule ip t later counter`,
    more: [
      ...rules(4, 'filter', '-A FORWARD -p udp -m udp --dport 5353', '-A FORWARD -p tcp'),
      ...rules(
        4,
        'nat',
        '-A PREROUTING -p udp -m udp --dport 53 -j DNAT --to-destination 10.2.0.9',
        '-A POSTROUTING -o eth1 -j MASQUERADE',
      ),
    ],
    flows: [to(SERVER_IPS[4], 'udp', 53), to(SERVER_IPS[4], 'tcp', 80), to(SERVER_IPS[4], 'udp', 54)],
  },
  counting: {
    about: 'Limits and quotas that are used up, a log, marks of connections, hashes.',
    nft: `${BOTH}
      add rule inet t f log prefix "seen " level debug
      add rule inet t f udp dport 53 limit rate 1/hour burst 2 packets counter
      add rule inet t f udp dport 53 limit rate over 2/week burst 3 packets drop
      add rule inet t f udp dport 54 limit rate 20 bytes/day burst 60 bytes counter
      add rule inet t f udp dport 54 quota over 132 bytes used 44 bytes drop
      add rule inet t f udp dport 55 quota 88 bytes counter
      add rule inet t f ct state new tcp dport 80 ct mark set 0x5
      add rule inet t f ct mark 0x5 meta mark set ct mark
      add rule inet t f meta mark 0x5 ct mark set ct mark or 0x100
      add rule inet t f ct mark & 0x100 != 0 counter
      add rule inet t f udp dport 56 ct mark set meta mark or 0x7
      add rule inet t f jhash ip saddr . ip daddr mod 16 seed 0xdeadbeef vmap { 0-3 : jump x, 4-7 : jump y }
      add rule inet t f jhash ip6 daddr mod 8 seed 0x7 offset 10 10-13 counter
      add rule inet t f udp sport 40000-65535 jhash udp dport mod 4 seed 0x1 { 0, 1 } counter
      add rule inet t f meta mark set jhash ip daddr mod 256 seed 0x3 offset 256
      add rule inet t f meta mark != 0 counter
      add rule inet t x counter
      add rule inet t y return`,
    flows: [1, 2, 3, 4].flatMap(() =>
      both((ip) => to(ip, 'udp', 53)).concat(
        both((ip) => to(ip, 'udp', 54)),
        both((ip) => to(ip, 'udp', 55)),
        both((ip) => to(ip, 'udp', 56)),
        both((ip) => to(ip, 'tcp', 80)),
      ),
    ),
  },
  policies: {
    about: 'A chain that drops what no rule accepts.',
    nft: `
      add table inet t
      add chain inet t f { type filter hook forward priority 0 ; policy drop ; }
      add chain inet t g { type filter hook forward priority -10 ; }
      add rule inet t g counter accept
      add rule inet t f tcp dport 80 accept
      add rule inet t f ct state established accept`,
  },
}

export const nftRules: readonly Scenario[] = Object.entries(RULED).map(([name, { about, nft, flows, more }]) => ({
  name: `nft-rules-${name}`,
  about,
  backend: 'nft',
  lab: labOf([...(more ?? []), ...nftOps(nft)]),
  standing: STANDING,
  flows: flows ?? EACH,
}))
