import { formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import { type Message, query as newQuery } from '../../message.ts'
import { checkName, withoutFinalDot } from '../../name.ts'
import { RCODE } from '../../record.ts'
import { GO_POLICY, sortedDestinations } from '../address-order.ts'
import { hostnameOf, readEtc } from '../etc.ts'
import { type Exchanged, exchange, isReplyTo, noteDecision, SECOND, type Transport } from '../exchange.ts'
import { hostsOf, parseHostsFile } from '../hosts-file.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { hostsSources } from '../nsswitch.ts'
import { together } from '../together.ts'
import { noteBegun, noteCandidate, noted, noteSource } from '../told.ts'
import { isDomainName, nameList } from './domain-name.ts'
import { type GoConf, parseGoConf } from './resolv-conf.ts'
import { type GoVersion, SINCE } from './version.ts'

/** net.LookupHost without cgo: goLookupIPCNAMEOrder of src/net/dnsclient_unix.go. */
export const goLookupOf = (name: string, version: GoVersion): Resolver => ({
  name,
  about: `net.LookupHost of Go 1.${version}, without cgo`,
  *lookup(io, request) {
    return noted(io, request.name, yield* resolve(io, request, version))
  },
})

/** maxDNSPacketSize. */
const EDNS_SIZE = 1232

type QueryType = 'A' | 'AAAA'

/** A result of one type of one name. */
type Tried =
  | { readonly ok: true; readonly reply: Message }
  | { readonly ok: false; readonly error: LookupError; readonly message: string; readonly server?: Ip }

interface Asking {
  readonly io: LookupIo
  readonly conf: GoConf
  readonly version: GoVersion
  /** soffset: how often a name was begun; `rotate` starts at another server each time. */
  begun: number
}

function* resolve(io: LookupIo, request: LookupRequest, version: GoVersion): Waiting<LookupOutcome> {
  const { name } = request
  const literal = parseIp(name.split('%', 1)[0] ?? '')
  if (literal.ok) {
    noteSource(io, 'literal address', name, [literal.value])
    return { ok: true, addresses: [literal.value], canonicalName: name }
  }
  if (name === '') return noSuchHost(name)
  const sources = hostsSources(readEtc(io, request, 'nsswitch.conf'))
  for (const source of sources.length > 0 ? sources : ['files', 'dns']) {
    if (source === 'files') {
      const file = fromHostsFile(io, request)
      if (file) return file
    } else if (source === 'dns') {
      const outcome = yield* fromDns(io, request, version)
      if (outcome.ok || source === sources.at(-1)) return outcome
    } else noteSource(io, `nsswitch ${source} (not modelled: with cgo libc is asked)`, name, [])
  }
  return noSuchHost(name)
}

/** lookupStaticHost: IPv4 and IPv6 as they stand, sorted; a final dot does not count. */
function fromHostsFile(io: LookupIo, request: LookupRequest): LookupOutcome | undefined {
  const lines = hostsOf(parseHostsFile(readEtc(io, request, 'hosts') ?? ''), withoutFinalDot(request.name))
  const wanted = lines.filter(({ address }) => request.family === 'unspec' || request.family === address.family)
  const addresses = wanted.map(({ address }) => address)
  noteSource(io, '/etc/hosts', request.name, addresses)
  const [first] = wanted
  return first && { ok: true, addresses, canonicalName: first.names[0] ?? request.name }
}

function* fromDns(io: LookupIo, request: LookupRequest, version: GoVersion): Waiting<LookupOutcome> {
  const { name, family } = request
  if (!isDomainName(name)) return noSuchHost(name)
  const conf = parseGoConf(readEtc(io, request, 'resolv.conf'), { hostname: hostnameOf(io, request), version })
  const types: readonly QueryType[] = family === 4 ? ['A'] : family === 6 ? ['AAAA'] : ['A', 'AAAA']
  noteBegun(io, { ...conf, resolver: 'go', name, types })
  const asking: Asking = { io, conf, version, begun: 0 }
  const names = nameList(name, conf)
  let last: Tried | undefined
  for (const [i, candidate] of names.entries()) {
    noteCandidate(io, candidate, `${i + 1} of ${names.length}, ndots is ${conf.ndots}`)
    const results = yield* tryName(asking, candidate, types)
    const addresses = results.flatMap((result) => (result.ok ? addressesIn(result.reply) : []))
    for (const result of results) if (!result.ok && (last === undefined || candidate === `${name}.`)) last = result
    if (addresses.length > 0) {
      const sorted = sortedDestinations(addresses, io, GO_POLICY)
      return { ok: true, addresses: sorted, canonicalName: withoutFinalDot(candidate) }
    }
    const [first] = results
    noteDecision(
      io,
      candidate,
      first && !first.ok ? first.message : 'no address',
      i + 1 < names.length ? 'try the next name' : 'give up',
    )
  }
  if (last === undefined || last.ok) return noSuchHost(name)
  const on = last.server ? ` on ${serverText(last.server)}` : ''
  return { ok: false, error: last.error, message: `lookup ${name}${on}: ${last.message}` }
}

/** One name: a goroutine with its own socket per type, or with single-request one type after the other. */
function* tryName(asking: Asking, name: string, types: readonly QueryType[]): Waiting<readonly Tried[]> {
  const { io, conf } = asking
  if (conf.singleRequest) {
    const results: Tried[] = []
    for (const type of types) results.push(yield* tryOneName(asking, name, type))
    return results
  }
  // The runtime runs the goroutine that was made last before the others; which comes first is chance for all that.
  let turn = 0
  const runs = types.map((type) => tryOneName(asking, name, type))
  const finished = yield* together(io, runs, (due) =>
    io.draw(`goroutines ${name} ${++turn}`, due.length) === 0 ? [...due].reverse() : due,
  )
  return finished.map(({ result }) => result)
}

const serverText = (server: Ip): string => (server.family === 6 ? `[${formatIp(server)}]:53` : `${formatIp(server)}:53`)

/** tryOneName: every server once per attempt, until one answers or says that there is nothing. */
function* tryOneName(asking: Asking, name: string, type: QueryType): Waiting<Tried> {
  const { conf, version } = asking
  const offset = conf.rotate ? asking.begun++ : 0
  let last: Tried = { ok: false, error: 'EAI_AGAIN', message: 'no answer from DNS server' }
  if (!checkName(name).ok) return { ok: false, error: 'EAI_NONAME', message: 'cannot marshal DNS message' }
  for (let attempt = 0; attempt < conf.attempts; attempt++)
    for (const j of conf.servers.keys()) {
      const server = conf.servers[(offset + j) % conf.servers.length]
      if (!server) continue
      const asked = yield* askServer(asking, { name, type, server, attempt: attempt + 1 })
      const problem = asked.ok ? problemOf(asked.reply, type, version) : undefined
      if (asked.ok && !problem) return asked
      last = asked.ok ? { ok: false, ...(problem ?? NO_SUCH_HOST), server } : { ...asked, server }
      if (last.error === 'EAI_NONAME') return last
    }
  return last
}

interface AskServer {
  readonly name: string
  readonly type: QueryType
  readonly server: Ip
  readonly attempt: number
}

/** exchange: over UDP, and over TCP if that was truncated, each with the whole timeout. */
function* askServer({ io, conf, version }: Asking, { name, type, server, attempt }: AskServer): Waiting<Tried> {
  const query = newQuery(
    io.draw(`${name} ${type}`, 0x10000),
    { name, type },
    {
      flags: { authenticData: conf.trustAd },
      edns: { size: EDNS_SIZE, version: 0, dnssecOk: false, options: [] },
    },
  )
  const transports: readonly Transport[] = conf.useTcp ? ['tcp'] : ['udp', 'tcp']
  for (const transport of transports) {
    const got = yield* exchange(io, {
      query,
      server,
      transport,
      until: io.now + conf.timeout * SECOND,
      attempt,
      takes: (reply) => reply.flags.response && isReplyTo(query, reply),
    })
    if (got.kind !== 'reply') {
      // The local address of the socket is not known here.
      const doing = transport === 'tcp' && got.kind === 'error' ? 'dial' : 'read'
      return { ok: false, error: 'EAI_AGAIN', message: `${doing} ${transport} ${serverText(server)}: ${failure(got)}` }
    }
    if (got.reply.flags.truncated && (transport === 'udp' || version < SINCE.additionalIsNoReferral)) continue
    return { ok: true, reply: got.reply }
  }
  return { ok: false, error: 'EAI_AGAIN', message: 'no answer from DNS server' }
}

function failure(got: Exclude<Exchanged, { kind: 'reply' }>): string {
  if (got.kind === 'timeout') return 'i/o timeout'
  if (got.kind === 'closed') return 'EOF'
  const text = ERRNO_TEXT[got.errno] ?? got.errno
  return got.errno === 'ECONNREFUSED' ? `read: ${text}` : `connect: ${text}`
}

const ERRNO_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  ECONNRESET: 'connection reset by peer',
  ETIMEDOUT: 'connection timed out',
}

