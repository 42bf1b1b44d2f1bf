import { formatIp, type Ip } from '../../../../packet/ip.ts'
import type { Flags, Message } from '../../../message.ts'
import { encodeMessage } from '../../../message-encode.ts'
import { rcodeName } from '../../../record.ts'
import { clientSize } from '../../edns.ts'
import type { Request } from '../../plugin.ts'

/** The two formats with a name (plugin/log). */
export const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}'
export const COMBINED = `${COMMON} "{>opcode}"`

/** What a log line tells of. */
export interface Logged {
  readonly request: Request
  /** As it was written to the client; undefined: nothing was. */
  readonly reply: Message | undefined
  /** Nanoseconds. */
  readonly took: number
}

/** A piece of a format: text as it is, a label, or a label of metadata. */
type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'label'; readonly name: string }
  | { readonly kind: 'metadata'; readonly label: string }

/** Takes a format apart (plugin/pkg/replacer parseFormat); a label that nobody knows stays as it is. */
export function parseFormat(format: string): readonly Piece[] {
  const pieces: Piece[] = []
  let rest = format
  for (let close = rest.indexOf('}'); close >= 0; close = rest.indexOf('}')) {
    const open = rest.lastIndexOf('{', close)
    const name = open < 0 ? '' : rest.slice(open + 1, close)
    const isLabel = open >= 0 && Object.hasOwn(LABELS, name)
    if (isLabel || (open >= 0 && name.startsWith('/'))) {
      if (open > 0) pieces.push({ kind: 'text', text: rest.slice(0, open) })
      pieces.push(isLabel ? { kind: 'label', name } : { kind: 'metadata', label: name.slice(1) })
    } else pieces.push({ kind: 'text', text: rest.slice(0, close + 1) })
    rest = rest.slice(close + 1)
  }
  return rest === '' ? pieces : [...pieces, { kind: 'text', text: rest }]
}

/** Stands for what is not there. */
const EMPTY = '-'

export function formatted(pieces: readonly Piece[], logged: Logged): string {
  let line = ''
  for (const piece of pieces)
    if (piece.kind === 'text') line += piece.text
    else if (piece.kind === 'label') line += LABELS[piece.name]?.(logged) ?? EMPTY
    else line += logged.request.metadata?.get(piece.label) ?? EMPTY
  return line
}

const bracketed = (ip: Ip | undefined): string =>
  ip === undefined ? '[::]' : ip.family === 6 ? `[${formatIp(ip)}]` : formatIp(ip)

/** Some read the query as it is by now, others as it came: as Request caches them. */
const LABELS: Readonly<Record<string, (logged: Logged) => string>> = {
  type: ({ request }) => questionNow(request).type,
  class: ({ request }) => questionNow(request).class,
  name: ({ request }) => request.name,
  proto: ({ request }) => request.transport,
  size: (logged) => String(sizeOf(queryNow(logged))),
  remote: ({ request }) => bracketed(request.client.ip),
  port: ({ request }) => String(request.client.port),
  local: ({ request }) => bracketed(request.local),
  '>id': ({ request }) => String(request.message.id),
  '>opcode': ({ request }) => String(request.message.opcode),
  '>do': ({ request }) => String(request.shared.message.edns?.dnssecOk ?? false),
  '>bufsize': ({ request }) => String(clientSize(request)),
  rcode: ({ reply }) => (reply ? rcodeName(reply.rcode) : EMPTY),
  rsize: ({ reply }) => String(reply ? sizeOf(reply) : 0),
  duration: ({ took }) => `${seconds(took)}s`,
  '>rflags': (logged) => flagsText(logged),
}

const questionNow = ({ shared, question }: Request): Request['question'] => shared.message.questions[0] ?? question

/** By the time the line is written the query's OPT has become the reply's, with no more options than that has. */
function queryNow({ request, reply }: Logged): Message {
  const { message } = request.shared
  const { edns } = message
  if (!edns || reply?.edns) return message
  const options = edns.options.filter(({ code }) => request.server.echoedOptions.has(code))
  return { ...message, edns: { ...edns, options } }
}

/** Octets without compression. */
function sizeOf(message: Message): number {
  const bytes = encodeMessage(message)
  return bytes.ok ? bytes.value.length : 0
}

const FLAG_WORDS: readonly (readonly [keyof Flags, string])[] = [
  ['response', 'qr'],
  ['authoritative', 'aa'],
  ['truncated', 'tc'],
  ['recursionDesired', 'rd'],
  ['recursionAvailable', 'ra'],
  ['authenticData', 'ad'],
  ['checkingDisabled', 'cd'],
]

/** With TC where the reply did not fit: it has been cut by then. */
function flagsText({ request, reply }: Logged): string {
  if (!reply) return EMPTY
  const truncated = reply.flags.truncated || request.server.isCut(request, reply)
  const flags = { ...reply.flags, truncated }
  return FLAG_WORDS.flatMap(([flag, word]) => (flags[flag] ? [word] : [])).join(',')
}

/** strconv.FormatFloat(x, 'f', -1): as many digits as needed, no exponent. */
const seconds = (nanoseconds: number): string => {
  const text = (nanoseconds / 1e9).toFixed(9).replace(/0+$/, '')
  return text.endsWith('.') ? text.slice(0, -1) : text
}
