import { type Family, type Ip, isLoopback } from '../../../packet/ip.ts'
import type { Message } from '../../message.ts'
import { lowerName, withoutFinalDot } from '../../name.ts'
import { GLIBC_POLICY, sortedDestinations } from '../address-order.ts'
import { environmentOf, hostnameOf, readEtc } from '../etc.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { numericHost } from '../numeric-host.ts'
import { parseResolvConf, type ResolvConf } from '../resolv-conf.ts'
import { noteBegun, noted, noteSource } from '../told.ts'
import { ahostsPrinted } from './getent.ts'
import { type HostError, resSearch } from './search.ts'
import { newResState } from './send.ts'

/** The minor release of glibc 2.x that is followed where nothing says another. */
export const GLIBC = 36

/** getaddrinfo(3) of glibc 2.`minor`, printed as `getent ahosts` does: nss/getaddrinfo.c and nss_dns. */
export const glibcGetaddrinfoOf = (minor: number): Resolver => ({
  name: minor === GLIBC ? 'glibc' : `glibc-2.${minor}`,
  about: `getaddrinfo of glibc 2.${minor}, as getent ahosts calls it`,
  *lookup(io, request) {
    const outcome = noted(io, request.name, yield* resolve(io, request, minor))
    return { ...outcome, printed: ahostsPrinted(outcome) }
  },
})

/** The glibc that is taken where nothing names one. */
export const glibcGetaddrinfo: Resolver = glibcGetaddrinfoOf(GLIBC)

/** gai_strerror(3). */
export const GAI_MESSAGE: Readonly<Record<LookupError, string>> = {
  EAI_NONAME: 'Name or service not known',
  EAI_NODATA: 'No address associated with hostname',
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_FAIL: 'Non-recoverable failure in name resolution',
  EAI_SYSTEM: 'System error',
  EAI_ADDRFAMILY: 'Address family for hostname not supported',
}

export function* resolve(io: LookupIo, request: LookupRequest, minor: number): Waiting<LookupOutcome> {
  const { name } = request
  const families = wantedFamilies(io, request)
  if (families.length === 0 || name === '') return failed('EAI_NONAME')
  const literal = numericHost(name)
  if (literal) {
    noteSource(io, 'literal address', name, [literal])
    return families.includes(literal.family) ? found([literal], name, io) : failed('EAI_ADDRFAMILY')
  }
  let last: LookupOutcome = failed('EAI_NONAME')
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const outcome = fromHostsFile(io, request, families)
      if (outcome) return outcome
    } else if (source === 'dns') {
      last = yield* fromDns(io, { request, families, minor })
      if (last.ok) return last
    } else noteSource(io, `nsswitch ${source} (not modelled)`, name, [])
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
  const addresses = lines.map(({ address }) => address)
  noteSource(io, '/etc/hosts', request.name, addresses)
  const [first] = lines
  if (!first) return undefined
  return found(addresses, first.names[0] ?? request.name, io)
}

interface FromDns {
  readonly request: LookupRequest
  readonly families: readonly Family[]
  readonly minor: number
}

function* fromDns(io: LookupIo, { request, families, minor }: FromDns): Waiting<LookupOutcome> {
  const conf = readResolvConf(io, request, minor)
  const asked = families.filter((family) => family === 4 || families.length === 1 || !conf.flags.has('no-aaaa'))
  const types = asked.length === 2 ? (['A', 'AAAA'] as const) : ([asked[0] === 6 ? 'AAAA' : 'A'] as const)
  noteBegun(io, { ...conf, resolver: 'glibc', name: request.name, types })
  const searched = yield* resSearch(io, newResState(conf, minor), request.name, types)
  if (!searched.ok) return failed(errorOf(searched.error))
  const addresses = searched.replies.flatMap((reply) => addressesIn(reply, searched.name))
  // An answer of nothing but aliases ends the search all the same.
  if (addresses.length === 0) return failed(types.length === 2 ? 'EAI_NONAME' : 'EAI_NODATA')
  const reply = searched.replies.find((one) => addressesIn(one, searched.name).length > 0)
  return found(addresses, withoutFinalDot(canonicalName(reply, searched.name)), io)
}

export const readResolvConf = (io: LookupIo, request: LookupRequest, minor: number): ResolvConf =>
  parseResolvConf(readEtc(io, request, 'resolv.conf'), {
    glibc: minor,
    hostname: hostnameOf(io, request),
    env: environmentOf(io, request),
  })

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
