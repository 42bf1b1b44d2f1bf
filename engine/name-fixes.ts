import { withConfigMap, withPod } from '../cluster/changed.ts'
import type { Pod } from '../cluster/objects.ts'
import { formatIp } from '../packet/ip.ts'
import { ask } from './ask.ts'
import { type Built, build } from './build.ts'
import { racingQueries, translatedAt } from './conntrack-race.ts'
import type { Conversation } from './conversation.ts'
import { corefileMap } from './coredns-pods.ts'
import { foundAs } from './lookup-view.ts'
import { withNodeLocalDns } from './node-local-variant.ts'
import type { Probe } from './probe.ts'

/** A change that makes the same lookup cheaper, faster or safer; what it does was found by looking up again. */
export interface NameFix {
  readonly change: string
  /** Queries that the lookup takes then. */
  readonly queries: number
  /** How long it takes then. */
  readonly durationNs: number
  /** What else it means. */
  readonly note?: string
}

export interface AskedName {
  readonly built: Built
  readonly probe: Probe
  readonly pod: Pod | undefined
  readonly before: Conversation
}

interface Candidate {
  readonly change: string
  readonly note?: string
  readonly built: Built
  readonly probe: Probe
  /** What it is for, where that is not fewer queries or less time: said of the lookup after the change. */
  readonly serves?: (after: Conversation) => string | undefined
}

/** Nobody notices less. */
const NOTICED_NS = 500_000_000

/** The changes that help and still find the same addresses: the fastest first, of those with few queries. */
export function nameFixes(asked: AskedName, options: { readonly seed?: number }): readonly NameFix[] {
  const { lookup, durationNs } = asked.before
  if (lookup === undefined || foundAs(lookup.queries) === undefined) return []
  const fixes: NameFix[] = []
  for (const { change, note, built, probe, serves } of candidates(asked)) {
    const after = ask(built, probe, options)
    const queries = after.lookup?.queries.length ?? 0
    if (addressesOf(after) !== addressesOf(asked.before)) continue
    const cheaper = queries < lookup.queries.length && after.durationNs <= durationNs
    const served = serves?.(after)
    if (!cheaper && served === undefined) continue
    const also = served ?? note
    fixes.push({ change, queries, durationNs: after.durationNs, ...(also === undefined ? {} : { note: also }) })
  }
  return fixes.toSorted((x, y) => noticed(x.durationNs) - noticed(y.durationNs) || x.queries - y.queries)
}

const noticed = (ns: number): number => Math.floor(ns / NOTICED_NS)

const addressesOf = ({ outcome }: Conversation): string =>
  outcome.kind === 'resolved' ? outcome.addresses.map(formatIp).sort().join(' ') : outcome.kind

function candidates(asked: AskedName): readonly Candidate[] {
  return [
    ...writtenInFull(asked),
    ...lowerNdots(asked),
    ...autopath(asked),
    ...otherSockets(asked),
    ...nodeLocalCache(asked),
  ]
}

/**
 * The name that was found, with its final dot: one round of queries whatever the resolver's settings. Some programs
 * (TLS, HTTP hosts) take no final dot: without it, where that is as good as asking in full.
 */
function writtenInFull({ built, probe, before }: AskedName): readonly Candidate[] {
  const found = foundAs(before.lookup?.queries ?? [])
  if (found === undefined) return []
  const dotted = found.endsWith('.') ? found : `${found}.`
  const bare = dotted.slice(0, -1)
  const named = (name: string): Probe => ({ ...probe, target: { ...probe.target, name, label: name } })
  const withDot: Candidate = { change: `write "${dotted}"`, built, probe: named(dotted) }
  if (bare === '' || bare === before.lookup?.name) return [withDot]
  return [withDot, { change: `write "${bare}"`, note: 'without its final dot', built, probe: named(bare) }]
}

