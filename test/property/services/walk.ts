import { alternatives, probabilityOf, type ScriptedRun, scriptedRun } from '../../../engine/explore.ts'
import { applyOps } from '../../../linux/apply.ts'
import type { MachineEvent } from '../../../linux/event.ts'
import type { HostConfig } from '../../../linux/host-config.ts'
import type { HostFacts } from '../../../linux/host-facts.ts'
import { ipSend } from '../../../linux/ip-output.ts'
import { arrive, boot, handle } from '../../../linux/machine.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../../linux/op.ts'
import { routeOutput } from '../../../linux/route.ts'
import type { StepBody } from '../../../linux/step.ts'
import { type Ip, ip, sameIp } from '../../../packet/ip.ts'
import { mac } from '../../../packet/mac.ts'
import { type IpPacket, TCP_FLAG, type Transport } from '../../../packet/packet.ts'
import { must } from '../../../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../../../packet/prefix.ts'
import { hostPort } from '../../../proxy/endpoint.ts'
import type { ProxyModeName } from '../../../proxy/proxy-mode.ts'
import { proxyModes } from '../../../proxy/registry.ts'
import { machine } from '../../../proxy/testing/small-cluster.ts'
import { DROPPED, type Outcome, PASSED, REFUSED, type Share } from './outcome.ts'
import { BRIDGE, clusterOf, configOf, destinationOf, type Flow, HOME_NODE, sourceOf, type World } from './world.ts'

/** What becomes of flows on node 1, as the emulated kernel does it with the rules of a mode. */
export function outcomesOf(world: World, mode: ProxyModeName, flows: readonly Flow[]): readonly Outcome[] {
  const config = nodeConfig(world, mode)
  return flows.map((flow) => explore(config, world, flow))
}

const ETH0 = 'eth0'
const FAR = mac('02:00:00:00:0a:02')
const NODE_ADDRESSES = ['192.0.2.11/24', '2001:db8::11/64']
const BRIDGE_ADDRESSES = ['10.244.1.1/24', 'fd00:10:244:1::1/64']

