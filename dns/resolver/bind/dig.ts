import { formatIp } from '../../../packet/ip.ts'
import type { EdnsOption, Message } from '../../message.ts'
import { isSubdomain } from '../../name.ts'
import { RCODE, type ResourceRecord, typeOf } from '../../record.ts'
import { dataText } from '../../record-text.ts'
import { MILLISECOND } from '../exchange.ts'
import type { Resolver } from '../lookup.ts'
import { bindResolver, type Replied, type Run } from './dighost.ts'
import { rcodeText, serverText } from './text.ts'

export interface DigOptions {
  readonly name: string
  /** `+search`. */
  readonly search?: boolean
  /** `+short`. */
  readonly short?: boolean
  /** `+tries=`. */
  readonly tries?: number
}

/** dig(1): bin/dig/dig.c of BIND 9.18. The line WHEN is left out: a virtual clock has no date. */
export const digOf = ({ name, search = false, short = false, tries }: DigOptions): Resolver =>
  bindResolver({
    name,
    program: 'dig',
    about: `dig${search ? ' +search' : ''} of BIND 9.18: one type, with EDNS and a cookie${search ? '' : ', no search list'}`,
    search,
    tries,
    checksRa: false,
    servfailStops: true,
    comments: !short,
    edns: true,
    illegalExit: 10,
    first: ({ name: text, type }) => ({ text, type: type ?? 'A' }),
    print: (run, replied) => {
      if (short) for (const record of replied.reply.answers) run.out.push(`${dataText(record)}\n`)
      else printLong(run, replied)
    },
    received: (run, replied) => {
      if (!short) printStatistics(run, replied)
    },
    greeting: (run) => (short ? '' : greeting(run)),
    end: ({ exitCode }) => ({ exitCode, last: '' }),
  })

/** printgreeting: once, in front of the first thing said about a lookup. */
function greeting({ kept, request, tool }: Run): string {
  if (kept.get('greeted')) return ''
  kept.set('greeted', true)
  const words = [tool.search ? '+search' : '', request.name, request.type ?? ''].filter((word) => word !== '')
  return `\n; <<>> DiG 9.18 <<>> ${words.join(' ')}\n;; global options: +cmd\n`
}

const OPCODES = ['QUERY', 'IQUERY', 'STATUS', 'RESERVED3', 'NOTIFY', 'UPDATE']
const COOKIE = 10
const EDE = 15

function printLong(run: Run, { reply, query }: Replied): void {
  const { flags, rcode } = reply
  const set = [
    flags.response && 'qr',
    flags.authoritative && 'aa',
    flags.truncated && 'tc',
    flags.recursionDesired && 'rd',
    flags.recursionAvailable && 'ra',
    flags.authenticData && 'ad',
    flags.checkingDisabled && 'cd',
  ].filter(Boolean)
  const counts = `QUERY: ${reply.questions.length}, ANSWER: ${reply.answers.length}, AUTHORITY: ${reply.authorities.length}, ADDITIONAL: ${reply.additionals.length + (reply.edns ? 1 : 0)}`
  const [question] = reply.questions
  const lines = [
    ';; Got answer:',
    ...(question && isSubdomain('local.', question.name)
      ? [
          ';; WARNING: .local is reserved for Multicast DNS',
          ';; You are currently testing what happens when an mDNS query is leaked to DNS',
        ]
      : []),
    `;; ->>HEADER<<- opcode: ${OPCODES[reply.opcode] ?? `RESERVED${reply.opcode}`}, status: ${rcodeText(rcode)}, id: ${reply.id}`,
    `;; flags:${set.map((flag) => ` ${flag}`).join('')}; ${counts}`,
    ...(flags.recursionDesired && !flags.recursionAvailable
      ? [';; WARNING: recursion requested but not available']
      : []),
  ]
  if (query.edns && !reply.edns && (rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP))
    lines.push('', `;; WARNING: EDNS query returned status ${rcodeText(rcode)} - retry with '+noedns'`)
  run.out.push(`${greeting(run)}${lines.join('\n')}\n\n${optText(reply, query)}${sectionsText(reply)}`)
}

