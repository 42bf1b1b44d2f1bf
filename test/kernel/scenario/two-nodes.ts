import type { OpBody } from '../../../linux/op.ts'
import type { KernelLab } from '../lab.ts'
import type { Listener, Scenario, ScenarioFlow } from '../scenario.ts'
import {
  type FlannelNode,
  flannelNode,
  forwarder,
  machine,
  nodeIp,
  outsideHost,
  pod,
  podIp,
  type Service,
} from './flannel.ts'
import { route, sysctl } from './words.ts'

const NODES = [1, 2]

const SERVICES: readonly Service[] = [
  { name: 'REMOTE', ip: '10.96.0.32', protocol: 'tcp', port: 80, endpoints: ['10.244.2.2:8080'], nodePort: 30080 },
  { name: 'REMOTEU', ip: '10.96.0.33', protocol: 'udp', port: 53, endpoints: ['10.244.2.2:5353'], nodePort: 30053 },
  { name: 'LOCAL', ip: '10.96.0.34', protocol: 'tcp', port: 80, endpoints: ['10.244.1.2:8080'] },
  { name: 'LOCALU', ip: '10.96.0.36', protocol: 'udp', port: 53, endpoints: ['10.244.1.2:5353'] },
  { name: 'BOTH', ip: '10.96.0.35', protocol: 'tcp', port: 80, endpoints: ['10.244.1.2:8080', '10.244.2.2:8080'] },
  { name: 'NONE', ip: '10.96.0.99', protocol: 'tcp', port: 80, endpoints: [] },
  { name: 'NONEU', ip: '10.96.0.99', protocol: 'udp', port: 53, endpoints: [] },
]

type Options = Omit<FlannelNode, 'number' | 'peers' | 'backend'>

function lab(
  backend: FlannelNode['backend'],
  options: Options = {},
  more: Partial<Record<number, readonly OpBody[]>> = {},
): KernelLab {
  const node = (number: number) =>
    flannelNode({ ...options, number, peers: NODES, backend, more: [...(options.more ?? []), ...(more[number] ?? [])] })
  return { hosts: [...NODES.map(node), outsideHost()] }
}

const LISTENERS: readonly Listener[] = [
  { ...pod(2, 'a'), program: 'listen', protocol: 'tcp', family: 4, port: 8080 },
  { ...pod(2, 'a'), program: 'listen', protocol: 'udp', family: 4, port: 5353 },
  { ...pod(1, 'a'), program: 'listen', protocol: 'tcp', family: 4, port: 8080 },
  { ...pod(1, 'a'), program: 'listen', protocol: 'udp', family: 4, port: 5353 },
]

const tcp = (to: string, port: number): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'tcp',
  to: { ip: to, port },
  sends: ['hello'],
})
const udp = (to: string, port: number, octets: string | number = 'question'): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'udp',
  to: { ip: to, port },
  sends: [octets],
})
const ping = (to: string, more: { ttl?: number; octets?: number } = {}): Omit<ScenarioFlow, 'host' | 'netns'> => ({
  protocol: 'icmp',
  to: { ip: to, port: 0 },
  sends: [more.octets ?? 56],
  ...(more.ttl === undefined ? {} : { ttl: more.ttl }),
})

const A = pod(1, 'a')
const B = pod(1, 'b')
const REMOTE = podIp(2, 'a')
const OUTSIDE = { host: 'outside', netns: 'root' }
const way = [route('0.0.0.0/0', { via: '192.168.40.2', dev: 'ens33' })]

interface Row {
  readonly name: string
  readonly about: string
  readonly flows: readonly ScenarioFlow[]
  readonly observeMs?: number
}

