import { type Family, formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import type { Message } from '../../message.ts'
import { lowerName, withoutFinalDot } from '../../name.ts'
import { readEtc } from '../etc.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { reverseName } from '../reverse-name.ts'
import { noteBegun, noted, noteSource } from '../told.ts'
import { addressesIn, canonicalName, errorOf, failed, GLIBC, readResolvConf } from './getaddrinfo.ts'
import { hostsPrinted } from './getent.ts'
import { resQuery, resSearch } from './search.ts'
import { newResState, type ResState } from './send.ts'

/**
 * What `getent hosts` does: gethostbyaddr(3) for an address, else gethostbyname2(3) for IPv6, and only if that finds
 * nothing for IPv4. Each goes through the whole search list (nss_dns gethostbyname3_r, glibc 2.36).
 */
export const glibcGetentHosts: Resolver = {
  name: 'glibc-gethostbyname',
  about: `gethostbyname of glibc 2.${GLIBC}, as getent hosts calls it`,
  *lookup(io, request) {
    const { aliases = [], ...outcome } = yield* getentHosts(io, request)
    return { ...noted(io, request.name, outcome), printed: hostsPrinted(outcome, aliases) }
  },
}

/** A struct hostent. */
type HostEntry = LookupOutcome & { readonly aliases?: readonly string[] }

function* getentHosts(io: LookupIo, request: LookupRequest): Waiting<HostEntry> {
  const state = newResState(readResolvConf(io, request, GLIBC), GLIBC)
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

function* byName(io: LookupIo, { request, state, family }: ByName): Waiting<HostEntry> {
  let last: LookupOutcome = failed('EAI_NONAME')
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const lines = hostsOf(parseHostsFile(readEtc(io, request, 'hosts') ?? ''), request.name)
      const own = lines.filter(({ address }) => address.family === family)
      noteSource(
        io,
        '/etc/hosts',
        request.name,
        own.map(({ address }) => address),
      )
      const [first] = own
      if (first)
        return entry(
          own.map(({ address }) => address),
          own.flatMap(({ names }) => names),
        )
    } else if (source === 'dns') {
      const type = family === 4 ? 'A' : 'AAAA'
      noteBegun(io, { ...state.conf, resolver: 'glibc gethostbyname', name: request.name, types: [type] })
      const searched = yield* resSearch(io, state, request.name, [type])
      if (!searched.ok) {
        last = failed(errorOf(searched.error))
        continue
      }
      const [reply] = searched.replies
      const addresses = reply ? addressesIn(reply, searched.name) : []
      if (addresses.length > 0) {
        const aliases = aliasesIn(reply, searched.name)
        return entry(addresses, [canonicalName(reply, searched.name), ...aliases].map(withoutFinalDot))
      }
      last = failed('EAI_NODATA')
    }
  }
  return last
}

function* byAddress(
  io: LookupIo,
  { request, state, address }: { readonly request: LookupRequest; readonly state: ResState; readonly address: Ip },
): Waiting<HostEntry> {
  const wanted = formatIp(address)
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const lines = parseHostsFile(readEtc(io, request, 'hosts') ?? '')
      const line = lines.find((one) => formatIp(one.address) === wanted)
      if (line) return entry([address], line.names)
    } else if (source === 'dns') {
      const answered = yield* resQuery(io, state, reverseName(address), ['PTR'])
      if (!answered.ok) continue
      const pointer = answered.replies[0]?.answers.find((record) => record.type === 'PTR')
      if (pointer?.type === 'PTR') return entry([address], [withoutFinalDot(pointer.target)])
    }
  }
  return failed('EAI_NONAME')
}

const entry = (addresses: readonly Ip[], [canonicalName = '', ...aliases]: readonly string[]): HostEntry => ({
  ok: true,
  addresses,
  canonicalName,
  aliases,
})

/** The owners of the aliases that lead from a name to its addresses. */
function aliasesIn(reply: Message | undefined, name: string): readonly string[] {
  const owners: string[] = []
  let at = name
  for (const record of reply?.answers ?? [])
    if (record.type === 'CNAME' && lowerName(record.name) === lowerName(at)) {
      owners.push(record.name)
      at = record.target
    }
  return owners
}
