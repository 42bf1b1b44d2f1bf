import type { Ip } from '../../packet/ip.ts'
import { formatIp } from '../../packet/ip.ts'
import { type Message, replyTo } from '../message.ts'
import { fqdn, isSubdomain, joinName, lowerName } from '../name.ts'
import { RCODE, type ResourceRecord } from '../record.ts'
import type { Request, Serving } from './plugin.ts'
import { lookUp, withQuestion } from './request.ts'

/**
 * Records made from services, as CoreDNS makes them for the kubernetes and k8s_external plugins
 * (plugin/backend_lookup.go): a backend finds entries for a name, these functions turn them into records.
 */

/** What a backend found (etcd/msg.Service). */
export interface Entry {
  readonly host: EntryHost
  /** -1: there is none, and no SRV record is made. */
  readonly port: number
  readonly ttl: number
  /** The name that SRV and NS records point to. */
  readonly owner: string
  readonly object?: EntryObject
}

export type EntryHost =
  | { readonly kind: 'address'; readonly ip: Ip }
  | { readonly kind: 'alias'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string }

/** The API object an entry comes from. */
export interface EntryObject {
  readonly name: string
  readonly source?: string
}

/** The name does not exist: NXDOMAIN, or on to the next plugin. */
export interface NameError {
  readonly kind: 'nameError'
  readonly why: string
}

export type Entries =
  | {
      readonly kind: 'entries'
      readonly entries: readonly Entry[]
      /** The name is an object's, not only a node above such names. */
      readonly isObject: boolean
      readonly why?: string
    }
  | NameError

export const entries = (list: readonly Entry[], why?: string): Entries => ({
  kind: 'entries',
  entries: list,
  isObject: true,
  ...(why !== undefined && { why }),
})
/** A name that only has names below it: the zone, a namespace. */
export const emptyNode = (why: string): Entries => ({ kind: 'entries', entries: [], isObject: false, why })
export const nameError = (why: string): NameError => ({ kind: 'nameError', why })

export interface ServiceBackend {
  /** The entries of a name (lower case) and type; `zone` has the case of the query. */
  services(question: { readonly name: string; readonly type: string }, zone: string): Entries
  reverse(name: string, zone: string): Entries
  readonly minTtl: number
  /** Of the zone's SOA. */
  serialOf(zone: string): number
}

/** A question inside one zone. */
export interface Asked {
  readonly request: Request
  readonly zone: string
}

export type Found =
  | {
      readonly kind: 'found'
      readonly answers: readonly ResourceRecord[]
      readonly additionals: readonly ResourceRecord[]
      readonly truncated: boolean
      readonly objects: readonly EntryObject[]
      readonly why?: string
    }
  | NameError

/** Aliases followed inside a zone before one is left out (maxCnameChainLength). */
const MAX_ALIASES = 10

/** A, AAAA or TXT records of a name, aliases followed: inside the zone here, others through the server itself. */
export function* addresses(
  backend: ServiceBackend,
  asked: Asked,
  previous: readonly ResourceRecord[] = [],
): Serving<Found> {
  const { request, zone } = asked
  const { name, question } = request
  const listed = backend.services({ name, type: question.type }, zone)
  if (listed.kind === 'nameError') return listed
  const answers: ResourceRecord[] = []
  const objects: EntryObject[] = []
  const seen = new Set<string>()
  let truncated = false
  for (const entry of listed.entries) {
    if (entry.host.kind === 'alias') {
      const alias = aliasRecord(question.name, entry.host.name, entry.ttl)
      if (isSubdomain(name, alias.target) || previous.length > MAX_ALIASES || isDuplicateAlias(alias, previous))
        continue
      if (entry.object) objects.push(entry.object)
      if (isSubdomain(zone, alias.target)) {
        const next = yield* addresses(backend, { request: withQuestion(request, alias.target), zone }, [
          ...previous,
          alias,
        ])
        if (next.kind !== 'found') continue
        if (next.answers.length > 0) answers.push(alias, ...next.answers)
        objects.push(...next.objects)
        truncated ||= next.truncated
        continue
      }
      const reply = yield* lookUp(request, alias.target)
      if (!reply) continue
      truncated ||= reply.flags.truncated
      answers.push(alias, ...reply.answers)
      continue
    }
    const record = directRecord(question, entry)
    if (!record || seen.has(record.key)) continue
    seen.add(record.key)
    answers.push(record.record)
    if (entry.object) objects.push(entry.object)
  }
  return {
    kind: 'found',
    answers,
    additionals: [],
    truncated,
    objects,
    ...(listed.why !== undefined && { why: listed.why }),
  }
}

type Alias = ResourceRecord & { readonly type: 'CNAME' | 'NS' | 'PTR' | 'DNAME' }

const aliasRecord = (name: string, target: string, ttl: number): Alias => ({
  name,
  ttl,
  class: 'IN',
  type: 'CNAME',
  target: fqdn(target),
})

/** dnsutil.DuplicateCNAME: the target has been passed on the way. */
const isDuplicateAlias = (alias: Alias, previous: readonly ResourceRecord[]): boolean =>
  previous.some((record) => record.type === 'CNAME' && lowerName(record.target) === lowerName(alias.target))

