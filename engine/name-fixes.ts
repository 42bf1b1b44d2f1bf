import { withConfigMap, withPod } from '../cluster/changed.ts'
import type { Pod } from '../cluster/objects.ts'
import { formatIp } from '../packet/ip.ts'
import { ask } from './ask.ts'
import { type Built, build } from './build.ts'
import type { Conversation } from './conversation.ts'
import { corefileMap } from './coredns-pods.ts'
import { foundAs } from './lookup-view.ts'
import type { Probe } from './probe.ts'

/** A change that makes the same lookup cheaper; what it does was found by looking up again. */
export interface NameFix {
  readonly change: string
  /** Queries that the lookup takes then. */
  readonly queries: number
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
}

/** The changes that spare queries and still find the same addresses, the cheapest first. */
export function nameFixes(asked: AskedName, options: { readonly seed?: number }): readonly NameFix[] {
  const { lookup } = asked.before
  if (lookup === undefined || foundAs(lookup.queries) === undefined) return []
  const fixes: NameFix[] = []
  for (const { change, note, built, probe } of candidates(asked)) {
    const after = ask(built, probe, options)
    const queries = after.lookup?.queries.length ?? 0
    if (queries >= lookup.queries.length || addressesOf(after) !== addressesOf(asked.before)) continue
    fixes.push({ change, queries, ...(note === undefined ? {} : { note }) })
  }
  return fixes.toSorted((x, y) => x.queries - y.queries)
}

const addressesOf = ({ outcome }: Conversation): string =>
  outcome.kind === 'resolved' ? outcome.addresses.map(formatIp).sort().join(' ') : outcome.kind

function candidates(asked: AskedName): readonly Candidate[] {
  return [...writtenInFull(asked), ...lowerNdots(asked), ...autopath(asked)]
}

/** The name that was found, with its final dot: one round of queries whatever the resolver's settings. */
function writtenInFull({ built, probe, before }: AskedName): readonly Candidate[] {
  const found = foundAs(before.lookup?.queries ?? [])
  if (found === undefined) return []
  const name = found.endsWith('.') ? found : `${found}.`
  return [{ change: `write "${name}"`, built, probe: { ...probe, target: { ...probe.target, name, label: name } } }]
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

export function withNdots(pod: Pod, ndots: number): Pod {
  const { dnsConfig } = pod.spec
  const options = [...dnsConfig.options.filter(({ name }) => name !== 'ndots'), { name: 'ndots', value: `${ndots}` }]
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
