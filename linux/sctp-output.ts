import { formatIp, type Ip } from '../packet/ip.ts'
import { lengthOfIp } from '../packet/length.ts'
import { type IpPacket, PROTOCOL } from '../packet/packet.ts'
import { type Chunk, chunkLength, type DataChunk, paddedLength, sctpOf } from '../packet/sctp-chunk.ts'
import { flowLabelOf } from './flow-label.ts'
import { defaultTtl, ipSend, selectIdent } from './ip-output.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import { routeMtu } from './route.ts'
import { bindAddresses, routeFromBound } from './sctp-addresses.ts'
import { inFlight, type SctpAssociation, type SentData, tsnAdd } from './sctp-association.ts'
import { makeSack } from './sctp-make-chunk.ts'
import { startTimer, stopTimer } from './sctp-timer.ts'
import type { Socket } from './socket.ts'

/** Sending, after Linux net/sctp/outqueue.c and output.c. */

export interface SctpPacket {
  /** Addresses it may come from. */
  readonly bound: readonly Ip[]
  readonly peer: SocketAddress
  readonly tag: number
  readonly chunks: readonly [Chunk, ...Chunk[]]
  readonly cause?: number | undefined
}

/** ECT(0): every packet of SCTP says that its ends know ECN, whatever they have agreed upon (sctp_packet_transmit). */
export const ECT0 = 2

/**
 * sctp_packet_transmit, sctp_v4_xmit, sctp_v6_xmit: DF but for what is too long by itself, which IP then cuts. Where
 * there is no route nobody is told: the chunk is lost, and sent again in its time.
 */
export function sendPacket(ns: Netns, socket: Socket, { bound, peer, tag, chunks, cause }: SctpPacket): void {
  const route = routeFromBound(ns, bound, peer.ip)
  if (route.kind !== 'ok') return
  const { family } = peer.ip
  const ports = { srcPort: socket.local.port, dstPort: peer.port }
  const draft: IpPacket = {
    kind: 'ip',
    src: route.source,
    dst: peer.ip,
    ttl: socket.ttl ?? defaultTtl(ns, family),
    tos: ECT0,
    id: 0,
    dontFragment: family === 4,
    flowLabel: flowLabelOf(ns, { src: route.source, dst: peer.ip, protocol: PROTOCOL.sctp, ...ports }),
    payload: sctpOf({ ...ports, tag }, chunks),
  }
  const fits = lengthOfIp(draft) <= routeMtu(ns, route.route, peer.ip)
  const packet = { ...draft, dontFragment: draft.dontFragment && fits, id: identOf(ns, socket, draft, fits) }
  const by = socket.process
  ipSend(ns, { packet, by, socket: socket.id, ...(cause === undefined ? {} : { cause }) }, route)
}

/**
 * ip_select_ident_segs: a socket that knows its peer counts, from 1 where it has connected itself; what others send
 * with DF has none. An IPv6 socket does not keep an IPv4 peer's address where this looks for it (inet_daddr).
 */
function identOf(ns: Netns, socket: Socket, packet: IpPacket, fits: boolean): number {
  if (packet.src.family === 6) return 0
  if (socket.ident !== undefined) {
    socket.ident = (socket.ident + 1) & 0xffff
    return socket.ident
  }
  return fits ? 0 : selectIdent(ns, packet.src, packet.dst, PROTOCOL.sctp)
}

/** inet_id of a socket that accept() has returned (sctp_copy_sock). */
export function drawIdent(ns: Netns, socket: Socket, peer: Ip): void {
  if (socket.family === 6) return
  const site = { host: ns.host.name, netns: ns.name, purpose: 'ip-id', entry: `sctp ${formatIp(peer)}` } as const
  socket.ident = ns.host.kernel.draw(site, 0x10000)
}

/** sctp_outq_tail of a control chunk: it goes at once, or with what the packet at hand brings about. */
export function reply(ns: Netns, socket: Socket, association: SctpAssociation, chunk: Chunk, cause?: number): void {
  association.control.push(chunk)
  if (!association.corked) flush(ns, socket, association, cause)
}

/** What is being put into one packet. */
interface Draft {
  readonly chunks: Chunk[]
  octets: number
}

const COMMON_HEADER = 12

