import type { ProcessEvent } from '../../../linux/process.ts'
import { formatIp, type Ip, LOOPBACK_V4, parseIp } from '../../../packet/ip.ts'
import { type Message, query as newQuery } from '../../message.ts'
import { decodeMessage } from '../../message-decode.ts'
import { checkName, fqdn, withoutFinalDot } from '../../name.ts'
import { RCODE, type ResourceRecord, rcodeName } from '../../record.ts'
import { domainOfHost, hostnameOf, readEtc } from '../etc.ts'
import { bytesOf, DNS_PORT, MILLISECOND, noteQuery, noteReply, noteSilence, polled, questionOf } from '../exchange.ts'
import { GLIBC, readResolvConf } from '../glibc/getaddrinfo.ts'
import type { LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { nameText } from '../name-text.ts'
import { reverseName } from '../reverse-name.ts'
import { noteBegun, noteCandidate, noted } from '../told.ts'

/** Which C library busybox was built with: res_mkquery of musl sets AD. */
export type BusyboxLibc = 'glibc' | 'musl'

/** busybox nslookup with FEATURE_NSLOOKUP_BIG, which is from 1.29 on: networking/nslookup.c of 1.35. */
export const busyboxNslookupOf = (name: string, libc: BusyboxLibc): Resolver => ({
  name,
  about: `busybox 1.35 nslookup, built with ${libc}: a name without a dot in all search domains at once, others as they are`,
  *lookup(io, request) {
    return noted(io, request.name, yield* main(io, request, libc))
  },
})

/** default_retry and default_timeout. */
const RETRIES = 2
const TIMEOUT_MS = 5000
/** Octets of a line of resolv.conf that are read, its end not counted. */
const MAX_LINE = 510
const SOURCE_QUENCH = -1

interface Query {
  readonly name: string
  readonly type: string
  readonly message: Message
  /** Undefined: the name cannot be put into a message. */
  readonly bytes: Uint8Array | undefined
  answered: boolean
}

interface Run {
  readonly io: LookupIo
  readonly queries: readonly Query[]
  readonly out: string[]
  readonly err: string[]
  readonly addresses: Ip[]
  /** What arrived while queries were written. */
  readonly backlog: ProcessEvent[]
  failed: boolean
}

function* main(io: LookupIo, request: LookupRequest, libc: BusyboxLibc): Waiting<LookupOutcome> {
  const { servers, search } = readConf(io, request)
  const types = typesOf(request)
  // res_mkquery of musl always says AD, that of glibc with trust-ad.
  const authenticData = libc === 'musl' || readResolvConf(io, request, GLIBC).flags.has('trust-ad')
  noteBegun(io, { resolver: 'busybox', name: request.name, types, servers, search, ndots: 1 })
  const queries = types.flatMap((type) => namesFor(request, type, search).map((name) => ({ name, type })))
  const run: Run = {
    io,
    queries: queries.map(({ name, type }) => queryOf(io, { name, type, authenticData })),
    out: [],
    err: [],
    addresses: [],
    backlog: [],
    failed: false,
  }
  for (const { name } of run.queries.filter(({ type }) => type === types[0]))
    noteCandidate(
      io,
      fqdn(name),
      request.name.includes('.') ? 'it has a dot: as it is' : 'no dot: every search domain at once',
    )
  for (const [i, server] of servers.entries()) {
    const replies = yield* sendQueries(run, server)
    if (replies > 0) break
    if (i + 1 < servers.length) continue
    run.out.push(';; connection timed out; no servers could be reached\n\n')
    return ended(run, request, 'no servers could be reached')
  }
  return ended(run, request, undefined)
}

function ended(run: Run, { name }: LookupRequest, problem: string | undefined): LookupOutcome {
  const exitCode = run.failed || problem !== undefined ? 1 : 0
  const printed = { stdout: run.out.join(''), stderr: run.err.join(''), exitCode }
  if (problem !== undefined) return { ok: false, error: 'EAI_AGAIN', message: problem, printed }
  if (run.addresses.length > 0) return { ok: true, addresses: run.addresses, canonicalName: name, printed }
  return run.failed
    ? { ok: false, error: 'EAI_NONAME', message: 'no name was found', printed }
    : { ok: false, error: 'EAI_NODATA', message: 'no address', printed }
}

/** parse_resolvconf: options are not read; every nameserver counts, `domain` only where no `search` came before. */
function readConf(
  io: LookupIo,
  request: LookupRequest,
): { readonly servers: readonly Ip[]; readonly search: readonly string[] } {
  const servers: Ip[] = []
  let search: string | undefined
  let searched = false
  for (const line of (readEtc(io, request, 'resolv.conf') ?? '').split('\n')) {
    const match = /^[ \t]*([^ \t]+)[ \t](.*)$/.exec(line.slice(0, MAX_LINE))
    const value = match?.[2]
    if (!match || value === undefined || value === '') continue
    if (match[1] === 'search') {
      search = value
      searched = true
    } else if (match[1] === 'domain' && !searched) search = value
    else if (match[1] === 'nameserver') {
      const address = parseIp(value.trim())
      if (address.ok) servers.push(address.value)
    }
  }
  search ??= domainOfHost(hostnameOf(io, request))[0]
  const list = search === undefined || search === '.' ? [] : search.split(/\s+/).filter(Boolean)
  return { servers: servers.length > 0 ? servers : [LOOPBACK_V4], search: list }
}

function typesOf({ name, type, family }: LookupRequest): readonly string[] {
  if (type !== undefined) return [type]
  if (parseIp(name).ok) return ['PTR']
  return family === 4 ? ['A'] : family === 6 ? ['AAAA'] : ['A', 'AAAA']
}

/** add_query_with_search: one dot anywhere, and there is no search. */
function namesFor({ name, type: told }: LookupRequest, type: string, search: readonly string[]): readonly string[] {
  const address = parseIp(name)
  if (type === 'PTR' && told === undefined && address.ok) return [withoutFinalDot(reverseName(address.value))]
  if (type === 'PTR' || search.length === 0 || name.includes('.')) return [name]
  return search.map((domain) => `${name}.${domain}`)
}

interface Asked {
  readonly name: string
  readonly type: string
  readonly authenticData: boolean
}

function queryOf(io: LookupIo, { name, type, authenticData }: Asked): Query {
  const question = { name: fqdn(name), type }
  const id = io.draw(`${question.name} ${type}`, 0x10000)
  const message = newQuery(id, question, { flags: { authenticData } })
  return { name, type, message, bytes: checkName(question.name).ok ? bytesOf(message) : undefined, answered: false }
}

/** send_queries: how many were answered; below zero where nothing could be sent. */
function* sendQueries(run: Run, server: Ip): Waiting<number> {
  const { io, queries, out } = run
  const fd = io.connected('udp', { ip: server, port: DNS_PORT })
  const interval = Math.trunc(TIMEOUT_MS / RETRIES) * MILLISECOND
  const start = io.now
  let replies = 0
  let heard = false
  let sent = Number.NEGATIVE_INFINITY
  let retries = 0
  let attempt = 0
  while (io.now - start < TIMEOUT_MS * MILLISECOND && replies < queries.length) {
    if (io.now - sent >= interval) {
      attempt++
      for (const query of queries.filter(({ answered }) => !answered)) {
        const problem = yield* write(run, { query, server, fd, attempt })
        if (problem) {
          io.close(fd)
          return SOURCE_QUENCH
        }
      }
      sent = io.now
      retries = 2 * queries.length
    }
    const event = run.backlog.shift() ?? (yield { until: sent + polled(interval) })
    if (event.kind === 'timer') {
      noteSilence(
        io,
        server,
        queries.filter(({ answered }) => !answered).map(({ message }) => questionOf(message)),
        'timeout',
      )
      continue
    }
    if (event.fd !== fd) continue
    if (event.kind === 'error') {
      run.err.push(`nslookup: read: ${ERRNO_TEXT[event.errno] ?? event.errno}\n`)
      continue
    }
    if (event.kind !== 'data') continue
    if (!heard) out.push(`Server:\t\t${formatIp(server)}\nAddress:\t${addressText(server)}\n\n`)
    heard = true
    const decoded = decodeMessage(event.bytes)
    const id = ((event.bytes[0] ?? 0) << 8) | (event.bytes[1] ?? 0)
    const query = event.bytes.length < 4 ? undefined : queries.find(({ message }) => message.id === id)
    if (!query || query.answered) continue
    if (decoded.ok) noteReply(io, decoded.value, { server, transport: 'udp', size: event.bytes.length })
    const rcode = (event.bytes[3] ?? 0) & 0xf
    if (rcode === RCODE.SERVFAIL && retries > 0) {
      retries--
      tell(run, { query, server, fd, attempt: attempt + 1 })
      io.send(fd, query.bytes ?? new Uint8Array(0))
      continue
    }
    query.answered = true
    replies++
    report(run, query, { rcode, reply: decoded.ok ? decoded.value : undefined })
    out.push('\n')
  }
  io.close(fd)
  return replies
}

interface Write {
  readonly query: Query
  readonly server: Ip
  readonly fd: number
  readonly attempt: number
}

function tell({ io }: Run, { query, server, fd, attempt }: Write): void {
  noteQuery(io, query.message, { server, transport: 'udp', fd, attempt })
}

/** write(2): it fails with what an earlier datagram was answered with by ICMP. */
function* write(run: Run, one: Write): Waiting<boolean> {
  const { io, err } = run
  const { query, server, fd } = one
  if (query.bytes === undefined) {
    // The length -1 of what res_mkquery refused.
    err.push(`nslookup: write to '${formatIp(server)}': Message too long\n`)
    return true
  }
  tell(run, one)
  io.send(fd, query.bytes)
  // A port unreachable on the same machine is there before the next write.
  for (;;) {
    const event = yield { until: io.now }
    if (event.kind === 'timer') return false
    if (event.kind === 'error' && event.fd === fd) {
      err.push(`nslookup: write to '${formatIp(server)}': ${ERRNO_TEXT[event.errno] ?? event.errno}\n`)
      return true
    }
    run.backlog.push(event)
  }
}

const ERRNO_TEXT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ENETUNREACH: 'Network is unreachable',
  EHOSTUNREACH: 'No route to host',
}

