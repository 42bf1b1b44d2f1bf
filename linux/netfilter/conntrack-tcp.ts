import { TCP_FLAG } from '../../packet/packet.ts'
import { type Netns, sysctl } from '../netns.ts'
import type { IpSkb } from '../skb.ts'
import {
  type ConntrackEntry,
  type Direction,
  isConfirmed,
  opposite,
  STATUS,
  type TcpFlow,
  type TcpPacketKind,
  type TcpState,
  type Tracked,
} from './conntrack.ts'
import { refresh, removeEntry } from './conntrack-table.ts'
import { type TimeoutName, timeoutOf } from './conntrack-timeout.ts'
import { before, checkWindow, readSynOptions, type Segment, segmentOf, unseenSide } from './tcp-window.ts'

/** The TCP tracker, after Linux net/netfilter/nf_conntrack_proto_tcp.c (6.18). */

const STATES: readonly TcpState[] = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
]

/** Two letters each: a state, `IV` invalid, `IG` let through without a change. One column per state in STATES. */
type Row = string

const TRANSITIONS: Readonly<Record<Direction, Readonly<Record<TcpPacketKind, Row>>>> = {
  original: {
    syn: 'SS SS IG IG IG IG IG SS SS S2',
    synack: 'IV IV SR IV IV IV IV IV IV SR',
    fin: 'IV IV FW FW LA LA LA TW CL IV',
    ack: 'ES IV ES ES CW CW TW TW CL IV',
    rst: 'IV CL CL CL CL CL CL CL CL CL',
    none: 'IV IV IV IV IV IV IV IV IV IV',
  },
  reply: {
    syn: 'IV S2 IV IV IV IV IV SS IV S2',
    synack: 'IV SR IG IG IG IG IG IG IG SR',
    fin: 'IV IV FW FW LA LA LA TW CL IV',
    ack: 'IV IG SR ES CW CW TW TW CL IG',
    rst: 'IV CL CL CL CL CL CL CL CL CL',
    none: 'IV IV IV IV IV IV IV IV IV IV',
  },
}

const LETTERS: Readonly<Record<string, TcpState | 'invalid' | 'ignore'>> = {
  NO: 'NONE',
  SS: 'SYN_SENT',
  SR: 'SYN_RECV',
  ES: 'ESTABLISHED',
  FW: 'FIN_WAIT',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  S2: 'SYN_SENT2',
  IV: 'invalid',
  IG: 'ignore',
}

const nextState = (direction: Direction, kind: TcpPacketKind, state: TcpState): TcpState | 'invalid' | 'ignore' =>
  LETTERS[TRANSITIONS[direction][kind].slice(STATES.indexOf(state) * 3).slice(0, 2)] ?? 'invalid'

const TIMEOUT: Readonly<Record<TcpState, TimeoutName>> = {
  NONE: 'tcp_syn_sent',
  SYN_SENT: 'tcp_syn_sent',
  SYN_RECV: 'tcp_syn_recv',
  ESTABLISHED: 'tcp_established',
  FIN_WAIT: 'tcp_fin_wait',
  CLOSE_WAIT: 'tcp_close_wait',
  LAST_ACK: 'tcp_last_ack',
  TIME_WAIT: 'tcp_time_wait',
  CLOSE: 'tcp_close',
  SYN_SENT2: 'tcp_syn_sent',
}

/** Flags that may stand together (tcp_valid_flags); PSH, ECE and CWR may always. */
const VALID_FLAGS: ReadonlySet<number> = new Set([
  TCP_FLAG.syn,
  TCP_FLAG.syn | TCP_FLAG.urg,
  TCP_FLAG.syn | TCP_FLAG.ack,
  TCP_FLAG.rst,
  TCP_FLAG.rst | TCP_FLAG.ack,
  TCP_FLAG.fin | TCP_FLAG.ack,
  TCP_FLAG.fin | TCP_FLAG.ack | TCP_FLAG.urg,
  TCP_FLAG.ack,
  TCP_FLAG.ack | TCP_FLAG.urg,
])

