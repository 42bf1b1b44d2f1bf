import { decodeMessage } from '../../dns/message-decode.ts'
import type { LookupOutcome, Resolver } from '../../dns/resolver/lookup.ts'
import type { ResolverName } from '../../dns/resolver/registry.ts'
import { formatIp } from '../../packet/ip.ts'
import { settled } from '../judge/resolver-compare.ts'
import { MS, runLookup } from '../judge/resolver-run.ts'
import { VirtualNetwork } from '../judge/virtual-network.ts'
import { answererOf } from './behaviours.ts'
import type { RealRun, RealTask } from './real-run.ts'
import type { ResolverScenario } from './resolver-scenario.ts'
import { type Seen, scriptedServer } from './scripted-server.ts'

/** A real program, and our resolver that must do the same. */
export interface RealClient {
  readonly name: string
  readonly resolver: ResolverName | Resolver
  readonly command: (name: string) => readonly string[]
  /** The type it is told to ask for. */
  readonly type?: string
  readonly addrConfig?: boolean
  /** What our program would print; absent: what the resolver says it prints. */
  readonly print?: (outcome: LookupOutcome, name: string) => string
  /** Text without what is chance or of another version. */
  readonly settle?: (text: string) => string
  /** Scenarios that this program is not for. */
  readonly leavesOut?: (scenario: ResolverScenario) => boolean
}

/** What can be compared of a run. */
export interface Compared {
  readonly queries: readonly string[]
  readonly output: string
  readonly code: number
}

export const NSSWITCH = 'hosts: files dns\n'

export const taskOf = ({ command }: RealClient, scenario: ResolverScenario): RealTask => ({
  command: command(scenario.name),
  files: { 'resolv.conf': scenario.resolvConf, hosts: scenario.hosts, 'nsswitch.conf': NSSWITCH },
  servers: scenario.servers,
})

interface QuerySeen {
  readonly at: number
  readonly answeredAt: number | undefined
  readonly server: string
  readonly transport: 'udp' | 'tcp'
  readonly port: number
  readonly bytes: Uint8Array
}

/** Replies do not arrive at quite the same moment: in milliseconds, as `at` is. */
const SLACK = 3

/**
 * Queries in flight together are a batch; in it those of different sockets may swap, and which of two servers sees its
 * query first is chance.
 */
function queriesOf(seen: readonly QuerySeen[]): readonly string[] {
  let batch = 0
  const numbered = seen.map((one, i) => {
    if (!seen.slice(0, i).some(({ answeredAt = 0 }) => answeredAt > one.at + SLACK)) batch++
    return { ...one, batch }
  })
  const byServer = [...numbered].sort(
    (x, y) => x.batch - y.batch || (x.server < y.server ? -1 : x.server > y.server ? 1 : 0),
  )
  return settled(
    byServer.map((one) => ({ what: whatOf(one), socket: `${one.transport} ${one.port}`, batch: one.batch })),
  )
}

function whatOf({ bytes, server, transport }: QuerySeen): string {
  const message = decodeMessage(bytes)
  if (!message.ok) return `malformed ${Buffer.from(bytes.subarray(12)).toString('hex')} ${server} ${transport}`
  const { questions, flags, edns } = message.value
  const [question] = questions
  const options = edns?.options.map(({ code }) => code).join(',') ?? ''
  const words = [flags.authenticData && 'ad', flags.recursionDesired && 'rd', edns && `edns ${edns.size} ${options}`]
  return `${question?.name} ${question?.type} ${server} ${transport} ${words.filter(Boolean).join(' ')}`
}

export function realOf({ settle = (text) => text }: RealClient, run: RealRun): Compared {
  const seen = run.seen.map(({ atMs, answeredAtMs, hex, ...one }) => ({
    ...one,
    at: atMs,
    answeredAt: answeredAtMs,
    bytes: Uint8Array.from(Buffer.from(hex, 'hex')),
  }))
  return { queries: queriesOf(seen), output: settle(`${run.stdout}${run.stderr}`), code: run.code }
}

export function oursOf(client: RealClient, scenario: ResolverScenario): Compared {
  const { resolver, print, type, addrConfig = false, settle = (text) => text } = client
  const network = new VirtualNetwork()
  const seen: Seen[] = []
  for (const { address, ...server } of scenario.servers)
    network.start({
      name: address,
      addresses: [address],
      program: scriptedServer({ address, answer: answererOf(server), delay: 8 * MS, seen }),
    })
  const { outcome } = runLookup(network, {
    resolver,
    name: scenario.name,
    addrConfig,
    ...(type !== undefined && { type }),
    files: { '/etc/resolv.conf': scenario.resolvConf, '/etc/hosts': scenario.hosts, '/etc/nsswitch.conf': NSSWITCH },
    client: '127.0.0.1',
    visible: ['127.0.0.1', '::1'],
  })
  const queries = queriesOf(seen.map(({ source, ...one }) => ({ ...one, port: source.port })))
  if (!outcome) return { queries, output: '(not over)', code: -1 }
  const { printed } = outcome
  const text = print?.(outcome, scenario.name) ?? `${printed?.stdout ?? ''}${printed?.stderr ?? ''}`
  return { queries, output: settle(text), code: printed?.exitCode ?? (outcome.ok ? 0 : 1) }
}

/** A line an address, or the message. */
export const addressLines = (outcome: LookupOutcome): string =>
  outcome.ok ? outcome.addresses.map((ip) => `${formatIp(ip)}\n`).join('') : `${outcome.message}\n`
