import { type Parsed, parsed } from '../packet/parsed.ts'
import type { Edns, Message, Question } from './message.ts'
import { checkName, labelOctets, labelsOf } from './name.ts'
import { encodeRdata } from './rdata.ts'
import { classCode, type RecordData, type ResourceRecord, typeCode, typeOf } from './record.ts'
import { DNSSEC_OK, FLAG_BIT, OPT } from './wire.ts'

/** Largest offset a compression pointer can name. */
const MAX_POINTER = 0x3fff

/** The octets of a message; refused where a name cannot be written. `compress` as RFC 1035 §4.1.4, as CoreDNS does. */
export function encodeMessage(message: Message, compress: 'compress' | 'plain' = 'plain'): Parsed<Uint8Array> {
  const wrong = firstWrongName(message)
  if (wrong) return wrong
  const writer = newWriter(compress)
  writeHeader(writer, message)
  for (const question of message.questions) writeQuestion(writer, question)
  for (const record of message.answers) writeRecord(writer, record)
  for (const record of message.authorities) writeRecord(writer, record)
  for (const record of message.additionals) writeRecord(writer, record)
  if (message.edns) writeOpt(writer, message.edns, message.rcode)
  return parsed(finish(writer))
}

function firstWrongName(message: Message): Parsed<never> | undefined {
  for (const question of message.questions) {
    const checked = checkName(question.name)
    if (!checked.ok) return checked
  }
  for (const section of [message.answers, message.authorities, message.additionals])
    for (const record of section)
      for (const name of namesOf(record)) {
        const checked = checkName(name)
        if (!checked.ok) return checked
      }
  return undefined
}

function namesOf(record: ResourceRecord): readonly string[] {
  switch (record.type) {
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
    case 'SRV':
      return [record.name, record.target]
    case 'MX':
      return [record.name, record.exchange]
    case 'SOA':
      return [record.name, record.mname, record.rname]
    default:
      return [record.name]
  }
}

export interface Writer {
  bytes: Uint8Array
  view: DataView
  at: number
  /** Where each suffix stands, by its text with the case it was written in; undefined: no compression. */
  readonly suffixes: Map<string, number> | undefined
  full: boolean
}

export function newWriter(compress: 'compress' | 'plain'): Writer {
  const bytes = new Uint8Array(512)
  const suffixes = compress === 'compress' ? new Map<string, number>() : undefined
  return { bytes, view: new DataView(bytes.buffer), at: 0, suffixes, full: false }
}

const finish = (writer: Writer): Uint8Array => writer.bytes.subarray(0, writer.at)

function reserve(writer: Writer, count: number): void {
  if (writer.at + count <= writer.bytes.length) return
  const bytes = new Uint8Array(Math.max(writer.bytes.length * 2, writer.at + count))
  bytes.set(writer.bytes)
  writer.bytes = bytes
  writer.view = new DataView(bytes.buffer)
}

function write16(writer: Writer, value: number): void {
  reserve(writer, 2)
  writer.view.setUint16(writer.at, value)
  writer.at += 2
}

function write32(writer: Writer, value: number): void {
  reserve(writer, 4)
  writer.view.setUint32(writer.at, value)
  writer.at += 4
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  reserve(writer, bytes.length)
  writer.bytes.set(bytes, writer.at)
  writer.at += bytes.length
}

export function writeHeader(writer: Writer, message: Message): void {
  const { flags } = message
  let bits = ((message.opcode & 0xf) << 11) | (message.rcode & 0xf)
  if (flags.response) bits |= FLAG_BIT.response
  if (flags.authoritative) bits |= FLAG_BIT.authoritative
  if (flags.truncated) bits |= FLAG_BIT.truncated
  if (flags.recursionDesired) bits |= FLAG_BIT.recursionDesired
  if (flags.recursionAvailable) bits |= FLAG_BIT.recursionAvailable
  if (flags.authenticData) bits |= FLAG_BIT.authenticData
  if (flags.checkingDisabled) bits |= FLAG_BIT.checkingDisabled
  write16(writer, message.id)
  write16(writer, bits)
  write16(writer, message.questions.length)
  write16(writer, message.answers.length)
  write16(writer, message.authorities.length)
  write16(writer, message.additionals.length + (message.edns ? 1 : 0))
}