const COUNTED_FLAGS = TCP_FLAG.fin | TCP_FLAG.syn | TCP_FLAG.rst | TCP_FLAG.ack | TCP_FLAG.urg

/** nf_conntrack_tcp_packet. */
export function trackTcp(entry: ConntrackEntry, skb: IpSkb, direction: Direction): Tracked {
  const { payload } = skb.packet
  if (payload.kind !== 'tcp' || !VALID_FLAGS.has(payload.flags & COUNTED_FLAGS)) return 'invalid'
  const segment = segmentOf(payload)
  if (!isConfirmed(entry)) entry.flow = openFlow(segment, skb.ns)
  const { flow } = entry
  if (flow?.kind !== 'tcp') return 'invalid'
  const next = nextState(direction, segment.kind, flow.state)
  if (next === 'invalid') return 'invalid'
  const packet: TcpPacket = { entry, flow, skb, direction, segment, before: flow.state }
  if (next === 'SYN_SENT' && (flow.state === 'TIME_WAIT' || flow.state === 'CLOSE')) return reopen(packet)
  if (next === 'ignore') return ignore(packet)
  return step(packet, next)
}

/**
 * nf_ct_set_closing (Linux 6.3): a reset of the kernel's own for a rejected segment ends the flow, though the tracker
 * does not see it.
 */
export function closeByReset(skb: IpSkb): void {
  const entry = skb.ct?.entry
  if (entry?.flow?.kind !== 'tcp' || !isConfirmed(entry)) return
  if (entry.flow.state !== 'CLOSE') refresh(entry, skb.ns, timeoutOf(skb.ns, TIMEOUT.CLOSE))
  entry.flow.state = 'CLOSE'
}

/** A packet on its way through the tracker. */
interface TcpPacket {
  readonly entry: ConntrackEntry
  readonly flow: TcpFlow
  readonly skb: IpSkb
  readonly direction: Direction
  readonly segment: Segment
  /** The state it found. */
  readonly before: TcpState
}

/** tcp_new: from a SYN, or (nf_conntrack_tcp_loose) in the middle of a flow from an ACK. */
function openFlow(segment: Segment, ns: Netns): TcpFlow | undefined {
  const first = nextState('original', segment.kind, 'NONE')
  if (first === 'invalid') return undefined
  const opens = first === 'SYN_SENT'
  if (!opens && sysctl(ns, 'net.netfilter.nf_conntrack_tcp_loose', 1) === 0) return undefined
  const sender = unseenSide()
  const receiver = unseenSide()
  sender.end = segment.end
  sender.maxWindow = Math.max(segment.window, 1)
  sender.maxEnd = opens ? segment.end : (segment.end + sender.maxWindow) >>> 0
  if (opens) readSynOptions(sender, segment.tcp)
  else for (const side of [sender, receiver]) Object.assign(side, { sackPermitted: true, liberal: true })
  return {
    kind: 'tcp',
    state: 'NONE',
    seen: { original: sender, reply: receiver },
    last: {
      index: 'none',
      direction: 'original',
      seq: 0,
      ack: 0,
      end: undefined,
      window: 0,
      scale: undefined,
      sackPermitted: false,
      challengeAck: false,
      simultaneousOpen: false,
    },
    retransmissions: 0,
  }
}

/** A SYN on an entry that is closing: a new flow between the same ports, if the old one was properly over. */
function reopen(packet: TcpPacket): Tracked {
  const { entry, flow, skb, direction } = packet
  const closed = flow.seen.original.closeInit || flow.seen.reply.closeInit
  if (!closed && !(flow.last.direction === direction && flow.last.index === 'rst')) return ignore(packet)
  removeEntry(skb.ns, entry)
  return 'repeat'
}

/**
 * The entry may be out of step with the two ends, so what could be right is let through and remembered: the answer to
 * it tells.
 */
