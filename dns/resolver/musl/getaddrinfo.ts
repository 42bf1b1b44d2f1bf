import type { Family, Ip } from '../../../packet/ip.ts'
import { decodeMessage } from '../../message-decode.ts'
import { countDots, fqdn, withoutFinalDot } from '../../name.ts'
import { RCODE, rcodeName } from '../../record.ts'
import { MUSL_POLICY, sortedDestinations } from '../address-order.ts'
import { readEtc } from '../etc.ts'
import { noteDecision } from '../exchange.ts'
import { parseHostsFile } from '../hosts-file.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { numericHost } from '../numeric-host.ts'
import { noteBegun, noteCandidate, noted, noteSource } from '../told.ts'
import { muslQuery, type RawQuery } from './query.ts'
import { type MuslConf, parseMuslConf } from './resolv-conf.ts'
import { msend } from './send.ts'
import { MUSL_MESSAGE, type MuslVersion, SINCE } from './version.ts'

/** getaddrinfo(3) of musl: src/network/getaddrinfo.c and lookup_name.c. */
export const muslGetaddrinfoOf = (name: string, version: MuslVersion, about: string): Resolver => ({
  name,
  about,
  *lookup(io, request) {
    return noted(io, request.name, yield* resolve(io, request, version))
  },
})

const MAX_NAME = 254
const MAX_ADDRESSES = 48

interface Asking {
  readonly io: LookupIo
  readonly conf: MuslConf
  readonly families: readonly Family[]
  readonly version: MuslVersion
}

/** What one name came to; undefined: it is not there, and the search goes on. */
type Found = LookupOutcome | undefined

function* resolve(io: LookupIo, request: LookupRequest, version: MuslVersion): Waiting<LookupOutcome> {
  const { name } = request
  const families = wantedFamilies(io, request, version)
  const otherFamily = failed(version >= SINCE.tcp ? 'EAI_NODATA' : 'EAI_NONAME')
  if (name === '' || name.length > MAX_NAME) return failed('EAI_NONAME')
  if (families.length === 0) return otherFamily
  const literal = numericHost(name)
  if (literal) {
    noteSource(io, 'literal address', name, [literal])
    return families.includes(literal.family) ? ok([literal], name) : otherFamily
  }
  const file = fromHostsFile(io, request, { families, version })
  if (file) return file
  const conf = parseMuslConf(readEtc(io, request, 'resolv.conf'))
  const asking = { io, conf, families, version }
  noteBegun(io, { ...conf, resolver: 'musl', name, types: families.map(typeOf) })
  const outcome = yield* search(asking, name)
  return outcome.ok ? { ...outcome, addresses: sorted(io, outcome.addresses, families) } : outcome
}

const typeOf = (family: Family): string => (family === 4 ? 'A' : 'AAAA')

/** With AI_ADDRCONFIG a family counts whose loopback address can be reached: it has any address at all. */
function wantedFamilies(io: LookupIo, request: LookupRequest, version: MuslVersion): readonly Family[] {
  const asked: readonly Family[] = request.family === 'unspec' ? [4, 6] : [request.family]
  if (!request.addrConfig || version < SINCE.addrConfig) return asked
  const own = new Set(io.addresses().map(({ family }) => family))
  return asked.filter((family) => own.has(family))
}

interface Wanted {
  readonly families: readonly Family[]
  readonly version: MuslVersion
}

/**
 * name_from_hosts: the name in its own letters, as a whole word behind the address. The canonical name is that of the
 * last line with an address of the family; since 1.2.4 that of the first line, whatever its family.
 */
function fromHostsFile(io: LookupIo, request: LookupRequest, { families, version }: Wanted): Found {
  const text = readEtc(io, request, 'hosts')
  if (text === undefined) return undefined
  const lines = parseHostsFile(text).filter(({ names }) => names.includes(request.name))
  const own = lines.filter(({ address }) => families.includes(address.family))
  const addresses = own.map(({ address }) => address)
  noteSource(io, '/etc/hosts', request.name, addresses)
  const recent = version >= SINCE.tcp
  if (own.length > 0) {
    const names = (recent ? [...lines].reverse() : own).flatMap(({ names }) => names.slice(0, 1))
    return ok(sorted(io, addresses, families), names.findLast(isHostname) ?? request.name)
  }
  // A line of the other family ends the lookup.
  return lines.length > 0 ? failed(recent ? 'EAI_NODATA' : 'EAI_NONAME') : undefined
}

/** name_from_dns_search: the list, unless there are dots enough; then the name as it is. */
function* search(asking: Asking, name: string): Waiting<LookupOutcome> {
  const { io, conf } = asking
  const dots = countDots(name)
  const trailing = name.endsWith('.')
  const bare = withoutFinalDot(name)
  if (bare === '' || bare.endsWith('.')) return failed('EAI_NONAME')
  const listed = dots < conf.ndots && !trailing
  if (listed)
    for (const [i, domain] of conf.search.entries()) {
      if (domain.length >= 255 - bare.length) continue
      const candidate = `${bare}.${domain}`
      noteCandidate(
        io,
        fqdn(candidate),
        `${dots} dots, ndots is ${conf.ndots}: search domain ${i + 1} of ${conf.search.length}`,
      )
      const outcome = yield* fromDns(asking, candidate, candidate)
      if (outcome) return outcome
    }
  const why = trailing ? 'it ends in a dot' : listed ? 'last' : `${dots} dots, ndots is ${conf.ndots}`
  noteCandidate(io, fqdn(name), `${why}: as it is${listed ? '' : ', and nothing else'}`)
  return (yield* fromDns(asking, name, bare)) ?? failed('EAI_NONAME')
}

