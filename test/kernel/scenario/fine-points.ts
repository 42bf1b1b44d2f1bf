import type { OpBody } from '../../../linux/op.ts'
import type { LabMachine } from '../lab.ts'
import type { Listener, Scenario, ScenarioFlow } from '../scenario.ts'
import { flannelNode, pod, podIp } from './flannel.ts'
import { bridgeMachine } from './one-bridge.ts'
import { addr, card, chain, inNetns, inRoot, neigh, policy, route, rules, sysctl, up } from './words.ts'

/** Points that a machine can get wrong without the usual traffic ever showing it; each has sabotage of its own. */

interface Cards {
  readonly [name: string]: { readonly segment: string; readonly addresses: readonly string[]; readonly mtu?: number }
}

/** A machine on some segments. MACs follow from its number. */
function box(name: string, number: number, cards: Cards, ...more: readonly OpBody[]): LabMachine {
  const links = Object.entries(cards).flatMap(([link, { segment, addresses, mtu }], i) => [
    card(link, `52:54:00:00:0${number}:0${i + 1}`, segment, mtu),
    ...addresses.map((one) => addr(link, one)),
    up(link),
  ])
  return { name, ops: inRoot(up('lo'), ...links, ...more) }
}

const FORWARDING = sysctl('net.ipv4.ip_forward', 1)
const byRouter = route('0.0.0.0/0', { via: '10.1.0.1', dev: 'eth0' })
const CLIENT = { host: 'client', netns: 'root' }
const SERVER = { host: 'server', netns: 'root' }
const SERVER_IP = '10.2.0.2'

interface Parts {
  readonly client?: readonly OpBody[]
  readonly router?: readonly OpBody[]
  readonly server?: readonly OpBody[]
  readonly clientAddresses?: readonly string[]
  readonly routerAddresses?: readonly string[]
  readonly serverMtu?: number
}

/** client 10.1.0.2 - router - server 10.2.0.2. */
function routed(parts: Parts): { readonly hosts: readonly LabMachine[] } {
  const near = { segment: 'near', addresses: parts.clientAddresses ?? ['10.1.0.2/24'] }
  return {
    hosts: [
      box('client', 1, { eth0: near }, byRouter, ...(parts.client ?? [])),
      box(
        'router',
        2,
        {
          eth0: { segment: 'near', addresses: ['10.1.0.1/24'] },
          eth1: { segment: 'far', addresses: ['10.2.0.1/24', ...(parts.routerAddresses ?? [])] },
        },
        FORWARDING,
        ...(parts.router ?? []),
      ),
      box(
        'server',
        3,
        { eth0: { segment: 'far', addresses: ['10.2.0.2/24'], mtu: parts.serverMtu ?? 1500 } },
        route('0.0.0.0/0', { via: '10.2.0.1', dev: 'eth0' }),
        ...(parts.server ?? []),
      ),
    ],
  }
}

const listens = (protocol: 'tcp' | 'udp', port: number): Listener => ({
  ...SERVER,
  program: 'listen',
  protocol,
  family: 4,
  port,
})
const ping = (to: string): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'icmp',
  to: { ip: to, port: 0 },
  sends: [56],
})
const udp = (to: string, port: number, octets: string | number = 'question'): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'udp',
  to: { ip: to, port },
  sends: [octets],
})
const tcp = (port: number, octets: string | number = 'hello'): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'tcp',
  to: { ip: SERVER_IP, port },
  sends: [octets],
})

const SERVERS = [listens('tcp', 80), listens('udp', 53)]

