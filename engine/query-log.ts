import type { Cluster } from '../cluster/cluster.ts'
import { keyOf } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { ipKey, parseIp } from '../packet/ip.ts'

/** Who asked for which names, read out of a CoreDNS log. */
export interface AskedNames {
  /** `Deployment default/web`, or the pod where nothing owns it. */
  readonly workload: string
  readonly pod: Pod
  /** As the program said them, before the search list. */
  readonly names: readonly string[]
}

export interface ReadLog {
  readonly asked: readonly AskedNames[]
  readonly lines: number
  /** Lines of addresses that no pod has. */
  readonly strangers: number
}

/** `[INFO] 10.244.1.2:43421 - 512 "A IN web.default.svc.cluster.local. udp 51 false 512" NOERROR qr,aa,rd 100 0.0002s`. */
const LINE = /\b(?:\[([0-9a-f:]+)\]|([0-9.]+)):\d+ - \d+ "(A|AAAA) IN (\S+) (?:udp|tcp) /i

/** Reads the lines of CoreDNS's `log` plugin (its common format), with whatever stands before them. */
export function readQueryLog(cluster: Cluster, text: string, searchOf: (pod: Pod) => readonly string[]): ReadLog {
  const byPod = new Map<Pod, Set<string>>()
  let lines = 0
  let strangers = 0
  for (const line of text.split('\n')) {
    const match = LINE.exec(line)
    if (match === null) continue
    lines++
    const address = parseIp(match[1] ?? match[2] ?? '')
    const pod = address.ok ? cluster.index.podByIp.get(ipKey(address.value)) : undefined
    if (pod === undefined) strangers++
    else remember(byPod, pod, (match[4] ?? '').toLowerCase().replace(/\.$/, ''))
  }
  return { asked: byWorkload(byPod, searchOf), lines, strangers }
}

function remember(byPod: Map<Pod, Set<string>>, pod: Pod, name: string): void {
  const names = byPod.get(pod)
  if (names === undefined) byPod.set(pod, new Set([name]))
  else names.add(name)
}

function byWorkload(
  byPod: ReadonlyMap<Pod, ReadonlySet<string>>,
  searchOf: (pod: Pod) => readonly string[],
): readonly AskedNames[] {
  const workloads = new Map<string, { readonly pod: Pod; readonly names: Set<string> }>()
  for (const [pod, queried] of byPod) {
    const workload = workloadOf(pod)
    const known = workloads.get(workload) ?? { pod, names: new Set<string>() }
    workloads.set(workload, known)
    for (const name of namesBehind(queried, searchOf(pod))) known.names.add(name)
  }
  return [...workloads]
    .map(([workload, { pod, names }]) => ({ workload, pod, names: [...names].sort() }))
    .toSorted((x, y) => (x.workload < y.workload ? -1 : 1))
}

/** A ReplicaSet's name is its Deployment's with a hash behind. */
export function workloadOf({ meta }: Pod): string {
  const { owner } = meta
  if (owner === undefined) return `Pod ${keyOf(meta)}`
  if (owner.kind !== 'ReplicaSet') return `${owner.kind} ${meta.namespace}/${owner.name}`
  const deployment = owner.name.replace(/-[0-9a-z]+$/, '')
  return `Deployment ${meta.namespace}/${deployment}`
}

/**
 * The names that a program said, from those that its resolver asked for: a query below a search domain is one step of
 * a search, and the steps before it were asked too. Of several readings the one with most steps is taken.
 */
function namesBehind(queried: ReadonlySet<string>, search: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const query of queried) names.add(nameBehind(query, queried, search))
  return names
}

function nameBehind(query: string, queried: ReadonlySet<string>, search: readonly string[]): string {
  for (let step = search.length - 1; step >= 0; step--) {
    const domain = search[step]
    if (domain === undefined || !query.endsWith(`.${domain}`)) continue
    const name = query.slice(0, -domain.length - 1)
    if (search.slice(0, step).every((earlier) => queried.has(`${name}.${earlier}`))) return name
  }
  return query
}
