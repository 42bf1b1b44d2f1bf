import { RCODE, rcodeName } from '../../dns/record.ts'
import type { LookupOutcome } from '../../dns/resolver/lookup.ts'
import { formatIp } from '../../packet/ip.ts'
import { type Seen, scriptedServer } from '../dns/scripted-server.ts'
import { type Lookup, MS, recordedGoroutines, runLookup, SECOND, socketNumbers } from './resolver-run.ts'
import { sequenceAnswerer, type ZoneEntry } from './resolver-zone.ts'
import { VirtualNetwork } from './virtual-network.ts'

export interface Sequences {
  readonly zone: Readonly<Record<string, string>>
  readonly 'resolv.conf': string
  readonly 'nsswitch.conf': string
  readonly 'variant resolv.conf': Readonly<Record<string, string>>
  readonly cases: Readonly<Record<string, readonly SequenceCase[]>>
}

export interface SequenceCase {
  readonly variant?: string
  readonly tool: string
  readonly name: string
  readonly queries: readonly string[]
  readonly rc: number
  readonly result: string
}

interface Result {
  readonly rc: number
  readonly result: string
}

interface Tool extends Pick<Lookup, 'resolver' | 'family' | 'addrConfig' | 'type'> {
  /** What the recorded program printed; absent: the tool's own output. */
  readonly print?: (outcome: LookupOutcome) => Result
  /** Which of the tool's lines were kept. */
  readonly kept?: (line: string) => boolean
}

const libraryPrint = (outcome: LookupOutcome): Result =>
  outcome.ok
    ? { rc: 0, result: outcome.addresses.map(formatIp).join(' / ') }
    : { rc: 1, result: `ERR ${outcome.message}` }

const muslPrint = (outcome: LookupOutcome): Result =>
  outcome.ok
    ? { rc: 0, result: outcome.addresses.map((ip) => `${formatIp(ip)} ${outcome.canonicalName}`).join(' / ') }
    : { rc: 1, result: `ERR ${outcome.message}` }

const goPrint = (outcome: LookupOutcome): Result =>
  outcome.ok
    ? { rc: 0, result: `[${outcome.addresses.map(formatIp).join(' ')}]` }
    : { rc: 1, result: `[] / ERR ${outcome.message}` }

/** What a script prints of a promise: errors are no exit code. */
const nodePrint = (outcome: LookupOutcome): Result => ({
  rc: 0,
  result: outcome.ok
    ? JSON.stringify(outcome.addresses.map((ip) => ({ address: formatIp(ip), family: ip.family })))
    : `ERR ${outcome.message}`,
})

const nodeResolvePrint = (outcome: LookupOutcome): Result => ({
  rc: 0,
  result: outcome.ok ? JSON.stringify(outcome.addresses.map(formatIp)) : `ERR ${outcome.message}`,
})

/** What was kept of dig's lines. */
const headerAndRecords = (line: string): boolean => line !== '' && (!line.startsWith(';') || line.includes('->>HEADER'))

const UNSPEC = { family: 'unspec', addrConfig: false } as const

const TOOLS: Readonly<Record<string, Tool>> = {
  'glibc getent ahosts': { ...UNSPEC, resolver: 'glibc', addrConfig: true },
  'glibc getent ahostsv4': { resolver: 'glibc', family: '4', addrConfig: true },
  'glibc getent hosts': { ...UNSPEC, resolver: 'glibc-gethostbyname' },
  'glibc getaddrinfo AF_UNSPEC': { ...UNSPEC, resolver: 'glibc', print: libraryPrint },
  'glibc getaddrinfo AF_UNSPEC AI_ADDRCONFIG': { ...UNSPEC, resolver: 'glibc', addrConfig: true, print: libraryPrint },
  'glibc getaddrinfo AF_INET': { resolver: 'glibc', family: '4', addrConfig: false, print: libraryPrint },
  'musl getaddrinfo AF_UNSPEC': { ...UNSPEC, resolver: 'musl-1.2.3', print: muslPrint },
  'musl getaddrinfo AF_UNSPEC AI_ADDRCONFIG': { ...UNSPEC, resolver: 'musl-1.2.3', addrConfig: true, print: muslPrint },
  'musl getaddrinfo AF_INET': { resolver: 'musl-1.2.3', family: '4', addrConfig: false, print: muslPrint },
  'go 1.19 netgo LookupHost': { ...UNSPEC, resolver: 'go-1.19', print: goPrint },
  'busybox nslookup': { ...UNSPEC, resolver: 'busybox' },
  'busybox nslookup -type=a': { ...UNSPEC, resolver: 'busybox', type: 'A' },
  dig: { ...UNSPEC, resolver: 'dig', kept: headerAndRecords },
  'dig +search': { ...UNSPEC, resolver: 'dig-search', kept: headerAndRecords },
  host: { ...UNSPEC, resolver: 'host' },
  'nslookup (bind9)': { ...UNSPEC, resolver: 'nslookup' },
  'node 20 dns.lookup': { ...UNSPEC, resolver: 'node-lookup', print: nodePrint },
  'node 20 dns.resolve4 (c-ares)': { ...UNSPEC, resolver: 'node', print: nodeResolvePrint },
}

const SERVERS = ['10.96.0.10', '10.96.0.11', '10.96.0.12', '10.96.0.13']
const POD = '10.244.1.2'
const LINK_LOCAL = 'fe80::1'
/** Every answer of that recording was held back so long. */
const ANSWER_DELAY = 6 * MS
/** A tool that took longer was killed, with this as its result. */
const KILLED_AFTER = 40 * SECOND
const KILLED: Result = { rc: -1, result: '(killed after 40 s)' }
/** Characters of the result that were kept. */
const KEPT = 160