/** name_from_dns. */
function* fromDns(asking: Asking, name: string, canonical: string): Waiting<Found> {
  const { io, version, families } = asking
  const queries: RawQuery[] = []
  for (const family of families) {
    const type = typeOf(family)
    const drawn = io.draw(`${name} ${type}`, 0x10000)
    // Since 1.2.4 the second id is made another one than the first.
    const id = version >= SINCE.tcp && drawn >> 8 === (queries[0]?.id ?? -1) >> 8 ? (drawn + 0x100) & 0xffff : drawn
    const query = muslQuery({ id, name, type }, version)
    if (!query) {
      noteDecision(io, name, 'the name cannot be put into a message', version >= SINCE.tcp ? 'go on' : 'give up')
      return version >= SINCE.tcp ? undefined : failed('EAI_NONAME')
    }
    queries.push(query)
  }
  const answers = yield* msend(io, { conf: asking.conf, queries, version })
  const problem = version >= SINCE.bothMustAnswer ? worst(answers) : undefined
  if (problem) return decided(asking, name, problem)
  // Since 1.2.4 AAAA is read before A; the last alias stays.
  const read = version >= SINCE.tcp ? [...answers].reverse() : answers
  const addresses = read.flatMap((answer) => addressesIn(answer, families[answers.indexOf(answer)] ?? 4))
  if (addresses.length > 0)
    return ok(addresses.slice(0, MAX_ADDRESSES), read.flatMap((answer) => aliasIn(answer) ?? []).at(-1) ?? canonical)
  if (version < SINCE.bothMustAnswer) {
    const first = worst(answers.slice(0, 1))
    if (first) return decided(asking, name, first)
  }
  const error = version >= SINCE.tcp ? 'EAI_NODATA' : 'EAI_NONAME'
  return decided(asking, name, { what: 'NODATA', outcome: failed(error) })
}

interface Problem {
  readonly what: string
  /** Absent: the name is not there. */
  readonly outcome?: LookupOutcome
}

/** The first answer in the order A, AAAA that is none. */
function worst(answers: readonly (Uint8Array | undefined)[]): Problem | undefined {
  for (const answer of answers) {
    if (answer === undefined) return { what: 'no usable reply in time', outcome: failed('EAI_AGAIN') }
    const rcode = (answer[3] ?? 0) & 0xf
    if (rcode === RCODE.SERVFAIL) return { what: 'SERVFAIL', outcome: failed('EAI_AGAIN') }
    if (rcode === RCODE.NXDOMAIN) return { what: 'NXDOMAIN' }
    if (rcode !== RCODE.NOERROR) return { what: rcodeName(rcode), outcome: failed('EAI_FAIL') }
  }
  return undefined
}

function decided({ io }: Asking, name: string, { what, outcome }: Problem): Found {
  noteDecision(io, fqdn(name), what, outcome ? 'give up' : 'try the next name')
  return outcome
}

/** dns_parse_callback: whatever stands in the answer section, whoever owns it. */
function addressesIn(answer: Uint8Array | undefined, family: Family): readonly Ip[] {
  const reply = answer && decodeMessage(answer)
  if (!reply?.ok || reply.value.rcode !== RCODE.NOERROR) return []
  return reply.value.answers.flatMap((record) =>
    (record.type === 'A' || record.type === 'AAAA') && record.address.family === family ? [record.address] : [],
  )
}

function aliasIn(answer: Uint8Array | undefined): string | undefined {
  const reply = answer && decodeMessage(answer)
  if (!reply?.ok) return undefined
  const targets = reply.value.answers.flatMap((record) =>
    record.type === 'CNAME' ? [withoutFinalDot(record.target)] : [],
  )
  return targets.findLast(isHostname)
}

/** is_valid_hostname. */
const isHostname = (name: string): boolean => name.length < MAX_NAME && /^[A-Za-z0-9.\u0080-\uffff-]+$/.test(name)

/** Only where more than one address is there, and one of IPv6 may be. */
function sorted(io: LookupIo, addresses: readonly Ip[], families: readonly Family[]): readonly Ip[] {
  if (addresses.length < 2 || !families.includes(6) || addresses.every(({ family }) => family === 4)) return addresses
  return sortedDestinations(addresses, io, MUSL_POLICY)
}

const ok = (addresses: readonly Ip[], canonicalName: string): LookupOutcome => ({ ok: true, addresses, canonicalName })

const failed = (error: LookupError): LookupOutcome => ({ ok: false, error, message: MUSL_MESSAGE[error] })
