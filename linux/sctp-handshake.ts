import { formatIp, type Ip, sameIp } from '../packet/ip.ts'
import { get32 } from '../packet/octets.ts'
import type { InitChunk } from '../packet/sctp-chunk.ts'
import { addressOf, PARAMETER, readParameters } from '../packet/sctp-parameter.ts'
import type { Netns } from './netns.ts'
import { sctpScope } from './sctp-addresses.ts'
import { COOKIE_LIFE, newAssociation, RTO_INITIAL, type SctpAssociation, tsnAdd } from './sctp-association.ts'
import { packCookie, type SctpCookie, unpackCookie } from './sctp-cookie.ts'
import { startHeartbeat } from './sctp-heartbeat.ts'
import { drawTag, drawTsn, makeAbort, makeInit, makeInitAck, makeStaleCookie } from './sctp-make-chunk.ts'
import { pathTo, reply, sendPacket } from './sctp-output.ts'
import { failAssociation } from './sctp-shutdown.ts'
import { startTimer, stopTimer } from './sctp-timer.ts'
import type { IpSkb } from './skb.ts'
import { openSocket, type Socket, wake } from './socket.ts'

/** How an association begins (RFC 9260 §5), after Linux net/sctp/sm_statefuns.c. */

/** sctp_verify_init: what no association can be made of. */
const isUsable = ({ initiateTag, outboundStreams, inboundStreams }: InitChunk): boolean =>
  initiateTag !== 0 && outboundStreams !== 0 && inboundStreams !== 0

/** sctp_process_init: what the peer can do, and its addresses; its own packet's source is the one in use. */
function processInit(association: SctpAssociation, init: InitChunk, { source, family }: PeerView): void {
  const parameters = readParameters(init.parameters)
  const has = (type: number): boolean => parameters.some((one) => one.type === type)
  association.peerTag = init.initiateTag
  association.peerWindow = init.receiverWindow
  association.outboundStreams = Math.min(association.outboundStreams, init.inboundStreams)
  association.inboundStreams = Math.min(association.inboundStreams, init.outboundStreams)
  association.cameTsn = tsnAdd(init.initialTsn, -1)
  association.peerKnows = { ecn: has(PARAMETER.ecnCapable), forwardTsn: has(PARAMETER.forwardTsn) }
  const cookie = parameters.find(({ type }) => type === PARAMETER.stateCookie)
  if (cookie !== undefined) association.cookie = cookie.value
  const told = parameters
    .flatMap((one) => addressOf(one) ?? [])
    .filter((ip) => (ip.family === 4 || family === 6) && sctpScope(ip) <= sctpScope(source) && !sameIp(ip, source))
  association.peers = [source, ...told]
}

interface PeerView {
  readonly source: Ip
  /** Of our socket: an IPv4 socket has no use for IPv6 addresses. */
  readonly family: 4 | 6
}

/**
 * sctp_sf_do_5_1B_init: an INIT ACK with all that is to be remembered in its cookie. Where an association stands with
 * that peer already its tags go into the cookie (sctp_sf_do_5_2_2_dupinit).
 */
export function answerInit(
  skb: IpSkb,
  socket: Socket,
  { init, key, standing }: { readonly init: InitChunk; readonly key: number; readonly standing?: SctpAssociation },
): void {
  const { ns, packet } = skb
  if (packet.payload.kind !== 'sctp') return
  const peer = { ip: packet.src, port: packet.payload.srcPort }
  const entry = `sctp ${socket.local.port} for ${formatIp(peer.ip)}:${peer.port}`
  const path = pathTo(ns, socket, peer.ip)
  const bound = standing?.bound ?? path.bound
  if (!isUsable(init))
    return sendPacket(ns, socket, { bound, peer, tag: init.initiateTag, chunks: [makeAbort()], cause: skb.id })
  const association = newAssociation({
    state: 'established',
    bound,
    peers: [peer.ip],
    myTag: drawTag(ns, entry),
    initialTsn: drawTsn(ns, entry),
    pathMtu: path.pathMtu,
  })
  processInit(association, init, { source: peer.ip, family: socket.family })
  association.cookie = packCookie(
    {
      myTag: association.myTag,
      peerTag: association.peerTag,
      myTieTag: standing?.myTag ?? 0,
      peerTieTag: standing?.peerTag ?? 0,
      outboundStreams: association.outboundStreams,
      inboundStreams: association.inboundStreams,
      initialTsn: association.initialTsn,
      peer,
      myPort: socket.local.port,
      peerInit: init,
      bound,
    },
    { key, expiresAt: ns.host.kernel.now() + cookieLife(init) },
  )
  sendPacket(ns, socket, { bound, peer, tag: init.initiateTag, chunks: [makeInitAck(association)], cause: skb.id })
}