const overRouter: readonly Scenario[] = [
  {
    name: 'closed-port-of-the-far-address',
    about: 'A router is asked at the address of its other card, and answers from that one.',
    lab: routed({}),
    standing: [],
    flows: [{ ...CLIENT, ...udp('10.2.0.1', 9) }],
  },
  {
    name: 'no-error-about-an-error',
    about: 'The way back is unreachable: nobody is told of an ICMP error that is lost there.',
    lab: routed({ router: [route('10.1.0.2/32', { type: 'unreachable' })] }),
    standing: [],
    flows: [{ ...CLIENT, ...udp(SERVER_IP, 9) }],
  },
  {
    name: 'one-error-for-all-fragments',
    about: 'A router without a route tells the sender once, of the first fragment.',
    lab: routed({}),
    standing: [],
    flows: [{ ...CLIENT, ...udp('10.9.9.9', 9, 3000) }],
  },
  {
    name: 'fragments-that-never-come',
    about: 'Later fragments are lost on the way: the receiver waits, and tells the sender when its patience is over.',
    lab: routed({
      router: rules(4, 'filter', '-A FORWARD -f -j DROP'),
      server: [sysctl('net.ipv4.ipfrag_time', 1)],
    }),
    standing: SERVERS,
    observeMs: 1500,
    flows: [{ ...CLIENT, ...udp(SERVER_IP, 53, 3000) }],
  },
  {
    name: 'tracked-fragments-that-never-come',
    about: 'The same where the receiver tracks connections: the packet waits before its rules.',
    lab: routed({
      router: rules(4, 'filter', '-A FORWARD -f -j DROP'),
      server: [
        sysctl('net.ipv4.ipfrag_time', 1),
        ...rules(4, 'filter', '-A INPUT -m conntrack --ctstate INVALID -j DROP'),
      ],
    }),
    standing: SERVERS,
    observeMs: 1500,
    flows: [{ ...CLIENT, ...udp(SERVER_IP, 53, 3000) }],
  },
  {
    name: 'notrack',
    about: 'What the raw table says is not to be tracked is not, and a rule can tell.',
    lab: routed({
      router: [
        ...rules(4, 'raw', '-A PREROUTING -p udp -m udp --dport 53 -j CT --notrack'),
        ...rules(
          4,
          'filter',
          '-A FORWARD -m conntrack --ctstate UNTRACKED -j ACCEPT',
          '-A FORWARD -m conntrack --ctstate NEW -j ACCEPT',
        ),
      ],
    }),
    standing: SERVERS,
    flows: [
      { ...CLIENT, ...udp(SERVER_IP, 53) },
      { ...CLIENT, ...ping(SERVER_IP) },
    ],
  },
  {
    name: 'masquerade-by-next-hop',
    about: 'Masqueraded to the address in the subnet of the next hop, not to the first one.',
    lab: routed({
      routerAddresses: ['10.3.0.1/24'],
      router: [
        route('10.9.0.0/16', { via: '10.3.0.2', dev: 'eth1' }),
        ...rules(4, 'nat', '-A POSTROUTING -o eth1 -j MASQUERADE'),
      ],
      server: [addr('eth0', '10.3.0.2/24'), addr('lo', '10.9.0.2/32')],
    }),
    standing: SERVERS,
    flows: [{ ...CLIENT, ...udp('10.9.0.2', 53) }],
  },
  {
    name: 'dnat-port-in-range',
    about: 'DNAT to a range of ports keeps a port that is in it.',
    lab: routed({
      router: rules(4, 'nat', '-A PREROUTING -d 10.1.0.1/32 -p udp -j DNAT --to-destination 10.2.0.2:50-60'),
    }),
    standing: SERVERS,
    flows: [{ ...CLIENT, ...udp('10.1.0.1', 53) }],
  },
  {
    name: 'tcp-flags-mask',
    about: '--tcp-flags looks at the flags of its mask alone.',
    lab: routed({
      router: rules(
        4,
        'filter',
        '-A FORWARD -p tcp -m tcp --tcp-flags PSH PSH -j ACCEPT',
        '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST,ACK SYN -j ACCEPT',
      ),
    }),
    standing: SERVERS,
    flows: [{ ...CLIENT, ...tcp(80) }],
  },
  {
    name: 'goto',
    about: 'A chain that was gone to returns to the caller of the chain that went.',
    lab: routed({
      router: [
        chain(4, 'filter', 'ONE'),
        chain(4, 'filter', 'TWO'),
        ...rules(
          4,
          'filter',
          '-A FORWARD -j ONE',
          '-A FORWARD -j ACCEPT',
          '-A ONE -p icmp -g TWO',
          '-A ONE -p icmp -j DROP',
          '-A TWO -p tcp -j DROP',
        ),
      ],
    }),
    standing: [],
    flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
  },
  {
    name: 'addrtype-limit-iface',
    about: 'With --limit-iface-in an address of another card is not local.',
    lab: routed({
      router: rules(
        4,
        'mangle',
        '-A PREROUTING -m addrtype --dst-type LOCAL --limit-iface-in -j ACCEPT',
        '-A PREROUTING -m addrtype --dst-type LOCAL -j ACCEPT',
      ),
    }),
    standing: [],
    flows: [
      { ...CLIENT, ...ping('10.2.0.1') },
      { ...CLIENT, ...ping('10.1.0.1') },
    ],
  },
  {
    name: 'mss-of-the-peer',
    about: 'The server has a small MTU: the client sends segments that fit it, although its own card takes more.',
    lab: routed({ serverMtu: 1300 }),
    standing: SERVERS,
    flows: [{ ...CLIENT, ...tcp(80, 3000) }],
  },
  {
    name: 'syn-backs-off',
    about: 'A SYN that nobody answers is sent again after one second, and after two more.',
    lab: routed({
      client: [sysctl('net.ipv4.tcp_syn_linear_timeouts', 0)],
      server: rules(4, 'filter', '-A INPUT -p tcp -m tcp --dport 81 -j DROP'),
    }),
    standing: [],
    observeMs: 3500,
    flows: [{ ...CLIENT, ...tcp(81) }],
  },
  {
    name: 'source-in-the-subnet-of-the-gateway',
    about: 'A card with two subnets: what goes by a gateway comes from the address in its subnet.',
    lab: routed({ clientAddresses: ['10.1.0.2/24', '10.8.0.2/24'] }),
    standing: [],
    flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
  },
  {
    name: 'preferred-source',
    about: 'A route that names a source, which stands on lo.',
    lab: routed({
      client: [addr('lo', '10.9.0.1/32'), route('10.2.0.0/24', { via: '10.1.0.1', dev: 'eth0', src: '10.9.0.1' })],
      router: [route('10.9.0.1/32', { via: '10.1.0.2', dev: 'eth0' })],
    }),
    standing: [],
    flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
  },
  {
    name: 'arp-of-the-packets-source',
    about: 'ARP asks from the source of the packet, although it stands on lo (arp_announce 0).',
    lab: routed({
      client: [addr('lo', '10.9.0.1/32')],
      router: [route('10.9.0.1/32', { via: '10.1.0.2', dev: 'eth0' })],
    }),
    standing: SERVERS,
    flows: [{ ...CLIENT, ...udp(SERVER_IP, 53), ip: '10.9.0.1' }],
  },
  {
    name: 'blackhole-of-the-sender',
    about: 'A blackhole route on the sending machine is an error of the socket: EINVAL.',
    lab: routed({ client: [route('10.9.0.0/16', { type: 'blackhole' })] }),
    standing: [],
    flows: [
      { ...CLIENT, ...udp('10.9.9.9', 9) },
      { ...CLIENT, ...ping(SERVER_IP) },
    ],
  },
  {
    name: 'no-proxy-arp',
    about: 'A client takes the far network for its own: a router without proxy_arp does not help.',
    lab: routed({ clientAddresses: ['10.1.0.2/8'] }),
    standing: [],
    flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
  },
]