function ignore(packet: TcpPacket): Tracked {
  const { flow, direction, segment } = packet
  const { last } = flow
  if (segment.kind === 'synack' && last.index === 'syn' && last.direction !== direction && segment.ack === last.end) {
    takeOverIgnoredSyn(packet)
    return step({ ...packet, before: 'SYN_SENT' }, 'SYN_RECV')
  }
  last.index = segment.kind
  last.direction = direction
  last.seq = segment.seq
  last.end = segment.end
  last.window = segment.window
  if (segment.kind === 'syn' && direction === 'original') rememberSyn(packet)
  if (packet.before === 'SYN_SENT' && segment.kind === 'ack' && direction === 'reply') last.ack = segment.ack
  return 'valid'
}

/** The SYN-ACK answers a SYN that was let through: both ends agree, and the entry follows them. */
function takeOverIgnoredSyn({ flow, direction }: TcpPacket): void {
  const { last } = flow
  Object.assign(flow.seen[last.direction], {
    ...unseenSide(),
    end: last.end ?? 0,
    maxEnd: last.end ?? 0,
    maxWindow: Math.max(last.window, 1),
    scale: last.scale ?? 0,
    windowScale: last.scale !== undefined,
    sackPermitted: last.sackPermitted,
  })
  last.challengeAck = false
  Object.assign(flow.seen[direction], { ...unseenSide(), liberal: flow.seen[direction].liberal })
}

function rememberSyn({ flow, segment, before }: TcpPacket): void {
  const side = unseenSide()
  readSynOptions(side, segment.tcp)
  flow.last.scale = side.windowScale ? side.scale : undefined
  flow.last.sackPermitted = side.sackPermitted
  flow.last.simultaneousOpen = false
  // A host that follows RFC 5961 answers with an ACK, which must not be taken for that of the last FIN.
  flow.last.challengeAck = before === 'LAST_ACK'
}

/** A packet that the state allows: it must also fit the window. */
function step(packet: TcpPacket, wanted: TcpState): Tracked {
  const { flow, skb, direction, segment, before: old } = packet
  const { last } = flow
  let next = wanted
  let fits = false
  if (next === 'TIME_WAIT' && isChallengeAck(packet)) {
    last.challengeAck = false
    return 'valid'
  }
  if (next === 'SYN_SENT2') last.simultaneousOpen = true
  else if (next === 'SYN_RECV' && direction === 'reply' && segment.kind === 'ack' && last.simultaneousOpen)
    next = 'ESTABLISHED'
  else if (next === 'CLOSE' && segment.kind === 'rst') {
    const reset = judgeReset(packet)
    if (reset === undefined) return 'invalid'
    next = reset.next
    fits = reset.fits
  }
  if (!fits) {
    const verdict = checkWindow(flow, direction, { segment, liberal: isLiberal(skb.ns) })
    if (verdict === 'ignore') return 'valid'
    if (verdict === 'invalid') {
      shortenAfterClosing(packet)
      return 'invalid'
    }
  }
  last.index = segment.kind
  last.direction = direction
  flow.state = next
  if (next !== old && next === 'FIN_WAIT') flow.seen[direction].closeInit = true
  refreshAs(packet, next)
  return 'valid'
}

function isLiberal(ns: Netns): boolean {
  const usual = ns.host.capabilities.conntrackTcpBeLiberal ? 1 : 0
  return sysctl(ns, 'net.netfilter.nf_conntrack_tcp_be_liberal', usual) !== 0
}

/** RFC 5961: an ACK that answers a SYN which conntrack let through, not the last FIN. */
function isChallengeAck({ flow, direction, segment, before }: TcpPacket): boolean {
  const { last } = flow
  return (
    before === 'LAST_ACK' &&
    segment.kind === 'ack' &&
    last.direction !== direction &&
    last.index === 'syn' &&
    last.challengeAck
  )
}

const CLOSING: ReadonlySet<TcpState> = new Set(['FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE'])

interface ResetVerdict {
  readonly next: TcpState
  /** It needs no look at the window. */
  readonly fits: boolean
}

