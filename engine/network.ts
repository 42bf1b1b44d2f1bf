import type { Draw } from '../linux/draw.ts'
import type { MachineEvent } from '../linux/event.ts'
import type { HostConfig, NetnsConfig } from '../linux/host-config.ts'
import { arrive, boot, handle, startPrograms } from '../linux/machine.ts'
import type { Host, Kernel, Link, Netns } from '../linux/netns.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { isIp } from '../linux/skb.ts'
import type { StepBody } from '../linux/step.ts'
import { isMulticast } from '../packet/ip.ts'
import type { Blueprint, Segment, SegmentPort } from './blueprint.ts'
import { EventQueue, type WalkEvent } from './event-queue.ts'
import { carry } from './fabric.ts'
import type { EngineStepBody, Step } from './step.ts'

/** One run: the machines that packets have reached so far, what is about to happen, and what has happened. */
export interface Network {
  readonly blueprint: Blueprint
  readonly queue: EventQueue
  readonly steps: Step[]
  readonly hosts: Map<string, Host>
  /** The machine of that name, switched on at its first use; undefined where there is none. */
  readonly host: (name: string) => Host | undefined
  readonly configOf: (name: string) => HostConfig | undefined
  /** Starts the programs of a namespace, if they have not been. */
  readonly wake: (ns: Netns) => void
  /** Namespaces whose programs have not been started, with what they will start. */
  readonly asleep: Map<Netns, NetnsConfig>
  /** Other machines and cables from now on; what runs already is the business of `changeNetwork`. */
  readonly become: (blueprint: Blueprint) => void
  readonly cpu: Cpu
}

/** The one CPU: whether a softirq runs or is held off, and how many events it has had. */
interface Cpu {
  bottomHalvesOff: number
  events: number
  maxEvents: number
}

export function newNetwork(first: Blueprint, draw: Draw): Network {
  let blueprint = first
  const queue = new EventQueue()
  const steps: Step[] = []
  const hosts = new Map<string, Host>()
  let ports = portsByLink(blueprint)
  // A node has many pods, and a packet meets few: the programs of a pod run from its first packet on.
  const asleep = new Map<Netns, NetnsConfig>()
  const cpu: Cpu = { bottomHalvesOff: 0, events: 0, maxEvents: Number.POSITIVE_INFINITY }
  let packets = 0

  const bottomHalves = {
    disable: () => void cpu.bottomHalvesOff++,
    enable: () => {
      if (--cpu.bottomHalvesOff === 0) softirq({ queue, cpu, wake })
    },
  }

  const kernelOf = (name: string): Kernel => ({
    now: () => queue.now,
    draw,
    newPacket: () => ++packets,
    record: (traveller, body) => record(traveller.ns, traveller.id, body),
    note: (ns, process, note) => void steps.push(noteStep(queue.now, ns, process, note)),
    emit: (event) => (event.kind === 'wire' ? toWire(name, event) : queue.push(event)),
    bottomHalves,
  })

  function record(ns: Netns, packet: number, body: StepBody | EngineStepBody): void {
    steps.push({ at: queue.now, host: ns.host.name, netns: ns.name, packet, ...body } as Step)
  }

  function toWire(name: string, { link, frame, id, flowHash }: Extract<MachineEvent, { kind: 'wire' }>): void {
    if (link.type.kind !== 'physical') return
    const segment = blueprint.segments.get(link.type.segment)
    const from = ports.get(`${name} ${link.name}`)
    if (segment === undefined)
      return record(link.ns, id, {
        kind: 'wire.lost',
        segment: link.type.segment,
        detail: 'the cable is not plugged in',
      })
    const carried = carry(segment, from, frame, (host) => hosts.has(host))
    switch (carried.kind) {
      case 'blocked':
        return record(link.ns, id, { kind: 'wire.lost', segment: segment.name, detail: carried.detail })
      case 'nobody':
        return record(link.ns, id, {
          kind: 'wire.lost',
          segment: segment.name,
          detail: 'no machine on this network has the destination MAC',
        })
      case 'left':
        return record(link.ns, id, { kind: 'wire.left', segment: segment.name })
      case 'delivered':
        return arriveAt(segment, carried.to, { frame, id, flowHash })
    }
  }

  function arriveAt(
    segment: Segment,
    ports: readonly SegmentPort[],
    what: Pick<Extract<WalkEvent, { kind: 'arrive' }>, 'frame' | 'id' | 'flowHash'>,
  ): void {
    const { flowHash, ...rest } = what
    const on = ports.map((port) => ({ kind: 'arrive', link: () => cardOf(port), ...rest }) as const)
    if (segment.virtual === true) queue.push({ kind: 'switch', on: on.map((event) => ({ ...event, flowHash })) })
    else for (const event of on) queue.push(event)
  }

  const cardOf = (port: SegmentPort): Link | undefined => host(port.host)?.netns.get(ROOT_NETNS)?.links.get(port.link)

  function host(name: string): Host | undefined {
    const known = hosts.get(name)
    if (known !== undefined) return known
    const config = blueprint.hosts.get(name)?.()
    if (config === undefined) return undefined
    const booted = boot(config, kernelOf(name))
    hosts.set(name, booted)
    for (const [name, space] of config.netns) {
      const ns = booted.netns.get(name)
      if (ns !== undefined) asleep.set(ns, space)
      if (ns !== undefined && name === ROOT_NETNS) wake(ns)
    }
    return booted
  }

  function wake(ns: Netns): void {
    const config = asleep.get(ns)
    if (config === undefined) return
    asleep.delete(ns)
    for (const program of startPrograms(ns, config, blueprint.program))
      record(ns, 0, {
        kind: 'lab.unknown',
        what: `program ${program}`,
        detail: 'it is not modelled and was not started',
      })
  }

  function become(next: Blueprint): void {
    blueprint = next
    ports = portsByLink(next)
  }

  return {
    get blueprint() {
      return blueprint
    },
    queue,
    steps,
    hosts,
    host,
    configOf: (name) => blueprint.hosts.get(name)?.(),
    wake,
    asleep,
    become,
    cpu,
  }
}