/** The machine before kube-proxy: a wire to the other machines, and one that stands for the bridge of the pods. */
const BASE: readonly OpBody[] = [
  { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
  { kind: 'sysctl.set', key: 'net.ipv6.conf.all.forwarding', value: '1' },
  { kind: 'sysctl.set', key: 'net.ipv4.icmp_ratelimit', value: '0' },
  { kind: 'sysctl.set', key: 'net.ipv6.icmp.ratelimit', value: '0' },
  { kind: 'link.set', name: 'lo', up: true },
  ...wire(ETH0, '01', NODE_ADDRESSES),
  ...wire(BRIDGE, '02', BRIDGE_ADDRESSES),
  ...[
    ['0.0.0.0/0', '192.0.2.1'],
    ['::/0', '2001:db8::1'],
    ['10.244.2.0/24', '192.0.2.12'],
    ['fd00:10:244:2::/64', '2001:db8::12'],
  ].map(
    ([to = '', via = '']): OpBody => ({
      kind: 'route.replace',
      route: { type: 'unicast', destination: prefix(to), via: ip(via), protocol: 'boot' },
    }),
  ),
  ...['192.0.2.1', '192.0.2.12', '192.0.2.50', '2001:db8::1', '2001:db8::12', '2001:db8::50'].map(
    (address): OpBody => ({ kind: 'neigh.replace', link: ETH0, ip: ip(address), mac: FAR }),
  ),
  ...[1, 2, 3].flatMap((service) => [0, 1, 2, 3].flatMap((number) => podNeighbours(10 * service + number))),
  ...podNeighbours(200),
]

function wire(name: string, last: string, addresses: readonly string[]): readonly OpBody[] {
  return [
    {
      kind: 'link.add',
      name,
      mac: mac(`02:00:00:00:00:${last}`),
      mtu: 1500,
      type: { kind: 'physical', segment: name },
    },
    ...['all', 'default', name].map(
      (of): OpBody => ({ kind: 'sysctl.set', key: `net.ipv4.conf.${of}.rp_filter`, value: '0' }),
    ),
    { kind: 'link.set', name, up: true },
    ...addresses.map((text): OpBody => ({ kind: 'addr.add', link: name, address: must(parseInterfaceAddress(text)) })),
  ]
}

function podNeighbours(number: number): readonly OpBody[] {
  return [`10.244.1.${number}`, `fd00:10:244:1::${number}`].map((address) => ({
    kind: 'neigh.replace',
    link: BRIDGE,
    ip: ip(address),
    mac: FAR,
  }))
}

const FACTS: HostFacts = (() => {
  const one = machine(NODE_ADDRESSES)
  const [bridge] = machine(BRIDGE_ADDRESSES).interfaces
  return { ...one, interfaces: [...one.interfaces, ...(bridge === undefined ? [] : [{ ...bridge, name: BRIDGE }])] }
})()

const ORIGIN = { by: 'test' }

function nodeConfig(world: World, mode: ProxyModeName): HostConfig {
  const base = BASE.map((op) => ({ ...op, netns: ROOT_NETNS, origin: ORIGIN }) as Op)
  const proxy = proxyModes[mode].compile(clusterOf(world), HOME_NODE, configOf(world, mode), FACTS)
  const config = applyOps('node1', [...base, ...proxy], FACTS.capabilities)
  if (config.refused.length > 0) throw new Error(JSON.stringify(config.refused[0]))
  return config
}

/** Every way that chance can take, with its probability. */
function explore(config: HostConfig, world: World, flow: Flow): Outcome {
  const waiting: (readonly number[])[] = [[]]
  const shares: Share[] = []
  let other: Outcome | undefined
  for (let forced = waiting.pop(); forced !== undefined; forced = waiting.pop()) {
    const run = scriptedRun(1, forced)
    const end = walkOnce(config, run, world, flow)
    waiting.push(...alternatives(run.decisions, forced.length))
    if (shares.length > 0 ? end.kind !== 'delivered' : other !== undefined && other.kind !== end.kind)
      throw new Error(`chance decides whether it is ${end.kind}`)
    if (end.kind !== 'delivered') {
      other = end
      continue
    }
    for (const share of end.to) {
      const probability = probabilityOf(run.decisions)
      const known = shares.findIndex((one) => one.endpoint === share.endpoint && one.masquerade === share.masquerade)
      if (known < 0) shares.push({ ...share, probability })
      else shares[known] = { ...share, probability: probability + (shares[known]?.probability ?? 0) }
    }
  }
  return other ?? { kind: 'delivered', to: shares }
}

interface Seen {
  readonly steps: StepBody[]
  readonly sent: IpPacket[]
}

function walkOnce(config: HostConfig, { draw }: ScriptedRun, world: World, flow: Flow): Outcome {
  const waiting: MachineEvent[] = []
  const seen: Seen = { steps: [], sent: [] }
  let packets = 0
  const host = boot(config, {
    now: () => 0,
    newPacket: () => ++packets,
    draw,
    record: (_, step) => seen.steps.push(step),
    note: () => undefined,
    emit: (event) => waiting.push(event),
  })
  const ns = host.netns.get(ROOT_NETNS)
  if (ns === undefined) throw new Error('no root namespace')
  const source = sourceOf(world, flow)
  const to = destinationOf(world, flow)
  if (source === undefined) {
    const route = routeOutput(ns, { dst: to.ip })
    if (route.kind !== 'ok') throw new Error(route.detail)
    ipSend(ns, { packet: firstPacket(flow, route.source, to), by: 'test' }, route)
  } else {
    const dev = ns.links.get(flow.from === 'pod' || flow.from === 'self' ? BRIDGE : ETH0)
    if (dev === undefined) throw new Error('no device')
    arrive(dev, { src: FAR, dst: dev.mac, payload: firstPacket(flow, source, to) }, { id: ++packets })
  }
  for (let event = waiting.shift(); event !== undefined; event = waiting.shift())
    if (event.kind === 'wire') {
      if (event.frame.payload.kind === 'ip') seen.sent.push(event.frame.payload)
    } else if (event.kind !== 'timer') handle(event)
  return outcomeOf(seen, to)
}

function firstPacket(
  { service }: Flow,
  src: Ip,
  { ip: dst, port }: { readonly ip: Ip; readonly port: number },
): IpPacket {
  const dontFragment = src.family === 4
  const head = { kind: 'ip', src, dst, ttl: 64, tos: 0, id: 0, dontFragment, flowLabel: 0 } as const
  return { ...head, payload: PAYLOADS[service.protocol](40_000, port) }
}

const NO_DATA = new Uint8Array(0)

const PAYLOADS: Readonly<Record<'TCP' | 'UDP' | 'SCTP', (srcPort: number, dstPort: number) => Transport>> = {
  TCP: (srcPort, dstPort) => ({
    kind: 'tcp',
    srcPort,
    dstPort,
    seq: 1,
    ack: 0,
    flags: TCP_FLAG.syn,
    window: 64_240,
    urgent: 0,
    options: [],
    data: NO_DATA,
  }),
  UDP: (srcPort, dstPort) => ({
    kind: 'udp',
    srcPort,
    dstPort,
    noChecksum: false,
    payload: { kind: 'data', bytes: NO_DATA },
  }),
  SCTP: (srcPort, dstPort) => ({
    kind: 'sctp',
    srcPort,
    dstPort,
    verificationTag: 0,
    chunk: {
      kind: 'init',
      initiateTag: 1,
      receiverWindow: 106_496,
      outboundStreams: 10,
      inboundStreams: 10,
      initialTsn: 1,
      parameters: NO_DATA,
    },
  }),
}

function outcomeOf({ steps, sent }: Seen, to: { readonly ip: Ip; readonly port: number }): Outcome {
  const unknown = steps.find((step) => step.kind === 'notModelled')
  if (unknown !== undefined) throw new Error(unknown.text)
  const [packet] = sent.filter((one) => one.payload.kind !== 'icmp' && !isReset(one))
  if (packet !== undefined) {
    const { payload, dst } = packet
    if (!('dstPort' in payload)) throw new Error('a packet without ports')
    if (sameIp(dst, to.ip) && payload.dstPort === to.port) return PASSED
    const endpoint = hostPort(dst, payload.dstPort)
    return { kind: 'delivered', to: [{ endpoint, probability: 1, masquerade: steps.some(masquerades) }] }
  }
  if (steps.some((step) => step.kind === 'socket.send' && isRefusal(step.sent))) return REFUSED
  const drop = steps.find((step) => step.kind === 'drop')
  if (drop?.kind !== 'drop' || drop.reason !== 'NETFILTER_DROP')
    throw new Error(`the packet got lost: ${drop?.kind === 'drop' ? `${drop.reason} ${drop.detail}` : 'no drop'}`)
  return DROPPED
}

const isRefusal = (packet: IpPacket): boolean =>
  isReset(packet) || (packet.payload.kind === 'icmp' && packet.payload.body.kind === 'error')

const isReset = ({ payload }: IpPacket): boolean => payload.kind === 'tcp' && (payload.flags & TCP_FLAG.rst) !== 0

function masquerades(step: StepBody): boolean {
  if (step.kind === 'rule.match') return step.rule.target?.kind === 'masquerade'
  return step.kind === 'nft.match' && JSON.stringify(step.rule.statements).includes('"masquerade"')
}