const twoWays: readonly Scenario[] = [
  {
    name: 'echo-reply-of-no-request',
    about: 'The answer comes back by another router, whose conntrack has not seen the request: invalid.',
    lab: {
      hosts: [
        box('client', 1, { eth0: { segment: 'near', addresses: ['10.1.0.2/24'] } }, byRouter),
        ...([1, 3] as const).map((last) =>
          box(
            `router${last}`,
            1 + last,
            {
              eth0: { segment: 'near', addresses: [`10.1.0.${last}/24`] },
              eth1: { segment: 'far', addresses: [`10.2.0.${last}/24`] },
            },
            FORWARDING,
            ...rules(4, 'filter', '-A FORWARD -m conntrack --ctstate INVALID -j DROP'),
          ),
        ),
        box(
          'server',
          5,
          { eth0: { segment: 'far', addresses: ['10.2.0.2/24'] } },
          route('0.0.0.0/0', { via: '10.2.0.3', dev: 'eth0' }),
        ),
      ],
    },
    standing: [],
    flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
  },
  ...([1, 2] as const).map(
    (filter): Scenario => ({
      name: `rp-filter-${filter}-other-card`,
      about: `The way back is by another card than the packet came in by: rp_filter ${filter}.`,
      lab: {
        hosts: [
          ...routed({}).hosts.filter(({ name }) => name !== 'server'),
          box(
            'server',
            3,
            {
              eth0: { segment: 'far', addresses: ['10.2.0.2/24'] },
              eth1: { segment: 'near', addresses: ['10.1.0.9/24'] },
            },
            sysctl('net.ipv4.conf.all.rp_filter', filter),
            sysctl('net.ipv4.conf.default.rp_filter', filter),
          ),
        ],
      },
      standing: [],
      flows: [{ ...CLIENT, ...ping(SERVER_IP) }],
    }),
  ),
  {
    name: 'ipv6-forwarding-off',
    about: 'A machine that forwards IPv4 does not forward IPv6 by that.',
    lab: {
      hosts: [
        box(
          'client',
          1,
          { eth0: { segment: 'near', addresses: ['fd00:1::2/64'] } },
          route('::/0', { via: 'fd00:1::1', dev: 'eth0' }),
        ),
        box(
          'router',
          2,
          {
            eth0: { segment: 'near', addresses: ['fd00:1::1/64'] },
            eth1: { segment: 'far', addresses: ['fd00:2::1/64'] },
          },
          FORWARDING,
        ),
        box('server', 3, { eth0: { segment: 'far', addresses: ['fd00:2::2/64'] } }),
      ],
    },
    standing: [],
    flows: [
      { ...CLIENT, ...ping('fd00:2::2') },
      { ...CLIENT, ...ping('fd00:1::1') },
    ],
  },
]