/** What is asked of each backend, without rules on the nodes. */
const PLAIN: readonly Row[] = [
  { name: 'ping', about: 'pod to pod on the other node', flows: [{ ...A, ...ping(REMOTE) }] },
  { name: 'udp', about: 'a datagram and its echo to the other node', flows: [{ ...A, ...udp(REMOTE, 5353) }] },
  { name: 'tcp', about: 'one message and its echo to the other node', flows: [{ ...A, ...tcp(REMOTE, 8080) }] },
  { name: 'ping-node', about: 'pod to the other node itself', flows: [{ ...A, ...ping(nodeIp(2)) }] },
  {
    name: 'node-ping',
    about: 'a node to a pod of the other: from which address?',
    flows: [{ ...machine(1), ...ping(REMOTE) }],
  },
  { name: 'ttl-1', about: 'TTL 1 dies on the first node', flows: [{ ...A, ...ping(REMOTE, { ttl: 1 }) }] },
  { name: 'ttl-2', about: 'TTL 2 dies on the second node', flows: [{ ...A, ...ping(REMOTE, { ttl: 2 }) }] },
  {
    name: 'ttl-3',
    about: 'TTL 3 arrives, or dies in a userspace forwarder',
    flows: [{ ...A, ...ping(REMOTE, { ttl: 3 }) }],
  },
  { name: 'udp-closed', about: 'no listener on the other node', flows: [{ ...A, ...udp(REMOTE, 9) }] },
  { name: 'tcp-closed', about: 'RST from the other node', flows: [{ ...A, ...tcp(REMOTE, 9) }] },
  {
    name: 'udp-big',
    about: '3000 octets: the pod makes fragments, each is carried by itself',
    flows: [{ ...A, ...udp(REMOTE, 5353, 3000) }],
  },
  {
    name: 'no-route',
    about: 'no podCIDR holds the address: no default route, so the node answers',
    flows: [{ ...A, ...udp('10.99.1.1', 9) }],
  },
]

const plain = (backend: FlannelNode['backend']): Scenario[] =>
  PLAIN.map((row) => ({
    ...row,
    name: `flannel-${backend}-${row.name}`,
    about: `flannel ${backend}: ${row.about}.`,
    lab: lab(backend),
    standing: [...LISTENERS, ...(backend === 'udp' ? NODES.map((number) => forwarder(number, NODES)) : [])],
  }))

/** What is asked of services, with br_netfilter on and off. */
const SERVICE_ROWS: readonly Row[] = [
  {
    name: 'remote-tcp',
    about: 'pod to a ClusterIP whose endpoint is on the other node',
    flows: [{ ...A, ...tcp('10.96.0.32', 80) }],
  },
  { name: 'remote-udp', about: 'the same with a datagram', flows: [{ ...A, ...udp('10.96.0.33', 53) }] },
  {
    name: 'local-tcp',
    about: 'pod to a ClusterIP whose endpoint is on the same bridge',
    flows: [{ ...B, ...tcp('10.96.0.34', 80) }],
    observeMs: 300,
  },
  { name: 'local-udp', about: 'the same with a datagram', flows: [{ ...B, ...udp('10.96.0.36', 53) }] },
  {
    name: 'self-tcp',
    about: 'pod to itself by its service',
    flows: [{ ...A, ...tcp('10.96.0.34', 80) }],
    observeMs: 300,
  },
  { name: 'self-udp', about: 'pod to itself by its service, a datagram', flows: [{ ...A, ...udp('10.96.0.36', 53) }] },
  {
    name: 'both-tcp',
    about: 'one of two endpoints by chance',
    flows: [{ ...B, ...tcp('10.96.0.35', 80) }],
    observeMs: 300,
  },
  {
    name: 'node-tcp',
    about: 'the node itself to a ClusterIP: masqueraded',
    flows: [{ ...machine(1), ...tcp('10.96.0.32', 80) }],
  },
  {
    name: 'node-udp',
    about: 'the node itself to a ClusterIP, a datagram',
    flows: [{ ...machine(1), ...udp('10.96.0.33', 53) }],
  },
  {
    name: 'nodeport-tcp',
    about: 'from outside to a node port: masqueraded',
    flows: [{ ...OUTSIDE, ...tcp(nodeIp(1), 30080) }],
  },
  {
    name: 'nodeport-udp',
    about: 'from outside to a node port, a datagram',
    flows: [{ ...OUTSIDE, ...udp(nodeIp(1), 30053) }],
  },
  { name: 'nodeport-pod', about: 'a pod to a node port of its own node', flows: [{ ...B, ...tcp(nodeIp(1), 30080) }] },
  { name: 'reject-tcp', about: 'a service without endpoints, from a pod', flows: [{ ...A, ...tcp('10.96.0.99', 80) }] },
  {
    name: 'reject-udp',
    about: 'a service without endpoints, from a pod, a datagram',
    flows: [{ ...A, ...udp('10.96.0.99', 53) }],
  },
  {
    name: 'reject-node',
    about: 'a service without endpoints, from the node itself',
    flows: [{ ...machine(1), ...tcp('10.96.0.99', 80) }],
  },
  {
    name: 'ping-cluster-ip',
    about: 'ping of a ClusterIP goes to the default gateway',
    flows: [{ ...A, ...ping('10.96.0.32') }],
  },
  { name: 'outside-ping', about: 'pod to a host outside: masqueraded', flows: [{ ...A, ...ping('192.168.40.2') }] },
  {
    name: 'outside-udp-closed',
    about: 'an ICMP error comes back through the masquerade',
    flows: [{ ...A, ...udp('192.168.40.2', 9) }],
  },
  { name: 'pod-ping', about: 'pod to pod on the other node, past the rules', flows: [{ ...A, ...ping(REMOTE) }] },
  {
    name: 'same-node-ping',
    about: 'pod to pod on one bridge: are the rules asked?',
    flows: [{ ...A, ...ping(podIp(1, 'b')) }],
  },
  {
    name: 'udp-big',
    about: '3000 octets through conntrack: put together and cut again',
    flows: [{ ...A, ...udp(REMOTE, 5353, 3000) }],
  },
  { name: 'service-udp-big', about: '3000 octets to a ClusterIP', flows: [{ ...A, ...udp('10.96.0.33', 53, 3000) }] },
  { name: 'ttl-1', about: 'TTL 1 to a ClusterIP', flows: [{ ...A, ...tcp('10.96.0.32', 80), ttl: 1 }] },
  {
    name: 'ttl-2',
    about: 'TTL 2 to a ClusterIP: the error is translated back',
    flows: [{ ...A, ...udp('10.96.0.33', 53), ttl: 2 }],
  },
  {
    name: 'twice-udp',
    about: 'two datagrams of one flow: the nat table is asked once',
    flows: [{ ...A, ...udp('10.96.0.33', 53), sends: ['one', 'two'] }],
  },
]