/** A reset closes the entry if its receiver will believe it; undefined: it is invalid. */
function judgeReset(packet: TcpPacket): ResetVerdict | undefined {
  const { entry, flow, skb, direction, segment, before: old } = packet
  if (CLOSING.has(old)) return { next: 'CLOSE', fits: true }
  const { last } = flow
  const awaited = flow.seen[opposite(direction)].maxAck
  let next: TcpState = 'CLOSE'
  if (awaited !== undefined && last.index !== 'syn') {
    const established = old === 'ESTABLISHED' && (entry.status & STATUS.assured) !== 0
    if (segment.seq === 0 && !established) return { next, fits: false }
    const lax = sysctl(skb.ns, 'net.netfilter.nf_conntrack_tcp_ignore_invalid_rst', 0) !== 0
    if (before(segment.seq, awaited) && !lax) return undefined
    if (!established || segment.seq === awaited) return { next, fits: false }
    // Right behind data that is still under way.
    if (last.index === 'ack' && last.direction === direction && segment.seq === last.end) return { next, fits: false }
    // Not exactly where it should be: the receiver will ask (RFC 5961), so the flow may live on.
    next = old
  }
  return { next, fits: answersIgnored(packet) }
}

/** A reset in answer to a SYN or ACK that was let through although it did not fit. */
function answersIgnored({ entry, flow, segment, before: old }: TcpPacket): boolean {
  const { last } = flow
  const afterSyn = (entry.status & STATUS.seenReply) !== 0 && last.index === 'syn'
  const afterAck = (entry.status & STATUS.assured) === 0 && last.index === 'ack'
  if ((afterSyn || afterAck) && segment.ack === last.end) return true
  return old === 'SYN_SENT' && last.index === 'ack' && last.direction === 'reply' && segment.seq === last.ack
}

/**
 * nf_tcp_handle_invalid: both sides closed the flow outside the windows we know of, so the entry is out of step and
 * shall not stay for days.
 */
function shortenAfterClosing({ entry, flow, skb, direction, segment }: TcpPacket): void {
  if ((entry.status & STATUS.assured) === 0 || (segment.kind !== 'rst' && segment.kind !== 'fin')) return
  const { last } = flow
  if (last.direction === direction || (last.index !== 'fin' && last.index !== 'rst')) {
    last.index = segment.kind
    last.direction = direction
    return
  }
  const left = entry.timeout - skb.ns.host.kernel.now()
  const short = timeoutOf(skb.ns, 'tcp_unacknowledged')
  if (left >= LONG_LEFT && left > short) refresh(entry, skb.ns, short)
}

const LONG_LEFT = 120e9

/** How long the entry lives now; a reset as the only answer ends it. */
function refreshAs(packet: TcpPacket, state: TcpState): void {
  const { entry, skb, segment, before: old } = packet
  const { ns } = skb
  let timeout = timeoutAs(packet, state)
  if ((entry.status & STATUS.seenReply) === 0) {
    if (segment.kind === 'rst') {
      removeEntry(ns, entry)
      return
    }
    // A SYN sent again does not prolong the wait.
    if (segment.kind === 'syn' && old === 'SYN_SENT') return
    if (state === 'ESTABLISHED') timeout = Math.min(timeout, timeoutOf(ns, 'tcp_unacknowledged'))
  } else if (state === 'ESTABLISHED' && (old === 'SYN_RECV' || old === 'ESTABLISHED')) entry.status |= STATUS.assured
  refresh(entry, ns, timeout)
}

function timeoutAs({ flow, skb, segment }: TcpPacket, state: TcpState): number {
  const { ns } = skb
  const usual = timeoutOf(ns, TIMEOUT[state])
  const retransmitting = timeoutOf(ns, 'tcp_max_retrans')
  const most = sysctl(ns, 'net.netfilter.nf_conntrack_tcp_max_retrans', 3)
  if (flow.retransmissions >= most && usual > retransmitting) return retransmitting
  if (segment.kind === 'rst') return timeoutOf(ns, 'tcp_close')
  const unanswered = flow.seen.original.unacknowledged || flow.seen.reply.unacknowledged
  if (unanswered) return Math.min(usual, timeoutOf(ns, 'tcp_unacknowledged'))
  return flow.last.window === 0 ? Math.min(usual, retransmitting) : usual
}
