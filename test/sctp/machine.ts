import { applyOps } from '../../linux/apply.ts'
import { seededDraw } from '../../linux/draw.ts'
import type { MachineEvent } from '../../linux/event.ts'
import { USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { arrive, boot, handle } from '../../linux/machine.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import type { ProcessEvent, Program, Syscall } from '../../linux/process.ts'
import { startProcess } from '../../linux/run-process.ts'
import { emitFrame } from '../../packet/emit.ts'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import { parseFrame } from '../../packet/parse.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../../packet/prefix.ts'

/** Our machine alone at the end of a cable, in octets: what is on the other end may be real. */
export interface MachineOnCable {
  /** Events that its programs saw, in words. */
  readonly told: readonly string[]
  start(calls: readonly Syscall[], on: (event: ProcessEvent) => readonly Syscall[]): void
  /** A frame comes in; what goes out is handed to `out`. */
  arrive(frame: Uint8Array): void
  /** Time goes on by so many nanoseconds. */
  pass(ns: number): void
}

const OWN = { 4: '10.0.1.2', 6: 'fd00:1::2' } as const
const GATEWAY = { 4: '10.0.1.1', 6: 'fd00:1::1' } as const
/** What the router's card has; see rig.py. */
const ROUTER_MAC = mac('02:00:00:00:0c:02')

export function machineOnCable(family: 4 | 6, out: (frame: Uint8Array) => void): MachineOnCable {
  const now: (() => void)[] = []
  const wakes: (() => void)[] = []
  const timers: Extract<MachineEvent, { kind: 'timer' }>[] = []
  const told: string[] = []
  let time = 0
  let packets = 0
  const host = boot(applyOps('model', opsOf(family), USUAL_CAPABILITIES), {
    now: () => time,
    draw: seededDraw(1),
    newPacket: () => ++packets,
    record: () => undefined,
    note: () => undefined,
    emit: (event) => {
      if (event.kind === 'timer') timers.push(event)
      else if (event.kind === 'wire') out(emitFrame(event.frame))
      else if (event.kind === 'wake') wakes.push(() => handle(event))
      else now.push(() => handle(event))
    },
  })
  const ns = host.netns.get(ROOT_NETNS)
  const card = ns?.links.get('eth0')
  if (ns === undefined || card === undefined) throw new Error('no card')

  function settle(): void {
    for (let next = now.shift() ?? wakes.shift(); next !== undefined; next = now.shift() ?? wakes.shift()) next()
  }

  return {
    told,
    start(calls, on) {
      const step = (state: unknown, event: ProcessEvent) => {
        told.push(inWords(event))
        return { state, syscalls: on(event) }
      }
      const program: Program = { name: 'program', start: () => ({ state: undefined, syscalls: calls }), step }
      startProcess(ns, 'program', program, {})
      settle()
    },
    arrive(octets) {
      const frame = parseFrame(octets)
      if (!frame.ok) throw new Error(frame.reason)
      arrive(card, frame.value, { id: ++packets })
      settle()
    },
    pass(forNs) {
      const until = time + forNs
      for (;;) {
        timers.sort((one, other) => one.at - other.at)
        const next = timers[0]
        if (next === undefined || next.at > until) break
        timers.shift()
        time = next.at
        handle(next)
        settle()
      }
      time = until
    },
  }
}

function inWords(event: ProcessEvent): string {
  if (event.kind === 'data') return `data ${event.bytes.length}`
  return event.kind === 'error' ? `error ${event.errno}` : event.kind
}

function opsOf(family: 4 | 6): readonly Op[] {
  const length = family === 4 ? 24 : 64
  const bodies: readonly OpBody[] = [
    {
      kind: 'link.add',
      name: 'eth0',
      mac: mac('02:00:00:00:0c:01'),
      mtu: 1500,
      type: { kind: 'physical', segment: 'cable' },
    },
    { kind: 'link.set', name: 'eth0', up: true },
    { kind: 'addr.add', link: 'eth0', address: must(parseInterfaceAddress(`${OWN[family]}/${length}`)) },
    { kind: 'neigh.replace', link: 'eth0', ip: ip(GATEWAY[family]), mac: ROUTER_MAC },
    {
      kind: 'route.replace',
      route: {
        type: 'unicast',
        destination: prefix(family === 4 ? '0.0.0.0/0' : '::/0'),
        via: ip(GATEWAY[family]),
        dev: 'eth0',
        protocol: 'static',
      },
    },
  ]
  return bodies.map((body) => ({ ...body, netns: ROOT_NETNS, origin: { by: 'test' } }))
}