const services = (bridgeNetfilter: 0 | 1): Scenario[] =>
  SERVICE_ROWS.map((row) => ({
    ...row,
    name: `service-vxlan-brnf${bridgeNetfilter}-${row.name}`,
    about: `iptables services over vxlan, bridge-nf-call-iptables=${bridgeNetfilter}: ${row.about}.`,
    lab: lab('vxlan', { bridgeNetfilter, services: SERVICES, more: way }),
    standing: LISTENERS,
  }))

const fewServices = (backend: 'host-gw' | 'udp'): Scenario[] =>
  SERVICE_ROWS.filter((row) => ['remote-tcp', 'node-udp', 'nodeport-tcp', 'ttl-2', 'udp-big'].includes(row.name)).map(
    (row) => ({
      ...row,
      name: `service-${backend}-${row.name}`,
      about: `iptables services over ${backend}: ${row.about}.`,
      lab: lab(backend, { services: SERVICES, more: way }),
      standing: [...LISTENERS, ...(backend === 'udp' ? NODES.map((number) => forwarder(number, NODES)) : [])],
    }),
  )

const HAIRPIN: readonly Scenario[] = ['self-tcp', 'self-udp', 'same-node-ping'].flatMap((name): Scenario[] => {
  const row = SERVICE_ROWS.find((one) => one.name === name)!
  return [
    {
      ...row,
      name: `service-hairpin-${name}`,
      about: `Hairpin ports: ${row.about}.`,
      lab: lab('vxlan', { hairpin: true, services: SERVICES, more: way }),
      standing: LISTENERS,
    },
  ]
})

