import { crc32c } from '../packet/crc32c.ts'
import { type Ip, ipBytes, readIp } from '../packet/ip.ts'
import { get16, get32, put16, put32 } from '../packet/octets.ts'
import { bodyOf, type Chunk, chunkLength, type InitChunk } from '../packet/sctp-chunk.ts'
import { addressOf, addressParameter, readParameters, writeParameters } from '../packet/sctp-parameter.ts'
import { hash32 } from './draw.ts'

/**
 * The state cookie (RFC 9260 §5.1.3): a listener keeps nothing of an INIT and finds it here again. Laid out as struct
 * sctp_signed_cookie and struct sctp_cookie of Linux include/net/sctp/structs.h on a 64-bit little-endian machine:
 *
 *  0 signature (32), padding (4)                     of what follows
 * 36 my tag, peer's tag, my tie tag, peer's tie tag  4 each
 * 52 expiry in nanoseconds                           8
 * 60 outbound streams, inbound streams               2 each
 * 64 my initial TSN                                  4
 * 68 struct sockaddr of the peer                     28
 * 96 my port, PR-SCTP, padding, adaptation           2, 1, 1, 4
 * 104 SCTP-AUTH: random, HMACs, chunks               36, 10, 20
 * 172 octets of own addresses                        4, then 4 unused
 * 180 the peer's INIT chunk, the own addresses, zeros up to a multiple of 32 from 36 on
 *
 * The octets of SCTP-AUTH, which is off, stay zero but for the random parameter's header; the signature is made by a
 * hash of our own in place of HMAC-SHA256, from a key that nobody else knows either.
 */
export interface SctpCookie {
  readonly myTag: number
  readonly peerTag: number
  /** Tags of an association that the INIT found standing; 0: it found none. */
  readonly myTieTag: number
  readonly peerTieTag: number
  /** Nanoseconds. */
  readonly expiresAt: number
  readonly outboundStreams: number
  readonly inboundStreams: number
  readonly initialTsn: number
  readonly peer: { readonly ip: Ip; readonly port: number }
  readonly myPort: number
  readonly peerInit: InitChunk
  readonly bound: readonly Ip[]
}

const SIGNATURE = 32
const BODY_AT = 36
const FIXED = 144
const MULTIPLE = 32
const AF = { 4: 2, 6: 10 } as const

/** sctp_pack_cookie. */
export function packCookie(
  cookie: Omit<SctpCookie, 'expiresAt'>,
  { key, expiresAt }: { key: number; expiresAt: number },
): Uint8Array {
  const init = chunkOctets(cookie.peerInit)
  const addresses = cookie.bound.length > 1 ? writeParameters(cookie.bound.map(addressParameter)) : new Uint8Array(0)
  const body = FIXED + init.length + addresses.length
  const out = new Uint8Array(BODY_AT + Math.ceil(body / MULTIPLE) * MULTIPLE)
  const view = new DataView(out.buffer, BODY_AT)
  view.setUint32(0, cookie.myTag, true)
  view.setUint32(4, cookie.peerTag, true)
  view.setUint32(8, cookie.myTieTag, true)
  view.setUint32(12, cookie.peerTieTag, true)
  view.setBigUint64(16, BigInt(Math.round(expiresAt)), true)
  view.setUint16(24, cookie.outboundStreams, true)
  view.setUint16(26, cookie.inboundStreams, true)
  view.setUint32(28, cookie.initialTsn, true)
  writeSocketAddress(out, BODY_AT + 32, cookie.peer)
  view.setUint16(60, cookie.myPort, true)
  view.setUint8(62, 1)
  put16(out, BODY_AT + 68, RANDOM_PARAMETER)
  put16(out, BODY_AT + 70, 36)
  view.setUint32(136, addresses.length, true)
  out.set(init, BODY_AT + FIXED)
  out.set(addresses, BODY_AT + FIXED + init.length)
  out.set(sign(key, out.subarray(BODY_AT)))
  return out
}

/** SCTP_PARAM_RANDOM (RFC 4895). */
const RANDOM_PARAMETER = 0x8002

/** struct sockaddr_in, sockaddr_in6: the family as the machine has it, the port as the wire has it. */
function writeSocketAddress(out: Uint8Array, at: number, { ip, port }: SctpCookie['peer']): void {
  out[at] = AF[ip.family]
  put16(out, at + 2, port)
  out.set(ipBytes(ip), ip.family === 4 ? at + 4 : at + 8)
}

/** sctp_unpack_cookie, the part before anything is compared; undefined: it is not a cookie of this key. */
export function unpackCookie(cookie: Uint8Array, key: number): SctpCookie | undefined {
  if (cookie.length < BODY_AT + FIXED + 4 || (cookie.length - BODY_AT) % MULTIPLE !== 0) return undefined
  const signature = sign(key, cookie.subarray(BODY_AT))
  if (signature.some((octet, i) => octet !== cookie[i])) return undefined
  const view = new DataView(cookie.buffer, cookie.byteOffset + BODY_AT, cookie.length - BODY_AT)
  const family = view.getUint16(32, true) === AF[4] ? 4 : 6
  const initAt = BODY_AT + FIXED
  const init = initOf(cookie.subarray(initAt, initAt + get16(cookie, initAt + 2)))
  const addressesAt = initAt + get16(cookie, initAt + 2)
  const addresses = cookie.subarray(addressesAt, addressesAt + view.getUint32(136, true))
  return {
    myTag: view.getUint32(0, true),
    peerTag: view.getUint32(4, true),
    myTieTag: view.getUint32(8, true),
    peerTieTag: view.getUint32(12, true),
    expiresAt: Number(view.getBigUint64(16, true)),
    outboundStreams: view.getUint16(24, true),
    inboundStreams: view.getUint16(26, true),
    initialTsn: view.getUint32(28, true),
    peer: {
      ip: readIp(cookie, BODY_AT + (family === 4 ? 36 : 40), family),
      port: get16(cookie, BODY_AT + 34),
    },
    myPort: view.getUint16(60, true),
    peerInit: init,
    bound: readParameters(addresses).flatMap((parameter) => addressOf(parameter) ?? []),
  }
}

function initOf(octets: Uint8Array): InitChunk {
  return {
    kind: 'init',
    initiateTag: get32(octets, 4),
    receiverWindow: get32(octets, 8),
    outboundStreams: get16(octets, 12),
    inboundStreams: get16(octets, 14),
    initialTsn: get32(octets, 16),
    parameters: octets.subarray(20),
  }
}

function chunkOctets(chunk: Chunk): Uint8Array {
  const out = new Uint8Array(chunkLength(chunk))
  out[0] = 1
  put16(out, 2, out.length)
  out.set(bodyOf(chunk), 4)
  return out
}

function sign(key: number, octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(SIGNATURE)
  const digest = crc32c(octets)
  for (let at = 0; at < SIGNATURE; at += 4) put32(out, at, hash32(`${key}|${digest}|${octets.length}|${at}`))
  return out
}
