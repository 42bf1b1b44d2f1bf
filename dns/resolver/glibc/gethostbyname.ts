import { type Family, formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import { withoutFinalDot } from '../../name.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { reverseName } from '../reverse-name.ts'
import { addressesIn, canonicalName, errorOf, failed, GLIBC, readEtc, readResolvConf } from './getaddrinfo.ts'
import { resQuery, resSearch } from './search.ts'
import { newResState, type ResState } from './send.ts'

/**
 * What `getent hosts` does: gethostbyaddr(3) for an address, else gethostbyname2(3) for IPv6, and only if that finds
 * nothing for IPv4. Each goes through the whole search list (nss_dns gethostbyname3_r, glibc 2.36).
 */
export const glibcGetentHosts: Resolver = { name: 'glibc gethostbyname', lookup: getentHosts }

function* getentHosts(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const state = newResState(readResolvConf(io, request), GLIBC)
  const literal = parseIp(request.name)
  if (literal.ok) return yield* byAddress(io, { request, state, address: literal.value })
  const six = yield* byName(io, { request, state, family: 6 })
  return six.ok ? six : yield* byName(io, { request, state, family: 4 })
}

interface ByName {
  readonly request: LookupRequest
  readonly state: ResState
  readonly family: Family
}

function* byName(io: LookupIo, { request, state, family }: ByName): Waiting<LookupOutcome> {
  let last: LookupOutcome = failed('EAI_NONAME')
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const lines = hostsOf(parseHostsFile(readEtc(io, request, 'hosts') ?? ''), request.name)
      const own = lines.filter(({ address }) => address.family === family)
      const found = own.map(({ address }) => formatIp(address))
      io.note({ kind: 'dns.source', source: '/etc/hosts', name: request.name, found })
      const [first] = own
      if (first) return { ok: true, addresses: own.map(({ address }) => address), canonicalName: first.names.join(' ') }
    } else if (source === 'dns') {
      noteLookup(io, request, state, family === 4 ? 'A' : 'AAAA')
      const searched = yield* resSearch(io, state, request.name, [family === 4 ? 'A' : 'AAAA'])
      if (!searched.ok) {
        last = failed(errorOf(searched.error))
        continue
      }
      const [reply] = searched.replies
      const addresses = reply ? addressesIn(reply, searched.name) : []
      if (addresses.length > 0)
        return { ok: true, addresses, canonicalName: withoutFinalDot(canonicalName(reply, searched.name)) }
      last = failed('EAI_NODATA')
    }
  }
  return last
}

function* byAddress(
  io: LookupIo,
  { request, state, address }: { readonly request: LookupRequest; readonly state: ResState; readonly address: Ip },
): Waiting<LookupOutcome> {
  const wanted = formatIp(address)
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const lines = parseHostsFile(readEtc(io, request, 'hosts') ?? '')
      const line = lines.find((one) => formatIp(one.address) === wanted)
      if (line) return { ok: true, addresses: [address], canonicalName: line.names.join(' ') }
    } else if (source === 'dns') {
      const answered = yield* resQuery(io, state, reverseName(address), ['PTR'])
      if (!answered.ok) continue
      const pointer = answered.replies[0]?.answers.find((record) => record.type === 'PTR')
      if (pointer?.type === 'PTR')
        return { ok: true, addresses: [address], canonicalName: withoutFinalDot(pointer.target) }
    }
  }
  return failed('EAI_NONAME')
}

function noteLookup(io: LookupIo, { name }: LookupRequest, { conf }: ResState, type: string): void {
  const servers = conf.servers.map(formatIp)
  const { search, ndots } = conf
  io.note({ kind: 'dns.lookup', resolver: 'glibc gethostbyname', name, types: [type], servers, search, ndots })
}
