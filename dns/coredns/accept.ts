import type { Edns, EdnsOption, Flags, Message, Question } from '../message.ts'
import { type AnyRecord, decodeHeader, newReader, type Reader, readName, readRecord } from '../message-decode.ts'
import { className, OPCODE, RCODE, type ResourceRecord, typeName } from '../record.ts'

/** What becomes of a packet before any plugin sees it (miekg/dns 1.1.73 server.go, acceptfunc.go, msg.go). */
export type Accepted =
  /** It may hold no question, where it ends behind its header. */
  | { readonly kind: 'accept'; readonly message: Message }
  | { readonly kind: 'reject'; readonly reply: Message }
  /** A reply, or not even a header: answering could only help somebody to amplify. */
  | { readonly kind: 'ignore' }

/** Compression pointers of one name: maxCompressionPointers. */
const MAX_POINTERS = 126

export function accept(bytes: Uint8Array): Accepted {
  const header = decodeHeader(bytes)
  if (!header || header.flags.response) return { kind: 'ignore' }
  const { id, opcode, flags, counts } = header
  const empty: Message = {
    id,
    opcode,
    rcode: 0,
    flags,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
  }
  if (opcode !== OPCODE.QUERY && opcode !== OPCODE.NOTIFY)
    return { kind: 'reject', reply: { ...empty, flags: replyFlags(flags), rcode: RCODE.NOTIMP } }
  const [questions, answers, authorities, additionals] = counts
  if (questions !== 1 || answers > 1 || authorities > 1 || additionals > 2) return malformed(empty)
  if (bytes.length === HEADER_ONLY) return { kind: 'accept', message: empty }
  return readRequest(bytes, empty, counts)
}

const HEADER_ONLY = 12

/** The flags of the query stay, but for QR and AA. */
const replyFlags = (flags: Flags): Flags => ({ ...flags, response: true, authoritative: false })

/** FORMERR, with the opcode of a query and what could be read of the question. */
const malformed = (message: Message): Accepted => ({
  kind: 'reject',
  reply: {
    id: message.id,
    opcode: OPCODE.QUERY,
    rcode: RCODE.FORMERR,
    flags: replyFlags(message.flags),
    questions: message.questions,
    answers: [],
    authorities: [],
    additionals: [],
  },
})

function readRequest(bytes: Uint8Array, empty: Message, counts: readonly number[]): Accepted {
  const reader = newReader(bytes, MAX_POINTERS)
  const question = readQuestion(reader)
  if (!question) return malformed(empty)
  const asked: Message = { ...empty, questions: [question] }
  const sections: ResourceRecord[][] = []
  let edns: Edns | undefined
  for (const [i, count] of counts.slice(1).entries()) {
    const records = readSection(reader, count)
    if (!records) return malformed(asked)
    sections.push(records.flatMap((one) => (one.kind === 'record' ? [one.record] : [])))
    const opt = i === ADDITIONAL ? records.findLast((one) => one.kind === 'opt') : undefined
    if (opt?.kind === 'opt') edns = opt.edns
    if (records.some((one) => one.kind === 'opt' && !one.edns.options.every(isReadable))) return malformed(asked)
  }
  const [answers = [], authorities = [], additionals = []] = sections
  return { kind: 'accept', message: { ...asked, answers, authorities, additionals, ...(edns && { edns }) } }
}

/** The additional section among the three of records. */
const ADDITIONAL = 2

/** A question may end behind its name, or behind its type: what is missing is 0. */
function readQuestion(reader: Reader): Question | undefined {
  const name = readName(reader)
  if (!name.ok) return undefined
  const type = readCode(reader)
  const cls = type === undefined ? undefined : readCode(reader)
  return type === undefined || cls === undefined
    ? undefined
    : { name: name.value, type: typeName(type), class: className(cls) }
}

function readCode(reader: Reader): number | undefined {
  if (reader.at === reader.bytes.length) return 0
  if (reader.at + 2 > reader.bytes.length) return undefined
  reader.at += 2
  return reader.view.getUint16(reader.at - 2)
}

/** A section that ends with the message may hold fewer records than was said; undefined where one cannot be read. */
function readSection(reader: Reader, count: number): readonly AnyRecord[] | undefined {
  const records: AnyRecord[] = []
  for (let i = 0; i < count && reader.at < reader.bytes.length; i++) {
    const record = readRecord(reader)
    if (!record.ok) return undefined
    records.push(record.value)
  }
  return records
}

/** Whether miekg/dns can read the data of an EDNS option (edns.go); of most any will do. */
function isReadable({ code, bytes }: EdnsOption): boolean {
  const { length } = bytes
  switch (code) {
    case 1: // LLQ
      return length >= 18
    case 2: // UL
      return length === 4 || length === 8
    case 8:
      return isReadableSubnet(bytes)
    case 9: // EXPIRE
      return length === 0 || length >= 4
    case 11: // TCP-KEEPALIVE
      return length === 0 || length === 2
    case 15: // EDE
      return length >= 2
    default:
      return true
  }
}

/** RFC 7871: a family that is known, and lengths it can have. */
function isReadableSubnet(bytes: Uint8Array): boolean {
  const [high = 0, low = 0, source = 0, scope = 0] = bytes
  if (bytes.length < 4 || high !== 0) return false
  if (low === 0) return source === 0
  const bits = low === 1 ? 32 : 128
  return low <= 2 && source <= bits && scope <= bits
}
