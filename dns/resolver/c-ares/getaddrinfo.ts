import { type Ip, LOOPBACK_V4, LOOPBACK_V6, parseIp } from '../../../packet/ip.ts'
import { countDots, fqdn, withoutFinalDot } from '../../name.ts'
import { CARES_POLICY, sortedDestinations } from '../address-order.ts'
import { environmentOf, hostnameOf, readEtc } from '../etc.ts'
import { noteDecision } from '../exchange.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { together } from '../together.ts'
import { noteBegun, noteCandidate, noted, noteSource } from '../told.ts'
import {
  type Asked,
  type CaresStatus,
  type Channel,
  caresQuery,
  DEFAULT_TIMEOUT,
  DEFAULT_TRIES,
  EDNS_SIZE,
} from './channel.ts'
import { type CaresConf, parseCaresConf } from './resolv-conf.ts'

/** ares_getaddrinfo of c-ares 1.34 with its defaults: what curl, Envoy or gRPC built with it ask. */
export const caresGetaddrinfo: Resolver = {
  name: 'c-ares',
  about: 'ares_getaddrinfo of c-ares 1.34, as curl, Envoy and gRPC call it',
  *lookup(io, request) {
    return noted(io, request.name, yield* resolve(io, request))
  },
}

/** A channel of a program, with what its options leave open. */
export function newChannel(io: LookupIo, conf: CaresConf, options: Partial<Channel>): Channel {
  return {
    servers: conf.servers,
    timeout: conf.timeout ?? DEFAULT_TIMEOUT,
    tries: conf.tries ?? DEFAULT_TRIES,
    rotate: conf.rotate,
    useTcp: conf.useTcp,
    takesErrors: false,
    edns: EDNS_SIZE,
    tick: undefined,
    failures: [],
    sockets: new Map(),
    begunAt: io.now,
    ...options,
  }
}

export const readCaresConf = (io: LookupIo, request: LookupRequest): CaresConf =>
  parseCaresConf(readEtc(io, request, 'resolv.conf'), {
    hostname: hostnameOf(io, request),
    env: environmentOf(io, request),
  })

function* resolve(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const { name, family } = request
  const literal = parseIp(name)
  if (literal.ok) {
    noteSource(io, 'literal address', name, [literal.value])
    return found([literal.value], name)
  }
  if (/(^|\.)onion\.?$/i.test(name)) return failed('ENOTFOUND')
  const isLocal = /(^|\.)localhost\.?$/i.test(name)
  let last: CaresStatus = 'ENOTFOUND'
  for (const source of hostsSources(readEtc(io, request, 'nsswitch.conf'))) {
    if (source === 'files') {
      const file = fromHostsFile(io, request)
      if (file) return file
    } else if (source === 'dns' && !isLocal) {
      const conf = readCaresConf(io, request)
      const types = family === 4 ? ['A'] : family === 6 ? ['AAAA'] : ['A', 'AAAA']
      noteBegun(io, { ...conf, resolver: 'c-ares', name, types })
      const outcome = yield* search(io, { name, types, conf })
      if (outcome.ok) return { ...outcome, addresses: sortedDestinations(outcome.addresses, io, CARES_POLICY) }
      last = outcome.status
    }
  }
  // RFC 6761 §6.3: names below localhost never leave the machine.
  if (isLocal)
    return found(
      [LOOPBACK_V6, LOOPBACK_V4].filter((ip) => family === 'unspec' || ip.family === family),
      name,
    )
  return failed(last)
}

function fromHostsFile(io: LookupIo, request: LookupRequest): LookupOutcome | undefined {
  const lines = hostsOf(parseHostsFile(readEtc(io, request, 'hosts') ?? ''), request.name)
  const own = lines.filter(({ address }) => request.family === 'unspec' || request.family === address.family)
  const addresses = own.map(({ address }) => address)
  noteSource(io, '/etc/hosts', request.name, addresses)
  const [first] = own
  return first && found(addresses, first.names[0] ?? request.name)
}

interface Searching {
  readonly name: string
  readonly types: readonly string[]
  readonly conf: CaresConf
}

type Searched = (LookupOutcome & { readonly ok: true }) | { readonly ok: false; readonly status: CaresStatus }

/** ares_search_name_list and host_callback: both types of one name at once, on one socket. */
function* search(io: LookupIo, { name, types, conf }: Searching): Waiting<Searched> {
  const channel = newChannel(io, conf, {})
  const names = namesFor(name, conf)
  let noData = false
  let last: CaresStatus = 'ENOTFOUND'
  for (const [i, candidate] of names.entries()) {
    noteCandidate(io, fqdn(candidate), `${countDots(name)} dots, ndots is ${conf.ndots}: ${i + 1} of ${names.length}`)
    const runs = types.map((type) => caresQuery(io, channel, { name: candidate, type }))
    const results = (yield* together(io, runs)).map(({ result }) => result)
    const addresses = results.flatMap(addressesIn)
    if (addresses.length > 0) return { ok: true, addresses, canonicalName: withoutFinalDot(candidate) }
    if (results.some(({ status }) => status === 'ENODATA' || status === 'SUCCESS')) noData = true
    const status = results.at(-1)?.status ?? 'ENOTFOUND'
    const missing = status === 'ENOTFOUND' || status === 'ENODATA' || status === 'SUCCESS'
    // A single label that a server cannot do anything with is no reason to stop (c-ares issue 852).
    const singleLabel = !withoutFinalDot(candidate).includes('.') && (status === 'ESERVFAIL' || status === 'EREFUSED')
    last = status === 'SUCCESS' ? 'ENODATA' : status
    const goOn = (missing || singleLabel) && i + 1 < names.length
    noteDecision(io, fqdn(candidate), last, goOn ? 'try the next name' : 'give up')
    if (!missing && !singleLabel) return { ok: false, status }
  }
  return { ok: false, status: last === 'ENOTFOUND' && noData ? 'ENODATA' : last }
}

function namesFor(name: string, { search, ndots }: CaresConf): readonly string[] {
  if (name.endsWith('.')) return [name]
  const listed = search.map((domain) => (domain === '.' ? `${name}.` : `${name}.${domain}`))
  return countDots(name) >= ndots ? [name, ...listed] : [...listed, name]
}

export const addressesIn = ({ reply }: Asked): readonly Ip[] =>
  (reply?.answers ?? []).flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.address] : []))

const found = (addresses: readonly Ip[], canonicalName: string): LookupOutcome & { readonly ok: true } => ({
  ok: true,
  addresses,
  canonicalName,
})

const ERROR: Readonly<Record<CaresStatus, LookupError>> = {
  SUCCESS: 'EAI_NODATA',
  ENODATA: 'EAI_NODATA',
  ENOTFOUND: 'EAI_NONAME',
  EBADNAME: 'EAI_NONAME',
  EFORMERR: 'EAI_FAIL',
  ENOTIMP: 'EAI_FAIL',
  EREFUSED: 'EAI_FAIL',
  ESERVFAIL: 'EAI_AGAIN',
  ETIMEOUT: 'EAI_AGAIN',
  ECONNREFUSED: 'EAI_AGAIN',
}

/** An error by the name of its status. */
export const failed = (status: CaresStatus): LookupOutcome => ({ ok: false, error: ERROR[status], message: status })