export function writeQuestion(writer: Writer, question: Question): void {
  writeName(writer, question.name)
  write16(writer, typeCode(question.type) ?? 0)
  write16(writer, classCode(question.class) ?? 1)
}

export function writeRecord(writer: Writer, record: ResourceRecord): void {
  writeName(writer, record.name)
  write16(writer, typeCode(typeOf(record)) ?? 0)
  write16(writer, classCode(record.class) ?? 1)
  write32(writer, record.ttl)
  const lengthAt = writer.at
  write16(writer, 0)
  writeData(writer, record)
  writer.view.setUint16(lengthAt, writer.at - lengthAt - 2)
}

/** Only the types of RFC 1035 have compressed names in their data (RFC 3597 §4). */
function writeData(writer: Writer, data: RecordData): void {
  if (!writer.suffixes) return writeBytes(writer, encodeRdata(data))
  switch (data.type) {
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return writeName(writer, data.target)
    case 'MX':
      write16(writer, data.preference)
      return writeName(writer, data.exchange)
    case 'SRV':
      for (const value of [data.priority, data.weight, data.port]) write16(writer, value)
      return writeName(writer, data.target, 'whole')
    case 'DNAME':
      return writeName(writer, data.target, 'whole')
    case 'SOA':
      writeName(writer, data.mname)
      writeName(writer, data.rname)
      for (const value of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) write32(writer, value)
      return
    default:
      writeBytes(writer, encodeRdata(data))
  }
}

/** A plain name without compression or escapes: its text with each dot turned into the length of what follows. */
function writePlainName(writer: Writer, name: string): boolean {
  reserve(writer, name.length + 1)
  const { bytes } = writer
  let lengthAt = writer.at
  let at = lengthAt + 1
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code === 0x2e) {
      bytes[lengthAt] = at - lengthAt - 1
      lengthAt = at++
    } else if (code === 0x5c || code >= 0x80) return false
    else bytes[at++] = code
  }
  bytes[lengthAt] = 0
  writer.at = lengthAt + 1
  return true
}

/** A name that must stand whole can still be pointed to by later ones (miekg/dns packDomainName). */
function writeName(writer: Writer, name: string, how: 'pointer' | 'whole' = 'pointer'): void {
  if (!writer.suffixes && name !== '.' && writePlainName(writer, name)) return
  const labels = labelsOf(name)
  for (const [i, label] of labels.entries()) {
    if (writer.suffixes) {
      const suffix = labels.slice(i).join('.')
      const known = writer.suffixes.get(suffix)
      if (known !== undefined && how === 'pointer') return write16(writer, 0xc000 | known)
      if (known === undefined && writer.at <= MAX_POINTER) writer.suffixes.set(suffix, writer.at)
    }
    writeLabel(writer, label)
  }
  reserve(writer, 1)
  writer.bytes[writer.at++] = 0
}

function writeLabel(writer: Writer, label: string): void {
  reserve(writer, 64)
  const start = writer.at++
  let plain = true
  for (let i = 0; i < label.length; i++) {
    const code = label.charCodeAt(i)
    if (code === 0x5c || code >= 0x80) {
      plain = false
      break
    }
    writer.bytes[writer.at++] = code
  }
  if (!plain) {
    const octets = labelOctets(label)
    writer.bytes.set(octets, start + 1)
    writer.at = start + 1 + octets.length
  }
  writer.bytes[start] = writer.at - start - 1
}

export const optLength = (edns: Edns): number => edns.options.reduce((sum, option) => sum + 4 + option.bytes.length, 11)

function writeOpt(writer: Writer, edns: Edns, rcode: number): void {
  reserve(writer, 1)
  writer.bytes[writer.at++] = 0
  write16(writer, OPT)
  write16(writer, edns.size)
  write32(writer, ((rcode >> 4) << 24) | (edns.version << 16) | (edns.dnssecOk ? DNSSEC_OK : 0) | (edns.reserved ?? 0))
  write16(writer, optLength(edns) - 11)
  for (const option of edns.options) {
    write16(writer, option.code)
    write16(writer, option.bytes.length)
    writeBytes(writer, option.bytes)
  }
}
