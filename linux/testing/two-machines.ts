import { mac } from '../../packet/mac.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../../packet/prefix.ts'
import { applyOps } from '../apply.ts'
import { seededDraw } from '../draw.ts'
import type { MachineEvent } from '../event.ts'
import { USUAL_CAPABILITIES } from '../host-facts.ts'
import { arrive, boot, handle } from '../machine.ts'
import type { Host, Netns } from '../netns.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../op.ts'
import type { ProcessEvent, Program, Syscall } from '../process.ts'
import { startProcess } from '../run-process.ts'
import type { StepBody } from '../step.ts'

/** Two machines on one cable, which may lose or change what goes over it, and programs that are told what to call. */
export interface TwoMachines {
  /** Packets as they left, with the time in milliseconds and whose they are. */
  readonly sent: readonly { readonly at: number; readonly by: string; readonly packet: IpPacket }[]
  readonly steps: readonly StepBody[]
  /** What programs were told, in order. */
  readonly told: readonly { readonly at: number; readonly by: string; readonly event: ProcessEvent }[]
  readonly ns: (name: string) => Netns
  /** Starts a program that calls this, and answers what it is told with what `on` says. */
  start(host: string, calls: readonly Syscall[], on?: (event: ProcessEvent) => readonly Syscall[]): void
  /** A packet that comes over the cable to that machine. */
  inject(host: string, packet: IpPacket): void
  /** Lets everything happen up to then. */
  run(untilSeconds: number): void
}

export interface Cable {
  /** Addresses by machine, with their prefix length; `x` and `y` are the names. */
  readonly x?: readonly string[]
  readonly y?: readonly string[]
  readonly ops?: Readonly<Record<string, readonly OpBody[]>>
  /** What arrives of the nth packet (from 1): none, one or more. */
  readonly pass?: (packet: IpPacket, nth: number) => readonly IpPacket[]
}

const CARDS = { x: mac('02:00:00:00:00:0a'), y: mac('02:00:00:00:00:0b') } as const
const DEFAULTS = { x: ['10.0.0.1/24', 'fd00::1/64'], y: ['10.0.0.2/24', 'fd00::2/64'] } as const

export function twoMachines({ ops = {}, pass = (packet) => [packet], ...cable }: Cable = {}): TwoMachines {
  const sent: { at: number; by: string; packet: IpPacket }[] = []
  const steps: StepBody[] = []
  const told: { at: number; by: string; event: ProcessEvent }[] = []
  const now: (() => void)[] = []
  const wakes: (() => void)[] = []
  const timers: Extract<MachineEvent, { kind: 'timer' }>[] = []
  const draw = seededDraw(1)
  let time = 0
  let packets = 0
  let programs = 0

  const kernelOf = (name: string) => ({
    now: () => time,
    draw,
    newPacket: () => ++packets,
    record: (_: unknown, step: StepBody) => void steps.push(step),
    note: () => undefined,
    emit: (event: MachineEvent) => {
      if (event.kind === 'timer') timers.push(event)
      else if (event.kind === 'wire') wire(name, event)
      else if (event.kind === 'wake') wakes.push(() => handle(event))
      else now.push(() => handle(event))
    },
  })
  const hosts: Record<string, Host> = {}
  for (const name of ['x', 'y'] as const) {
    const other = name === 'x' ? 'y' : 'x'
    hosts[name] = boot(
      applyOps(
        name,
        machineOps(name, cable[name] ?? DEFAULTS[name], cable[other] ?? DEFAULTS[other], ops[name] ?? []),
        USUAL_CAPABILITIES,
      ),
      kernelOf(name),
    )
  }
  const ns = (name: string): Netns => hosts[name]?.netns.get(ROOT_NETNS) as Netns

  function wire(name: string, { frame, id }: Extract<MachineEvent, { kind: 'wire' }>): void {
    if (frame.payload.kind !== 'ip') return
    sent.push({ at: time / 1e6, by: name, packet: frame.payload })
    const link = ns(name === 'x' ? 'y' : 'x').links.get('eth0')
    for (const packet of pass(frame.payload, sent.length))
      now.push(() => (link === undefined ? undefined : arrive(link, { ...frame, payload: packet }, { id })))
  }

  function settle(): void {
    for (let next = now.shift() ?? wakes.shift(); next !== undefined; next = now.shift() ?? wakes.shift()) next()
  }

  return {
    sent,
    steps,
    told,
    ns,
    start(host, calls, on = () => []) {
      const name = `program ${++programs}`
      const program: Program = {
        name,
        start: () => ({ state: undefined, syscalls: calls }),
        step: (state, event) => {
          told.push({ at: time / 1e6, by: host, event })
          return { state, syscalls: on(event) }
        },
      }
      startProcess(ns(host), name, program, {})
      settle()
    },
    inject(host, packet) {
      const link = ns(host).links.get('eth0')
      const src = CARDS[host === 'x' ? 'y' : 'x']
      if (link !== undefined) arrive(link, { src, dst: link.mac, payload: packet }, { id: ++packets })
      settle()
    },
    run(untilSeconds) {
      settle()
      for (;;) {
        timers.sort((one, other) => one.at - other.at)
        if (timers[0] === undefined || timers[0].at > untilSeconds * 1e9) break
        const event = timers.shift()
        if (event === undefined) break
        time = event.at
        handle(event)
        settle()
      }
      time = untilSeconds * 1e9
    },
  }
}

function machineOps(name: 'x' | 'y', own: readonly string[], other: readonly string[], more: readonly OpBody[]): Op[] {
  const address = (text: string) => must(parseInterfaceAddress(text))
  const bodies: OpBody[] = [
    { kind: 'link.add', name: 'eth0', mac: CARDS[name], mtu: 1500, type: { kind: 'physical', segment: 'cable' } },
    { kind: 'link.set', name: 'eth0', up: true },
    ...own.map((text): OpBody => ({ kind: 'addr.add', link: 'eth0', address: address(text) })),
    ...other.map(
      (text): OpBody => ({
        kind: 'neigh.replace',
        link: 'eth0',
        ip: address(text).ip,
        mac: CARDS[name === 'x' ? 'y' : 'x'],
      }),
    ),
    ...other.map(
      (text): OpBody => ({
        kind: 'route.replace',
        route: {
          type: 'unicast',
          destination: prefix(text.replace(/\/.*/, text.includes(':') ? '/128' : '/32')),
          dev: 'eth0',
          protocol: 'static',
        },
      }),
    ),
    ...more,
  ]
  return bodies.map((body) => ({ ...body, netns: ROOT_NETNS, origin: { by: 'test' } }))
}
