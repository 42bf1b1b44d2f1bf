import type { Cluster } from '../cluster/cluster.ts'
import { isLoopback } from '../packet/ip.ts'
import { racingQueries } from './conntrack-race.ts'
import type { Conversation } from './conversation.ts'
import { foundAs, type LookupView } from './lookup-view.ts'

/** Something about a lookup that is no error today and bites one day. */
export interface NameLint {
  readonly code: 'leak' | 'captured' | 'long-search' | 'external-name' | 'loop' | 'race'
  readonly text: string
}

/**
 * What stands out in a lookup: names that leave the cluster, a search domain that catches everything, lists too long,
 * queries that may race. `isThere` looks another name up from the same place.
 */
export function nameLints(
  cluster: Cluster,
  conversation: Conversation,
  isThere: (name: string) => boolean,
): readonly NameLint[] {
  const { lookup } = conversation
  if (lookup === undefined) return []
  return [
    ...leaks(cluster, lookup),
    ...captured(cluster, lookup, isThere),
    ...longSearch(lookup),
    ...externalName(cluster, lookup),
    ...loops(conversation),
    ...mayRace(cluster, conversation),
  ]
}

const lower = (name: string): string => name.toLowerCase().replace(/\.$/, '')
const within = (name: string, zone: string): boolean => zone !== '' && (name === zone || name.endsWith(`.${zone}`))

/** Candidates of the search list that a server outside the cluster is asked for: it learns names that mean nothing there. */
function leaks({ facts }: Cluster, lookup: LookupView): readonly NameLint[] {
  const asked = lower(lookup.name)
  const outside = new Set(
    lookup.queries
      .filter(
        ({ plugin, name }) =>
          plugin === 'forward' && lower(name) !== asked && !within(lower(name), lower(facts.dnsDomain)),
      )
      .map(({ name }) => name),
  )
  if (outside.size === 0) return []
  return [
    {
      code: 'leak',
      text: `${[...outside].join(', ')} ${outside.size === 1 ? 'is' : 'are'} asked of a server outside the cluster, because the search list has the node's domains`,
    },
  ]
}

/** A label that nobody gives a host: where it has an address, every name has. */
const UNLIKELY = 'podwalk-no-such-host'

/** A search domain of the node that answers for every name (a wildcard): what was meant is never asked for. */
function captured({ facts }: Cluster, lookup: LookupView, isThere: (name: string) => boolean): readonly NameLint[] {
  const found = foundAs(lookup.queries)
  if (found === undefined) return []
  const name = lower(found)
  const asked = lower(lookup.name)
  if (name === asked || within(name, lower(facts.dnsDomain)) || !name.startsWith(`${asked}.`)) return []
  const domain = name.slice(asked.length + 1)
  const text = isThere(`${UNLIKELY}.${domain}.`)
    ? `search domain ${domain} has a wildcard record: it answers every name, and ${lookup.name} itself is never asked for`
    : `search domain ${domain} of the node answers ${found}: ${lookup.name} itself is never asked for`
  return [{ code: 'captured', text }]
}

/** musl ignores a longer line of resolv.conf whole (resolvconf.c reads lines into a buffer of 256); glibc before 2.26 has room for six domains. */
const MUSL_LINE = 254
const OLD_GLIBC_DOMAINS = 6

function longSearch({ search }: LookupView): readonly NameLint[] {
  const line = `search ${search.join(' ')}`
  const lints: NameLint[] = []
  if (line.length > MUSL_LINE)
    lints.push({
      code: 'long-search',
      text: `the search line has ${line.length} octets: musl ignores a line of more than ${MUSL_LINE}, and searches nothing`,
    })
  if (search.length > OLD_GLIBC_DOMAINS)
    lints.push({
      code: 'long-search',
      text: `the search list has ${search.length} domains: glibc before 2.26 takes the first ${OLD_GLIBC_DOMAINS}`,
    })
  return lints
}

/**
 * The target of an ExternalName Service is looked up by CoreDNS, as an absolute name: ndots and search lists have no
 * say. A target that only a search list would find is not found.
 */
function externalName(cluster: Cluster, lookup: LookupView): readonly NameLint[] {
  const object = lookup.queries.find((query) => query.object !== undefined)?.object
  const service = cluster.services.find(
    ({ type, meta }) => type === 'ExternalName' && object === `Service ${meta.namespace}/${meta.name}`,
  )
  if (service === undefined) return []
  const target = lower(service.externalName)
  const why = onlyBySearch(cluster, target)
  if (why === undefined) return []
  const full = [target.replace(/\.svc$/, ''), ...(target.includes('.') ? [] : [service.meta.namespace]), 'svc']
  return [
    {
      code: 'external-name',
      text: `${object} points to "${service.externalName}", ${why}: CoreDNS takes it as an absolute name, whatever ndots and search list say; write ${full.join('.')}.${cluster.facts.dnsDomain}`,
    },
  ]
}

/** Why a name looks as if it were to be completed; undefined: it does not. */
function onlyBySearch({ index, facts }: Cluster, target: string): string | undefined {
  if (within(target, lower(facts.dnsDomain))) return undefined
  const labels = target.split('.')
  if (labels.length === 1) return 'which has no dot'
  if (labels.at(-1) === 'svc') return 'which ends in svc'
  return labels.length === 2 && index.service.has(`${labels[1]}/${labels[0]}`)
    ? 'a Service and its namespace'
    : undefined
}

/** A server that asks itself: its own loopback address or its pod's is among its upstreams, or it stopped because of it. */
function loops({ steps }: Conversation): readonly NameLint[] {
  const stopped = steps.find((step) => step.kind === 'dns.server' && step.event === 'failed' && /loop/i.test(step.text))
  if (stopped?.kind === 'dns.server') return [{ code: 'loop', text: `CoreDNS stops: ${stopped.text}` }]
  const asked = steps.find((step) => step.kind === 'dns.request' && isLoopback(step.from))
  if (asked?.kind !== 'dns.request') return []
  return [
    {
      code: 'loop',
      text: `${asked.server} in ${asked.netns} on ${asked.host} forwards to its own loopback address, so it asks itself: plugin loop makes it stop when it starts`,
    },
  ]
}

/** Nothing was lost in this walk, and could be. */
function mayRace(cluster: Cluster, conversation: Conversation): readonly NameLint[] {
  const race = racingQueries(cluster, conversation)
  if (race === undefined || race.lost !== undefined) return []
  const { types, node, servers } = race
  return [
    {
      code: 'race',
      text: `${types.join(' and ')} leave one socket at once, and ${node} sends each to one of ${servers} servers: kernels before 2020 can lose one of them, for 5 s (Lab fault conntrackRace)`,
    },
  ]
}
