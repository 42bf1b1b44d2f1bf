import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import type { Edns, EdnsOption, Flags, Message, Question } from './message.ts'
import { labelText, MAX_NAME } from './name.ts'
import { decodeRdata } from './rdata.ts'
import { className, type ResourceRecord, typeName } from './record.ts'
import { DNSSEC_OK, FLAG_BIT, HEADER, OPT, RESERVED_FLAGS } from './wire.ts'

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
      response: set(FLAG_BIT.response),
      authoritative: set(FLAG_BIT.authoritative),
      truncated: set(FLAG_BIT.truncated),
      recursionDesired: set(FLAG_BIT.recursionDesired),
      recursionAvailable: set(FLAG_BIT.recursionAvailable),
      authenticData: set(FLAG_BIT.authenticData),
      checkingDisabled: set(FLAG_BIT.checkingDisabled),
    },
    counts: [view.getUint16(4), view.getUint16(6), view.getUint16(8), view.getUint16(10)],
  }
}

/** Reads a whole message. Octets behind the last record are ignored, as resolvers do. */
export function decodeMessage(bytes: Uint8Array): Parsed<Message> {
  const header = decodeHeader(bytes)
  if (!header) return refused(`a message of ${bytes.length} octets has no header`)
  const reader = newReader(bytes)
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
        // The last one counts, as in miekg/dns.
        edns = record.value.edns
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

export interface Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where compression pointers may lead: backwards only, or anywhere, so many of them in one name. */
  readonly pointers: 'backwards' | number
  at: number
}

/** A reader behind the header. */
export const newReader = (bytes: Uint8Array, pointers: Reader['pointers'] = 'backwards'): Reader => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  pointers,
  at: HEADER,
})

function readQuestion(reader: Reader): Parsed<Question> {
  const name = readName(reader)
  if (!name.ok) return name
  if (reader.at + 4 > reader.bytes.length) return refused('the question is cut off')
  const type = typeName(reader.view.getUint16(reader.at))
  const cls = className(reader.view.getUint16(reader.at + 2))
  reader.at += 4
  return parsed({ name: name.value, type, class: cls })
}

export type AnyRecord =
  | { readonly kind: 'record'; readonly record: ResourceRecord }
  | { readonly kind: 'opt'; readonly edns: Edns; readonly extendedRcode: number }

export function readRecord(reader: Reader): Parsed<AnyRecord> {
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
    const reserved = ttl & RESERVED_FLAGS
    const edns = {
      size: cls,
      version: (ttl >>> 16) & 0xff,
      dnssecOk: (ttl & DNSSEC_OK) !== 0,
      options: options.value,
      ...(reserved !== 0 && { reserved }),
    }
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
export function readName(reader: Reader): Parsed<string> {
  const { bytes, pointers } = reader
  let at = reader.at
  let end: number | undefined
  let limit = at
  let followed = 0
  let text = ''
  let total = 1
  for (;;) {
    const length = bytes[at]
    if (length === undefined) return refused('a name is cut off')
    if (length === 0) break
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0)
      if (at + 1 >= bytes.length) return refused('a name is cut off')
      if (pointers === 'backwards' && target >= limit) return refused('a compression pointer does not lead backwards')
      if (pointers !== 'backwards' && ++followed > pointers) return refused('too many compression pointers')
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
