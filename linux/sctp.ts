import { formatIp } from '../packet/ip.ts'
import { get32 } from '../packet/octets.ts'
import type { Sctp } from '../packet/packet.ts'
import { type Chunk, chunksOf } from '../packet/sctp-chunk.ts'
import { CAUSE, readParameters } from '../packet/sctp-parameter.ts'
import { type SctpAssociation, tsnDiff } from './sctp-association.ts'
import { acknowledge, eatData, takeSack } from './sctp-data.ts'
import {
  acceptCookie,
  answerInit,
  beginAgain,
  receiveCookieAck,
  receiveCookieAgain,
  receiveInitAck,
} from './sctp-handshake.ts'
import { receiveHeartbeatAck } from './sctp-heartbeat.ts'
import { type AssociatedSocket, findAssociation, findByToldAddress, findListener } from './sctp-lookup.ts'
import { makeShutdown } from './sctp-make-chunk.ts'
import { refuse } from './sctp-ootb.ts'
import { flush, reply } from './sctp-output.ts'
import { deleteAssociation, failAssociation, sendShutdownAck } from './sctp-shutdown.ts'
import { startTimer } from './sctp-timer.ts'
import type { IpSkb } from './skb.ts'
import { type Socket, wake } from './socket.ts'

/** SCTP (RFC 9260), after Linux net/sctp/input.c, sm_statetable.c and sm_statefuns.c. One path is used per association. */

/** sctp_rcv. */
export function sctpReceive(skb: IpSkb, packet: Sctp): void {
  const { ns } = skb
  const local = { ip: skb.packet.dst, port: packet.dstPort }
  const remote = { ip: skb.packet.src, port: packet.srcPort }
  const chunks = chunksOf(packet)
  const [first] = chunks
  const socket =
    findAssociation(ns, { local, remote }) ??
    (first?.kind === 'init' || first?.kind === 'initAck' ? findByToldAddress(ns, { local, remote }, first) : undefined)
  if (socket === undefined) return receiveUnassociated(skb, packet, chunks)
  if (socket.backlog === undefined) return deliver(skb, socket, { packet, chunks })
  socket.backlog.push(() => {
    if (socket.sctp !== undefined) deliver(skb, socket, { packet, chunks })
    else receiveUnassociated(skb, packet, chunks)
  })
}

interface Received {
  readonly packet: Sctp
  readonly chunks: readonly Chunk[]
}

function recordDelivered(skb: IpSkb, { process }: Socket): void {
  const { dst, payload } = skb.packet
  const port = 'dstPort' in payload ? payload.dstPort : 0
  const socket = `sctp ${formatIp(dst)}:${port}`
  skb.ns.host.kernel.record(skb, { kind: 'socket.deliver', received: skb.packet, socket, process })
}

/** sctp_assoc_bh_rcv: chunk by chunk; what they are answered with goes in one packet. */
function deliver(skb: IpSkb, socket: AssociatedSocket, { packet, chunks }: Received): void {
  recordDelivered(skb, socket)
  receiveChunks(skb, socket, { packet, chunks })
}

function receiveChunks(skb: IpSkb, socket: Socket, { packet, chunks }: Received): void {
  const isInit = chunks[0]?.kind === 'init' || chunks[0]?.kind === 'initAck'
  for (const [i, chunk] of chunks.entries()) {
    const { sctp } = socket
    if (sctp === undefined || sctp.state === 'listen' || (isInit && chunks.length > 1)) return
    sctp.corked = true
    if (tagFits(sctp, chunk, packet.verificationTag))
      receiveChunk(skb, socket, sctp, { chunk, isLast: i === chunks.length - 1 })
  }
  const { sctp } = socket
  if (sctp === undefined || sctp.state === 'listen') return
  sctp.corked = false
  flush(skb.ns, socket, sctp, skb.id)
}

/** RFC 9260 §8.5: sctp_vtag_verify, sctp_vtag_verify_either. INIT and COOKIE ECHO have rules of their own. */
function tagFits(association: SctpAssociation, chunk: Chunk, tag: number): boolean {
  switch (chunk.kind) {
    case 'init':
      return tag === 0
    case 'cookieEcho':
      return true
    case 'abort':
    case 'shutdownComplete':
      return tag === (chunk.reflected ? association.peerTag : association.myTag)
    case 'shutdownAck':
      // A SHUTDOWN ACK in these states is out of the blue (§8.5.1 E).
      return association.state === 'cookieWait' || association.state === 'cookieEchoed' || tag === association.myTag
    default:
      return tag === association.myTag
  }
}

function receiveChunk(
  skb: IpSkb,
  socket: Socket,
  association: SctpAssociation,
  { chunk, isLast }: { readonly chunk: Chunk; readonly isLast: boolean },
): void {
  const { ns, packet, id } = skb
  const { state } = association
  switch (chunk.kind) {
    case 'init':
      return receiveInit(skb, socket, association, chunk)
    case 'initAck':
      return receiveInitAck(skb, socket, association, chunk)
    case 'cookieEcho':
      return association.key === 0 ? undefined : receiveCookieAgain(skb, socket, association, chunk.cookie)
    case 'cookieAck':
      return receiveCookieAck(skb, socket, association)
    case 'data':
      return receiveData(skb, socket, association, { chunk, isLast })
    case 'sack':
      if (state === 'cookieWait' || state === 'shutdownAckSent') return
      return takeSack(ns, socket, association, { sack: chunk, cause: id })
    case 'heartbeat':
      if (state === 'cookieWait' || state === 'shutdownAckSent') return
      return reply(ns, socket, association, { kind: 'heartbeatAck', body: chunk.body }, id)
    case 'heartbeatAck':
      return receiveHeartbeatAck(ns, association, chunk.body)
    case 'abort': {
      const isOpening = state === 'cookieWait' || state === 'cookieEchoed'
      const from = { ip: packet.src, cause: id }
      return failAssociation(ns, socket, { errno: isOpening ? 'ECONNREFUSED' : 'ECONNRESET', from })
    }
    case 'error':
      return receiveError(skb, socket, association, chunk.body)
    case 'shutdown':
      return receiveShutdown(skb, socket, association, chunk.cumulativeTsn)
    case 'shutdownAck':
      return receiveShutdownAck(skb, socket, association)
    case 'shutdownComplete':
      return state === 'shutdownAckSent' ? deleteAssociation(ns, socket, association) : undefined
    case 'unknown':
      return
  }
}

