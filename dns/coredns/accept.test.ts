import { describe, expect, it } from 'vitest'
import { query } from '../message.ts'
import { encodeMessage } from '../message-encode.ts'
import { OPCODE, rcodeName } from '../record.ts'
import { accept } from './accept.ts'

/** A query for `a.` of type A: 12 octets of header, 3 of name, 4 of type and class. */
function bytesOf(change: (bytes: number[]) => void = () => undefined): Uint8Array {
  const made = encodeMessage(query(0x0102, { name: 'a.', type: 'A' }))
  const bytes = [...(made.ok ? made.value : [])]
  change(bytes)
  return Uint8Array.from(bytes)
}

const setAt = (bytes: number[], at: number, value: number): void => {
  bytes[at] = value
}

function shown(bytes: Uint8Array): string {
  const accepted = accept(bytes)
  if (accepted.kind === 'ignore') return 'ignored'
  if (accepted.kind === 'accept') {
    const { questions, answers, additionals, edns } = accepted.message
    const [question] = questions
    const asked = question ? `${question.name} ${question.class} ${question.type}` : 'no question'
    return `${asked} ${answers.length + additionals.length}${edns ? ` edns ${edns.size}` : ''}`
  }
  const { rcode, opcode, questions, flags } = accepted.reply
  const words = Object.entries(flags).flatMap(([flag, set]) => (set ? [flag] : []))
  return `${rcodeName(rcode)} opcode ${opcode} questions ${questions.length} ${words.join(' ')}`
}

const OPCODE_NOTIFY = OPCODE.NOTIFY << 3
const OPT = [0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]

describe('what miekg/dns lets in', () => {
  it.each([
    ['a query', bytesOf(), 'a. IN A 0'],
    ['a reply', bytesOf((bytes) => setAt(bytes, 2, 0x81)), 'ignored'],
    ['less than a header', bytesOf().slice(0, 11), 'ignored'],
    ['a header and no more', bytesOf().slice(0, 12), 'no question 0'],
    ['a question that ends behind its name', bytesOf().slice(0, 15), 'a. CLASS0 TYPE0 0'],
    ['half a type', bytesOf().slice(0, 16), 'FORMERR opcode 0 questions 0 response recursionDesired'],
    ['octets behind the end', bytesOf((bytes) => void bytes.push(1, 2, 3)), 'a. IN A 0'],
    ['two questions', bytesOf((bytes) => setAt(bytes, 5, 2)), 'FORMERR opcode 0 questions 0 response recursionDesired'],
    [
      'a NOTIFY with two questions: the reply is of a query',
      bytesOf((bytes) => {
        bytes[2] = OPCODE_NOTIFY
        bytes[5] = 2
      }),
      'FORMERR opcode 0 questions 0 response',
    ],
    [
      'an update, its odd flags sent back',
      bytesOf((bytes) => {
        bytes[2] = (OPCODE.UPDATE << 3) | 0x06
        bytes[3] = 0xb0
      }),
      'NOTIMP opcode 5 questions 0 response truncated recursionAvailable authenticData checkingDisabled',
    ],
    ['an answer that was said to be there', bytesOf((bytes) => setAt(bytes, 7, 1)), 'a. IN A 0'],
    [
      'a record that is cut off: the question is told',
      bytesOf((bytes) => {
        bytes[7] = 1
        bytes.push(0, 0)
      }),
      'FORMERR opcode 0 questions 1 response recursionDesired',
    ],
    [
      'of two OPT records the last',
      bytesOf((bytes) => {
        bytes[11] = 2
        bytes.push(...OPT, ...OPT.with(3, 4))
      }),
      'a. IN A 0 edns 1024',
    ],
    [
      'a client subnet of no family',
      bytesOf((bytes) => {
        bytes[11] = 1
        bytes.push(...OPT.with(10, 8), 0, 8, 0, 4, 0, 0, 24, 0)
      }),
      'FORMERR opcode 0 questions 1 response recursionDesired',
    ],
    [
      'a pointer into itself',
      bytesOf((bytes) => void bytes.splice(12, 3, 0xc0, 12)),
      'FORMERR opcode 0 questions 0 response recursionDesired',
    ],
  ])('%s', (_, bytes, expected) => expect(shown(bytes)).toBe(expected))
})
