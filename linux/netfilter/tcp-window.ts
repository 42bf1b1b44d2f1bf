import { lengthOfTransport } from '../../packet/length.ts'
import { get32 } from '../../packet/octets.ts'
import { TCP_FLAG, type Tcp } from '../../packet/packet.ts'
import { tcpHeaderLength } from '../../packet/tcp.ts'
import { type Direction, opposite, type TcpFlow, type TcpPacketKind, type TcpSide } from './conntrack.ts'

/**
 * Whether a TCP segment fits what was seen of the flow: the four bounds of Guido van Rooij, "Real Stateful TCP Packet
 * Filtering in IP Filter", as tcp_in_window of Linux net/netfilter/nf_conntrack_proto_tcp.c (6.18) applies them.
 */

const u32 = (n: number): number => n >>> 0

/** Order on a circle of 2^32 sequence numbers. */
export const before = (x: number, y: number): boolean => ((x - y) | 0) < 0
export const after = (x: number, y: number): boolean => before(y, x)

/** A TCP segment in the words of the tracker. */
export interface Segment {
  readonly kind: TcpPacketKind
  readonly seq: number
  /** Behind its last octet; SYN and FIN count as one. */
  readonly end: number
  readonly ack: number
  readonly window: number
  readonly tcp: Tcp
}

const has = (tcp: Tcp, flag: number): boolean => (tcp.flags & flag) !== 0

export function segmentOf(tcp: Tcp): Segment {
  const { syn, fin, ack, rst } = TCP_FLAG
  const length = lengthOfTransport(tcp) - tcpHeaderLength(tcp) + (has(tcp, syn) ? 1 : 0) + (has(tcp, fin) ? 1 : 0)
  const kind = has(tcp, rst)
    ? 'rst'
    : has(tcp, syn)
      ? has(tcp, ack)
        ? 'synack'
        : 'syn'
      : has(tcp, fin)
        ? 'fin'
        : has(tcp, ack)
          ? 'ack'
          : 'none'
  return { kind, seq: tcp.seq, end: u32(tcp.seq + length), ack: tcp.ack, window: tcp.window, tcp }
}

export const unseenSide = (): TcpSide => ({
  end: 0,
  maxEnd: 0,
  maxWindow: 0,
  maxAck: undefined,
  scale: 0,
  windowScale: false,
  sackPermitted: false,
  closeInit: false,
  liberal: false,
  unacknowledged: false,
})

/** RFC 7323 §2.3. */
const LARGEST_SCALE = 14

/** tcp_options: what a SYN says of its sender. A SYN without options says nothing, not even that there are none. */
export function readSynOptions(side: TcpSide, tcp: Tcp): void {
  if (tcp.options.length === 0) return
  side.scale = 0
  side.windowScale = false
  side.sackPermitted = false
  side.maxAck = undefined
  side.closeInit = false
  side.unacknowledged = false
  for (const option of tcp.options) {
    if (option.kind === 'sackPermitted') side.sackPermitted = true
    else if (option.kind === 'windowScale') {
      side.windowScale = true
      side.scale = Math.min(option.shift, LARGEST_SCALE)
    }
  }
}

/** tcp_init_sender: the first SYN or SYN-ACK of a side. */
function beginSide(flow: TcpFlow, direction: Direction, segment: Segment): void {
  const sender = flow.seen[direction]
  const receiver = flow.seen[opposite(direction)]
  sender.end = segment.end
  sender.maxEnd = segment.end
  sender.maxWindow = Math.max(segment.window, 1)
  readSynOptions(sender, segment.tcp)
  if (direction === 'reply' && !(sender.windowScale && receiver.windowScale)) {
    sender.scale = 0
    receiver.scale = 0
  }
}

const SACK = 5

/** The highest right edge of the segment's SACK blocks (RFC 2018), or its acknowledgement. */
function highestSack({ tcp, ack }: Segment): number {
  let highest = ack
  for (const option of tcp.options) {
    if (option.kind !== 'other' || option.type !== SACK || option.bytes.length % 8 !== 0) continue
    for (let at = 4; at < option.bytes.length; at += 8) {
      const edge = u32(get32(option.bytes, at))
      if (after(edge, highest)) highest = edge
    }
  }
  return highest
}

/** Acknowledgements may be as late as this even where windows are small. */
const LEAST_ACK_WINDOW = 66_000

/** `ignore`: let through without learning from it. */
export type WindowVerdict = 'accept' | 'ignore' | 'invalid'

