import type { Cluster } from '../cluster/cluster.ts'
import type { Conversation } from './conversation.ts'
import { foundAs, type LookupView } from './lookup-view.ts'

/** Something about a lookup that is no error today and bites one day. */
export interface NameLint {
  readonly code: 'leak' | 'captured' | 'long-search' | 'external-name' | 'loop'
  readonly text: string
}

/** What stands out in a lookup: names that leave the cluster, a search domain that catches everything, lists too long. */
export function nameLints(cluster: Cluster, conversation: Conversation): readonly NameLint[] {
  const { lookup } = conversation
  if (lookup === undefined) return []
  return [
    ...leaks(cluster, lookup),
    ...captured(cluster, lookup),
    ...longSearch(lookup),
    ...externalName(cluster, lookup),
    ...loops(conversation),
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

/** A search domain of the node that answers for every name (a wildcard): what was meant is never asked for. */
function captured({ facts }: Cluster, lookup: LookupView): readonly NameLint[] {
  const found = foundAs(lookup.queries)
  if (found === undefined) return []
  const name = lower(found)
  const asked = lower(lookup.name)
  if (name === asked || within(name, lower(facts.dnsDomain))) return []
  const domain = name.startsWith(`${asked}.`) ? name.slice(asked.length + 1) : undefined
  if (domain === undefined) return []
  return [
    {
      code: 'captured',
      text: `search domain ${domain} answers ${found}: if that is a wildcard record, ${lookup.name} itself is never asked for`,
    },
  ]
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

/** The target of an ExternalName Service is looked up by CoreDNS, as an absolute name: ndots has no say. */
function externalName({ services }: Cluster, lookup: LookupView): readonly NameLint[] {
  const object = lookup.queries.find((query) => query.object !== undefined)?.object
  const service = services.find(
    (candidate) =>
      candidate.type === 'ExternalName' && object === `Service ${candidate.meta.namespace}/${candidate.meta.name}`,
  )
  if (service === undefined || service.externalName.includes('.')) return []
  return [
    {
      code: 'external-name',
      text: `${object} points to "${service.externalName}", which has no dot: it is an absolute name there, no search list is used for it`,
    },
  ]
}

function loops({ steps }: Conversation): readonly NameLint[] {
  const loop = steps.find((step) => step.kind === 'dns.server' && step.event === 'failed' && /loop/i.test(step.text))
  return loop?.kind === 'dns.server' ? [{ code: 'loop', text: `CoreDNS stops: ${loop.text}` }] : []
}
