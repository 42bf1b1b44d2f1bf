import { isSubdomain, labelsOf, leftOf, lowerName } from '../../../name.ts'
import { RCODE, type ResourceRecord } from '../../../record.ts'
import { svcbTarget } from '../../../svcb.ts'
import type { Request, Serving } from '../../plugin.ts'
import { lookUp } from '../../request.ts'
import type { ZoneData } from './zone.ts'

/** What a zone says to a question (plugin/file/lookup.go). */
export interface Lookup {
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
  readonly result: 'success' | 'nameError' | 'delegation' | 'noData' | 'failure'
  /** A wildcard the answer was made from. */
  readonly wildcard?: string
}

type Types = ReadonlyMap<string, readonly ResourceRecord[]>

/** Aliases followed inside the zone, and questions to the server itself, before it gives up. */
const MAX_ALIASES = 8

const lookup = (
  result: Lookup['result'],
  answers: readonly ResourceRecord[] = [],
  more: Partial<Pick<Lookup, 'authorities' | 'additionals'>> = {},
): Lookup => ({ result, answers, authorities: [], additionals: [], ...more })

const FAILURE = lookup('failure')

/** Zone.Lookup. */
export function* lookUpInZone(zone: ZoneData, request: Request): Serving<Lookup> {
  const { name, question, depth } = request
  const { type } = question
  const { soa } = zone
  if (!soa) return FAILURE
  if (name === zone.origin && type === 'SOA') return lookup('success', [soa], { authorities: zone.ns })
  if (name === zone.origin && type === 'NS') return lookup('success', zone.ns, { additionals: glueOf(zone, zone.ns) })
  if (depth > MAX_ALIASES) return FAILURE
  const wantsDs = request.message.edns?.dnssecOk ?? false
  let wildcard: string | undefined
  let found: Types | undefined
  for (const part of namesFromRight(name, zone.origin)) {
    found = zone.names.get(part)
    if (!found) {
      const asterisk = withAsterisk(part)
      if (zone.names.has(asterisk) || zone.parents.has(asterisk)) wildcard = asterisk
      continue
    }
    const dname = found.get('DNAME')?.[0]
    if (dname?.type === 'DNAME') {
      const alias = synthesizedAlias(name, dname)
      if (alias) return yield* throughDname({ zone, request }, dname, alias)
    }
    const referral = delegation(zone, { types: found, owner: part, name, type, wantsDs })
    if (referral) return referral
  }
  if (found) return yield* exact({ zone, request }, found)
  if (wildcard !== undefined && !hasCloserParent(zone, name, wildcard))
    return yield* fromWildcard({ zone, request }, wildcard)
  return lookup(zone.parents.has(name) ? 'success' : 'nameError', [], { authorities: [soa] })
}

interface Asked {
  readonly zone: ZoneData
  readonly request: Request
}

/** The zone, then each name below it on the way to `name`. */
function namesFromRight(name: string, origin: string): readonly string[] {
  const left = leftOf(name, origin)
  const labels = left === '' ? [] : labelsOf(`${left}.`)
  const below = labels.map((_, i) => {
    const part = labels.slice(labels.length - 1 - i).join('.')
    return origin === '.' ? `${part}.` : `${part}.${origin}`
  })
  return [origin, ...below]
}

function withAsterisk(name: string): string {
  const labels = labelsOf(name)
  return labels.length === 0 ? '' : `*.${labels.slice(1).join('.')}${labels.length > 1 ? '.' : ''}`
}

function* exact({ zone, request }: Asked, types: Types): Serving<Lookup> {
  const { type } = request.question
  const aliases = types.get('CNAME')
  if (aliases && type !== 'CNAME') return yield* followed({ zone, request: deeper(request) }, aliases)
  const records = types.get(type) ?? []
  if (records.length === 0) return noData(zone)
  return lookup('success', records, { authorities: zone.ns, additionals: targetAddresses(zone, records) })
}

const deeper = (request: Request): Request => ({ ...request, depth: request.depth + 1 })

const noData = ({ soa }: ZoneData): Lookup => lookup('noData', [], { authorities: soa ? [soa] : [] })

function* fromWildcard({ zone, request }: Asked, wildcard: string): Serving<Lookup> {
  const { type } = request.question
  const types = zone.names.get(wildcard)
  if (!types) return noData(zone)
  const named = (records: readonly ResourceRecord[] = []) =>
    records.map((record) => ({ ...record, name: request.name }))
  const aliases = named(types.get('CNAME'))
  if (aliases.length > 0 && type !== 'CNAME')
    return { ...(yield* followed({ zone, request: deeper(request) }, aliases)), wildcard }
  const records = named(types.get(type))
  if (records.length === 0) return { ...noData(zone), wildcard }
  const additionals = targetAddresses(zone, records)
  return { ...lookup('success', records, { authorities: zone.ns, additionals }), wildcard }
}

/** A name between the wildcard's parent and the question that has names below it (RFC 4592). */
function hasCloserParent(zone: ZoneData, name: string, wildcard: string): boolean {
  const parent = wildcard.slice(2)
  const labels = labelsOf(name)
  for (let i = 1; i < labels.length; i++) {
    const above = `${labels.slice(i).join('.')}.`
    if (above === parent || !isSubdomain(parent === '' ? '.' : parent, above)) return false
    if (zone.parents.has(above)) return true
  }
  return false
}

