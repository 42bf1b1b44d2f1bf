import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { checkName, labelOctets, labelsOf, labelText, MAX_NAME } from './name.ts'
import { decodeRdata, encodeRdata } from './rdata.ts'
import {
  classCode,
  className,
  RCODE,
  type RecordData,
  type ResourceRecord,
  typeCode,
  typeName,
  typeOf,
} from './record.ts'

/** A DNS message (RFC 1035 §4). The OPT record (RFC 6891) stands apart in `edns`. */
export interface Message {
  readonly id: number
  readonly opcode: number
  /** With the upper bits of EDNS: 0..4095. */
  readonly rcode: number
  readonly flags: Flags
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  /** Without the OPT. */
  readonly additionals: readonly ResourceRecord[]
  readonly edns?: Edns
}

export interface Flags {
  readonly response: boolean
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly authenticData: boolean
  readonly checkingDisabled: boolean
}

export interface Question {
  readonly name: string
  readonly type: string
  readonly class: string
}

export interface Edns {
  /** Octets of UDP payload the sender takes. */
  readonly size: number
  readonly version: number
  readonly dnssecOk: boolean
  readonly options: readonly EdnsOption[]
}

export interface EdnsOption {
  readonly code: number
  readonly bytes: Uint8Array
}

export const NO_FLAGS: Flags = {
  response: false,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
}

/** Bits of the second header word, RFC 1035 §4.1.1 and RFC 4035 §3.1.6. */
const BIT = { response: 0x8000, authoritative: 0x400, truncated: 0x200, recursionDesired: 0x100 } as const
const BIT2 = { recursionAvailable: 0x80, authenticData: 0x20, checkingDisabled: 0x10 } as const
const DNSSEC_OK = 0x8000
const HEADER = 12
const OPT = 41
/** Largest offset a compression pointer can name. */
const MAX_POINTER = 0x3fff

/** A query for one name. */
export const query = (
  id: number,
  question: { readonly name: string; readonly type: string; readonly class?: string },
  more: { readonly flags?: Partial<Flags>; readonly edns?: Edns } = {},
): Message => ({
  id,
  opcode: 0,
  rcode: RCODE.NOERROR,
  flags: { ...NO_FLAGS, recursionDesired: true, ...more.flags },
  questions: [{ class: 'IN', ...question }],
  answers: [],
  authorities: [],
  additionals: [],
  ...(more.edns && { edns: more.edns }),
})

/** An empty reply to `request`: its id, opcode, first question, and of its flags RD and CD (queries only). */
export function replyTo(request: Message, rcode: number = RCODE.NOERROR): Message {
  const first = request.questions[0]
  const isQuery = request.opcode === 0
  return {
    id: request.id,
    opcode: request.opcode,
    rcode,
    flags: {
      ...NO_FLAGS,
      response: true,
      recursionDesired: isQuery && request.flags.recursionDesired,
      checkingDisabled: isQuery && request.flags.checkingDisabled,
    },
    questions: first ? [first] : [],
    answers: [],
    authorities: [],
    additionals: [],
  }
}

// ---------------------------------------------------------------- decode

export interface MessageHeader {
  readonly id: number
  readonly opcode: number
  readonly flags: Flags
  readonly counts: readonly [questions: number, answers: number, authorities: number, additionals: number]
}

/** The first twelve octets; undefined where there are fewer. */
export function decodeHeader(bytes: Uint8Array): MessageHeader | undefined {
  if (bytes.length < HEADER) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bits = view.getUint16(2)
  const set = (bit: number) => (bits & bit) !== 0
  return {
    id: view.getUint16(0),
    opcode: (bits >> 11) & 0xf,
    flags: {
      response: set(BIT.response),
      authoritative: set(BIT.authoritative),
      truncated: set(BIT.truncated),
      recursionDesired: set(BIT.recursionDesired),
      recursionAvailable: set(BIT2.recursionAvailable),
      authenticData: set(BIT2.authenticData),
      checkingDisabled: set(BIT2.checkingDisabled),
    },
    counts: [view.getUint16(4), view.getUint16(6), view.getUint16(8), view.getUint16(10)],
  }
}

