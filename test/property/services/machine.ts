import { alternatives, probabilityOf, type ScriptedRun, scriptedRun } from '../../../engine/explore.ts'
import type { MachineEvent } from '../../../linux/event.ts'
import type { HostConfig } from '../../../linux/host-config.ts'
import { ipSend } from '../../../linux/ip-output.ts'
import { arrive, boot, handle } from '../../../linux/machine.ts'
import { type OpBody, ROOT_NETNS } from '../../../linux/op.ts'
import { routeOutput } from '../../../linux/route.ts'
import type { StepBody } from '../../../linux/step.ts'
import { type Ip, sameIp } from '../../../packet/ip.ts'
import { mac } from '../../../packet/mac.ts'
import { type IpPacket, TCP_FLAG, type Transport } from '../../../packet/packet.ts'
import { must } from '../../../packet/parsed.ts'
import { parseInterfaceAddress } from '../../../packet/prefix.ts'
import { hostPort } from '../../../proxy/endpoint.ts'
import { DROPPED, type Outcome, PASSED, REFUSED, type Share } from './outcome.ts'

/** One machine between wires whose far ends nobody plays: what becomes of a first packet there. */

/** The hardware address of everybody else. */
export const FAR = mac('02:00:00:00:0a:02')

/** A wire with addresses. */
export function wire(name: string, last: string, addresses: readonly string[]): readonly OpBody[] {
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

/** Who calls whom. Without `from` it is the machine itself, from the address that the kernel chooses. */
export interface Call {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly from?: { readonly ip: Ip; readonly link: string } | undefined
  readonly to: { readonly ip: Ip; readonly port: number }
}

/** Every way that chance can take, with its probability. */
export function explore(config: HostConfig, call: Call): Outcome {
  const waiting: (readonly number[])[] = [[]]
  const shares: Share[] = []
  let other: Outcome | undefined
  for (let forced = waiting.pop(); forced !== undefined; forced = waiting.pop()) {
    const run = scriptedRun(1, forced)
    const end = walkOnce(config, run, call)
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

function walkOnce(config: HostConfig, { draw }: ScriptedRun, call: Call): Outcome {
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
  const { from, to } = call
  if (from === undefined) {
    const route = routeOutput(ns, { dst: to.ip })
    if (route.kind !== 'ok') throw new Error(route.detail)
    ipSend(ns, { packet: firstPacket(call, route.source), by: 'test' }, route)
  } else {
    const dev = ns.links.get(from.link)
    if (dev === undefined) throw new Error(`no link ${from.link}`)
    arrive(dev, { src: FAR, dst: dev.mac, payload: firstPacket(call, from.ip) }, { id: ++packets })
  }
  for (let event = waiting.shift(); event !== undefined; event = waiting.shift())
    if (event.kind === 'wire') {
      if (event.frame.payload.kind === 'ip') seen.sent.push(event.frame.payload)
    } else if (event.kind !== 'timer') handle(event)
  return outcomeOf(seen, to)
}

function firstPacket({ protocol, to: { ip: dst, port } }: Call, src: Ip): IpPacket {
  const dontFragment = src.family === 4
  const head = { kind: 'ip', src, dst, ttl: 64, tos: 0, id: 0, dontFragment, flowLabel: 0 } as const
  return { ...head, payload: PAYLOADS[protocol](40_000, port) }
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

/** Of TCP, or the ABORT of SCTP. */
const isReset = ({ payload }: IpPacket): boolean =>
  payload.kind === 'tcp'
    ? (payload.flags & TCP_FLAG.rst) !== 0
    : payload.kind === 'sctp' && payload.chunk.kind === 'abort'

function masquerades(step: StepBody): boolean {
  if (step.kind === 'rule.match') return step.rule.target?.kind === 'masquerade'
  return step.kind === 'nft.match' && JSON.stringify(step.rule.statements).includes('"masquerade"')
}
