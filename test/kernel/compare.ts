import { emitFrame, emitIp } from '../../packet/emit.ts'
import type { Frame, IpPacket } from '../../packet/packet.ts'
import type { ListedEntry } from './conntrack-line.ts'
import {
  changeTcp,
  type ExceptionName,
  withKernelClock,
  withKernelIds,
  withKernelWindow,
  withQuotedChecksum,
} from './exceptions.ts'
import { frameText } from './frame-text.ts'
import type { Observed, ObservedFrame } from './observed.ts'

/** One thing that the two sides do not agree on. */
export interface Difference {
  readonly what: 'refused' | 'frame' | 'rule' | 'socket' | 'conntrack' | 'neighbour' | 'fdb'
  /** Where: a tap, a place. */
  readonly where: string
  /** Position in the ordered list, from 0. */
  readonly index: number
  readonly ours: string
  readonly kernel: string
}

export interface Comparison {
  readonly differences: readonly Difference[]
  readonly compared: Readonly<Record<'frames' | 'rules' | 'socketEvents' | 'entries', number>>
  readonly exceptions: ReadonlyMap<ExceptionName, number>
}

const NOTHING = '-'

/** Everything both sides did, thing by thing, in order. */
export function compare(ours: Observed, kernel: Observed): Comparison {
  const exceptions = new Map<ExceptionName, number>()
  const use = (name: ExceptionName) => exceptions.set(name, (exceptions.get(name) ?? 0) + 1)
  const differences: Difference[] = [
    ...compareLists({ what: 'refused', where: 'commands' }, [String(ours.refused)], [String(kernel.refused)]),
    ...compareFrames(ours.frames, kernel.frames, use),
    ...byPlace('rule', ours.rules, kernel.rules, (rules) => rules),
    ...compareLists({ what: 'socket', where: 'sockets' }, ours.sockets.map(socketText), kernel.sockets.map(socketText)),
    ...compareConntrack(ours.conntrack, kernel.conntrack, use),
    ...byPlace('neighbour', ours.neighbours, kernel.neighbours, (entries) => entries.map((entry) => text(entry))),
    ...byPlace('fdb', ours.fdb, kernel.fdb, (entries) => entries.map((entry) => text(entry))),
  ]
  const total = (places: Readonly<Record<string, readonly unknown[]>>) =>
    Object.values(places).reduce((sum, entries) => sum + entries.length, 0)
  return {
    differences,
    compared: {
      frames: kernel.frames.length,
      rules: total(kernel.rules),
      socketEvents: kernel.sockets.length,
      entries: total(kernel.conntrack) + total(kernel.neighbours) + total(kernel.fdb),
    },
    exceptions,
  }
}

function compareFrames(
  ours: readonly ObservedFrame[],
  kernel: readonly ObservedFrame[],
  use: (name: ExceptionName) => void,
): Difference[] {
  const differences: Difference[] = []
  for (let i = 0; i < Math.max(ours.length, kernel.length); i++) {
    const [mine, theirs] = [ours[i], kernel[i]]
    if (mine !== undefined && theirs !== undefined && sameFrame(mine, theirs, use)) continue
    differences.push({
      what: 'frame',
      where: theirs?.tap ?? mine?.tap ?? '',
      index: i,
      ours: observedText(mine),
      kernel: observedText(theirs),
    })
  }
  return differences
}

function sameFrame(ours: ObservedFrame, kernel: ObservedFrame, use: (name: ExceptionName) => void): boolean {
  if (ours.tap !== kernel.tap || ours.frame === undefined || kernel.frame === undefined) return false
  const theirs = octetsOf(kernel.frame)
  let frame = ours.frame
  if (theirs === octetsOf(frame)) return true
  for (const [name, change] of FRAME_EXCEPTIONS) {
    const before = octetsOf(frame)
    frame = change(frame, kernel.frame, kernel.ms)
    if (octetsOf(frame) !== before) use(name)
    if (octetsOf(frame) === theirs) return true
  }
  if (!/ lo [rt]x$/.test(ours.tap)) return false
  const quoted = withQuotedChecksum(Buffer.from(octetsOf(frame), 'hex'), Buffer.from(theirs, 'hex'))
  if (Buffer.from(quoted).toString('hex') !== theirs) return false
  use('loopback checksum')
  return true
}

type FrameChange = (ours: Frame | IpPacket, kernel: Frame | IpPacket, ms: number) => Frame | IpPacket

const FRAME_EXCEPTIONS: readonly (readonly [ExceptionName, FrameChange])[] = [
  ['tcp clock', (ours, kernel) => changeTcp(ours, kernel, withKernelClock)],
  ['tcp window', (ours, kernel) => changeTcp(ours, kernel, withKernelWindow)],
  ['shared ip ids', withKernelIds],
]

/** The frame as it would stand on a wire: two values that print alike but differ in an octet are not the same. */
function octetsOf(frame: Frame | IpPacket): string {
  return Buffer.from('kind' in frame ? emitIp(frame) : emitFrame(frame)).toString('hex')
}

export function observedText(frame: ObservedFrame | undefined): string {
  if (frame === undefined) return NOTHING
  return `${frame.tap} ${frame.frame === undefined ? 'unreadable' : frameText(frame.frame)}`
}

function compareConntrack(
  ours: Readonly<Record<string, readonly ListedEntry[]>>,
  kernel: Readonly<Record<string, readonly ListedEntry[]>>,
  use: (name: ExceptionName) => void,
): Difference[] {
  const differences = byPlace('conntrack', ours, kernel, (entries) => entries.map((entry) => entry.text))
  if (differences.length > 0) return differences
  const clocks: Difference[] = []
  for (const [place, entries] of Object.entries(kernel))
    for (const [index, entry] of entries.entries()) {
      const mine = ours[place]?.[index]
      if (mine === undefined || mine.timeout === entry.timeout) continue
      if (Math.abs(mine.timeout - entry.timeout) <= SECONDS_TOLERANCE) use('conntrack clock')
      else
        clocks.push({
          what: 'conntrack',
          where: place,
          index,
          ours: `${mine.text} for ${mine.timeout} s`,
          kernel: `${entry.text} for ${entry.timeout} s`,
        })
    }
  return clocks
}

const SECONDS_TOLERANCE = 1

function byPlace<T>(
  what: Difference['what'],
  ours: Readonly<Record<string, readonly T[]>>,
  kernel: Readonly<Record<string, readonly T[]>>,
  texts: (entries: readonly T[]) => readonly string[],
): Difference[] {
  const places = [...new Set([...Object.keys(ours), ...Object.keys(kernel)])].sort()
  return places.flatMap((where) => compareLists({ what, where }, texts(ours[where] ?? []), texts(kernel[where] ?? [])))
}

function compareLists(
  of: Pick<Difference, 'what' | 'where'>,
  ours: readonly string[],
  kernel: readonly string[],
): Difference[] {
  const differences: Difference[] = []
  for (let i = 0; i < Math.max(ours.length, kernel.length); i++)
    if (ours[i] !== kernel[i])
      differences.push({ ...of, index: i, ours: ours[i] ?? NOTHING, kernel: kernel[i] ?? NOTHING })
  return differences
}

/** Fields in a fixed order. */
function text(value: object): string {
  return Object.entries(value)
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([key, field]) => `${key} ${typeof field === 'object' && field !== null ? text(field) : field}`)
    .join(', ')
}

const socketText = (event: object): string => text(event)
