/**
 * TCP (RFC 9293); options of RFC 9293 (MSS), RFC 7323 (window scale, timestamps) and RFC 2018 (SACK permitted).
 *
 *  0               1               2               3
 * +-------------------------------+-------------------------------+
 * |          source port          |       destination port        |
 * +-------------------------------+-------------------------------+
 * |                        sequence number                        |
 * |                     acknowledgment number                     |
 * +-------+-------+---------------+-------------------------------+
 * | words |       flags           |            window             |
 * +-------+-----------------------+-------------------------------+
 * |           checksum            |        urgent pointer         |
 * +-------------------------------+-------------------------------+
 * |         options (0 to 40 octets), then data                   |
 * +---------------------------------------------------------------+
 */
import { get8, get16, get32, put16, put32 } from './octets.ts'
import type { Tcp, TcpOption } from './packet.ts'
import { type Parsed, parsed, refused } from './parsed.ts'

export const TCP_HEADER = 20
export const TCP_CHECKSUM_AT = 16

/** The option numbers of IANA's "TCP Option Kind Numbers". */
const OPTION = { end: 0, nop: 1, mss: 2, windowScale: 3, sackPermitted: 4, timestamps: 8 } as const

function optionLength(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
      return 1
    case 'mss':
      return 4
    case 'windowScale':
      return 3
    case 'sackPermitted':
      return 2
    case 'timestamps':
      return 10
    case 'other':
      return option.type === OPTION.end ? 1 + option.bytes.length : 2 + option.bytes.length
  }
}

/** Header with options, rounded up to whole words. Linux pads with nops, which are options; the rest would be zeros. */
export function tcpHeaderLength(tcp: Tcp): number {
  let length = TCP_HEADER
  for (let i = 0; i < tcp.options.length; i++) length += optionLength(tcp.options[i] as TcpOption)
  return (length + 3) & ~3
}

/** Writes header and data with a checksum field of 0. */
export function writeTcp(out: Uint8Array, at: number, tcp: Tcp): void {
  const headerLength = tcpHeaderLength(tcp)
  put16(out, at, tcp.srcPort)
  put16(out, at + 2, tcp.dstPort)
  put32(out, at + 4, tcp.seq)
  put32(out, at + 8, tcp.ack)
  put16(out, at + 12, (headerLength << 10) | (tcp.flags & 0xfff))
  put16(out, at + 14, tcp.window)
  put16(out, at + 18, tcp.urgent)
  let optionAt = at + TCP_HEADER
  for (let i = 0; i < tcp.options.length; i++) optionAt = writeOption(out, optionAt, tcp.options[i] as TcpOption)
  out.set(tcp.data, at + headerLength)
}

/** Returns where the next option goes. An `other` of type 0 is the end of the list and the octets after it. */
function writeOption(out: Uint8Array, at: number, option: TcpOption): number {
  const length = optionLength(option)
  switch (option.kind) {
    case 'nop':
      out[at] = OPTION.nop
      return at + 1
    case 'mss':
      out[at] = OPTION.mss
      put16(out, at + 2, option.mss)
      break
    case 'windowScale':
      out[at] = OPTION.windowScale
      out[at + 2] = option.shift
      break
    case 'sackPermitted':
      out[at] = OPTION.sackPermitted
      break
    case 'timestamps':
      out[at] = OPTION.timestamps
      put32(out, at + 2, option.value)
      put32(out, at + 6, option.echo)
      break
    case 'other':
      out[at] = option.type
      if (option.type === OPTION.end) {
        out.set(option.bytes, at + 1)
        return at + length
      }
      out.set(option.bytes, at + 2)
      break
  }
  out[at + 1] = length
  return at + length
}

/** `flags` has 12 bits: the eight of TCP_FLAG and above them the four reserved ones, kept as they stand. */
export function readTcp(bytes: Uint8Array, at: number, end: number): Parsed<Tcp> {
  if (end - at < TCP_HEADER) return refused(`TCP: ${end - at} octets, the header needs ${TCP_HEADER}`)
  const headerLength = (get8(bytes, at + 12) >>> 4) << 2
  if (headerLength < TCP_HEADER) return refused(`TCP: header length ${headerLength} is under ${TCP_HEADER}`)
  if (headerLength > end - at) return refused(`TCP: header length ${headerLength}, but ${end - at} octets are there`)
  const options =
    headerLength === TCP_HEADER ? parsed(NO_OPTIONS) : readOptions(bytes, at + TCP_HEADER, at + headerLength)
  if (!options.ok) return options
  return parsed({
    kind: 'tcp',
    srcPort: get16(bytes, at),
    dstPort: get16(bytes, at + 2),
    seq: get32(bytes, at + 4),
    ack: get32(bytes, at + 8),
    flags: get16(bytes, at + 12) & 0xfff,
    window: get16(bytes, at + 14),
    urgent: get16(bytes, at + 18),
    options: options.value,
    data: bytes.subarray(at + headerLength, end),
  })
}

const NO_OPTIONS: readonly TcpOption[] = []

function readOptions(bytes: Uint8Array, from: number, end: number): Parsed<readonly TcpOption[]> {
  const options: TcpOption[] = []
  let at = from
  while (at < end) {
    const type = get8(bytes, at)
    if (type === OPTION.nop) {
      options.push({ kind: 'nop' })
      at += 1
    } else if (type === OPTION.end) {
      options.push({ kind: 'other', type, bytes: bytes.subarray(at + 1, end) })
      at = end
    } else {
      const length = at + 1 < end ? get8(bytes, at + 1) : 0
      if (length < 2 || at + length > end) return refused(`TCP: option ${type} has a wrong length`)
      options.push(readOption(bytes, at, length))
      at += length
    }
  }
  return parsed(options)
}

/** A known option of an unusual length stays octets. */
function readOption(bytes: Uint8Array, at: number, length: number): TcpOption {
  const type = get8(bytes, at)
  if (type === OPTION.mss && length === 4) return { kind: 'mss', mss: get16(bytes, at + 2) }
  if (type === OPTION.windowScale && length === 3) return { kind: 'windowScale', shift: get8(bytes, at + 2) }
  if (type === OPTION.sackPermitted && length === 2) return { kind: 'sackPermitted' }
  if (type === OPTION.timestamps && length === 10)
    return { kind: 'timestamps', value: get32(bytes, at + 2), echo: get32(bytes, at + 6) }
  return { kind: 'other', type, bytes: bytes.subarray(at + 2, at + length) }
}