/** Reads a whole message. Octets behind the last record are ignored, as resolvers do. */
export function decodeMessage(bytes: Uint8Array): Parsed<Message> {
  const header = decodeHeader(bytes)
  if (!header) return refused(`a message of ${bytes.length} octets has no header`)
  const reader = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: HEADER }
  const questions: Question[] = []
  for (let i = 0; i < header.counts[0]; i++) {
    const question = readQuestion(reader)
    if (!question.ok) return question
    questions.push(question.value)
  }
  const sections: ResourceRecord[][] = [[], [], []]
  let edns: Edns | undefined
  let rcode = reader.view.getUint16(2) & 0xf
  for (const [i, section] of sections.entries())
    for (let n = 0; n < (header.counts[i + 1] ?? 0); n++) {
      const record = readRecord(reader)
      if (!record.ok) return record
      if (record.value.kind === 'record') section.push(record.value.record)
      else {
        edns ??= record.value.edns
        rcode |= record.value.extendedRcode << 4
      }
    }
  return parsed({
    id: header.id,
    opcode: header.opcode,
    rcode,
    flags: header.flags,
    questions,
    answers: sections[0] ?? [],
    authorities: sections[1] ?? [],
    additionals: sections[2] ?? [],
    ...(edns && { edns }),
  })
}

interface Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  at: number
}

function readQuestion(reader: Reader): Parsed<Question> {
  const name = readName(reader)
  if (!name.ok) return name
  if (reader.at + 4 > reader.bytes.length) return refused('the question is cut off')
  const type = typeName(reader.view.getUint16(reader.at))
  const cls = className(reader.view.getUint16(reader.at + 2))
  reader.at += 4
  return parsed({ name: name.value, type, class: cls })
}

type AnyRecord =
  | { readonly kind: 'record'; readonly record: ResourceRecord }
  | { readonly kind: 'opt'; readonly edns: Edns; readonly extendedRcode: number }

function readRecord(reader: Reader): Parsed<AnyRecord> {
  const name = readName(reader)
  if (!name.ok) return name
  const { view, bytes } = reader
  if (reader.at + 10 > bytes.length) return refused('a record is cut off')
  const code = view.getUint16(reader.at)
  const cls = view.getUint16(reader.at + 2)
  const ttl = view.getUint32(reader.at + 4)
  const length = view.getUint16(reader.at + 8)
  const start = reader.at + 10
  if (start + length > bytes.length) return refused('the data of a record is cut off')
  reader.at = start + length
  if (code === OPT) {
    const options = readOptions(bytes, start, length)
    if (!options.ok) return options
    const edns = { size: cls, version: (ttl >>> 16) & 0xff, dnssecOk: (ttl & DNSSEC_OK) !== 0, options: options.value }
    return parsed({ kind: 'opt', edns, extendedRcode: ttl >>> 24 })
  }
  const data = decodeRdata(code, bytes, start, length)
  if (!data.ok) return data
  return parsed({ kind: 'record', record: { name: name.value, ttl, class: className(cls), ...data.value } })
}

function readOptions(bytes: Uint8Array, start: number, length: number): Parsed<readonly EdnsOption[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const options: EdnsOption[] = []
  let at = start
  while (at < start + length) {
    if (at + 4 > start + length) return refused('an EDNS option is cut off')
    const size = view.getUint16(at + 2)
    if (at + 4 + size > start + length) return refused('an EDNS option is cut off')
    options.push({ code: view.getUint16(at), bytes: bytes.slice(at + 4, at + 4 + size) })
    at += 4 + size
  }
  return parsed(options)
}

/** Reads a name and follows pointers (RFC 1035 §4.1.4), which must lead backwards. */
function readName(reader: Reader): Parsed<string> {
  const { bytes } = reader
  let at = reader.at
  let end: number | undefined
  let limit = at
  let text = ''
  let total = 1
  for (;;) {
    const length = bytes[at]
    if (length === undefined) return refused('a name is cut off')
    if (length === 0) break
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0)
      if (at + 1 >= bytes.length) return refused('a name is cut off')
      if (target >= limit) return refused('a compression pointer does not lead backwards')
      end ??= at + 2
      at = target
      limit = target
      continue
    }
    if (length > 0x3f) return refused(`label type ${length >> 6} is not known`)
    if (at + 1 + length > bytes.length) return refused('a label is cut off')
    total += length + 1
    if (total > MAX_NAME) return refused('a name is longer than 255 octets')
    text += `${labelText(bytes, at + 1, at + 1 + length)}.`
    at += 1 + length
  }
  reader.at = end ?? at + 1
  return parsed(text === '' ? '.' : text)
}

// ---------------------------------------------------------------- encode

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