/** What the servers do in a case, by the words of its variant and group. */
function behaviourOf(group: string, variant: string, server: string): ZoneEntry {
  const first = server === SERVERS[0]
  if (/^all silent|^four nameservers/.test(variant)) return { drop: true }
  if (variant === 'first nameserver silent') return first ? { drop: true } : {}
  if (variant === 'servfail') return { rcode: RCODE.SERVFAIL }
  if (variant === 'servfail from first of two') return first ? { rcode: RCODE.SERVFAIL } : {}
  if (variant === 'refused') return { rcode: RCODE.REFUSED }
  if (variant.startsWith('AAAA answers lost')) return { drop_AAAA: true }
  if (variant === 'truncated over udp') return { tc: true }
  return group.startsWith('every name NXDOMAIN') ? { rcode: RCODE.NXDOMAIN } : {}
}

/** One case; undefined where its tool is not emulated. */
export function replaySequence(all: Sequences, group: string, one: SequenceCase): SequenceCase | undefined {
  const tool = TOOLS[one.tool]
  if (!tool) return undefined
  const network = new VirtualNetwork()
  const seen: Seen[] = []
  const variant = one.variant ?? ''
  for (const address of SERVERS)
    network.start({
      name: address,
      addresses: [address],
      program: scriptedServer({
        address,
        answer: sequenceAnswerer(all.zone, behaviourOf(group, variant, address)),
        delay: ANSWER_DELAY,
        seen,
      }),
    })
  const withIpv6 = group.includes('ipv6 link-local')
  const recorded = one.queries.map((line) => {
    const [name = '', type = ''] = line.split(' ')
    return { name, type }
  })
  const goroutines = recordedGoroutines(recorded)
  const id = /, id: (\d+)/.exec(one.result)?.[1]
  const { outcome } = runLookup(network, {
    ...tool,
    name: one.name,
    files: {
      '/etc/resolv.conf': all['variant resolv.conf'][variant] ?? all['resolv.conf'],
      '/etc/nsswitch.conf': `${all['nsswitch.conf']}\n`,
      // That group's result for localhost shows an IPv6 line in its hosts file.
      '/etc/hosts': `127.0.0.1 localhost\n${POD} mypod\n${withIpv6 ? '::1 localhost ip6-localhost\n' : ''}`,
    },
    client: POD,
    visible: withIpv6 ? [POD, LINK_LOCAL] : [POD],
    // dig prints the id of its query, which is chance.
    drawn: (entry, choices) => goroutines(entry) ?? (id !== undefined && choices === 0x10000 ? Number(id) : undefined),
    killedAfter: KILLED_AFTER,
  })
  return { ...one, queries: sequenceLines(seen), ...resultOf(tool, outcome) }
}

function resultOf(tool: Tool, outcome: LookupOutcome | undefined): Result {
  if (!outcome) return KILLED
  const { rc, result } = tool.print?.(outcome) ?? toolPrint(tool, outcome)
  return { rc, result: result.slice(0, KEPT) }
}

/** Lines are parted by ` / `, tabs are spaces. */
function toolPrint({ kept = () => true }: Tool, { printed }: LookupOutcome): Result {
  const text = `${printed?.stdout ?? ''}${printed?.stderr ?? ''}`
  const lines = text.trim().split('\n').filter(kept)
  return { rc: printed?.exitCode ?? -1, result: lines.join(' / ').replaceAll('\t', ' ') }
}

function sequenceLines(seen: readonly Seen[]): readonly string[] {
  const start = seen[0]?.at ?? 0
  const sockets = socketNumbers(seen)
  let group = 0
  return seen.map((one, i) => {
    const socket = `${one.transport}${sockets[i]}`
    if (!one.query) return `(malformed question section, hex ${hex(one.bytes.subarray(12))}) ? (none) g0 ${socket}`
    const outstanding = seen.slice(0, i).some(({ answeredAt }) => answeredAt !== undefined && answeredAt > one.at)
    if (!outstanding) group++
    const [question] = one.query.questions
    const seconds = (one.at - start) / SECOND
    const { edns, flags } = one.query
    const options = edns?.options.map(({ code }) => (code === COOKIE ? ' COOKIE' : ` ${code}`)).join('') ?? ''
    const words = [
      question?.name,
      question?.type,
      answerWord(one.reply),
      `g${group}`,
      socket,
      one.server === SERVERS[0] ? '' : one.server,
      seconds > 0.9 ? `t=${seconds.toFixed(1)}s` : '',
      edns ? `edns(${edns.size}${options})` : '',
      flags.recursionDesired ? '' : 'no-rd',
      flags.authenticData ? 'ad' : '',
      flags.checkingDisabled ? 'cd' : '',
    ]
    return words.filter((word) => word !== '').join(' ')
  })
}

const COOKIE = 10

const hex = (bytes: Uint8Array): string => [...bytes].map((octet) => octet.toString(16).padStart(2, '0')).join('')

function answerWord(reply: Seen['reply']): string {
  if (!reply) return '(none)'
  if (reply.flags.truncated) return 'TC'
  return reply.rcode === RCODE.NOERROR && reply.answers.length === 0 ? 'NODATA' : rcodeName(reply.rcode)
}