const A = { host: 'node1', netns: 'a' }
const B = { host: 'node1', netns: 'b' }

const onBridge: readonly Scenario[] = [
  {
    name: 'mark-and-conntrack-stay-in-their-namespace',
    about: 'A mark and a tracked flow of a pod are not seen on the node.',
    lab: {
      hosts: [
        bridgeMachine([
          ...inNetns(
            'a',
            ...rules(
              4,
              'mangle',
              '-A OUTPUT -j MARK --set-xmark 0x7/0xffffffff',
              '-A OUTPUT -m conntrack --ctstate NEW -j ACCEPT',
              '-A POSTROUTING -m mark --mark 0x3/0x3 -j ACCEPT',
            ),
          ),
          ...inRoot(
            sysctl('net.bridge.bridge-nf-call-iptables', 0),
            ...rules(
              4,
              'filter',
              '-A INPUT -m mark --mark 0x7/0xffffffff -j DROP',
              '-A INPUT -m conntrack --ctstate NEW -j ACCEPT',
            ),
          ),
        ]),
      ],
    },
    standing: [],
    flows: [{ ...A, ...ping('10.244.1.1') }],
  },
  {
    name: 'physdev',
    about: 'A bridged packet has ports that a rule can ask for.',
    lab: {
      hosts: [
        bridgeMachine(
          inRoot(
            sysctl('net.bridge.bridge-nf-call-iptables', 1),
            policy(4, 'filter', 'FORWARD', 'DROP'),
            ...rules(
              4,
              'filter',
              '-A FORWARD -m physdev --physdev-in veth-a -j ACCEPT',
              '-A FORWARD -m physdev --physdev-out veth-a -j ACCEPT',
            ),
          ),
        ),
      ],
    },
    standing: [],
    flows: [{ ...A, ...ping('10.244.1.3') }],
  },
  ...([4, 6] as const).map((family): Scenario => {
    const [own, other] = family === 4 ? ['10.244.1.1', '10.244.1.3'] : ['fd00:10:244:1::1', 'fd00:10:244:1::3']
    return {
      name: `reset-by-the-port-v${family}`,
      about: `A port of the bridge is where a reset of REJECT leaves, for a bridged packet and one for the machine; nothing else is so, IPv${family}.`,
      lab: {
        hosts: [
          bridgeMachine(
            inRoot(
              sysctl(`net.bridge.bridge-nf-call-ip${family === 4 ? '' : '6'}tables`, 1),
              ...rules(
                family,
                'filter',
                '-A FORWARD -p tcp -m tcp --dport 81 -j REJECT --reject-with tcp-reset',
                '-A INPUT -p tcp -m physdev --physdev-in veth-a -m tcp --dport 82 -j REJECT --reject-with tcp-reset',
                '-A INPUT -p tcp -m physdev ! --physdev-is-bridged -m tcp --dport 83 -j REJECT',
                '-A OUTPUT -p tcp -m tcp --tcp-flags RST RST -j DROP',
              ),
            ),
            family === 6,
          ),
        ],
      },
      standing: [],
      flows: [
        { ...A, protocol: 'tcp', to: { ip: other, port: 81 }, sends: [] },
        { ...A, protocol: 'tcp', to: { ip: own, port: 82 }, sends: [] },
        { ...A, protocol: 'tcp', to: { ip: own, port: 83 }, sends: [] },
      ],
    }
  }),
  {
    name: 'source-of-a-card-that-is-down',
    about: 'A device without address sends with that of another, although that one is down.',
    lab: {
      hosts: [
        box(
          'client',
          1,
          { eth0: { segment: 'near', addresses: [] }, eth1: { segment: 'far', addresses: ['10.2.0.1/24'] } },
          route('10.1.0.2/32', { dev: 'eth0' }),
          { kind: 'link.set', name: 'eth1', up: false },
        ),
        box(
          'server',
          2,
          { eth0: { segment: 'near', addresses: ['10.1.0.2/24'] } },
          route('10.2.0.0/24', { dev: 'eth0' }),
        ),
      ],
    },
    standing: [],
    flows: [
      { ...CLIENT, ...ping('10.1.0.2') },
      { ...CLIENT, protocol: 'tcp', to: { ip: '10.1.0.2', port: 81 }, sends: [] },
    ],
  },
  {
    name: 'prerouting-once',
    about: 'A packet for the bridge itself passes PREROUTING as a bridged one, and not again as a routed one.',
    lab: {
      hosts: [
        bridgeMachine(
          inRoot(
            sysctl('net.bridge.bridge-nf-call-iptables', 1),
            ...rules(4, 'mangle', '-A PREROUTING -p icmp -j MARK --set-xmark 0x1/0x0'),
          ),
        ),
      ],
    },
    standing: [],
    flows: [{ ...A, ...ping('10.244.1.1') }],
  },
  {
    name: 'wrong-permanent-neighbour',
    about: 'A permanent entry names nobody: the frame is flooded and refused, and what the other says changes nothing.',
    lab: { hosts: [bridgeMachine(inNetns('a', neigh('eth0', '10.244.1.3', '0a:58:00:00:00:99')))] },
    standing: [],
    flows: [
      { ...A, ...ping('10.244.1.3') },
      { ...B, ...ping('10.244.1.2') },
    ],
  },
]

const overVxlan: readonly Scenario[] = [
  {
    name: 'mark-survives-vxlan',
    about: 'The mark of the inner packet is on the outer one too, and its rules see it.',
    lab: {
      hosts: [1, 2].map((number) =>
        flannelNode({
          number,
          peers: [1, 2],
          backend: 'vxlan',
          more: [
            ...rules(4, 'mangle', '-A FORWARD -d 10.244.2.0/24 -j MARK --set-xmark 0x6/0xffffffff'),
            ...rules(4, 'filter', '-A OUTPUT -m mark --mark 0x2/0x3 -j ACCEPT'),
          ],
        }),
      ),
    },
    standing: [],
    flows: [{ ...pod(1, 'a'), ...ping(podIp(2, 'a')) }],
  },
]

export const finePoints: readonly Scenario[] = [...overRouter, ...twoWays, ...onBridge, ...overVxlan]
