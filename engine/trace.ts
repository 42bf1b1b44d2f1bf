import type { Origin } from '../linux/origin.ts'
import type { DropReason } from '../linux/step.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Step } from './step.ts'

/** The packet's stay in one network namespace. */
export interface Hop {
  readonly host: string
  readonly netns: string
  readonly steps: readonly Step[]
  /** Links it came in and went out by; undefined where a socket, a program or an end stands instead. */
  readonly in?: string
  readonly out?: string
}

/** One packet's whole way, over links, tunnels and forwarders in user space. */
export interface Trace {
  /** Number of the traveller; of the first, where a program in user space passed it on. */
  readonly packet: number
  /** The packet as its sender made it. */
  readonly sent: IpPacket
  /** Who sent it: a program, `kernel`, `icmp ...`. */
  readonly by: string
  /** The traveller that made it happen: what an answer answers. */
  readonly cause?: number
  readonly hops: readonly Hop[]
  readonly disposition: Disposition
}

export const DISPOSITIONS = [
  'delivered',
  'leftCluster',
  'dropped',
  'rejected',
  'noRoute',
  'neighborUnreachable',
  'ttlExpired',
  'tooBig',
  'loop',
  'noListener',
  'insufficientInfo',
] as const

export type DispositionKind = (typeof DISPOSITIONS)[number]

/** How a packet's way ended. */
export interface Disposition {
  readonly kind: DispositionKind
  /** One sentence: what happened, where. */
  readonly detail: string
  /** 0-based index of the hop it ended in, and where that is. */
  readonly hop?: number
  readonly host?: string
  readonly netns?: string
  /** The kernel's own word. */
  readonly reason?: DropReason
  readonly origin?: Origin
}

export const isSuccess = (kind: DispositionKind): boolean => kind === 'delivered' || kind === 'leftCluster'

/** A trace must read as a way: it begins with a sender or a link, and what ends a hop is its last step. Our own check. */
export function checkTrace(trace: Trace): readonly string[] {
  const problems: string[] = []
  const [first] = trace.hops
  if (first === undefined) return ['a trace has at least one hop']
  const begins = first.steps[0]?.kind
  if (begins !== 'socket.send' && begins !== 'link.rx' && begins !== 'icmp.send')
    problems.push(`the first hop begins with ${begins}`)
  for (const [i, hop] of trace.hops.entries()) {
    if (hop.steps.length === 0) problems.push(`hop ${i} is empty`)
    if (i > 0 && hop.in === undefined && hop.steps[0]?.kind !== 'socket.send')
      problems.push(`hop ${i} begins without a link`)
    if (hop.steps.some((step) => step.host !== hop.host || step.netns !== hop.netns))
      problems.push(`hop ${i} has a step from elsewhere`)
  }
  if (!DISPOSITIONS.includes(trace.disposition.kind)) problems.push(`unknown disposition ${trace.disposition.kind}`)
  return problems
}
