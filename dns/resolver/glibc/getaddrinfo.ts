import { type Family, formatIp, type Ip, isLoopback } from '../../../packet/ip.ts'
import type { Message } from '../../message.ts'
import { lowerName, withoutFinalDot } from '../../name.ts'
import { GLIBC_POLICY, sortedDestinations } from '../address-order.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { numericHost } from '../numeric-host.ts'
import { parseResolvConf, type ResolvConf } from '../resolv-conf.ts'
import { type HostError, resSearch } from './search.ts'
import { newResState } from './send.ts'

/** The minor release of glibc 2.x that is followed where nothing says another. */
export const GLIBC = 36

/** getaddrinfo(3) of glibc: nss/getaddrinfo.c and nss_dns, 2.36. */
export const glibcGetaddrinfo: Resolver = { name: 'glibc', lookup: getaddrinfo }

/** gai_strerror(3). */
export const GAI_MESSAGE: Readonly<Record<LookupError, string>> = {
  EAI_NONAME: 'Name or service not known',
  EAI_NODATA: 'No address associated with hostname',
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_FAIL: 'Non-recoverable failure in name resolution',
  EAI_SYSTEM: 'System error',
  EAI_ADDRFAMILY: 'Address family for hostname not supported',
}

function* getaddrinfo(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const outcome = yield* resolve(io, request)
  io.note({
    kind: 'dns.result',
    name: request.name,
    addresses: outcome.ok ? outcome.addresses : [],
    ...(outcome.ok ? { canonicalName: outcome.canonicalName } : { error: `${outcome.error}: ${outcome.message}` }),
  })
  return outcome
}

function* resolve(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const { name } = request
  const families = wantedFamilies(io, request)
  if (families.length === 0 || name === '') return failed('EAI_NONAME')
  const literal = numericHost(name)
  if (literal) {
    io.note({ kind: 'dns.source', source: 'literal address', name, found: [formatIp(literal)] })
    return families.includes(literal.family) ? found([literal], name, io) : failed('EAI_ADDRFAMILY')
  }
  let last: LookupOutcome = failed('EAI_NONAME')
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const outcome = fromHostsFile(io, request, families)
      if (outcome) return outcome
    } else if (source === 'dns') {
      last = yield* fromDns(io, request, families)
      if (last.ok) return last
    } else io.note({ kind: 'dns.source', source: `nsswitch ${source} (not modelled)`, name, found: [] })
  }
  return last
}

/** With AI_ADDRCONFIG only families of which an address other than loopback is there; link-local ones count. */
function wantedFamilies(io: LookupIo, { family, addrConfig }: LookupRequest): readonly Family[] {
  const asked: readonly Family[] = family === 'unspec' ? [4, 6] : [family]
  if (!addrConfig) return asked
  const own = new Set(io.addresses().flatMap((ip) => (isLoopback(ip) ? [] : [ip.family])))
  const seen = asked.filter((f) => own.has(f))
  // With no address of either family an unspecified one stays unspecified.
  return seen.length === 0 && family === 'unspec' ? asked : seen
}

function fromHostsFile(io: LookupIo, request: LookupRequest, families: readonly Family[]): LookupOutcome | undefined {
  const text = readEtc(io, request, 'hosts')
  if (text === undefined) return undefined
  const lines = hostsOf(parseHostsFile(text), request.name).filter(({ address }) => families.includes(address.family))
  io.note({
    kind: 'dns.source',
    source: '/etc/hosts',
    name: request.name,
    found: lines.map((line) => formatIp(line.address)),
  })
  const [first] = lines
  if (!first) return undefined
  return found(
    lines.map(({ address }) => address),
    first.names[0] ?? request.name,
    io,
  )
}

function* fromDns(io: LookupIo, request: LookupRequest, families: readonly Family[]): Waiting<LookupOutcome> {
  const conf = readResolvConf(io, request)
  const asked = families.filter((family) => family === 4 || families.length === 1 || !conf.flags.has('no-aaaa'))
  const types = asked.length === 2 ? (['A', 'AAAA'] as const) : ([asked[0] === 6 ? 'AAAA' : 'A'] as const)
  io.note({
    kind: 'dns.lookup',
    resolver: 'glibc',
    name: request.name,
    types,
    servers: conf.servers.map(formatIp),
    search: conf.search,
    ndots: conf.ndots,
  })
  const searched = yield* resSearch(io, newResState(conf, GLIBC), request.name, types)
  if (!searched.ok) return failed(errorOf(searched.error))
  const addresses = searched.replies.flatMap((reply) => addressesIn(reply, searched.name))
  // An answer of nothing but aliases ends the search all the same.
  if (addresses.length === 0) return failed(types.length === 2 ? 'EAI_NONAME' : 'EAI_NODATA')
  const [reply] = searched.replies
  return found(addresses, withoutFinalDot(canonicalName(reply, searched.name)), io)
}

export function readResolvConf(io: LookupIo, request: LookupRequest): ResolvConf {
  return parseResolvConf(readEtc(io, request, 'resolv.conf'), {
    glibc: GLIBC,
    hostname: (readEtc(io, request, 'hostname') ?? io.host).trim(),
    env: environment(io.file(`${request.root ?? ''}/proc/1/environ`)),
  })
}

export const readEtc = (io: LookupIo, { root }: LookupRequest, name: string): string | undefined =>
  io.file(`${root ?? ''}/etc/${name}`)

function environment(text: string | undefined): ReadonlyMap<string, string> {
  const variables = (text ?? '').split('\0').filter((line) => line.includes('='))
  return new Map(variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

/** The addresses of a reply that the question's name leads to, through its aliases. */
export function addressesIn(reply: Message, name: string): readonly Ip[] {
  const names = new Set([lowerName(name)])
  const addresses: Ip[] = []
  for (const record of reply.answers) {
    if (!names.has(lowerName(record.name))) continue
    if (record.type === 'CNAME') names.add(lowerName(record.target))
    else if (record.type === 'A' || record.type === 'AAAA') addresses.push(record.address)
  }
  return addresses
}

export function canonicalName(reply: Message | undefined, name: string): string {
  let canonical = name
  for (const record of reply?.answers ?? [])
    if (record.type === 'CNAME' && lowerName(record.name) === lowerName(canonical)) canonical = record.target
  return canonical
}

const found = (addresses: readonly Ip[], canonical: string, io: LookupIo): LookupOutcome => ({
  ok: true,
  addresses: sortedDestinations(addresses, io, GLIBC_POLICY),
  canonicalName: canonical,
})

export const failed = (error: LookupError): LookupOutcome => ({ ok: false, error, message: GAI_MESSAGE[error] })

export function errorOf(error: HostError): LookupError {
  switch (error) {
    case 'HOST_NOT_FOUND':
    case 'NO_RECOVERY':
      return 'EAI_NONAME'
    case 'TRY_AGAIN':
      return 'EAI_AGAIN'
    case 'NO_DATA':
      return 'EAI_NODATA'
  }
}