/** The highest ndots at which the name as it is goes first. */
function lowerNdots({ built, probe, pod, before }: AskedName): readonly Candidate[] {
  const { lookup } = before
  if (pod === undefined || lookup === undefined) return []
  const dots = lookup.name.split('.').length - 1
  if (lookup.name.endsWith('.') || dots === 0 || dots >= lookup.ndots) return []
  const changed = build(withPod(built.cluster, withNdots(pod, dots)), built.options)
  const note =
    dots === 1
      ? 'names like svc.namespace are asked outside first then'
      : `short names with fewer than ${dots} dots (svc, svc.namespace) work as before`
  return [{ change: `dnsConfig option ndots:${dots}`, note, built: changed, probe }]
}

export const withNdots = (pod: Pod, ndots: number): Pod => withResolverOption(pod, { name: 'ndots', value: `${ndots}` })

/** The pod with an option in its dnsConfig, in the place of one of that name. */
function withResolverOption(pod: Pod, option: { readonly name: string; readonly value?: string }): Pod {
  const { dnsConfig } = pod.spec
  const options = [...dnsConfig.options.filter(({ name }) => name !== option.name), option]
  return { ...pod, spec: { ...pod.spec, dnsConfig: { ...dnsConfig, options } } }
}

/** CoreDNS walks the search list itself, where its Corefile is made to. */
function autopath({ built, probe }: AskedName): readonly Candidate[] {
  const map = corefileMap(built.cluster)
  const text = map === undefined ? undefined : corefileWithAutopath(map.data.Corefile ?? '')
  if (map === undefined || text === undefined) return []
  const changed = build(withConfigMap(built.cluster, { ...map, data: { ...map.data, Corefile: text } }), built.options)
  const note = 'CoreDNS then watches every pod, and trusts source addresses'
  return [{ change: 'autopath @kubernetes in the Corefile, with pods verified', note, built: changed, probe }]
}

/** The Corefile with `autopath` beside its one `kubernetes` block; undefined where it has one already or another form. */
function corefileWithAutopath(text: string): string | undefined {
  if (/^\s*autopath\b/m.test(text) || !/^\s*pods\s+(insecure|disabled|verified)\s*$/m.test(text)) return undefined
  const verified = text.replace(/^(\s*pods\s+)\w+\s*$/m, '$1verified')
  return verified.replace(/^(\s*)kubernetes\b/m, '$1autopath @kubernetes\n$1kubernetes')
}

/** Options that keep two queries from racing, as far as the library reads them: of a lookup that lost one. */
const SOCKET_OPTIONS: readonly { readonly name: string; readonly note: string }[] = [
  { name: 'single-request-reopen', note: 'A and AAAA one after the other, each by a port of its own' },
  { name: 'single-request', note: 'A and AAAA one after the other' },
  { name: 'use-vc', note: 'over TCP, where nothing races' },
]

function otherSockets({ built, probe, pod, before }: AskedName): readonly Candidate[] {
  if (pod === undefined || racingQueries(built.cluster, before)?.lost === undefined) return []
  return SOCKET_OPTIONS.map(({ name, note }) => ({
    change: `dnsConfig option ${name}`,
    note,
    built: build(withPod(built.cluster, withResolverOption(pod, { name })), built.options),
    probe,
  }))
}

/**
 * NodeLocal DNSCache where queries may race: its rules keep them away from conntrack. In IPVS mode no rule translates
 * them, and the address of the cluster's DNS is not free for it: nothing races that it could spare.
 */
function nodeLocalCache({ built, probe, before }: AskedName): readonly Candidate[] {
  const { cluster, options } = built
  const node = cluster.index.node.get(probe.from.host)
  const race = racingQueries(cluster, before)
  const queries = before.lookup?.queries ?? []
  const isClean = race?.lost === undefined && queries.every(({ name }) => name === foundAs(queries))
  if (node === undefined || race === undefined || isClean) return []
  const changed = withNodeLocalDns(cluster, node)
  if (changed === undefined) return []
  const note = 'none of them through conntrack'
  const serves = ({ lookup }: Conversation): string | undefined =>
    lookup?.queries.some((query) => translatedAt(query) !== undefined) ? undefined : note
  return [{ change: 'NodeLocal DNSCache on the node', built: build(changed, options), probe, serves }]
}