function optText({ edns }: Message, query: Message): string {
  if (!edns) return ''
  const options = edns.options.map((option) => optionText(option, query))
  const flags = edns.dnssecOk ? ' do' : ''
  return `;; OPT PSEUDOSECTION:\n; EDNS: version: ${edns.version}, flags:${flags}; udp: ${edns.size}\n${options.join('')}`
}

function optionText({ code, bytes }: EdnsOption, query: Message): string {
  const hex = [...bytes].map((octet) => octet.toString(16).padStart(2, '0'))
  if (code === COOKIE) {
    const own = query.edns?.options.find((option) => option.code === COOKIE)?.bytes
    const echoed = !!own && bytes.length >= own.length && own.every((octet, i) => bytes[i] === octet)
    return `; COOKIE: ${hex.join('')}${echoed ? (bytes.length >= 16 ? ' (good)' : ' (echoed)') : ' (bad)'}\n`
  }
  if (code === EDE && bytes.length >= 2) {
    const info = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
    const text = bytes.length > 2 ? `: (${new TextDecoder().decode(bytes.subarray(2))})` : ''
    return `; EDE: ${info}${info in EDE_TEXT ? ` (${EDE_TEXT[info]})` : ''}${text}\n`
  }
  const print = [...bytes].map((octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.'))
  return `; OPT=${code}:${bytes.length > 0 ? ` ${hex.map((octet) => `${octet} `).join('')}("${print.join('')}")` : ''}\n`
}

/** Of RFC 8914 §4, those a CoreDNS gives. */
const EDE_TEXT: Readonly<Record<number, string>> = {
  0: 'Other',
  3: 'Stale Answer',
  15: 'Blocked',
  17: 'Filtered',
  18: 'Prohibited',
  22: 'No Reachable Authority',
  23: 'Network Error',
}

function sectionsText(reply: Message): string {
  const questions = reply.questions.map(
    ({ name, type, class: cls }) => `;${columns([name, CLASS_COLUMN], [cls, TYPE_COLUMN])}${type}\n`,
  )
  const sections = [
    ['QUESTION', questions],
    ['ANSWER', reply.answers.map(recordLine)],
    ['AUTHORITY', reply.authorities.map(recordLine)],
    ['ADDITIONAL', reply.additionals.map(recordLine)],
  ] as const
  return sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `;; ${title} SECTION:\n${lines.join('')}\n`)
    .join('')
}

/** Columns of dns_master_stylecreate in dig.c, with tabs of eight. */
const TTL_COLUMN = 24
const CLASS_COLUMN = 32
const TYPE_COLUMN = 40
const DATA_COLUMN = 48
const TAB = 8

const recordLine = (record: ResourceRecord): string =>
  `${columns(
    [record.name, TTL_COLUMN],
    [String(record.ttl), CLASS_COLUMN],
    [record.class, TYPE_COLUMN],
    [typeOf(record), DATA_COLUMN],
  )}${dataText(record)}\n`

/** Each text, and tabs up to where the next one stands; a space where it is past that. */
function columns(...cells: readonly (readonly [text: string, next: number])[]): string {
  let line = ''
  let at = 0
  for (const [text, next] of cells) {
    line += text
    at += text.length
    const to = Math.max(next, at + 1)
    const tabs = Math.floor(to / TAB) - Math.floor(at / TAB)
    line += '\t'.repeat(tabs) + ' '.repeat(tabs > 0 ? to % TAB : to - at)
    at = to
  }
  return line
}

function printStatistics(run: Run, { took, server, transport, size }: Replied): void {
  run.out.push(
    `;; Query time: ${Math.trunc(took / MILLISECOND)} msec\n`,
    `;; SERVER: ${serverText(server)}(${formatIp(server)}) (${transport.toUpperCase()})\n`,
    `;; MSG SIZE  rcvd: ${size}\n\n`,
  )
}