const NO_SUCH_HOST = { error: 'EAI_NONAME', message: 'no such host' } as const

/** checkHeader and skipToAnswer: why a reply is none. */
function problemOf(
  reply: Message,
  type: QueryType,
  version: GoVersion,
): { readonly error: LookupError; readonly message: string } | undefined {
  const { rcode, flags, answers, additionals, edns } = reply
  if (rcode === RCODE.NXDOMAIN) return NO_SUCH_HOST
  const more = version >= SINCE.additionalIsNoReferral && (additionals.length > 0 || edns !== undefined)
  if (rcode === RCODE.NOERROR && !flags.authoritative && !flags.recursionAvailable && answers.length === 0 && !more)
    return { error: 'EAI_AGAIN', message: 'lame referral' }
  if (rcode !== RCODE.NOERROR) return { error: 'EAI_AGAIN', message: 'server misbehaving' }
  return answers.some((record) => record.type === type) ? undefined : NO_SUCH_HOST
}

/** All addresses of the answer section: aliases are taken on trust. */
const addressesIn = (reply: Message): readonly Ip[] =>
  reply.answers.flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.address] : []))

const noSuchHost = (name: string): LookupOutcome => ({
  ok: false,
  error: 'EAI_NONAME',
  message: `lookup ${name}: no such host`,
})
