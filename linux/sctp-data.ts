import type { DataChunk, SackChunk } from '../packet/sctp-chunk.ts'
import type { Netns } from './netns.ts'
import { inFlight, RTO_MAX, RTO_MIN, SACK_DELAY, type SctpAssociation, tsnAdd, tsnDiff } from './sctp-association.ts'
import { makeSack } from './sctp-make-chunk.ts'
import { flush, reply } from './sctp-output.ts'
import { nothingPending } from './sctp-shutdown.ts'
import { startTimer, stopTimer } from './sctp-timer.ts'
import type { IpSkb } from './skb.ts'
import { type Socket, wake } from './socket.ts'

/** User data and its acknowledgement, after Linux net/sctp/sm_statefuns.c, sm_sideeffect.c, outqueue.c and ulpqueue.c. */

/**
 * sctp_eat_data. True: it is to be acknowledged at once, as it has come before or says so. Messages are handed on in
 * the order of their TSNs, which is that of the one stream that programs here use.
 */
export function eatData(skb: IpSkb, socket: Socket, association: SctpAssociation, chunk: DataChunk): boolean {
  const ahead = tsnDiff(chunk.tsn, association.cameTsn)
  if (ahead <= 0 || association.early.some(({ tsn }) => tsn === chunk.tsn)) {
    association.duplicates.push(chunk.tsn)
    return true
  }
  if (chunk.bytes.length > association.window + association.pathMtu) return true
  association.window = Math.max(0, association.window - chunk.bytes.length)
  association.early.push(chunk)
  for (;;) {
    const next = association.early.findIndex(({ tsn }) => tsn === tsnAdd(association.cameTsn, 1))
    const [inOrder] = next < 0 ? [] : association.early.splice(next, 1)
    if (inOrder === undefined) break
    association.cameTsn = inOrder.tsn
    take(skb, socket, association, inOrder)
  }
  return chunk.immediate
}

/** sctp_ulpq_tail_data: a message is put together of its parts. */
function take({ ns, packet, id }: IpSkb, socket: Socket, association: SctpAssociation, chunk: DataChunk): void {
  association.parts.push(chunk)
  if (!chunk.ends) return
  const parts = association.parts.splice(0)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part.bytes, at)
    at += part.bytes.length
  }
  association.unread += bytes.length
  const from = socket.remote
  wake(ns, socket, { kind: 'data', fd: socket.fd, bytes, ttl: packet.ttl, ...(from === undefined ? {} : { from }) }, id)
}

/**
 * sctp_gen_sack: the first data is acknowledged at once, from then on every second packet of it or after 200 ms; a gap
 * at once.
 */
export function acknowledge(
  ns: Netns,
  socket: Socket,
  association: SctpAssociation,
  how: { readonly when: 'at once' | 'in time'; readonly cause?: number },
): void {
  if (how.when === 'at once' || association.early.length > 0) association.sackAtOnce = true
  if (!association.sackAtOnce) {
    association.sackCount++
    if (association.sackCount >= SACK_FREQUENCY - 1) association.sackAtOnce = true
    startTimer(ns, socket, 'sack', SACK_DELAY)
    return
  }
  association.sackAtOnce = false
  association.sackCount = 0
  sendSack(ns, socket, association, how.cause)
}

/** SCTP_DEFAULT_SACK_FREQ. */
const SACK_FREQUENCY = 2

function sendSack(ns: Netns, socket: Socket, association: SctpAssociation, cause?: number): void {
  association.toldWindow = association.window
  stopTimer(association, 'sack')
  reply(ns, socket, association, makeSack(association), cause)
}

/** sctp_assoc_rwnd_increase: the process has read; the peer is told when that makes much room (sctp_peer_needs_update). */
export function madeRoom(ns: Netns, socket: Socket, association: SctpAssociation, octets: number): void {
  association.unread -= octets
  association.window += octets
  const isOpen = association.state !== 'shutdownAckSent'
  if (isOpen && association.window - association.toldWindow >= Math.max(WINDOW_UPDATE, association.pathMtu))
    sendSack(ns, socket, association)
}

/** sk_rcvbuf >> rwnd_upd_shift (net.sctp.rwnd_update_shift 4). */
const WINDOW_UPDATE = 13_312