/** tcp_in_window: updates what is known of both sides where the segment fits. */
export function checkWindow(
  flow: TcpFlow,
  direction: Direction,
  { segment, liberal }: { readonly segment: Segment; readonly liberal: boolean },
): WindowVerdict {
  const sender = flow.seen[direction]
  const receiver = flow.seen[opposite(direction)]
  const { tcp, end } = segment
  const syn = has(tcp, TCP_FLAG.syn)
  const acks = has(tcp, TCP_FLAG.ack)
  const ack = segment.ack
  const sack = receiver.sackPermitted ? highestSack(segment) : ack
  if (sender.maxWindow === 0) {
    if (syn) {
      beginSide(flow, direction, segment)
      if (!acks) return 'accept'
    } else joinInTheMiddle(sender, receiver, { segment, sack })
  } else if (syn && after(end, sender.end) && (flow.state === 'SYN_SENT' || flow.state === 'SYN_RECV')) {
    beginSide(flow, direction, segment)
    if (direction === 'reply' && !acks) return 'accept'
  }
  // A segment without ACK acknowledges nothing, and some stacks put 0 into a reset.
  const nothing = !acks || (segment.kind === 'rst' && ack === 0)
  const answersSyn = segment.kind === 'rst' && segment.seq === 0 && flow.state === 'SYN_SENT'
  const span: Span = {
    seq: answersSyn ? sender.end : segment.seq,
    end: answersSyn ? sender.end : end,
    ack: nothing ? receiver.end : ack,
    sack: nothing ? receiver.end : sack,
  }
  const misfit = outOfBounds(sender, receiver, span)
  // Where windows are not believed, a misfit is let through, but nothing is learned from it.
  if (misfit !== undefined) return sender.liberal || liberal ? 'accept' : misfit
  learn(sender, receiver, { segment, span })
  noteRetransmission(flow, direction, { segment, span })
  return 'accept'
}

interface Span {
  readonly seq: number
  readonly end: number
  readonly ack: number
  readonly sack: number
}

/** The history is lost: what the packet says is taken for granted. */
function joinInTheMiddle(
  sender: TcpSide,
  receiver: TcpSide,
  { segment, sack }: { readonly segment: Segment; readonly sack: number },
): void {
  sender.end = segment.end
  sender.maxWindow = Math.max(u32(segment.window << sender.scale), 1)
  sender.maxEnd = u32(segment.end + sender.maxWindow)
  if (receiver.maxWindow === 0) {
    receiver.end = sack
    receiver.maxEnd = sack
  } else if (sack === u32(receiver.end + 1)) receiver.end = sack
}

function outOfBounds(sender: TcpSide, receiver: TcpSide, { seq, end, sack }: Span): WindowVerdict | undefined {
  const oldestAck = u32(receiver.end - Math.max(sender.maxWindow, LEAST_ACK_WINDOW) - 1)
  const oldestEnd = u32(sender.end - receiver.maxWindow - 1)
  const ackedTooMuch = !before(sack, u32(receiver.end + 1))
  if (!before(seq, u32(sender.maxEnd + 1))) {
    const inWindow = receiver.maxWindow !== 0 && after(end, oldestEnd)
    const overshot = u32(end - sender.maxEnd + 1)
    if (!inWindow || !after(sack, oldestAck) || overshot > receiver.maxWindow || ackedTooMuch) return 'invalid'
    // Only the window was overrun. Should the other side take the data all the same, its answer must be understood.
    sender.end = end
    sender.unacknowledged = true
    return 'ignore'
  }
  if (ackedTooMuch) return 'invalid'
  if (receiver.maxWindow !== 0 && !after(end, oldestEnd)) return 'ignore'
  return after(sack, oldestAck) ? undefined : 'ignore'
}

function learn(
  sender: TcpSide,
  receiver: TcpSide,
  { segment, span }: { readonly segment: Segment; readonly span: Span },
): void {
  const { end, ack, sack } = span
  const syn = has(segment.tcp, TCP_FLAG.syn)
  const window = syn ? segment.window : u32(segment.window << sender.scale)
  sender.maxWindow = Math.max(sender.maxWindow, u32(window + (sack - ack)))
  if (after(end, sender.end)) {
    sender.end = end
    sender.unacknowledged = true
  }
  if (has(segment.tcp, TCP_FLAG.ack) && (sender.maxAck === undefined || after(ack, sender.maxAck))) sender.maxAck = ack
  if (receiver.maxWindow !== 0 && after(end, sender.maxEnd)) receiver.maxWindow += u32(end - sender.maxEnd)
  if (after(u32(sack + window), u32(receiver.maxEnd - 1))) receiver.maxEnd = u32(sack + Math.max(window, 1))
  if (ack === receiver.end) receiver.unacknowledged = false
}

/** The same acknowledgement over and over means that answers get lost. */
function noteRetransmission(
  flow: TcpFlow,
  direction: Direction,
  { segment, span }: { readonly segment: Segment; readonly span: Span },
): void {
  if (segment.kind !== 'ack') return
  const { last } = flow
  const { seq, ack, end } = span
  const { window } = segment
  const again =
    last.direction === direction && last.seq === seq && last.ack === ack && last.end === end && last.window === window
  flow.retransmissions = again ? flow.retransmissions + 1 : 0
  if (!again) Object.assign(last, { direction, seq, ack, end, window })
}
