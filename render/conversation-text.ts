import { match } from 'ts-pattern'
import { describePeer, type Outcome } from '../engine/client.ts'
import type { Conversation } from '../engine/conversation.ts'
import { isSuccess, type Trace } from '../engine/trace.ts'
import { formatIp } from '../packet/ip.ts'
import { summaryOf } from '../packet/text.ts'
import { toAscii } from './ascii.ts'
import { cutMiddle, labelled, table } from './columns.ts'
import { lookupLines } from './lookup-text.ts'
import { DEFAULT_TEXT, type TextOptions } from './text-options.ts'
import { wayLines } from './way-text.ts'

/** A conversation for people: the verdict, the lookup, the packet's way hop by hop, and the way back. */
export function renderConversation(conversation: Conversation, options: Partial<TextOptions> = {}): string {
  const how: TextOptions = { ...DEFAULT_TEXT, ...options }
  const lines = [
    ...headline(conversation, how),
    ...lookupLines(conversation.lookup, how),
    ...wayLines('REQUEST', conversation.request, how),
    ...wayLines('REPLY', conversation.reply, how),
    ...restLines(conversation, how),
    ...whyLines(conversation, how),
    ...refusalLines(conversation, how),
    ...policyLines(conversation, how),
    ...assumptionLines(conversation, how),
  ]
  const text = `${lines.join('\n')}\n`
  return how.ascii ? toAscii(text) : text
}

// ------------------------------------------------------------------------------------------------ verdict

function headline(conversation: Conversation, how: TextOptions): readonly string[] {
  const { disposition, probe } = conversation
  const word = headWord(conversation)
  const unsure = disposition.kind === 'insufficientInfo' || disposition.kind === 'leftCluster'
  const good = isSuccess(disposition.kind)
  const mark = unsure ? '?' : good ? '✓' : '✗'
  const paint = unsure ? how.paint.unsure : good ? how.paint.good : how.paint.bad
  const question = `${probe.from.label} -> ${probe.target.label}`
  const lines = [`${paint(`${mark} ${word}`)}  ${cutMiddle(question, how.width - word.length - 4)}`]
  const indent = 2
  for (const sentence of sentences(conversation, how))
    lines.push(...labelled('', sentence, { indent, width: how.width }))
  return lines
}

