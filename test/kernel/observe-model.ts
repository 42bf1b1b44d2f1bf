import type { Step } from '../../engine/step.ts'
import type { ConntrackEntry } from '../../linux/netfilter/conntrack.ts'
import type { Tuple } from '../../linux/netfilter/tuple.ts'
import type { Netns } from '../../linux/netns.ts'
import { formatIp } from '../../packet/ip.ts'
import { formatMac } from '../../packet/mac.ts'
import type { KernelFdb, KernelNeighbour, SocketEvent } from './agent.ts'
import { byText, listedEntry, TCP_STATES, type TupleParts } from './conntrack-line.ts'
import type { ModelRun } from './model.ts'
import { byAddress, byMac, mapPlaces } from './observe-kernel.ts'
import type { Observed, ObservedFrame } from './observed.ts'

/** Our side, from the steps of a run and the state it left behind. */
export function observeModel(run: ModelRun): Observed {
  const spaces = [...run.hosts.values()].flatMap((host) => [...host.netns.values()])
  const byPlace = <T>(of: (ns: Netns) => T): Record<string, T> =>
    Object.fromEntries(spaces.map((ns): [string, T] => [`${ns.host.name}/${ns.name}`, of(ns)]))
  return {
    refused: run.refused.length,
    frames: framesOf(run.steps),
    rules: mapPlaces(rulesOf(run.steps), (rules) => rules),
    sockets: run.steps.flatMap(socketEvent),
    conntrack: mapPlaces(
      byPlace((ns) => entriesOf(ns, run.now)),
      (entries) => [...entries].sort(byText),
    ),
    neighbours: mapPlaces(byPlace(neighboursOf), (entries) => [...entries].sort(byAddress)),
    fdb: mapPlaces(byPlace(learnedOf), (entries) => [...entries].sort(byMac)),
  }
}

function framesOf(steps: readonly Step[]): ObservedFrame[] {
  const frames: ObservedFrame[] = []
  let start: number | undefined
  for (const step of steps) {
    if (step.kind !== 'link.rx' && step.kind !== 'link.tx') continue
    start ??= step.at
    const direction = step.kind === 'link.rx' ? 'rx' : 'tx'
    frames.push({
      tap: `${step.host}/${step.netns} ${step.link} ${direction}`,
      ms: Math.round((step.at - start) / 1e6),
      frame: step.frame,
    })
  }
  return frames
}

function rulesOf(steps: readonly Step[]): Record<string, string[]> {
  const rules: Record<string, string[]> = {}
  for (const step of steps) {
    if (!('triedFrom' in step)) continue
    const place = `${step.host}/${step.netns}`
    const index = 'index' in step ? String(step.index) : 'end'
    rules[place] ??= []
    rules[place].push(`${step.table}/${step.chain}:${index}`)
  }
  return rules
}

/** Notes of the judge's own programs: they carry an actor and an event. */
function socketEvent(step: Step): SocketEvent[] {
  if (!('actor' in step)) return []
  const {
    at: _at,
    host: _host,
    netns: _netns,
    packet: _packet,
    process: _process,
    ...event
  } = step as unknown as Record<string, unknown>
  return [event as unknown as SocketEvent]
}

function entriesOf(ns: Netns, now: number) {
  const entries = new Set<ConntrackEntry>()
  for (const { entry } of ns.netfilterState.conntrack.byTuple.values()) entries.add(entry)
  return [...entries].map((entry) =>
    listedEntry({
      original: tupleParts(entry.original),
      reply: tupleParts(entry.reply),
      status: entry.status,
      mark: entry.mark ?? 0,
      timeout: Math.floor((entry.timeout - now) / 1e9),
      tcpState: entry.flow?.kind === 'tcp' ? TCP_STATES.indexOf(entry.flow.state) : undefined,
    }),
  )
}

/** Of ICMP, conntrack shows the id on one side, and the type and code on the other. */
const tupleParts = ({ protocol, src, dst, srcKey, dstKey }: Tuple): TupleParts => ({
  protocol,
  src: formatIp(src),
  dst: formatIp(dst),
  srcKey,
  dstKey,
})

function neighboursOf(ns: Netns): KernelNeighbour[] {
  return [...ns.state.neighbors.values()]
    .filter(({ state }) => state !== 'noarp')
    .map(({ link, ip, mac, state }) => ({
      device: link.name,
      ip: formatIp(ip),
      mac: mac === undefined ? null : formatMac(mac),
      state,
    }))
}

function learnedOf(ns: Netns): KernelFdb[] {
  return [...ns.links.values()].flatMap((bridge) =>
    [...bridge.fdb.learned].map(([mac, { port }]) => ({
      device: port,
      mac: formatMac(mac),
      dst: null,
      state: 'reachable',
      master: bridge.name,
      self: false,
      vlan: 0,
    })),
  )
}