/** Settings that make the kernel say no. */
const REFUSALS: readonly Scenario[] = [
  {
    name: 'no-forwarding',
    about: 'ip_forward=0 on the first node: dropped without a word.',
    lab: lab('host-gw', { more: [sysctl('net.ipv4.ip_forward', 0)] }),
    standing: [],
    flows: [{ ...A, ...ping(REMOTE) }],
  },
  {
    name: 'blackhole',
    about: 'A blackhole route on the first node: dropped without a word.',
    lab: lab('host-gw', { more: [route('10.77.0.0/16', { type: 'blackhole' })] }),
    standing: [],
    flows: [{ ...A, ...ping('10.77.1.1') }],
  },
  {
    name: 'unreachable',
    about: 'An unreachable route on the first node: ICMP host unreachable.',
    lab: lab('host-gw', { more: [route('10.77.0.0/16', { type: 'unreachable' })] }),
    standing: [],
    flows: [{ ...A, ...ping('10.77.1.1') }],
  },
  {
    name: 'prohibit',
    about: 'A prohibit route on the first node: ICMP communication administratively prohibited.',
    lab: lab('host-gw', { more: [route('10.77.0.0/16', { type: 'prohibit' })] }),
    standing: [],
    flows: [{ ...A, ...ping('10.77.1.1') }],
  },
  {
    name: 'rp-filter-strict',
    about: 'rp_filter=1 on the second node and no way back by that card: dropped without a word.',
    lab: lab('host-gw', {}, { 2: [sysctl('net.ipv4.conf.all.rp_filter', 1), route('10.244.1.0/24', { dev: 'cni0' })] }),
    standing: [],
    flows: [{ ...A, ...ping(REMOTE) }],
  },
  {
    name: 'rp-filter-off-martian-way-back',
    about: 'The same without rp_filter: the request arrives, the reply goes nowhere.',
    lab: lab('host-gw', {}, { 2: [sysctl('net.ipv4.conf.all.rp_filter', 0), route('10.244.1.0/24', { dev: 'cni0' })] }),
    standing: [],
    observeMs: 3500,
    flows: [{ ...A, ...ping(REMOTE) }],
  },
  {
    name: 'no-neighbour-routed',
    about: 'Nobody on the far bridge has the address: three requests, then the second node tells the sender.',
    lab: lab('host-gw'),
    standing: [],
    observeMs: 3500,
    flows: [{ ...A, ...udp('10.244.2.99', 9) }],
  },
  {
    name: 'no-neighbour-vxlan',
    about: 'The same behind a tunnel.',
    lab: lab('vxlan'),
    standing: [],
    observeMs: 3500,
    flows: [{ ...A, ...ping('10.244.2.99') }],
  },
  {
    name: 'forward-drop',
    about: 'FORWARD policy DROP and no rule that lets pods through.',
    lab: lab('host-gw', {
      more: [{ kind: 'chain.policy', family: 4, table: 'filter', chain: 'FORWARD', policy: 'DROP' }],
    }),
    standing: [],
    flows: [
      { ...A, ...ping(REMOTE) },
      { ...A, ...ping(podIp(1, 'b')) },
    ],
  },
  {
    name: 'df-too-big',
    about: 'A pod with MTU 1500 over a tunnel of 1450, DF set: the node answers fragmentation needed; then smaller.',
    lab: bigPods(),
    standing: LISTENERS,
    flows: [
      { ...A, ...udp(REMOTE, 5353, 1440) },
      { ...A, ...udp(REMOTE, 5353, 1440) },
    ],
  },
  {
    name: 'df-clear-too-big',
    about: 'The same with ip_no_pmtu_disc=1 in the pod: the node makes fragments.',
    lab: bigPods([sysctl('net.ipv4.ip_no_pmtu_disc', 1)]),
    standing: LISTENERS,
    flows: [{ ...A, ...udp(REMOTE, 5353, 1440) }],
  },
  {
    name: 'tcp-pmtu',
    about: 'TCP with an MSS that does not fit the tunnel: the sender learns the MTU and sends again.',
    lab: bigPods(),
    standing: LISTENERS,
    observeMs: 100,
    flows: [{ ...A, ...tcp(REMOTE, 8080), sends: [3000] }],
  },
  {
    name: 'repeated-flows',
    about: 'The same question twice: neighbours and forwarding tables are known the second time.',
    lab: lab('vxlan', { services: SERVICES, more: way }),
    standing: LISTENERS,
    flows: [
      { ...A, ...udp('10.96.0.33', 53) },
      { ...A, ...udp('10.96.0.33', 53) },
      { ...A, ...tcp('10.96.0.32', 80) },
    ],
  },
]

/** Pods whose devices say 1500 although the tunnel takes 1450. */
function bigPods(inPod: readonly OpBody[] = []): KernelLab {
  const whole = lab('vxlan')
  return {
    hosts: whole.hosts.map(({ name, ops }) => ({
      name,
      ops: ops
        .map((op) => {
          if (op.kind !== 'link.add' || op.name === 'flannel.1') return op
          if (op.type.kind === 'veth')
            return { ...op, mtu: 1500, type: { ...op.type, peer: { ...op.type.peer, mtu: 1500 } } }
          return { ...op, mtu: 1500 }
        })
        .flatMap((op) =>
          op.kind === 'netns.add'
            ? [op, ...inPod.map((body) => ({ ...body, netns: op.netns, origin: op.origin }))]
            : [op],
        ),
    })),
  }
}

export const twoNodes: readonly Scenario[] = [
  ...plain('vxlan'),
  ...plain('host-gw'),
  ...plain('udp'),
  ...services(1),
  ...services(0),
  ...fewServices('host-gw'),
  ...fewServices('udp'),
  ...HAIRPIN,
  ...REFUSALS,
]