/** sctp_outq_sack. */
export function takeSack(
  ns: Netns,
  socket: Socket,
  association: SctpAssociation,
  { sack, cause }: { readonly sack: SackChunk; readonly cause?: number },
): void {
  if (tsnDiff(sack.cumulativeTsn, association.ackedTsn) < 0) return
  if (tsnDiff(sack.cumulativeTsn, association.nextTsn) >= 0) return
  const flying = inFlight(association)
  const advanced = tsnDiff(sack.cumulativeTsn, association.ackedTsn) > 0
  const acked = dropAcked(ns, association, sack.cumulativeTsn)
  association.ackedTsn = sack.cumulativeTsn
  markGaps(association, sack)
  if (acked > 0) {
    association.errors = 0
    noteAnswered(association)
    if (advanced && flying >= association.congestionWindow) widen(association, acked, flying)
  }
  association.peerWindow = Math.max(0, sack.window - inFlight(association))
  const left = association.sent.some(({ gapAcked }) => !gapAcked)
  if (!left) stopTimer(association, 't3Rtx')
  else if (advanced) startTimer(ns, socket, 't3Rtx', association.rto)
  flush(ns, socket, association, cause)
  nothingPending(ns, socket, association, cause)
}

/** sctp_check_transmitted: a path that was given up is in use again; one that is doubted waits for its heartbeat. */
function noteAnswered({ path }: SctpAssociation): void {
  path.errors = 0
  path.heartbeatOut = false
  if (path.state === 'inactive') path.state = 'active'
}

/** Octets that are acknowledged for good. */
function dropAcked(ns: Netns, association: SctpAssociation, cumulativeTsn: number): number {
  let octets = 0
  for (let first = association.sent[0]; first !== undefined; first = association.sent[0]) {
    if (tsnDiff(first.chunk.tsn, cumulativeTsn) > 0) break
    association.sent.shift()
    octets += first.chunk.bytes.length
    if (association.measuring?.tsn === first.chunk.tsn) {
      measured(association, ns.host.kernel.now() - association.measuring.at)
      association.measuring = undefined
    }
  }
  return octets
}

/** sctp_transport_update_rto (RFC 9260 §6.3.1), with alpha 1/8 and beta 1/4. */
export function measured(association: SctpAssociation, rtt: number): void {
  const { smoothed } = association
  association.smoothed =
    smoothed === undefined
      ? { rtt, variation: rtt / 2 }
      : {
          variation: smoothed.variation * 0.75 + Math.abs(smoothed.rtt - rtt) * 0.25,
          rtt: smoothed.rtt * 0.875 + rtt * 0.125,
        }
  const { rtt: average, variation } = association.smoothed
  association.rto = Math.min(RTO_MAX, Math.max(RTO_MIN, Math.round(average + 4 * variation)))
}

/** sctp_check_transmitted, sctp_mark_missing: what is passed over three times is sent again (RFC 9260 §7.2.4). */
function markGaps(association: SctpAssociation, { cumulativeTsn, gaps }: SackChunk): void {
  let newest = 0
  for (const one of association.sent) {
    const offset = tsnDiff(one.chunk.tsn, cumulativeTsn)
    const covered = gaps.some(({ start, end }) => offset >= start && offset <= end)
    if (covered && !one.gapAcked) newest = Math.max(newest, offset)
    one.gapAcked = covered
    if (covered) one.again = false
  }
  for (const one of association.sent) {
    if (one.gapAcked || tsnDiff(one.chunk.tsn, cumulativeTsn) >= newest) continue
    one.missing++
    if (one.missing === 3) one.again = true
  }
}

/** sctp_transport_raise_cwnd. */
function widen(association: SctpAssociation, acked: number, flying: number): void {
  const { congestionWindow, slowStartThreshold, pathMtu } = association
  if (congestionWindow <= slowStartThreshold) {
    association.congestionWindow += Math.min(acked, pathMtu)
    return
  }
  association.partlyAcked += acked
  if (association.partlyAcked >= congestionWindow && flying >= congestionWindow) {
    association.partlyAcked -= congestionWindow
    association.congestionWindow += pathMtu
  }
}

/** sctp_retransmit: all that is not acknowledged is to be sent again; after a timeout with the least window (§7.2.3). */
export function retransmitAll(
  ns: Netns,
  socket: Socket,
  association: SctpAssociation,
  why: 'timeout' | 'path MTU',
): void {
  if (why === 'timeout') {
    association.slowStartThreshold = Math.max(association.congestionWindow / 2, 4 * association.pathMtu)
    association.congestionWindow = association.pathMtu
    association.partlyAcked = 0
  }
  for (const one of association.sent) if (!one.gapAcked) one.again = true
  stopTimer(association, 't3Rtx')
  flush(ns, socket, association, undefined, why === 'timeout' ? 'after a timeout' : 'in turn')
}
