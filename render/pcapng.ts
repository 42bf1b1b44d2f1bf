/**
 * A capture file in the pcapng format (draft-ietf-opsawg-pcapng), little-endian: one section header, one interface
 * block for each capture point, the names of addresses, then the packets in the order given.
 *
 *  0               4               8                         L-4
 * +---------------+---------------+------------------------+---------------+
 * |  block type   | total length L|  body, whole words     | total length L|
 * +---------------+---------------+------------------------+---------------+
 * options in a body: code (16), length (16), value, zeros up to a whole word; closed by code 0, length 0
 */
import { type Ip, ipBytes } from '../packet/ip.ts'

/** LINKTYPE_ETHERNET, and LINKTYPE_RAW for devices that carry bare IP packets (tun). */
export const LINK_TYPE = { ethernet: 1, raw: 101 } as const

export interface CaptureFile {
  readonly interfaces: readonly CaptureInterface[]
  readonly packets: readonly CapturePacket[]
  /** Shown by readers that have network name resolution switched on; several names of one address are fine. */
  readonly names: readonly CaptureName[]
}

export interface CaptureInterface {
  readonly name: string
  readonly description: string
  readonly linkType: (typeof LINK_TYPE)[keyof typeof LINK_TYPE]
}

export interface CapturePacket {
  /** Index into `interfaces`. */
  readonly interface: number
  /** Nanoseconds on the virtual clock. */
  readonly atNs: number
  readonly bytes: Uint8Array
  readonly comment?: string
  /** As the machine sees it that the capture point belongs to. */
  readonly direction?: 'in' | 'out'
}

export interface CaptureName {
  readonly ip: Ip
  readonly name: string
}

/** The virtual clock starts at 2020-01-01T00:00:00Z, so that the same run gives the same file. */
const EPOCH_NS = 1_577_836_800_000_000_000n

const BLOCK = { section: 0x0a0d0d0a, interface: 1, nameResolution: 4, packet: 6 } as const
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
const UNKNOWN_SECTION_LENGTH = 0xffffffff
const OPTION = { comment: 1, application: 4, name: 2, description: 3, timeResolution: 9, packetFlags: 2 } as const
const NAME_RECORD = { 4: 1, 6: 2 } as const
const DIRECTION = { in: 1, out: 2 } as const
/** 10^-9 seconds. */
const NANOSECONDS = 9
const LONGEST_VALUE = 0xffff

export function renderPcapng(capture: CaptureFile): Uint8Array {
  return joined([
    sectionHeader(),
    ...capture.interfaces.map(interfaceDescription),
    ...(capture.names.length === 0 ? [] : [nameResolution(capture.names)]),
    ...capture.packets.map(enhancedPacket),
  ])
}

const sectionHeader = (): Uint8Array =>
  block(BLOCK.section, [
    words(BYTE_ORDER_MAGIC),
    halves(1, 0),
    words(UNKNOWN_SECTION_LENGTH, UNKNOWN_SECTION_LENGTH),
    ...options([{ code: OPTION.application, value: utf8('podwalk') }]),
  ])

/** A snap length of 0 means that packets are whole. */
const interfaceDescription = ({ name, description, linkType }: CaptureInterface): Uint8Array =>
  block(BLOCK.interface, [
    halves(linkType, 0),
    words(0),
    ...options([
      { code: OPTION.name, value: utf8(name) },
      { code: OPTION.description, value: utf8(description) },
      { code: OPTION.timeResolution, value: Uint8Array.of(NANOSECONDS) },
    ]),
  ])

const nameResolution = (names: readonly CaptureName[]): Uint8Array =>
  block(BLOCK.nameResolution, [
    ...names.flatMap(({ ip, name }) =>
      tagged(NAME_RECORD[ip.family], joined([ipBytes(ip), utf8(name), Uint8Array.of(0)])),
    ),
    halves(0, 0),
  ])

function enhancedPacket(packet: CapturePacket): Uint8Array {
  const time = EPOCH_NS + BigInt(packet.atNs)
  const length = packet.bytes.length
  return block(BLOCK.packet, [
    words(packet.interface, Number(time >> 32n), Number(time & 0xffffffffn), length, length),
    wholeWords(packet.bytes),
    ...options([
      ...(packet.comment === undefined ? [] : [{ code: OPTION.comment, value: utf8(packet.comment) }]),
      ...(packet.direction === undefined
        ? []
        : [{ code: OPTION.packetFlags, value: words(DIRECTION[packet.direction]) }]),
    ]),
  ])
}

interface Option {
  readonly code: number
  readonly value: Uint8Array
}

/** Nothing at all where there are none: the list needs its end mark only if it began. */
const options = (list: readonly Option[]): readonly Uint8Array[] =>
  list.length === 0 ? [] : [...list.flatMap(({ code, value }) => tagged(code, value)), halves(0, 0)]

const tagged = (code: number, value: Uint8Array): readonly Uint8Array[] => [
  halves(code, value.length),
  wholeWords(value),
]

function block(type: number, body: readonly Uint8Array[]): Uint8Array {
  const length = 12 + body.reduce((sum, part) => sum + part.length, 0)
  return joined([words(type, length), ...body, words(length)])
}

/** Texts longer than an option can hold are cut between characters; room is left for an address and a last zero. */
function utf8(text: string): Uint8Array {
  const value = new Uint8Array(Math.min(text.length * 3, LONGEST_VALUE - 17))
  return value.subarray(0, new TextEncoder().encodeInto(text, value).written)
}

function wholeWords(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array((bytes.length + 3) & ~3)
  padded.set(bytes)
  return padded
}

/** 32-bit values, least significant octet first. */
const words = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((value) => [value, value >>> 8, value >>> 16, value >>> 24]))

/** 16-bit values, least significant octet first. */
const halves = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(values.flatMap((value) => [value, value >>> 8]))

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
