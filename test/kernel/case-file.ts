import { formatIp, ip } from '../../packet/ip.ts'
import { formatMac, type Mac, mac } from '../../packet/mac.ts'
import type { KernelConntrack, KernelFdb, KernelNeighbour, SocketEvent } from './agent.ts'
import type { Scenario } from './scenario.ts'

/** A recorded case: what was built, what was asked, and what the kernel did. */
export interface KernelCase {
  readonly recorded: Readonly<Record<string, string>>
  readonly scenario: Scenario
  readonly kernel: KernelTruth
}

/** What the kernel did, by the lab's own names (`node1/root`). Order is the kernel's, over all interfaces. */
export interface KernelTruth {
  /** Lines that ip(8), bridge(8) and their like refused. */
  readonly refused: readonly string[]
  readonly sockets: readonly SocketEvent[]
  readonly frames: readonly SeenFrame[]
  /** `node1/root` -> what its rules did, in order. */
  readonly rules: Readonly<Record<string, readonly RulePass[]>>
  readonly conntrack: Readonly<Record<string, readonly KernelConntrack[]>>
  readonly neighbours: Readonly<Record<string, readonly KernelNeighbour[]>>
  readonly fdb: Readonly<Record<string, readonly KernelFdb[]>>
}

/** One frame and the taps it passed, one right after the other. */
export interface SeenFrame {
  /** Milliseconds since the first frame; whole numbers, for timers. */
  readonly ms: number
  /** `node1/root veth-a rx`. */
  readonly seen: readonly string[]
  /** All fields, for people; `bytes` is what counts. */
  readonly text: string
  readonly kind: 'ethernet' | 'ip'
  readonly bytes: string
}

/** A packet as it went by some rules that did not change it. */
export interface RulePass {
  readonly family: 4 | 6
  readonly in: string | null
  readonly out: string | null
  /** The mark before the rules. */
  readonly mark: number
  /** `filter/FORWARD:2`, in order; `filter/FORWARD:end` is the policy, or the return from a chain of one's own. */
  readonly rules: readonly string[]
  /** Where the packet was sent on to, where NAT changed its destination then; nf_tables only. */
  readonly becomes?: string
  /** The packet, for people. */
  readonly text: string
}

/** JSON with one entry per line where lists are long. Addresses are texts (`ip:10.0.0.1`, `mac:0a:...`). */
export function emitCase(one: KernelCase): string {
  return `${layout(JSON.parse(JSON.stringify(one, encode)), 0)}\n`
}

export function parseCase(text: string): KernelCase {
  return JSON.parse(text, decode) as KernelCase
}

/** Ops have a namespace, rules of a block arguments; what is in a block of nft has a rule, a set or a type. */
const ORIGINATED = ['netns', 'args', 'rule', 'set', 'type']

const withOrigin = (item: unknown): unknown =>
  typeof item === 'object' && item !== null && ORIGINATED.some((key) => key in item)
    ? { ...item, origin: RECORDED }
    : item

const HAVE_ORIGINS = new Set(['ops', 'dispatch', 'rules', 'elements', 'sets'])

const MAC_KEYS = new Set(['mac'])

const OCTET_KEYS = new Set(['bytes'])

function encode(key: string, value: unknown): unknown {
  if (typeof value === 'string' && OCTET_KEYS.has(key)) return shorten(value)
  if (typeof value === 'number' && MAC_KEYS.has(key)) return `mac:${formatMac(value as Mac)}`
  if (isIp(value)) return `ip:${formatIp(value)}`
  if (key === 'origin') return undefined
  if ((key === 'chains' || key === 'own') && typeof value === 'function') return value()
  return value
}

/** Who wrote an op or a rule down is of no interest to the kernel: not recorded. */
const RECORDED = { by: 'recorded case' }

function decode(key: string, value: unknown): unknown {
  if (HAVE_ORIGINS.has(key)) return Array.isArray(value) ? value.map(withOrigin) : value
  if (key === 'chains') return () => value
  // What a block of nft owns is made at once, its chains too.
  if (key === 'own') return () => ({ ...(value as object), chains: (value as { chains: () => unknown }).chains() })
  if (typeof value !== 'string') return value
  if (OCTET_KEYS.has(key)) return lengthen(value)
  if (value.startsWith('ip:')) return ip(value.slice(3))
  if (value.startsWith('mac:')) return mac(value.slice(4))
  return value
}

function isIp(value: unknown): value is Parameters<typeof formatIp>[0] {
  if (typeof value !== 'object' || value === null) return false
  const keys = Object.keys(value)
  return keys.length === 5 && ['family', 'a', 'b', 'c', 'd'].every((key) => keys.includes(key))
}

/** Messages count 0, 1, 2, ... 255, 0, ...: a long run of that is written `<FIRST+OCTETS>`. */
const SHORTEST_RUN = 16

function shorten(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  let text = ''
  let at = 0
  while (at < bytes.length) {
    let end = at + 1
    while (end < bytes.length && bytes[end] === ((bytes[end - 1] ?? 0) + 1) % 256) end++
    if (end - at >= SHORTEST_RUN) text += `<${bytes[at]}+${end - at}>`
    else text += bytes.toString('hex', at, end)
    at = end
  }
  return text
}

function lengthen(text: string): string {
  return text.replace(/<(\d+)\+(\d+)>/g, (_, first: string, length: string) =>
    Buffer.from(Array.from({ length: Number(length) }, (_, i) => (Number(first) + i) & 255)).toString('hex'),
  )
}

/** Objects and lists are opened while they are longer than a line. */
const LINE = 140

function layout(value: unknown, depth: number): string {
  const flat = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || flat.length + depth * 2 <= LINE) return flat
  const pad = '  '.repeat(depth + 1)
  const end = `\n${'  '.repeat(depth)}`
  if (Array.isArray(value)) {
    const items = value.map((item) => (isLeafRecord(item) ? JSON.stringify(item) : layout(item, depth + 1)))
    return `[${items.map((item) => `\n${pad}${item}`).join(',')}${end}]`
  }
  const entries = Object.entries(value).map(
    ([key, item]) => `\n${pad}${JSON.stringify(key)}: ${layout(item, depth + 1)}`,
  )
  return `{${entries.join(',')}${end}}`
}

/** An op, a rule hit: stays on one line however long. */
const isLeafRecord = (item: unknown): boolean =>
  typeof item === 'object' &&
  item !== null &&
  !Array.isArray(item) &&
  !('lab' in item || 'ops' in item || 'seen' in item || 'rules' in item)
