import { applyOps } from '../../linux/apply.ts'
import type { MachineEvent } from '../../linux/event.ts'
import { USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { ipSend } from '../../linux/ip-output.ts'
import { arrive, boot, handle } from '../../linux/machine.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { routeOutput } from '../../linux/route.ts'
import type { StepBody } from '../../linux/step.ts'
import { formatIp, type Ip, ip, sameIp } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import type { IpPacket, Transport } from '../../packet/packet.ts'
import { must } from '../../packet/parsed.ts'
import { contains, parseInterfaceAddress, prefix } from '../../packet/prefix.ts'
import { hostPort } from '../../proxy/endpoint.ts'
import type { Flow, FlowSummary } from './flow-summary.ts'

/** A node with two wires: pods are on one, everybody else on the other. */
const PODS = prefix('10.0.0.0/8')
const FAR = mac('02:00:00:00:00:02')
const GATEWAYS = { eth0: '192.168.0.1', pods: '10.255.0.2' } as const

function nodeOps(addresses: readonly string[], rules: readonly Op[]): Op[] {
  const bodies: OpBody[] = [
    { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
    { kind: 'link.set', name: 'lo', up: true },
  ]
  for (const [i, name] of ['eth0', 'pods'].entries()) {
    const type = { kind: 'physical', segment: name } as const
    bodies.push({ kind: 'link.add', name, mac: mac(`02:00:00:00:01:0${i}`), mtu: 1500, type })
    for (const key of ['all', 'default', name])
      bodies.push({ kind: 'sysctl.set', key: `net.ipv4.conf.${key}.rp_filter`, value: '0' })
    bodies.push({ kind: 'link.set', name, up: true })
  }
  for (const text of addresses)
    bodies.push({ kind: 'addr.add', link: 'eth0', address: must(parseInterfaceAddress(text)) })
  bodies.push({ kind: 'addr.add', link: 'pods', address: must(parseInterfaceAddress('10.255.0.1/24')) })
  for (const [link, gateway] of Object.entries(GATEWAYS))
    bodies.push({ kind: 'neigh.replace', link, ip: ip(gateway), mac: FAR })
  for (const [destination, via] of [
    ['10.0.0.0/8', GATEWAYS.pods],
    ['0.0.0.0/0', GATEWAYS.eth0],
  ] as const)
    bodies.push({
      kind: 'route.replace',
      route: { type: 'unicast', destination: prefix(destination), via: ip(via), protocol: 'boot' },
    })
  return [...bodies.map((body) => ({ ...body, netns: ROOT_NETNS, origin: { by: 'test' } }) as Op), ...rules]
}

/**
 * Where a packet may go on a node with these ops, and whether its source is changed: it is walked through the whole
 * machine, once for each way that chance can fall.
 */
export function walkFlow(rules: readonly Op[], flow: Flow, addresses: readonly string[]): FlowSummary {
  const ops = nodeOps(addresses, rules)
  const outputs: string[] = []
  let masquerade = false
  for (let choice = 0, choices = 1; choice < choices; choice++) {
    const walked = walkOnce(ops, flow, choice)
    choices = walked.choices
    outputs.push(...walked.outputs)
    masquerade ||= walked.masquerade
  }
  return { outputs, masquerade }
}

function walkOnce(ops: readonly Op[], flow: Flow, choice: number): FlowSummary & { readonly choices: number } {
  const steps: StepBody[] = []
  const waiting: MachineEvent[] = []
  let packets = 0
  let choices = 1
  const host = boot(applyOps('node', ops, { ...USUAL_CAPABILITIES, ipv6: false }), {
    now: () => 0,
    newPacket: () => ++packets,
    draw: (site, of) => {
      if (site.purpose !== 'numgen' || typeof of !== 'number') return 0
      choices = of
      return choice
    },
    record: (_, step) => steps.push(step),
    note: () => undefined,
    emit: (event) => waiting.push(event),
  })
  const ns = host.netns.get(ROOT_NETNS)
  if (ns === undefined) throw new Error('no root namespace')
  const packet = packetOf(flow)
  const own = [...ns.links.values()].some((link) => link.addresses.some((address) => sameIp(address.ip, flow.source)))
  if (own) {
    const route = routeOutput(ns, { dst: packet.dst, src: packet.src })
    if (route.kind === 'ok') ipSend(ns, { packet, by: 'test', socket: 3, mark: 0 }, route)
  } else {
    const link = ns.links.get(contains(PODS, flow.source) ? 'pods' : 'eth0')
    if (link !== undefined) arrive(link, { src: FAR, dst: link.mac, payload: packet }, { id: host.kernel.newPacket() })
  }
  for (let event = waiting.shift(); event !== undefined; event = waiting.shift())
    if (event.kind !== 'wire' && event.kind !== 'timer') handle(event)
  return { ...summaryOf(steps), choices }
}

function packetOf({ source, destination, protocol, port }: Flow): IpPacket {
  const ends = { srcPort: 40000, dstPort: port }
  const payload: Transport =
    protocol === 'tcp'
      ? {
          kind: 'tcp',
          ...ends,
          seq: 1,
          ack: 0,
          flags: 2,
          window: 64240,
          urgent: 0,
          options: [],
          data: new Uint8Array(),
        }
      : protocol === 'udp'
        ? { kind: 'udp', ...ends, noChecksum: false, payload: { kind: 'data', bytes: new Uint8Array(4) } }
        : { kind: 'sctp', ...ends, verificationTag: 0, chunk: INIT }
  return {
    kind: 'ip',
    src: source,
    dst: destination,
    ttl: 64,
    tos: 0,
    id: 0,
    dontFragment: true,
    flowLabel: 0,
    payload,
  }
}

const INIT = {
  kind: 'init',
  initiateTag: 1,
  receiverWindow: 65536,
  outboundStreams: 1,
  inboundStreams: 1,
  initialTsn: 1,
  parameters: new Uint8Array(),
} as const

function summaryOf(steps: readonly StepBody[]): FlowSummary {
  const outputs: string[] = []
  let masquerade = false
  for (const step of steps)
    if (step.kind === 'nat.rewrite' && !step.undo) {
      if (step.which === 'dst') outputs.push(endOf(step.after.dst, step.after))
      else if (step.hook === 'postrouting') masquerade ||= !sameIp(step.before.src, step.after.src)
    } else if (step.kind === 'nft.match' && (step.verdict.kind === 'drop' || step.verdict.kind === 'reject'))
      outputs.push(step.verdict.kind.toUpperCase())
    else if (step.kind === 'notModelled') throw new Error(step.text)
  return { outputs, masquerade }
}

const endOf = (address: Ip, { payload }: IpPacket): string =>
  'dstPort' in payload ? hostPort(address, payload.dstPort) : formatIp(address)
