import { formatIp } from '../packet/ip.ts'
import type { DataChunk } from '../packet/sctp-chunk.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import { bindAddresses, routeFromBound, sctpScope } from './sctp-addresses.ts'
import { hasDataOut, newAssociation, type SctpAssociation } from './sctp-association.ts'
import { madeRoom } from './sctp-data.ts'
import { drawTag, drawTsn, makeInit, makeUserAbort } from './sctp-make-chunk.ts'
import { flush, pathTo, reply } from './sctp-output.ts'
import { deleteAssociation, startShutdown } from './sctp-shutdown.ts'
import { startTimer } from './sctp-timer.ts'
import { ephemeralPort, failCall, removeSocket, type Socket } from './socket.ts'

/** System calls of one-to-one SCTP sockets (RFC 6458 §4), after Linux net/sctp/socket.c. */

/** sctp_listen_start. */
export function sctpListen(ns: Netns, socket: Socket): void {
  const site = { host: ns.host.name, netns: ns.name, purpose: 'sctp-key', entry: `sctp ${socket.local.port}` } as const
  socket.sctp = { state: 'listen', key: 1 + ns.host.kernel.draw(site, 0xffffffff) }
}

/** __sctp_connect: sends the INIT. A destination without a route is no error: the INIT is lost. */
export function sctpConnect(ns: Netns, socket: Socket, to: SocketAddress, cause?: number): void {
  if (sctpScope(to.ip) === UNUSABLE) return failCall(ns, socket, 'EINVAL')
  const flow = `sctp ${formatIp(to.ip)}:${to.port}`
  if (socket.local.port === 0) socket.local.port = ephemeralPort(ns, socket, flow)
  const entry = `${flow} from ${socket.local.port}`
  const association = newAssociation({
    state: 'cookieWait',
    ...pathTo(ns, socket, to.ip),
    peers: [to.ip],
    myTag: drawTag(ns, entry),
    initialTsn: drawTsn(ns, entry),
  })
  const route = routeFromBound(ns, bindAddresses(ns, socket, to.ip), to.ip)
  if (route.kind === 'ok') socket.local.ip = route.source
  socket.remote = to
  socket.sctp = association
  startTimer(ns, socket, 't1Init', association.initTimeout)
  reply(ns, socket, association, makeInit(socket, association), cause)
  // The peer's address is known to the socket from here on, and its packets are counted (inet_id).
  if (socket.family === 4) socket.ident = 0
}

const UNUSABLE = 4

/** sctp_sendmsg: a message, cut to what a packet takes; before the handshake is through it waits for the cookie. */
export function sctpSend(ns: Netns, socket: Socket, bytes: Uint8Array, cause?: number): void {
  const { sctp } = socket
  if (sctp === undefined || !isOpen(sctp) || bytes.length === 0) return
  const overhead = (socket.family === 4 ? 20 : 40) + COMMON_HEADER + DATA_HEADER
  const size = (sctp.pathMtu - overhead) & ~3
  const sequence = sctp.nextSequence
  sctp.nextSequence = (sequence + 1) & 0xffff
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    const begins = at === 0
    const ends = at + size >= bytes.length
    sctp.waiting.push(dataChunk({ sequence, bytes: part, begins, ends }))
  }
  flush(ns, socket, sctp, cause)
}

const COMMON_HEADER = 12
const DATA_HEADER = 16

const isOpen = (sctp: NonNullable<Socket['sctp']>): sctp is SctpAssociation =>
  sctp.state === 'cookieWait' || sctp.state === 'cookieEchoed' || sctp.state === 'established'

/** On stream 0 and for payload protocol 0, as a process that says nothing else sends. */
const dataChunk = (part: Pick<DataChunk, 'sequence' | 'bytes' | 'begins' | 'ends'>): DataChunk => ({
  kind: 'data',
  tsn: 0,
  stream: 0,
  protocol: 0,
  unordered: false,
  immediate: false,
  ...part,
})

/** sctp_recvmsg: the message makes room. */
export function sctpRead(ns: Netns, socket: Socket, octets: number): void {
  const { sctp } = socket
  if (sctp !== undefined && sctp.state !== 'listen') madeRoom(ns, socket, sctp, octets)
}

/** sctp_close: an association is shut down once its data is acknowledged; with data unread it is aborted. */
export function sctpClose(ns: Netns, socket: Socket, cause?: number): void {
  const { sctp } = socket
  if (sctp === undefined || sctp.state === 'listen') return removeSocket(ns, socket)
  sctp.orphaned = true
  if (sctp.state === 'cookieWait' || sctp.state === 'cookieEchoed') return deleteAssociation(ns, socket, sctp)
  if (sctp.unread > 0) {
    reply(ns, socket, sctp, makeUserAbort(), cause)
    return deleteAssociation(ns, socket, sctp)
  }
  if (sctp.state !== 'established') return
  sctp.state = 'shutdownPending'
  if (hasDataOut(sctp)) flush(ns, socket, sctp, cause)
  else startShutdown(ns, socket, sctp, cause)
}
