import { lowerName, withoutFinalDot } from '../../name.ts'
import { caresQuery } from '../c-ares/channel.ts'
import { addressesIn, failed, newChannel, readCaresConf } from '../c-ares/getaddrinfo.ts'
import { SECOND } from '../exchange.ts'
import { GLIBC, resolve as glibcResolve } from '../glibc/getaddrinfo.ts'
import type { LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { noteBegun, noteCandidate, noted } from '../told.ts'

/**
 * dns.resolve4 and dns.resolve6 of Node 20 (src/cares_wrap.cc): one query of the name as it is, no search list, no
 * /etc/hosts. Error codes of servers are answers, tries are four, and time is looked at once a second.
 */
export const nodeResolve: Resolver = {
  name: 'node',
  about: 'dns.resolve4 of Node 20 (c-ares): no search list, no /etc/hosts; resolve6 where IPv6 is asked for',
  *lookup(io, request) {
    return noted(io, request.name, yield* resolve(io, request))
  },
}

const TRIES = 4
/** What stands for an error where there is none, and no address either. */
export const EMPTY_LIST = 'an empty list'

function* resolve(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const conf = readCaresConf(io, request)
  // The URL parser's toASCII lowers the letters.
  const name = lowerName(request.name)
  const type = request.family === 6 ? 'AAAA' : 'A'
  noteBegun(io, { ...conf, search: [], ndots: conf.ndots, resolver: 'node', name: request.name, types: [type] })
  noteCandidate(io, name.endsWith('.') ? name : `${name}.`, 'as it is: there is no search list')
  const channel = newChannel(io, conf, { tries: TRIES, takesErrors: true, edns: undefined, tick: SECOND })
  const asked = yield* caresQuery(io, channel, { name, type })
  const addresses = addressesIn(asked)
  if (asked.status === 'SUCCESS' && addresses.length > 0)
    return { ok: true, addresses, canonicalName: withoutFinalDot(name) }
  // Of aliases alone Node makes an empty list.
  if (asked.status === 'SUCCESS') return { ok: false, error: 'EAI_NODATA', message: EMPTY_LIST }
  return failed(asked.status)
}

/** dns.lookup of Node 20: getaddrinfo of glibc, the name in small letters; every family is asked for. */
export const nodeLookup: Resolver = {
  name: 'node-lookup',
  about: 'dns.lookup of Node 20, which fetch and http use: getaddrinfo of glibc',
  *lookup(io, request) {
    const asked = { ...request, name: lowerName(request.name), addrConfig: false }
    return noted(io, request.name, nodeError(yield* glibcResolve(io, asked, GLIBC)))
  },
}

/** Node has two words for what failed. */
function nodeError(outcome: LookupOutcome): LookupOutcome {
  if (outcome.ok) return outcome
  return { ...outcome, message: outcome.error === 'EAI_AGAIN' ? 'EAI_AGAIN' : 'ENOTFOUND' }
}
