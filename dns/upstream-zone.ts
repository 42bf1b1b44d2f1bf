import { type Parsed, parsed } from '../packet/parsed.ts'
import { type Message, replyTo } from './message.ts'
import { encodeMessage } from './message-encode.ts'
import { encodeToFit } from './message-fit.ts'
import { labelsOf, lowerName } from './name.ts'
import { RCODE, type ResourceRecord, typeOf } from './record.ts'
import { parseRecord } from './record-text.ts'

/**
 * The data of a resolver outside the cluster. It answers as a recursive resolver does that knows these records and
 * nothing else: RA set, aliases followed inside the data, NXDOMAIN with the nearest SOA for the rest.
 */
export interface UpstreamZone {
  /** By owner in lower case. */
  readonly records: ReadonlyMap<string, readonly ResourceRecord[]>
  /** Names that exist: owners, and all names above them. */
  readonly names: ReadonlySet<string>
  /** By name in lower case; `''` is for all names. */
  readonly behave: ReadonlyMap<string, Behaviour>
}

/** How a name is answered instead of from its records. */
export type Behaviour = (typeof BEHAVIOURS)[number]
export const BEHAVIOURS = [
  'SERVFAIL',
  'REFUSED',
  'NOTIMP',
  'FORMERR',
  'NXDOMAIN',
  'NXDOMAIN-bare',
  'NOERROR-bare',
  'drop',
  'tc',
  'oversize',
  'wrong-question',
] as const

const isBehaviour = (text: string): text is Behaviour => (BEHAVIOURS as readonly string[]).includes(text)

/** The OPT it answers with. */
const EDNS_SIZE = 1232
const MAX_ALIASES = 9
const ROOT_SOA = parseRecord(
  '. 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2024010100 1800 900 604800 86400',
)

/** Reads record lines and behaviours; what is wrong is told and left out. */
export function upstreamZone(
  lines: readonly string[],
  behave: Readonly<Record<string, string>> = {},
): { readonly zone: UpstreamZone; readonly problems: readonly string[] } {
  const problems: string[] = []
  const records = new Map<string, ResourceRecord[]>()
  const names = new Set<string>()
  for (const line of lines) {
    if (/^\s*(;.*)?$/.test(line)) continue
    const record = parseRecord(line)
    if (!record.ok) {
      problems.push(`"${line}": ${record.reason}`)
      continue
    }
    const owner = lowerName(record.value.name)
    const own = records.get(owner)
    if (own) own.push(record.value)
    else records.set(owner, [record.value])
    for (const name of withParents(owner)) names.add(name)
  }
  const behaviours = new Map<string, Behaviour>()
  for (const [name, text] of Object.entries(behave)) {
    if (text === '') continue
    if (isBehaviour(text))
      behaviours.set(name === '' || name.endsWith('.') ? lowerName(name) : `${lowerName(name)}.`, text)
    else problems.push(`"${text}" is not a behaviour: ${BEHAVIOURS.join(', ')}`)
  }
  return { zone: { records, names, behave: behaviours }, problems }
}

const withParents = (name: string): readonly string[] => {
  const labels = labelsOf(name)
  return labels.map((_, i) => `${labels.slice(i).join('.')}.`)
}

/** The octets of a reply; undefined where none is sent. */
export function answerUpstream(
  zone: UpstreamZone,
  query: Message,
  transport: 'udp' | 'tcp',
): Parsed<Uint8Array> | undefined {
  const question = query.questions[0]
  if (!question) return undefined
  const behaviour = zone.behave.get(lowerName(question.name)) ?? zone.behave.get('')
  const reply = replyFor(zone, query, { behaviour, transport })
  if (!reply) return undefined
  if (behaviour === 'oversize') return encodeMessage(reply)
  const size = transport === 'tcp' ? 0xffff : Math.max(query.edns?.size ?? 512, 512)
  const fitted = encodeToFit(reply, size, 0)
  return fitted.ok ? parsed(fitted.value.bytes) : fitted
}

function replyFor(
  zone: UpstreamZone,
  query: Message,
  how: { readonly behaviour: Behaviour | undefined; readonly transport: 'udp' | 'tcp' },
): Message | undefined {
  const [question] = query.questions
  if (!question) return undefined
  const empty = replyTo(query)
  const base: Message = {
    ...empty,
    flags: { ...empty.flags, recursionAvailable: true },
    ...(query.edns && { edns: { size: EDNS_SIZE, version: 0, dnssecOk: query.edns.dnssecOk, options: [] } }),
  }
  switch (how.behaviour) {
    case 'drop':
      return undefined
    case 'SERVFAIL':
    case 'REFUSED':
    case 'NOTIMP':
    case 'FORMERR':
      return { ...base, rcode: RCODE[how.behaviour] }
    case 'NXDOMAIN':
      return { ...base, rcode: RCODE.NXDOMAIN, authorities: soaAbove(zone, question.name) }
    case 'NXDOMAIN-bare':
      return { ...base, rcode: RCODE.NXDOMAIN }
    case 'NOERROR-bare':
      return base
    case 'tc':
      if (how.transport === 'udp') return { ...base, flags: { ...base.flags, truncated: true } }
      break
    case 'wrong-question':
      return { ...resolved(zone, base, question), questions: [{ ...question, name: 'wrong.example.' }] }
  }
  return resolved(zone, base, question)
}

/** Follows aliases from the question's name. */
function resolved(
  zone: UpstreamZone,
  base: Message,
  question: { readonly name: string; readonly type: string },
): Message {
  const answers: ResourceRecord[] = []
  let name = question.name
  for (let i = 0; i <= MAX_ALIASES; i++) {
    const found = recordsAt(zone, name)
    if (!found) return { ...base, rcode: RCODE.NXDOMAIN, answers, authorities: soaAbove(zone, name) }
    const wanted = found.filter((record) => question.type === 'ANY' || typeOf(record) === question.type)
    if (wanted.length > 0) return { ...base, answers: [...answers, ...wanted.map((record) => ({ ...record, name }))] }
    const alias = found.find((record) => record.type === 'CNAME')
    if (alias?.type !== 'CNAME') return { ...base, answers, authorities: soaAbove(zone, name) }
    answers.push({ ...alias, name })
    name = alias.target
  }
  return { ...base, answers }
}

/** Exactly, else the nearest wildcard; undefined where the name does not exist. */
function recordsAt(zone: UpstreamZone, name: string): readonly ResourceRecord[] | undefined {
  const wanted = lowerName(name)
  const exact = zone.records.get(wanted)
  if (exact) return exact
  if (zone.names.has(wanted)) return []
  const labels = labelsOf(wanted)
  for (let i = 1; i < labels.length; i++) {
    const wildcard = zone.records.get(`*.${labels.slice(i).join('.')}.`)
    if (wildcard) return wildcard
  }
  return undefined
}

function soaAbove(zone: UpstreamZone, name: string): readonly ResourceRecord[] {
  for (const parent of [...withParents(lowerName(name)), '.']) {
    const soa = zone.records.get(parent)?.find((record) => record.type === 'SOA')
    if (soa) return [soa]
  }
  return ROOT_SOA.ok ? [ROOT_SOA.value] : []
}