/** The peer may ask for a longer life, in milliseconds (net.sctp.cookie_preserve_enable 1). */
function cookieLife({ parameters }: InitChunk): number {
  const asked = readParameters(parameters).find(({ type }) => type === PARAMETER.cookiePreservative)
  return COOKIE_LIFE + (asked?.value.length === 4 ? get32(asked.value, 0) * MILLISECOND : 0)
}

/** sctp_unpack_cookie: a cookie of ours that fits the packet and has not expired; the peer of an old one is told. */
function readCookie(
  skb: IpSkb,
  socket: Socket,
  { octets, key }: { octets: Uint8Array; key: number },
): SctpCookie | undefined {
  const { ns, packet } = skb
  const { payload } = packet
  const cookie = unpackCookie(octets, key)
  if (cookie === undefined || payload.kind !== 'sctp') return undefined
  if (payload.srcPort !== cookie.peer.port || payload.dstPort !== cookie.myPort) return undefined
  if (payload.verificationTag !== cookie.myTag) return undefined
  const late = ns.host.kernel.now() - cookie.expiresAt
  if (late <= 0) return cookie
  const peer = { ip: packet.src, port: payload.srcPort }
  const bound = cookie.bound.length === 0 ? [packet.dst] : cookie.bound
  sendPacket(ns, socket, { bound, peer, tag: cookie.peerTag, chunks: [makeStaleCookie(late)], cause: skb.id })
  return undefined
}

/** sctp_sf_do_5_1D_ce: the cookie comes back, and the association is there. Undefined: it is not one of ours. */
export function acceptCookie(
  skb: IpSkb,
  listener: Socket,
  { octets, key }: { readonly octets: Uint8Array; readonly key: number },
): (Socket & { readonly sctp: SctpAssociation }) | undefined {
  const { ns, packet } = skb
  const cookie = readCookie(skb, listener, { octets, key })
  if (cookie === undefined) return undefined
  const fd = ns.state.sockets.nextConnection++
  const socket = openSocket(ns, {
    fd,
    process: listener.process,
    type: 'sctp',
    family: listener.family,
    ttl: listener.ttl,
    v6only: listener.v6only,
  })
  socket.unaccepted = []
  const local = { ip: packet.dst, port: listener.local.port }
  socket.local = local
  socket.remote = cookie.peer
  const association = associationOf(skb, socket, cookie, { listener: listener.fd, key })
  socket.sctp = association
  startHeartbeat(ns, socket, association)
  reply(ns, socket, association, { kind: 'cookieAck' }, skb.id)
  wake(ns, socket, { kind: 'accepted', fd: listener.fd, connection: fd, local, peer: cookie.peer }, skb.id)
  return socket as Socket & { readonly sctp: SctpAssociation }
}

function associationOf(
  { ns, packet }: IpSkb,
  socket: Socket,
  cookie: SctpCookie,
  { listener, key }: { readonly listener: number | undefined; readonly key: number },
): SctpAssociation {
  const association = newAssociation({
    state: 'established',
    ...(listener === undefined ? {} : { listener }),
    key,
    bound: cookie.bound.length === 0 ? [packet.dst] : cookie.bound,
    peers: [cookie.peer.ip],
    myTag: cookie.myTag,
    initialTsn: cookie.initialTsn,
    pathMtu: pathTo(ns, socket, cookie.peer.ip).pathMtu,
  })
  processInit(association, cookie.peerInit, { source: cookie.peer.ip, family: socket.family })
  association.corked = true
  return association
}