/** sctp_outq_flush: control chunks, then what is to be sent again, then new data, in as few packets as may be. */
export function flush(
  ns: Netns,
  socket: Socket,
  association: SctpAssociation,
  cause?: number,
  rtxTimeout: 'after a timeout' | 'in turn' = 'in turn',
): void {
  const { remote } = socket
  if (remote === undefined || association.corked) return
  const overhead = (remote.ip.family === 4 ? 20 : 40) + COMMON_HEADER
  let draft: Draft = { chunks: [], octets: overhead }

  const transmit = (): void => {
    const [first, ...more] = draft.chunks
    draft = { chunks: [], octets: overhead }
    if (first === undefined) return
    const { bound, peerTag } = association
    sendPacket(ns, socket, { bound, peer: remote, tag: peerTag, chunks: [first, ...more], cause })
  }
  const fits = (chunk: Chunk): boolean => draft.octets + paddedLength(chunkLength(chunk)) <= association.pathMtu
  const append = (chunk: Chunk): void => {
    draft.chunks.push(chunk)
    draft.octets += paddedLength(chunkLength(chunk))
  }

  for (const chunk of association.control.splice(0)) {
    const isAlone = chunk.kind === 'init' || chunk.kind === 'initAck' || chunk.kind === 'shutdownComplete'
    if ((isAlone || !fits(chunk)) && draft.chunks.length > 0) transmit()
    append(chunk)
    if (isAlone) transmit()
  }
  const bundleSack = (): void => {
    if (!association.timers.sack.pending || draft.chunks.some(({ kind }) => kind === 'sack' || kind === 'cookieEcho'))
      return
    association.toldWindow = association.window
    association.sackAtOnce = false
    stopTimer(association, 'sack')
    const sack = makeSack(association)
    if (fits(sack)) append(sack)
  }
  const isOpen = (): boolean =>
    OPEN.has(association.state) ||
    (association.state === 'cookieEchoed' && draft.chunks.some(({ kind }) => kind === 'cookieEcho'))
  const put = (data: DataChunk): void => {
    bundleSack()
    if (!fits(data) && draft.chunks.length > 0) transmit()
    append(data)
  }

  if (isOpen()) {
    let packets = 0
    for (const one of association.sent) {
      if (!one.again || (rtxTimeout === 'in turn' && inFlight(association) >= association.congestionWindow)) continue
      if (!fits(one.chunk) && draft.chunks.length > 0) packets++
      if (packets > 0 && rtxTimeout === 'after a timeout') break
      if (!isOpen()) break
      put(one.chunk)
      sentAgain(ns, socket, association, one)
    }
    const stillAgain = association.sent.some(({ again }) => again)
    for (let next = association.waiting[0]; next !== undefined && !stillAgain; next = association.waiting[0]) {
      const hasCookie = draft.chunks.some(({ kind }) => kind === 'cookieEcho')
      if (!isOpen() || !maySend(association, next, draft) || (hasCookie && !fits(next))) break
      association.waiting.shift()
      put(firstSend(ns, socket, association, next))
    }
  }
  transmit()
}

const OPEN: ReadonlySet<SctpAssociation['state']> = new Set(['established', 'shutdownPending', 'shutdownReceived'])

/** sctp_packet_can_append_data: the peer's window, the congestion window, and Nagle's algorithm. */
function maySend(association: SctpAssociation, { bytes, begins, ends }: DataChunk, draft: Draft): boolean {
  const flying = inFlight(association)
  if (bytes.length > association.peerWindow && flying > 0) return false
  if (flying >= association.congestionWindow) return false
  if (flying === 0 || draft.chunks.length > 0 || association.state !== 'established') return true
  const queued = association.waiting.reduce((sum, chunk) => sum + chunkLength(chunk), 0)
  return queued > association.pathMtu - draft.octets - 20 || !(begins && ends)
}

/** The chunk is given its TSN and is on its way; of one that holds up a shutdown the peer is to tell at once. */
function firstSend(ns: Netns, socket: Socket, association: SctpAssociation, waiting: DataChunk): DataChunk {
  const immediate = association.state === 'shutdownPending'
  const chunk = { ...waiting, tsn: association.nextTsn, immediate }
  association.nextTsn = tsnAdd(association.nextTsn, 1)
  association.sent.push({ chunk, gapAcked: false, again: false, missing: 0 })
  association.peerWindow = Math.max(0, association.peerWindow - chunk.bytes.length)
  association.measuring ??= { tsn: chunk.tsn, at: ns.host.kernel.now() }
  noteSent(ns, socket, association)
  return chunk
}

/** Karn's rule: what was sent twice is not measured. */
function sentAgain(ns: Netns, socket: Socket, association: SctpAssociation, one: SentData): void {
  one.again = false
  one.missing = 0
  if (association.measuring?.tsn === one.chunk.tsn) association.measuring = undefined
  noteSent(ns, socket, association)
}

function noteSent(ns: Netns, socket: Socket, association: SctpAssociation): void {
  association.lastSent = ns.host.kernel.now()
  if (!association.timers.t3Rtx.pending) startTimer(ns, socket, 't3Rtx', association.rto)
}

/** The addresses and the path MTU that an association towards `peer` starts with. */
export function pathTo(
  ns: Netns,
  socket: Socket,
  peer: Ip,
): { readonly bound: readonly Ip[]; readonly pathMtu: number } {
  const bound = bindAddresses(ns, socket, peer)
  const route = routeFromBound(ns, bound, peer)
  return { bound, pathMtu: route.kind === 'ok' ? routeMtu(ns, route.route, peer) : UNKNOWN_MTU }
}

/** SCTP_DEFAULT_MAXSEGMENT, rounded as a path without a route has it (sctp_transport_route). */
const UNKNOWN_MTU = 1500