function directRecord(
  question: { readonly name: string; readonly type: string },
  { host, ttl }: Entry,
): { readonly key: string; readonly record: ResourceRecord } | undefined {
  const head = { name: question.name, ttl, class: 'IN' }
  if (host.kind === 'text' && question.type === 'TXT')
    return { key: host.text, record: { ...head, type: 'TXT', strings: [new TextEncoder().encode(host.text)] } }
  if (host.kind !== 'address') return undefined
  const type = host.ip.family === 4 ? 'A' : 'AAAA'
  if (type !== question.type) return undefined
  return { key: formatIp(host.ip), record: { ...head, type, address: host.ip } }
}

/** The weight of each of so many targets, in the two steps in floating point that CoreDNS takes. */
export const sharedWeight = (total: number): number => Math.max(Math.floor((100 / (100 * total)) * 100), 1)

/** SRV records: one per target and port; the weight is shared out among all that match. */
export function srvRecords(backend: ServiceBackend, { request, zone }: Asked): Found {
  const listed = backend.services({ name: request.name, type: 'SRV' }, zone)
  if (listed.kind === 'nameError') return listed
  const total = listed.entries.length
  const answers: ResourceRecord[] = []
  const additionals: ResourceRecord[] = []
  const objects: EntryObject[] = []
  const seen = new Set<string>()
  for (const entry of listed.entries) {
    if (entry.port === -1 || entry.host.kind !== 'address') continue
    const weight = sharedWeight(total)
    const { ip } = entry.host
    const head = { ttl: entry.ttl, class: 'IN' }
    if (isFirst(seen, `${entry.owner} ${entry.port}`))
      answers.push({
        ...head,
        name: request.question.name,
        type: 'SRV',
        priority: 0,
        weight,
        port: entry.port,
        target: entry.owner,
      })
    if (isFirst(seen, `${entry.owner} ${formatIp(ip)}`))
      additionals.push({ ...head, name: entry.owner, type: ip.family === 4 ? 'A' : 'AAAA', address: ip })
    if (entry.object) objects.push(entry.object)
  }
  return { kind: 'found', answers, additionals, truncated: false, objects }
}

function isFirst(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false
  seen.add(key)
  return true
}

/** The alias itself. */
export function cnameRecords(backend: ServiceBackend, { request, zone }: Asked): Found {
  const listed = backend.services({ name: request.name, type: 'CNAME' }, zone)
  if (listed.kind === 'nameError') return listed
  const [first] = listed.entries
  const answers = first?.host.kind === 'alias' ? [aliasRecord(request.question.name, first.host.name, first.ttl)] : []
  return { kind: 'found', answers, additionals: [], truncated: false, objects: first?.object ? [first.object] : [] }
}

export function ptrRecords(backend: ServiceBackend, { request, zone }: Asked): Found {
  const listed = backend.reverse(request.name, zone)
  if (listed.kind === 'nameError') return listed
  const answers: ResourceRecord[] = []
  const objects: EntryObject[] = []
  const seen = new Set<string>()
  for (const { host, ttl, object } of listed.entries) {
    if (host.kind !== 'alias' || !isFirst(seen, host.name)) continue
    answers.push({ name: request.question.name, ttl, class: 'IN', type: 'PTR', target: fqdn(host.name) })
    if (object) objects.push(object)
  }
  return { kind: 'found', answers, additionals: [], truncated: false, objects }
}

/** NS records of the zone, with their addresses. */
export function nsRecords(backend: ServiceBackend, { request, zone }: Asked): Found {
  const listed = backend.services({ name: joinName('ns.dns', lowerName(zone)), type: 'NS' }, zone)
  if (listed.kind === 'nameError') return listed
  const answers: ResourceRecord[] = []
  const additionals: ResourceRecord[] = []
  const seen = new Set<string>()
  for (const { host, ttl, owner } of listed.entries) {
    if (host.kind !== 'address') continue
    const type = host.ip.family === 4 ? 'A' : 'AAAA'
    additionals.push({ name: owner, ttl, class: 'IN', type, address: host.ip })
    if (isFirst(seen, owner)) answers.push({ name: request.question.name, ttl, class: 'IN', type: 'NS', target: owner })
  }
  return { kind: 'found', answers, additionals, truncated: false, objects: [] }
}

/** The zone's SOA: mname `ns.dns.<zone>`, fixed timers, TTL at most 300. */
export function soaRecord(backend: ServiceBackend, zone: string): ResourceRecord {
  return {
    name: zone,
    ttl: Math.min(backend.minTtl, 300),
    class: 'IN',
    type: 'SOA',
    mname: joinName('ns.dns', zone),
    rname: joinName('hostmaster', zone),
    serial: backend.serialOf(zone),
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: backend.minTtl,
  }
}

/** A reply without records: the SOA in the authority section (BackendError). */
export function negativeReply(
  backend: ServiceBackend,
  { request, zone }: Asked,
  rcode: number = RCODE.NOERROR,
): Message {
  const reply = replyTo(request.message, rcode)
  return { ...reply, flags: { ...reply.flags, authoritative: true }, authorities: [soaRecord(backend, zone)] }
}