/** What a server sends to a client that takes `size` octets. */
export interface Fitted {
  readonly bytes: Uint8Array
  /** The message as it was sent, after cutting. */
  readonly message: Message
}

/**
 * As miekg/dns `Msg.Truncate`: plain where that fits; else compressed, records that do not fit left out from the end,
 * and TC set. `compressOver`: the plain length from which a fitting message is compressed all the same.
 */
export function encodeToFit(message: Message, size: number, compressOver = 0xffff): Parsed<Fitted> {
  const plain = encodeMessage(message, 'plain')
  if (!plain.ok) return plain
  const room = Math.max(size, 512)
  if (plain.value.length <= room) {
    if (plain.value.length <= compressOver) return parsed({ bytes: plain.value, message })
    const compressed = encodeMessage(message, 'compress')
    return compressed.ok ? parsed({ bytes: compressed.value, message }) : compressed
  }
  const writer = newWriter('compress')
  writeHeader(writer, message)
  for (const question of message.questions) writeQuestion(writer, question)
  const budget = room - (message.edns ? optLength(message.edns) : 0)
  const answers = writeWhatFits(writer, message.answers, budget)
  const authorities = writeWhatFits(writer, message.authorities, budget)
  const additionals = writeWhatFits(writer, message.additionals, budget)
  const cut =
    answers.length < message.answers.length ||
    authorities.length < message.authorities.length ||
    additionals.length < message.additionals.length
  const flags = { ...message.flags, truncated: message.flags.truncated || cut }
  const fitted = { ...message, flags, answers, authorities, additionals }
  const bytes = encodeMessage(fitted, 'compress')
  return bytes.ok ? parsed({ bytes: bytes.value, message: fitted }) : bytes
}

/** Writes records while they fit into `budget`; nothing more fits once one did not. */
function writeWhatFits(writer: Writer, records: readonly ResourceRecord[], budget: number): readonly ResourceRecord[] {
  if (writer.full) return []
  for (const [i, record] of records.entries()) {
    writeRecord(writer, record)
    if (writer.at < budget) continue
    writer.full = true
    return records.slice(0, writer.at === budget ? i + 1 : i)
  }
  return records
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

interface Writer {
  bytes: Uint8Array
  view: DataView
  at: number
  /** Where each suffix stands, by its text with the case it was written in; undefined: no compression. */
  readonly suffixes: Map<string, number> | undefined
  full: boolean
}

function newWriter(compress: 'compress' | 'plain'): Writer {
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

function writeHeader(writer: Writer, message: Message): void {
  const { flags } = message
  let bits = ((message.opcode & 0xf) << 11) | (message.rcode & 0xf)
  if (flags.response) bits |= BIT.response
  if (flags.authoritative) bits |= BIT.authoritative
  if (flags.truncated) bits |= BIT.truncated
  if (flags.recursionDesired) bits |= BIT.recursionDesired
  if (flags.recursionAvailable) bits |= BIT2.recursionAvailable
  if (flags.authenticData) bits |= BIT2.authenticData
  if (flags.checkingDisabled) bits |= BIT2.checkingDisabled
  write16(writer, message.id)
  write16(writer, bits)
  write16(writer, message.questions.length)
  write16(writer, message.answers.length)
  write16(writer, message.authorities.length)
  write16(writer, message.additionals.length + (message.edns ? 1 : 0))
}

function writeQuestion(writer: Writer, question: Question): void {
  writeName(writer, question.name)
  write16(writer, typeCode(question.type) ?? 0)
  write16(writer, classCode(question.class) ?? 1)
}

function writeRecord(writer: Writer, record: ResourceRecord): void {
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

/** A name that must stand whole can still be pointed to by later ones (miekg/dns packDomainName). */
function writeName(writer: Writer, name: string, how: 'pointer' | 'whole' = 'pointer'): void {
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

const optLength = (edns: Edns): number => edns.options.reduce((sum, option) => sum + 4 + option.bytes.length, 11)

function writeOpt(writer: Writer, edns: Edns, rcode: number): void {
  reserve(writer, 1)
  writer.bytes[writer.at++] = 0
  write16(writer, OPT)
  write16(writer, edns.size)
  write32(writer, ((rcode >> 4) << 24) | (edns.version << 16) | (edns.dnssecOk ? DNSSEC_OK : 0))
  write16(writer, optLength(edns) - 11)
  for (const option of edns.options) {
    write16(writer, option.code)
    write16(writer, option.bytes.length)
    writeBytes(writer, option.bytes)
  }
}