/** The disposition in capitals; a name that nobody has is no packet that was dropped. */
function headWord({ disposition, outcome, lookup }: Conversation): string {
  if (outcome.kind === 'notResolved' && disposition.kind === 'dropped' && lookup?.failure === undefined)
    return 'NOT RESOLVED'
  return disposition.kind.replace(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase()
}

/** What the client saw, what the server saw, and where it was decided. */
function sentences(conversation: Conversation, how: TextOptions): readonly string[] {
  const { disposition, server, outcome, probe, steps } = conversation
  const answer = Number.isFinite(how.width) ? 40 : how.width
  const said: string[] = []
  // Where the source's own network is not known, nothing was walked, and nothing seen.
  if (steps.length > 0) {
    const seen = probe.kind === 'ping' && outcome.kind === 'answered' ? echoed(outcome) : clientSaw(outcome, answer)
    said.push(
      disposition.kind === 'insufficientInfo' ? `As far as is known: ${seen[0]?.toLowerCase()}${seen.slice(1)}` : seen,
    )
  }
  if (server !== undefined && server.netns !== conversation.probe.from.netns)
    said.push(`${server.process} on ${server.host} saw ${server.peer}, TTL ${server.ttl}.`)
  if (!isSuccess(disposition.kind) && headWord(conversation) !== 'NOT RESOLVED') {
    const where = disposition.host === undefined ? '' : ` at ${placeName(disposition.host, disposition.netns ?? '')}`
    const reason = disposition.reason === undefined ? '' : ` (${disposition.reason})`
    said.push(`Decided${where}: ${disposition.detail}${reason}.`)
  }
  return said
}

const milliseconds = (ns: number): string => {
  const seconds = ns / 1_000_000_000
  return seconds >= 1 ? `${Number(seconds.toFixed(1))} s` : `${Math.round(ns / 1_000_000)} ms`
}

const echoed = ({ peer, octets, ttl }: Extract<Outcome, { kind: 'answered' }>): string =>
  `The client got an echo reply of ${octets} octets from ${describePeer(peer)}${ttl === undefined ? '' : `, TTL ${ttl}`}.`

/** `longest`: of the answer's first line, which may be any length. */
const clientSaw = (outcome: Outcome, longest: number): string =>
  match(outcome)
    .with({ kind: 'resolved' }, ({ addresses }) => `The name resolves to ${addresses.map(formatIp).join(', ')}.`)
    .with({ kind: 'connected' }, ({ peer }) => `The client is connected to ${describePeer(peer)}.`)
    .with(
      { kind: 'answered' },
      ({ peer, text, octets }) =>
        `The client got an answer from ${describePeer(peer)}: ${firstLine(text, { octets, longest })}.`,
    )
    .with(
      { kind: 'notResolved' },
      ({ name, error, message }) => `The client cannot resolve ${name}: ${message} (${error}).`,
    )
    .with(
      { kind: 'failed' },
      ({ errno, afterNs, from }) =>
        `The client sees ${errno} after ${milliseconds(afterNs)}${from === undefined ? '' : `, told by ${formatIp(from)}`}.`,
    )
    .with(
      { kind: 'noAnswer' },
      ({ peer, afterNs }) => `The client hears nothing from ${describePeer(peer)} within ${milliseconds(afterNs)}.`,
    )
    .exhaustive()

function firstLine(text: string, { octets, longest }: { octets: number; longest: number }): string {
  const line = /^[\x20-\x7e]+/.exec(text)?.[0] ?? ''
  return line === '' ? `${octets} octets` : `"${cutMiddle(line, longest)}"`
}

/** The pod's name in a pod's namespace, the machine's in its own. */
const placeName = (host: string, netns: string): string => (netns === 'root' ? host : netns)

// ------------------------------------------------------------------------------------------------ the rest

/** The packets of the same flow after the first two, and what they made happen. */
function restLines({ packets, request, reply }: Conversation, how: TextOptions): readonly string[] {
  if (request === undefined) return []
  const port = portsOf(request.sent)?.[0]
  const family = new Set([request.packet])
  const later: Trace[] = []
  for (const trace of packets) {
    const ports = portsOf(trace.sent)
    const sameFlow = trace.packet > request.packet && port !== undefined && ports?.includes(port) === true
    if (!sameFlow && !(trace.cause !== undefined && family.has(trace.cause))) continue
    family.add(trace.packet)
    if (trace.packet !== reply?.packet) later.push(trace)
  }
  if (later.length === 0) return []
  const shown = later.slice(0, how.detail === 'normal' ? 8 : later.length)
  const rows = shown.map((trace) => [
    ` ${milliseconds(trace.hops[0]?.steps[0]?.at ?? 0)}`,
    cutMiddle(summaryOf(trace.sent), Math.max(how.width - 20, 30)),
    trace.disposition.kind,
  ])
  const more = later.length - shown.length
  return ['', how.paint.heading('THEN'), ...table(rows), ...(more > 0 ? [` and ${more} more (-v lists all)`] : [])]
}

const portsOf = ({ payload }: Trace['sent']): readonly number[] | undefined =>
  'srcPort' in payload ? [payload.srcPort, payload.dstPort] : undefined

function whyLines({ why }: Conversation, how: TextOptions): readonly string[] {
  const lines = why.flatMap(({ text }) => labelled('Why', text, { indent: 9, width: how.width }))
  return lines.length === 0 ? [] : ['', ...lines]
}

/** What is missing on the way, and why. */
function refusalLines({ refusals }: Conversation, how: TextOptions): readonly string[] {
  const lines = refusals.flatMap(({ node, command, answer, reason }) =>
    labelled('Missing', `on ${node}: \`${command}\` was answered "${answer}". ${reason}`, {
      indent: 9,
      width: how.width,
    }),
  )
  return lines.length === 0 ? [] : ['', ...lines]
}

function policyLines({ policies }: Conversation, how: TextOptions): readonly string[] {
  if (policies.length === 0) return []
  const lines = policies.map(({ policy, source, says, enforced, enforcer }) => {
    const where = source === undefined ? '' : ` (${source})`
    const effect =
      enforced === 'yes'
        ? `enforced by ${enforcer}`
        : enforced === 'no'
          ? `but ${enforcer}`
          : `enforced by ${enforcer}, not modelled`
    return `${policy}${where}: ${says}; ${effect}`
  })
  return ['', ...lines.flatMap((line) => labelled('Policy', line, { indent: 9, width: how.width }))]
}

/** Assumptions shown without being asked for more. */
const FEW = 6

function assumptionLines({ assumptions }: Conversation, how: TextOptions): readonly string[] {
  const shown = how.detail === 'normal' ? assumptions.slice(0, FEW) : assumptions
  const more = assumptions.length - shown.length
  const texts = [
    ...shown.map((assumption) => assumption.text),
    ...(more > 0 ? [`and ${more} more (-v lists all)`] : []),
  ]
  const lines = texts.flatMap((text, i) => labelled(i === 0 ? 'Assumed' : '', text, { indent: 9, width: how.width }))
  return lines.length === 0 ? [] : ['', ...lines]
}
