import { type Parsed, parsed } from '../packet/parsed.ts'
import type { Message } from './message.ts'
import {
  encodeMessage,
  newWriter,
  optLength,
  type Writer,
  writeHeader,
  writeQuestion,
  writeRecord,
} from './message-encode.ts'
import type { ResourceRecord } from './record.ts'

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
