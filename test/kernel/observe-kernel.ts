import { parseFrame, parseIpPacket } from '../../packet/parse.ts'
import { iptablesTables } from '../../render/iptables-restore.ts'
import { netnsOf } from '../../render/materialise/lab-machine.ts'
import type { KernelConntrack, KernelFdb, KernelNeighbour, KernelTuple, SocketEvent } from './agent.ts'
import type { KernelTruth } from './case-file.ts'
import { byText, listedEntry, type TupleParts } from './conntrack-line.ts'
import type { KernelLab } from './lab.ts'
import type { Observed } from './observed.ts'

/** The kernel's side, from what was seen live or recorded. */
export function observeKernel(truth: KernelTruth, lab: KernelLab): Observed {
  const idle = idleChains(lab)
  return {
    refused: truth.refused.filter((line) => REFUSAL.test(line)).length,
    frames: truth.frames.flatMap(({ ms, seen, kind, bytes }) => {
      const octets = Buffer.from(bytes, 'hex')
      const read = kind === 'ip' ? parseIpPacket(octets) : parseFrame(octets)
      return seen.map((tap) => ({ tap, ms, frame: read.ok ? read.value : undefined }))
    }),
    rules: mapPlaces(truth.rules, (passes, place) =>
      passes.flatMap(({ family, rules }) => rules.filter((rule) => !idle.has(`${place} ${family} ${rule}`))),
    ),
    passes: mapPlaces(truth.rules, (passes) => passes.map(({ rules, becomes }) => ({ rules, becomes }))),
    sockets: truth.sockets.map(inModelWords),
    conntrack: mapPlaces(truth.conntrack, (entries) => entries.map(entryOf).sort(byText)),
    neighbours: mapPlaces(truth.neighbours, (entries) => entries.filter(isListedNeighbour).sort(byAddress)),
    fdb: mapPlaces(truth.fdb, (entries) => entries.filter(isLearned).sort(byMac)),
  }
}

/** One line of several that a tool prints for what it could not do. */
const REFUSAL = /^(Command failed|sysctl )/

/** Places with nothing are left out, so that both sides leave out the same. */
export function mapPlaces<T, U>(
  record: Readonly<Record<string, T>>,
  change: (value: T, place: string) => readonly U[],
): Record<string, readonly U[]> {
  const places = Object.keys(record).sort()
  return Object.fromEntries(
    places
      .map((place): [string, readonly U[]] => [place, change(record[place] as T, place)])
      .filter(([, entries]) => entries.length > 0),
  )
}

/** What our processes are not told: the ICMP type and sequence number, and where an answer to a ping was sent. */
function inModelWords(event: SocketEvent): SocketEvent {
  const { type: _type, sequence: _sequence, icmpType: _icmpType, icmpCode: _icmpCode, ...rest } = event
  if (event.event === 'error')
    return {
      actor: event.actor,
      event: 'error',
      errno: event.errno,
      ...(event.from === undefined ? {} : { from: event.from }),
    }
  if (event.type === undefined) return rest as SocketEvent
  const { to: _to, ...answer } = rest
  return answer as SocketEvent
}

/** `node1/root 4 filter/INPUT:end` of built-in chains that have no rule and accept (exception `idle chain`). */
function idleChains(lab: KernelLab): ReadonlySet<string> {
  const idle = new Set<string>()
  for (const { name, ops } of lab.hosts)
    for (const netns of netnsOf(ops))
      for (const family of [4, 6] as const) {
        const tables = iptablesTables(
          ops.filter((op) => op.netns === netns),
          family,
        )
        for (const [table, chains] of tables)
          for (const [chain, { policy, rules }] of chains)
            if (policy === 'ACCEPT' && rules.length === 0) idle.add(`${name}/${netns} ${family} ${table}/${chain}:end`)
      }
  return idle
}

function entryOf(entry: KernelConntrack) {
  const { original, reply, status, mark, timeout, tcpState } = entry
  return listedEntry({ original: tupleOf(original), reply: tupleOf(reply), status, mark, timeout, tcpState })
}

const tupleOf = (tuple: KernelTuple): TupleParts => ({
  protocol: tuple.protocol,
  src: tuple.src,
  dst: tuple.dst,
  srcKey: tuple.srcPort ?? tuple.icmpId ?? 0,
  dstKey: tuple.dstPort ?? (tuple.icmpType ?? 0) * 256 + (tuple.icmpCode ?? 0),
})

/** ip(8) does not list entries that need no question: multicast, loopback. */
const isListedNeighbour = ({ state }: KernelNeighbour): boolean => state !== 'noarp'

/** What traffic has taught a bridge or vxlan device; its own addresses stand there from the start. */
const isLearned = ({ state }: KernelFdb): boolean => state !== 'permanent' && state !== 'noarp'

const order = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0)
export const byAddress = (x: KernelNeighbour, y: KernelNeighbour): number =>
  order(x.device, y.device) || order(x.ip, y.ip)
export const byMac = (x: KernelFdb, y: KernelFdb): number => order(x.device, y.device) || order(x.mac, y.mac)
