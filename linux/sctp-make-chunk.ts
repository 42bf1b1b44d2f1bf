import { get32, put16, put32 } from '../packet/octets.ts'
import type { Chunk, InitChunk, SackChunk } from '../packet/sctp-chunk.ts'
import { addressParameter, CAUSE, PARAMETER, type Parameter, writeParameters } from '../packet/sctp-parameter.ts'
import type { Netns } from './netns.ts'
import { type SctpAssociation, tsnDiff } from './sctp-association.ts'
import type { Socket } from './socket.ts'

/** Chunks as Linux net/sctp/sm_make_chunk.c makes them, with what is off by default left out (AUTH, ASCONF, RECONF, I-DATA). */

/** sctp_generate_tag: any number but 0. */
export const drawTag = (ns: Netns, entry: string): number =>
  1 + ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'sctp-tag', entry }, 0xffffffff)

/** sctp_generate_tsn. */
export const drawTsn = (ns: Netns, entry: string): number =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'sctp-tsn', entry }, 0x100000000)

const NO_VALUE = new Uint8Array(0)
const ECN: Parameter = { type: PARAMETER.ecnCapable, value: NO_VALUE }
const FORWARD_TSN: Parameter = { type: PARAMETER.forwardTsn, value: NO_VALUE }

/** sctp_make_init. `preserve`: milliseconds that the cookie should live longer. */
export function makeInit(socket: Socket, association: SctpAssociation, preserve?: number): InitChunk {
  const parameters = [...addressesOf(association), supportedAddresses(socket), ECN, FORWARD_TSN]
  if (preserve !== undefined) parameters.push({ type: PARAMETER.cookiePreservative, value: word(preserve) })
  return initChunk('init', association, parameters)
}

/** sctp_make_init_ack: what the peer did not offer is not answered. */
export function makeInitAck(association: SctpAssociation): InitChunk {
  const { cookie, peerKnows } = association
  return initChunk('initAck', association, [
    ...addressesOf(association),
    { type: PARAMETER.stateCookie, value: cookie },
    ...(peerKnows.ecn ? [ECN] : []),
    ...(peerKnows.forwardTsn ? [FORWARD_TSN] : []),
  ])
}

function initChunk(kind: InitChunk['kind'], association: SctpAssociation, parameters: readonly Parameter[]): InitChunk {
  return {
    kind,
    initiateTag: association.myTag,
    receiverWindow: association.window,
    outboundStreams: association.outboundStreams,
    inboundStreams: association.inboundStreams,
    initialTsn: association.initialTsn,
    parameters: writeParameters(parameters),
  }
}

/** sctp_bind_addrs_to_raw: a single address is not told, the packet's own says it. */
const addressesOf = ({ bound }: SctpAssociation): readonly Parameter[] =>
  bound.length > 1 ? bound.map(addressParameter) : []

/** sctp_inet_supported_addrs, sctp_inet6_supported_addrs: IPv6 first. */
function supportedAddresses({ family, v6only }: Socket): Parameter {
  const types = family === 4 ? [PARAMETER.ipv4] : v6only ? [PARAMETER.ipv6] : [PARAMETER.ipv6, PARAMETER.ipv4]
  const value = new Uint8Array(2 * types.length)
  for (const [i, type] of types.entries()) put16(value, 2 * i, type)
  return { type: PARAMETER.supportedAddressTypes, value }
}

function word(value: number): Uint8Array {
  const out = new Uint8Array(4)
  put32(out, 0, value)
  return out
}

/** sctp_make_sack: blocks of what came beyond the first gap, and what came twice. */
export function makeSack(association: SctpAssociation): SackChunk {
  const gaps: { start: number; end: number }[] = []
  const offsets = association.early.map(({ tsn }) => tsnDiff(tsn, association.cameTsn)).sort((x, y) => x - y)
  for (const offset of offsets) {
    const last = gaps.at(-1)
    if (last !== undefined && offset === last.end + 1) last.end = offset
    else gaps.push({ start: offset, end: offset })
  }
  return {
    kind: 'sack',
    cumulativeTsn: association.cameTsn,
    window: association.toldWindow,
    gaps,
    duplicates: association.duplicates.splice(0),
  }
}

export const makeShutdown = ({ cameTsn }: SctpAssociation): Chunk => ({ kind: 'shutdown', cumulativeTsn: cameTsn })

const plainAbort = (causes: readonly Parameter[]): Chunk => ({
  kind: 'abort',
  reflected: false,
  causes: writeParameters(causes),
})

/** sctp_make_abort_user: the process has closed with data unread. */
export const makeUserAbort = (): Chunk => plainAbort([{ type: CAUSE.userAbort, value: NO_VALUE }])

/** sctp_make_violation_max_retrans, in the kernel's words. */
export const makeMaxRetransAbort = (): Chunk =>
  plainAbort([
    {
      type: CAUSE.protocolViolation,
      value: new TextEncoder().encode('Association exceeded its max_retrans count\0'),
    },
  ])

export const makeAbort = (): Chunk => plainAbort([])

/** sctp_send_stale_cookie_err: how long ago it has expired, in microseconds. */
export const makeStaleCookie = (lateNs: number): Chunk => ({
  kind: 'error',
  body: writeParameters([{ type: CAUSE.staleCookie, value: word(Math.min(0xffffffff, Math.floor(lateNs / 1000))) }]),
})

/** Length of struct sctp_sender_hb_info after its header, which is what it says too. */
const HEARTBEAT_INFO = 52
const NONCE_AT = 40

/** sctp_make_heartbeat: what it carries is for us alone to read; the nonce tells which one is answered. */
export function makeHeartbeat(nonce: number): Chunk {
  const value = new Uint8Array(HEARTBEAT_INFO)
  put32(value, NONCE_AT, nonce)
  return { kind: 'heartbeat', body: writeParameters([{ type: PARAMETER.heartbeatInfo, value }]) }
}

/** The nonce of a heartbeat's answer; undefined: it is none of ours. */
export const heartbeatNonce = (body: Uint8Array): number | undefined =>
  body.length < 4 + HEARTBEAT_INFO ? undefined : get32(body, 4 + NONCE_AT)
