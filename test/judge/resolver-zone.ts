import { type Message, replyTo } from '../../dns/message.ts'
import { labelsOf, lowerName } from '../../dns/name.ts'
import { RCODE, type ResourceRecord } from '../../dns/record.ts'
import { parseRecord } from '../../dns/record-text.ts'
import { type Answerer, recordOf } from '../dns/scripted-server.ts'

/** What a name answers in transcripts.json; `about` there says what each field does. */
export interface ZoneEntry {
  readonly A?: readonly string[]
  readonly AAAA?: readonly string[]
  readonly rcode?: number
  readonly rcode_A?: number
  readonly rcode_AAAA?: number
  readonly drop?: boolean
  readonly drop_A?: boolean
  readonly drop_AAAA?: boolean
  readonly drop_first_A?: boolean
  readonly drop_first_AAAA?: boolean
  readonly tc?: boolean
}

export type Zone = Readonly<Record<string, ZoneEntry>>

/** The server of the transcripts. It says RA, as a resolver does. */
export function transcriptAnswerer(zone: Zone, override: ZoneEntry): Answerer {
  const asked = new Map<string, number>()
  return (query, transport) => {
    const [question] = query.questions
    if (!question) return undefined
    const type = question.type as 'A' | 'AAAA'
    const found = entryOf(zone, lowerName(question.name))
    const entry: ZoneEntry = { ...found, ...override }
    const turn = (asked.get(`${question.name} ${type}`) ?? 0) + 1
    asked.set(`${question.name} ${type}`, turn)
    if (entry.drop || entry[`drop_${type}`] || (entry[`drop_first_${type}`] && turn === 1)) return undefined
    const empty = replyTo(query)
    // What the fake server of the recording was like is told by what tools print of it.
    const reply = { ...empty, flags: { ...empty.flags, authoritative: true, recursionAvailable: true } }
    const rcode = entry.rcode ?? entry[`rcode_${type}`]
    if (rcode !== undefined) return { ...reply, rcode }
    if (entry.tc && transport === 'udp') return { ...reply, flags: { ...reply.flags, truncated: true } }
    if (!found) return { ...reply, rcode: RCODE.NXDOMAIN }
    return { ...reply, answers: addressRecords(question.name, question.type, entry) }
  }
}

function addressRecords(name: string, type: string, entry: ZoneEntry): readonly ResourceRecord[] {
  const texts = type === 'A' ? entry.A : type === 'AAAA' ? entry.AAAA : undefined
  return (texts ?? []).map((text) => recordOf(`${name} 60 IN ${type} ${text}`))
}

function entryOf(zone: Zone, name: string): ZoneEntry | undefined {
  const exact = zone[name]
  if (exact) return exact
  if (Object.keys(zone).some((other) => other.endsWith(`.${name}`))) return {}
  const labels = labelsOf(name)
  for (let i = 1; i < labels.length; i++) {
    const wildcard = zone[`*.${labels.slice(i).join('.')}.`]
    if (wildcard) return wildcard
  }
  return undefined
}

const SOA = recordOf('. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5')

/** The server of the sequences: authoritative, with a SOA in what it has not. */
export function sequenceAnswerer(zone: Readonly<Record<string, string>>, behave: ZoneEntry): Answerer {
  const plain = Object.fromEntries(
    Object.entries(zone)
      .filter(([name]) => name.endsWith('.'))
      .map(([name, text]) => [
        name,
        text.split(', ').map((one) => `${name} 5 IN ${one.startsWith('PTR') ? `${one}.` : one}`),
      ]),
  )
  return (query, transport) => {
    const [question] = query.questions
    if (!question) return undefined
    const { name, type } = question
    if (behave.drop || (behave.drop_AAAA && type === 'AAAA')) return undefined
    const empty = replyTo(query)
    const reply: Message = {
      ...empty,
      flags: { ...empty.flags, authoritative: true, recursionAvailable: true },
      ...(query.edns && { edns: { size: 1232, version: 0, dnssecOk: false, options: [] } }),
    }
    if (behave.rcode !== undefined)
      return { ...reply, rcode: behave.rcode, authorities: behave.rcode === RCODE.NXDOMAIN ? [SOA] : [] }
    if (behave.tc && transport === 'udp') return { ...reply, flags: { ...reply.flags, truncated: true } }
    const lines = plain[lowerName(name)]
    const below = Object.keys(plain).some((other) => other.endsWith(`.${lowerName(name)}`))
    if (!lines && !below) return { ...reply, rcode: RCODE.NXDOMAIN, authorities: [SOA] }
    const answers = (lines ?? []).flatMap((line) => {
      const record = parseRecord(line)
      return record.ok && record.value.type === type ? [{ ...record.value, name }] : []
    })
    return answers.length > 0 ? { ...reply, answers } : { ...reply, authorities: [SOA] }
  }
}