/** sctp_sf_do_9_2_reshutack, sctp_sf_do_5_2_2_dupinit; a client that is sent an INIT does not open from both ends. */
function receiveInit(
  skb: IpSkb,
  socket: Socket,
  association: SctpAssociation,
  init: Extract<Chunk, { kind: 'init' | 'initAck' }>,
): void {
  if (association.state === 'shutdownAckSent') return sendShutdownAck(skb.ns, socket, association, skb.id)
  if (association.key === 0) return
  answerInit(skb, socket, { init, key: association.key, standing: association })
}

/** sctp_sf_eat_data_6_2, sctp_sf_eat_data_fast_4_4: after our SHUTDOWN data is answered with another. */
function receiveData(
  skb: IpSkb,
  socket: Socket,
  association: SctpAssociation,
  { chunk, isLast }: { readonly chunk: Extract<Chunk, { kind: 'data' }>; readonly isLast: boolean },
): void {
  const { ns, id } = skb
  const { state } = association
  if (state !== 'established' && state !== 'shutdownPending' && state !== 'shutdownSent') return
  const atOnce = eatData(skb, socket, association, chunk)
  if (!isLast) return
  if (state === 'shutdownSent') {
    reply(ns, socket, association, makeShutdown(association), id)
    startTimer(ns, socket, 't2Shutdown', association.rto)
  }
  acknowledge(ns, socket, association, { when: atOnce || state === 'shutdownSent' ? 'at once' : 'in time', cause: id })
}

function receiveError(skb: IpSkb, socket: Socket, association: SctpAssociation, body: Uint8Array): void {
  if (association.state !== 'cookieEchoed') return
  const stale = readParameters(body).find(({ type }) => type === CAUSE.staleCookie)
  if (stale === undefined || stale.value.length < 4) return
  beginAgain(skb.ns, socket, association, { late: get32(stale.value, 0), cause: skb.id })
}

/** sctp_sf_do_9_2_shutdown: the process reads the end; the kernel answers once nothing of ours is left to acknowledge. */
function receiveShutdown(skb: IpSkb, socket: Socket, association: SctpAssociation, cumulativeTsn: number): void {
  const { ns, id } = skb
  switch (association.state) {
    case 'cookieWait':
    case 'cookieEchoed':
    case 'shutdownAckSent':
      return
    case 'shutdownSent':
      return sendShutdownAck(ns, socket, association, id)
    case 'established':
    case 'shutdownPending':
    case 'shutdownReceived': {
      if (tsnDiff(cumulativeTsn, association.ackedTsn) < 0) return
      if (association.state === 'established' && !association.orphaned)
        wake(ns, socket, { kind: 'closed', fd: socket.fd }, id)
      association.state = 'shutdownReceived'
      const window = association.peerWindow
      const sack = { kind: 'sack', cumulativeTsn, window, gaps: [], duplicates: [] } as const
      takeSack(ns, socket, association, { sack, cause: id })
    }
  }
}

/** sctp_sf_do_9_2_final; while the association is only being opened it is answered as out of the blue. */
function receiveShutdownAck(skb: IpSkb, socket: Socket, association: SctpAssociation): void {
  const { ns, id } = skb
  switch (association.state) {
    case 'cookieWait':
    case 'cookieEchoed':
      return refuse(skb, [{ kind: 'shutdownAck' }])
    case 'shutdownSent':
    case 'shutdownAckSent':
      association.corked = false
      reply(ns, socket, association, { kind: 'shutdownComplete', reflected: false }, id)
      return deleteAssociation(ns, socket, association)
    default:
      return
  }
}

/** sctp_endpoint_bh_rcv: an INIT or COOKIE ECHO for a socket that listens; the rest is out of the blue. */
function receiveUnassociated(skb: IpSkb, packet: Sctp, chunks: readonly Chunk[]): void {
  const { ns } = skb
  const [first, ...rest] = chunks
  const listener = findListener(ns, { ip: skb.packet.dst, port: packet.dstPort })
  if (listener === undefined) {
    const detail = `nothing listens on SCTP ${formatIp(skb.packet.dst)}:${packet.dstPort}`
    ns.host.kernel.record(skb, { kind: 'drop', reason: 'NO_SOCKET', detail })
    return refuse(skb, chunks)
  }
  recordDelivered(skb, listener)
  const { key } = listener.sctp
  if (first?.kind === 'init') {
    if (rest.length > 0) return
    if (packet.verificationTag !== 0) return refuse(skb, chunks)
    return answerInit(skb, listener, { init: first, key })
  }
  if (first?.kind === 'initAck') return
  if (first?.kind !== 'cookieEcho') return refuse(skb, chunks)
  const socket = acceptCookie(skb, listener, { octets: first.cookie, key })
  if (socket !== undefined) receiveChunks(skb, socket, { packet, chunks: rest })
}
