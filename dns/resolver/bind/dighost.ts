import { formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import { type Message, query as newQuery } from '../../message.ts'
import { checkName, countDots, fqdn, joinName, labelsOf } from '../../name.ts'
import { RCODE, rcodeName } from '../../record.ts'
import { readEtc } from '../etc.ts'
import { type Exchanged, exchange, noteDecision, SECOND, sameQuestion, type Transport } from '../exchange.ts'
import type { LookupError, LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { nameText } from '../name-text.ts'
import { reverseName } from '../reverse-name.ts'
import { noteBegun, noteCandidate, noted } from '../told.ts'
import { type BindConf, parseBindConf } from './resolv-conf.ts'
import { errnoText, rcodeText, serverText } from './text.ts'

/** What dig, host and nslookup have in common: bin/dig/dighost.c of BIND 9.18. */

/** dig_lookup_t: one name and type to ask for. */
export interface Lookup {
  readonly text: string
  readonly type: string
  /** Not a name of the search list any more, nor again over TCP. */
  readonly newSearch: boolean
  /** Place in the search list; undefined: as it is. */
  readonly origin: number | undefined
  readonly needSearch: boolean
  readonly doneAsIs: boolean
  readonly tcp: boolean
  readonly retries: number
}

/** One of the three, with its options. */
export interface Tool {
  readonly name: string
  /** What it calls itself. */
  readonly program: string
  readonly about: string
  /** Whether the search list is used. */
  readonly search: boolean
  /** Of a query; undefined: resolv.conf says it, or three. */
  readonly tries: number | undefined
  /** Whether a reply without RA makes it ask the next server. */
  readonly checksRa: boolean
  /** Whether SERVFAIL is an answer like others. */
  readonly servfailStops: boolean
  /** Whether remarks about replies are printed. */
  readonly comments: boolean
  /** EDNS with a cookie, and AD. */
  readonly edns: boolean
  /** What it exits with where the name is none; every other fatal error is 1. */
  readonly illegalExit: number
  /** The first question. */
  first(request: LookupRequest): { readonly text: string; readonly type: string }
  /** Prints a reply (printmessage), and may add lookups. */
  print(run: Run, reply: Replied): void
  /** Prints what follows a reply (received). */
  received?(run: Run, reply: Replied): void
  /** What stands in front of a failure. */
  greeting?(run: Run): string
  /** The exit code at the end, and what is printed last. */
  end(run: Run): { readonly exitCode: number; readonly last: string }
}

/** A tool that runs. */
export interface Run {
  readonly io: LookupIo
  readonly tool: Tool
  readonly conf: BindConf
  readonly request: LookupRequest
  readonly queue: Lookup[]
  readonly out: string[]
  /** Addresses that were printed. */
  readonly addresses: Ip[]
  /** exitcode of dighost.c. */
  exitCode: number
  /** What the tool keeps: seen_error of host, query_error and print_error of nslookup. */
  readonly kept: Map<string, boolean>
  lastRcode: number | undefined
}

/** A reply as it reaches printmessage. */
export interface Replied {
  readonly lookup: Lookup
  /** The name that was asked for, absolute. */
  readonly name: string
  readonly server: Ip
  readonly transport: Transport
  readonly reply: Message
  readonly size: number
  readonly query: Message
  /** Nanoseconds from the query to the reply. */
  readonly took: number
}

const UDP_TIMEOUT = 5
const TCP_TIMEOUT = 10
const EDNS_SIZE = 1232
const COOKIE = 10
const DEFAULT_TRIES = 3

export const bindResolver = (tool: Tool): Resolver => ({
  name: tool.name,
  about: tool.about,
  *lookup(io, request) {
    return noted(io, request.name, yield* main(io, request, tool))
  },
})

function* main(io: LookupIo, request: LookupRequest, tool: Tool): Waiting<LookupOutcome> {
  const conf = parseBindConf(readEtc(io, request, 'resolv.conf'))
  if (!conf) return fatal(tool, { text: 'parse of /etc/resolv.conf failed', exitCode: 1 }, [])
  const first = tool.first(request)
  const run: Run = {
    io,
    tool,
    conf,
    request,
    queue: [],
    out: [],
    addresses: [],
    exitCode: 0,
    kept: new Map(),
    lastRcode: undefined,
  }
  run.queue.push(newLookup(run, first))
  noteBegun(io, { ...conf, resolver: tool.name, name: request.name, types: [first.type] })
  for (let lookup = run.queue.shift(); lookup; lookup = run.queue.shift()) {
    const set = setup(run, lookup)
    if (set.kind === 'fatal') return fatal(tool, set, run.out)
    if (set.kind === 'tooLong') nextOrigin(run, set.lookup)
    else yield* ask(run, set.lookup, set.name)
  }
  const { exitCode, last } = tool.end(run)
  return finished(run, { stdout: `${run.out.join('')}${last}`, stderr: '', exitCode })
}

export const newLookup = (
  { tool, conf }: Pick<Run, 'tool' | 'conf'>,
  { text, type }: { readonly text: string; readonly type: string },
): Lookup => ({
  text,
  type,
  newSearch: true,
  origin: undefined,
  needSearch: false,
  doneAsIs: false,
  tcp: false,
  retries: triesOf(tool, conf),
})

export const triesOf = ({ tries }: Tool, { attempts }: BindConf): number => tries ?? (attempts || DEFAULT_TRIES)

/** Adds a lookup of another type of the name that a reply was found at, behind its aliases. */
export function alsoAsk(run: Run, { lookup, name, reply }: Replied, type: string): void {
  const text = nameText(behindAliases(reply, name))
  const retries = triesOf(run.tool, run.conf)
  run.queue.push({ ...lookup, text, type, newSearch: false, origin: undefined, retries })
}

/** chase_cnamechain. */
function behindAliases(reply: Message, name: string): string {
  let at = name
  for (let i = 0; i < reply.answers.length; i++) {
    const alias = reply.answers.find(
      (record) => record.type === 'CNAME' && record.name.toLowerCase() === at.toLowerCase(),
    )
    if (alias?.type !== 'CNAME') break
    at = alias.target
  }
  return at
}

/** get_reverse with `strict`: the text of a PTR lookup where a host is an address. */
export function reverseText(host: string): string | undefined {
  const address = parseIp(host)
  if (!address.ok) return undefined
  const name = reverseName(address.value)
  return address.value.family === 4 ? name : nameText(name)
}

interface Fatal {
  readonly text: string
  readonly exitCode: number
}

type Setup =
  | { readonly kind: 'ready'; readonly lookup: Lookup; readonly name: string }
  | { readonly kind: 'tooLong'; readonly lookup: Lookup }
  | ({ readonly kind: 'fatal' } & Fatal)

/** setup_lookup: which place of the search list it is at, and the whole name. */
function setup({ io, tool, conf }: Run, given: Lookup): Setup {
  let lookup = given
  if (given.newSearch) {
    if (countDots(given.text) >= conf.ndots || !tool.search)
      lookup = { ...given, origin: undefined, doneAsIs: true, needSearch: tool.search }
    else if (given.origin === undefined)
      lookup = { ...given, origin: conf.search.length > 0 ? 0 : undefined, needSearch: false }
  }
  const absolute = lookup.text.endsWith('.')
  const domain = lookup.origin === undefined ? undefined : conf.search[lookup.origin]
  const name = domain === undefined || absolute ? fqdn(lookup.text) : joinName(lookup.text, domain)
  const bare = checkName(fqdn(lookup.text))
  if (!bare.ok)
    return { kind: 'fatal', ...illegal(tool, lookup.text, { reason: bare.reason, searched: domain !== undefined }) }
  if (!checkName(name).ok) return { kind: 'tooLong', lookup }
  const where =
    domain === undefined
      ? `as it is: ${lookup.doneAsIs && tool.search ? `${countDots(lookup.text)} dots, ndots is ${conf.ndots}` : tool.search ? 'the search list is through' : `${tool.name} does not search`}`
      : `search domain ${(lookup.origin ?? 0) + 1} of ${conf.search.length}`
  noteCandidate(io, name, where)
  return { kind: 'ready', lookup, name }
}

function illegal(
  { illegalExit }: Tool,
  text: string,
  { reason, searched }: { readonly reason: string; readonly searched: boolean },
): Fatal {
  const why = /empty label/.test(reason) ? 'empty label' : /label/.test(reason) ? 'label too long' : 'name too long'
  return searched
    ? { text: `'${text}' is not in legal name syntax (${why})`, exitCode: 1 }
    : { text: `'${text}' is not a legal name (${why})`, exitCode: illegalExit }
}

/** next_origin: true where the next name of the list was put in front. */
function nextOrigin({ tool, conf, queue }: Run, lookup: Lookup): boolean {
  if (!tool.search) return false
  if (lookup.text.endsWith('.') || labelsOf(fqdn(lookup.text)).length > conf.ndots) return false
  if (lookup.origin === undefined && !lookup.needSearch) return false
  const again = { ...lookup, newSearch: false }
  if (lookup.origin === undefined) {
    queue.unshift({ ...again, origin: conf.search.length > 0 ? 0 : undefined, needSearch: false })
    return true
  }
  const next = lookup.origin + 1 < conf.search.length ? lookup.origin + 1 : undefined
  if (next === undefined && lookup.doneAsIs) return false
  queue.unshift({ ...again, origin: next })
  return true
}

/** start_udp, start_tcp and recv_done: the servers one after the other, until a reply is printed or passed over. */
function* ask(run: Run, given: Lookup, name: string): Waiting<void> {
  const { io, tool, conf, out, queue } = run
  let lookup = given
  const servers = [...conf.servers]
  const transport: Transport = lookup.tcp ? 'tcp' : 'udp'
  const query = queryOf(run, lookup, name)
  for (let i = 0; i < servers.length; i++) {
    const server = servers[i]
    if (!server) continue
    const sentAt = io.now
    const mismatch = (text: string) => out.push(`;; ${text}\n`)
    const got = yield* exchange(io, {
      query,
      server,
      transport,
      until: io.now + (conf.timeout || (lookup.tcp ? TCP_TIMEOUT : UDP_TIMEOUT)) * SECOND,
      attempt: i + 1,
      takes: (reply) => isAnswer(query, reply, mismatch),
    })
    if (got.kind !== 'reply') {
      out.push(failureText(got, { lookup, server }))
      if (lookup.retries > 1) {
        lookup = { ...lookup, retries: lookup.retries - 1 }
        // Over TCP the whole lookup begins again, over UDP the same server is asked once more.
        if (!lookup.tcp && !isSetupFailure(got)) {
          servers.splice(i + 1, 0, server)
          continue
        }
        queue.unshift({ ...lookup, newSearch: false })
        return
      }
      if (i + 1 < servers.length) continue
      out.push(`${tool.greeting?.(run) ?? ''};; no servers could be reached\n`)
      run.exitCode = 9
      noteDecision(io, name, 'no server could be reached', 'give up')
      return
    }
    run.exitCode = 0
    const { reply } = got
    if (reply.flags.truncated && !lookup.tcp) {
      if (tool.comments) out.push(';; Truncated, retrying in TCP mode.\n')
      queue.unshift({ ...lookup, tcp: true, newSearch: false })
      return
    }
    const problem = problemOf(tool, reply)
    if (problem) {
      const more = i + 1 < servers.length
      if (tool.comments) out.push(`;; Got ${problem} from ${formatIp(server)}${more ? ', trying next server' : ''}\n`)
      if (more) {
        noteDecision(io, name, problem, 'ask the next server')
        continue
      }
    }
    arrive(run, { lookup, name, server, transport, reply, size: got.size, query, took: io.now - sentAt })
    return
  }
}

function arrive(run: Run, replied: Replied): void {
  const { io, tool } = run
  const { lookup, reply, name } = replied
  run.lastRcode = reply.rcode
  const searching = lookup.origin !== undefined || lookup.needSearch
  if (reply.rcode === RCODE.NXDOMAIN && searching) {
    const more = nextOrigin(run, lookup)
    noteDecision(io, name, 'NXDOMAIN', more ? 'try the next name' : 'give up')
    if (!more) {
      tool.print(run, replied)
      tool.received?.(run, replied)
    }
  } else {
    if (reply.rcode !== RCODE.NOERROR) noteDecision(io, name, rcodeName(reply.rcode), 'print it')
    tool.print(run, replied)
  }
  if (reply.rcode === RCODE.NOERROR || lookup.origin === undefined) tool.received?.(run, replied)
  if (reply.rcode !== RCODE.NOERROR) return
  for (const record of reply.answers)
    if (record.type === 'A' || record.type === 'AAAA') run.addresses.push(record.address)
}

function queryOf({ io, tool }: Run, { type }: Lookup, name: string): Message {
  const id = io.draw(`${name} ${type}`, 0x10000)
  if (!tool.edns) return newQuery(id, { name, type })
  const cookie = Uint8Array.from({ length: 8 }, (_, i) => io.draw(`cookie ${i}`, 0x100))
  return newQuery(
    id,
    { name, type },
    {
      flags: { authenticData: true },
      edns: { size: EDNS_SIZE, version: 0, dnssecOk: false, options: [{ code: COOKIE, bytes: cookie }] },
    },
  )
}

function isAnswer(query: Message, reply: Message, warn: (text: string) => void): boolean {
  if (reply.id !== query.id) {
    warn(`Warning: ID mismatch: expected ID ${query.id}, got ${reply.id}`)
    return false
  }
  const [told] = reply.questions
  if (!told || sameQuestion(query, reply)) return true
  warn(`;; Question section mismatch: got ${nameText(told.name)}/${told.type}/${told.class}`)
  return false
}

/** What makes a reply not good enough while there is another server. */
function problemOf({ servfailStops, checksRa }: Tool, { rcode, flags }: Message): string | undefined {
  if (rcode === RCODE.SERVFAIL && !servfailStops) return 'SERVFAIL reply'
  return checksRa && !flags.recursionAvailable ? 'recursion not available' : undefined
}

/** Where connect() fails, before anything was sent. */
const isSetupFailure = (got: Exchanged): boolean =>
  got.kind === 'error' && (got.errno === 'ENETUNREACH' || got.errno === 'EADDRNOTAVAIL')

function failureText(
  got: Exclude<Exchanged, { kind: 'reply' }>,
  { lookup, server }: { readonly lookup: Lookup; readonly server: Ip },
): string {
  const why = got.kind === 'timeout' ? 'timed out' : got.kind === 'closed' ? 'end of file' : errnoText(got.errno)
  const to = `${serverText(server)}(${formatIp(server)}) for ${lookup.text}`
  if (isSetupFailure(got)) return `;; ${lookup.tcp ? 'Connection to' : 'UDP setup with'} ${to} failed: ${why}.\n`
  // A TCP connection that never was one.
  if (lookup.tcp && got.kind === 'error') return `;; Connection to ${to} failed: ${why}.\n`
  return `;; communications error to ${serverText(server)}: ${why}\n`
}

function fatal(tool: Tool, { text, exitCode }: Fatal, out: readonly string[]): LookupOutcome {
  const printed = { stdout: out.join(''), stderr: `${tool.program}: ${text}\n`, exitCode }
  return { ok: false, error: 'EAI_FAIL', message: text, printed }
}

function finished(run: Run, printed: LookupOutcome['printed'] & object): LookupOutcome {
  const { addresses, request, lastRcode } = run
  if (addresses.length > 0) return { ok: true, addresses, canonicalName: request.name, printed }
  const [error, message]: readonly [LookupError, string] =
    lastRcode === undefined
      ? ['EAI_AGAIN', 'no servers could be reached']
      : lastRcode === RCODE.NOERROR
        ? ['EAI_NODATA', 'no address']
        : [lastRcode === RCODE.NXDOMAIN ? 'EAI_NONAME' : 'EAI_FAIL', rcodeText(lastRcode)]
  return { ok: false, error, message, printed }
}