/**
 * sctp_sf_do_5_2_4_dupcook: the cookie of an association that stands. It is one whose COOKIE ACK was lost (action D), or
 * the peer has begun anew (action A). Both ends opening at once (B, C) does not happen between clients and servers.
 */
export function receiveCookieAgain(skb: IpSkb, socket: Socket, standing: SctpAssociation, octets: Uint8Array): void {
  const { ns } = skb
  const cookie = readCookie(skb, socket, { octets, key: standing.key })
  if (cookie === undefined) return
  const isSame = cookie.myTag === standing.myTag && cookie.peerTag === standing.peerTag
  if (isSame) return reply(ns, socket, standing, { kind: 'cookieAck' }, skb.id)
  const isRestart =
    cookie.myTag !== standing.myTag &&
    cookie.peerTag !== standing.peerTag &&
    cookie.myTieTag === standing.myTag &&
    cookie.peerTieTag === standing.peerTag
  if (!isRestart) return
  const { key, listener, timers } = standing
  stopTimer(standing, 't2Shutdown', 't3Rtx', 't5Guard', 'sack', 'heartbeat')
  const fresh = { ...associationOf(skb, socket, cookie, { listener, key }), timers, orphaned: standing.orphaned }
  socket.sctp = fresh
  startHeartbeat(ns, socket, fresh)
  reply(ns, socket, fresh, { kind: 'cookieAck' }, skb.id)
}

/** sctp_sf_do_5_1C_ack: the cookie goes back, with data that waits. */
export function receiveInitAck(skb: IpSkb, socket: Socket, association: SctpAssociation, init: InitChunk): void {
  if (association.state !== 'cookieWait') return
  const { ns, packet } = skb
  if (!isUsable(init) || readParameters(init.parameters).every(({ type }) => type !== PARAMETER.stateCookie)) {
    association.peerTag = init.initiateTag
    reply(ns, socket, association, makeAbort(), skb.id)
    return failAssociation(ns, socket, { errno: 'ECONNREFUSED', from: { ip: packet.src, cause: skb.id } })
  }
  processInit(association, init, { source: packet.src, family: socket.family })
  association.initErrors = 0
  association.initTimeout = RTO_INITIAL
  stopTimer(association, 't1Init')
  startTimer(ns, socket, 't1Cookie', association.initTimeout)
  association.state = 'cookieEchoed'
  reply(ns, socket, association, { kind: 'cookieEcho', cookie: association.cookie }, skb.id)
}

/** sctp_sf_do_5_1E_ca. */
export function receiveCookieAck(skb: IpSkb, socket: Socket, association: SctpAssociation): void {
  if (association.state !== 'cookieEchoed') return
  const { local, remote } = socket
  association.initErrors = 0
  association.state = 'established'
  stopTimer(association, 't1Cookie')
  startHeartbeat(skb.ns, socket, association)
  if (local.ip === undefined || remote === undefined) return
  const here = { ip: local.ip, port: local.port }
  wake(skb.ns, socket, { kind: 'connected', fd: socket.fd, local: here, peer: remote }, skb.id)
}

/** sctp_sf_do_5_2_6_stale: a new INIT asks for a cookie that lives longer. `late`: microseconds that it came too late. */
export function beginAgain(
  ns: Netns,
  socket: Socket,
  association: SctpAssociation,
  { late, cause }: { readonly late: number; readonly cause: number },
): void {
  if (association.initErrors + 1 > MAX_STALE) return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
  const preserve = Math.floor((2 * late) / 1000)
  stopTimer(association, 't1Cookie')
  association.state = 'cookieWait'
  association.peerTag = 0
  association.initErrors++
  association.initTimeout = RTO_INITIAL
  startTimer(ns, socket, 't1Init', association.initTimeout)
  reply(ns, socket, association, makeInit(socket, association, preserve), cause)
}

/** max_init_attempts. */
const MAX_STALE = 8

const MILLISECOND = 1_000_000