/** xmalloc_sockaddr2dotted. */
const addressText = (server: Ip): string =>
  server.family === 6 ? `[${formatIp(server)}]:${DNS_PORT}` : `${formatIp(server)}:${DNS_PORT}`

function report(
  run: Run,
  { name }: Query,
  { rcode, reply }: { readonly rcode: number; readonly reply: Message | undefined },
): void {
  if (rcode !== RCODE.NOERROR) {
    run.out.push(`** server can't find ${name}: ${rcode > RCODE.NOTZONE ? rcode : rcodeName(rcode)}\n`)
    run.failed = true
    return
  }
  if (!reply) {
    run.out.push(`*** Can't find ${name}: Parse error\n`)
    run.failed = true
    return
  }
  if (!reply.flags.authoritative) run.out.push('Non-authoritative answer:\n')
  for (const record of reply.answers) {
    run.out.push(recordLines(record))
    if (record.type === 'A' || record.type === 'AAAA') run.addresses.push(record.address)
  }
}

function recordLines(record: ResourceRecord): string {
  const owner = nameText(record.name)
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `Name:\t${owner}\nAddress: ${formatIp(record.address)}\n`
    case 'NS':
      return `${owner}\tnameserver = ${nameText(record.target)}\n`
    case 'CNAME':
      return `${owner}\tcanonical name = ${nameText(record.target)}\n`
    case 'PTR':
      return `${owner}\tname = ${nameText(record.target)}\n`
    case 'MX':
      return `${owner}\tmail exchanger = ${record.preference} ${nameText(record.exchange)}\n`
    case 'TXT': {
      const [text] = record.strings
      return text && text.length > 0 ? `${owner}\ttext = "${new TextDecoder().decode(text)}"\n` : ''
    }
    case 'SRV':
      return `${owner}\tservice = ${record.priority} ${record.weight} ${record.port} ${nameText(record.target)}\n`
    case 'SOA':
      return `${owner}\n\torigin = ${nameText(record.mname)}\n\tmail addr = ${nameText(record.rname)}\n\tserial = ${record.serial}\n\trefresh = ${record.refresh}\n\tretry = ${record.retry}\n\texpire = ${record.expire}\n\tminimum = ${record.minimum}\n`
    default:
      return ''
  }
}