type Alias = ResourceRecord & { readonly type: 'CNAME' }

/** RFC 6672: what stands left of the owner, in front of the target. */
function synthesizedAlias(name: string, dname: ResourceRecord & { type: string; target: string }): Alias | undefined {
  if (name === dname.name || !isSubdomain(dname.name, name)) return undefined
  const left = leftOf(name, dname.name)
  const target = dname.target === '.' ? `${left}.` : `${left}.${dname.target}`
  return { name, ttl: dname.ttl, class: 'IN', type: 'CNAME', target }
}

function* throughDname({ zone, request }: Asked, dname: ResourceRecord, alias: Alias): Serving<Lookup> {
  if (lowerName(alias.name) === lowerName(alias.target)) return FAILURE
  const found =
    request.question.type === 'CNAME'
      ? lookup('success', [alias], { authorities: zone.ns })
      : yield* followed({ zone, request: deeper(request) }, [alias])
  return { ...found, answers: [dname, ...found.answers] }
}

/** Zone.externalLookup: aliases as far as this zone has them, the rest asked of the server itself. */
function* followed({ zone, request }: Asked, aliases: readonly ResourceRecord[]): Serving<Lookup> {
  const { type } = request.question
  const answers = [...aliases]
  let alias = aliases[0]
  for (let i = 0; alias?.type === 'CNAME'; i++) {
    const { target } = alias
    const types = zone.names.get(lowerName(target))
    const wantsDs = request.message.edns?.dnssecOk ?? false
    const referral = delegationOn(zone, { name: target, type, types, wantsDs })
    if (referral) return { ...referral, answers }
    if (!types || type === 'NS' || (type === 'SOA' && target === zone.origin)) {
      const { records, result } = yield* elsewhere(request, target)
      answers.push(...records)
      const authorities = result === 'nameError' || result === 'noData' ? soaOf(zone) : zone.ns
      return lookup(result, answers, { authorities, additionals: targetAddresses(zone, answers) })
    }
    const next = types.get('CNAME')
    if (!next) {
      answers.push(...(types.get(type) ?? []))
      break
    }
    const [first] = next
    if (first?.type === 'CNAME' && lowerName(first.name) === lowerName(first.target)) return FAILURE
    answers.push(...next)
    if (i >= MAX_ALIASES) break
    alias = first
  }
  return lookup('success', answers, { authorities: zone.ns, additionals: targetAddresses(zone, answers) })
}

const soaOf = ({ soa }: ZoneData): readonly ResourceRecord[] => (soa ? [soa] : [])

function* elsewhere(
  request: Request,
  target: string,
): Serving<{ readonly records: readonly ResourceRecord[]; readonly result: Lookup['result'] }> {
  const reply = yield* lookUp(request, target)
  if (!reply) return { records: [], result: 'success' }
  const { rcode, answers } = reply
  if (rcode === RCODE.NXDOMAIN) return { records: answers, result: 'nameError' }
  if (rcode === RCODE.SERVFAIL) return { records: answers, result: 'failure' }
  return { records: answers, result: rcode === RCODE.NOERROR && answers.length === 0 ? 'noData' : 'success' }
}

/** The first zone cut between the zone and an alias's target. */
function delegationOn(
  zone: ZoneData,
  state: { readonly name: string; readonly type: string; readonly types: Types | undefined; readonly wantsDs: boolean },
): Lookup | undefined {
  const { name, types } = state
  if (!isSubdomain(zone.origin, name)) return undefined
  for (const part of namesFromRight(lowerName(name), zone.origin).slice(1)) {
    const own = part === lowerName(name) ? types : zone.names.get(part)
    const referral = own && delegation(zone, { ...state, types: own, owner: part })
    if (referral) return referral
  }
  return undefined
}

/** A name with NS records is another zone; only its DS records are this zone's. */
function delegation(
  zone: ZoneData,
  state: {
    readonly types: Types
    readonly owner: string
    readonly name: string
    readonly type: string
    /** The query has DO. */
    readonly wantsDs: boolean
  },
): Lookup | undefined {
  const ns = state.types.get('NS')
  if (!ns || (state.type === 'DS' && state.owner === state.name)) return undefined
  const ds = state.wantsDs ? (state.types.get('DS') ?? []) : []
  return lookup('delegation', [], { authorities: [...ns, ...ds], additionals: glueOf(zone, ns) })
}

/** Addresses of name servers that lie inside what they serve. */
function glueOf(zone: ZoneData, servers: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return servers.flatMap((server) =>
    server.type === 'NS' && isSubdomain(server.name, server.target) ? addressesOf(zone, server.target) : [],
  )
}

function addressesOf({ names }: ZoneData, name: string): readonly ResourceRecord[] {
  const types = names.get(lowerName(name))
  return types ? [...(types.get('A') ?? []), ...(types.get('AAAA') ?? [])] : []
}

/** Addresses of the targets of MX, SRV, SVCB and HTTPS records, each target once. */
function targetAddresses(zone: ZoneData, answers: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const targets = new Set<string>()
  for (const record of answers) {
    const target =
      record.type === 'SRV'
        ? record.target
        : record.type === 'MX'
          ? record.exchange
          : record.type === 'other'
            ? svcbTarget(record.code, record.bytes)
            : undefined
    if (target !== undefined && isSubdomain(zone.origin, target)) targets.add(lowerName(target))
  }
  return [...targets].flatMap((target) => addressesOf(zone, target))
}