function portsByLink(blueprint: Blueprint): ReadonlyMap<string, SegmentPort> {
  const ports = new Map<string, SegmentPort>()
  for (const segment of blueprint.segments.values())
    for (const port of segment.ports) ports.set(`${port.host} ${port.link}`, port)
  return ports
}

function noteStep(at: number, ns: Netns, process: string, note: unknown): Step {
  return { at, host: ns.host.name, netns: ns.name, packet: 0, process, ...(note as object) } as Step
}

export type Ended =
  /** Nothing more will happen, or `until` said so. */
  | 'done'
  /** The bound on events was reached: packets go round. */
  | 'tooManyEvents'

export interface RunLimits {
  /** Checked when nothing is left to do at this moment; true: the question has been answered. */
  readonly until: () => boolean
  readonly maxEvents: number
  /** Virtual nanoseconds after which nobody waits any more. */
  readonly maxTime: number
}

/** Lets everything happen, in order, until the question is answered or nothing is left. */
export function run(network: Network, limits: RunLimits): Ended {
  const { queue, cpu } = network
  cpu.events = 0
  cpu.maxEvents = limits.maxEvents
  for (;;) {
    let event = queue.nextNow()
    if (event === undefined) {
      if (limits.until()) return 'done'
      event = queue.nextTimed()
      if (event === undefined || queue.now > limits.maxTime) return 'done'
    }
    if (++cpu.events > cpu.maxEvents) return 'tooManyEvents'
    if (event.kind === 'wake') handle(event)
    else inSoftirq(event, network)
    if (event.kind !== 'timer') continue
    for (let next = queue.nextOfTick(); next !== undefined; next = queue.nextOfTick()) inSoftirq(next, network)
  }
}

type Softirq = Pick<Network, 'queue' | 'cpu' | 'wake'>

/** do_softirq at the end of a transmission: whatever waits on the backlog, and what follows from it. */
function softirq(at: Softirq): void {
  const { queue, cpu } = at
  while (cpu.events < cpu.maxEvents) {
    const event = queue.nextPacket()
    if (event === undefined) return
    cpu.events++
    inSoftirq(event, at)
  }
}

/** Packets and timers are handled with bottom halves off: what they send only joins the backlog. */
function inSoftirq(event: WalkEvent, { cpu, queue, wake }: Softirq): void {
  cpu.bottomHalvesOff++
  // ARP and what is flooded is the kernel's business: no program is asked.
  if (event.kind === 'backlog' && isIp(event.skb) && !isMulticast(event.skb.packet.dst)) wake(event.skb.ns)
  happen(event, queue)
  cpu.bottomHalvesOff--
}

function happen(event: WalkEvent, queue: EventQueue): void {
  if (event.kind === 'switch') {
    for (const next of event.on) queue.push(next)
    return
  }
  if (event.kind !== 'arrive') return handle(event)
  const link = event.link()
  if (link !== undefined) arrive(link, event.frame, event)
}
