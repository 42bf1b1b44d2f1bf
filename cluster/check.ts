import type { Cluster, Loaded } from './cluster.ts'
import { byWeight, diagnose } from './diagnose/diagnose.ts'
import type { InputInventory } from './input/inventory.ts'
import { byText } from './order.ts'
import type { Assumption, Diagnostic } from './source.ts'

/** What `podwalk check` says of a snapshot. */
export interface CheckReport {
  readonly verdict: CheckVerdict
  readonly cluster: Cluster
  readonly kinds: readonly KindCount[]
  readonly computed: readonly ComputedFact[]
  readonly input: InputInventory
  /** What is wrong in the input and in the cluster, the worst first. */
  readonly findings: readonly Diagnostic[]
  /** What the cluster has and podwalk does not compute: no fault of the cluster. */
  readonly limits: readonly Diagnostic[]
}

/** What is known of a cluster beside what loading it told. */
export interface Beside {
  /** All assumptions, those of loading included. */
  readonly assumptions?: readonly Assumption[]
  readonly limits?: readonly Diagnostic[]
}

/**
 * `problems`: there is an error or a warning. `unknown`: there is none, but whether Services have backends cannot be
 * told, since the input holds neither pods nor what makes them.
 */
export type CheckVerdict = 'sound' | 'problems' | 'unknown'

export interface KindCount {
  readonly kind: string
  /** Objects of the input. */
  readonly read: number
  /** Objects that the input lacks and controllers would have made. */
  readonly computed: number
}

/** Facts of one sort that were filled in. */
export interface ComputedFact {
  readonly code: string
  readonly count: number
  /** What was assumed, of the first. */
  readonly text: string
  readonly set?: string
  /** The command that would fetch them all. */
  readonly collect?: string
}

export function check(loaded: Loaded, { assumptions, limits = [] }: Beside = {}): CheckReport {
  const { cluster, input } = loaded
  const findings = once([...loaded.diagnostics.filter(({ code }) => !TOLD_AS_MISSING.has(code)), ...diagnose(loaded)])
  const wrong = findings.some(({ severity }) => severity !== 'note')
  return {
    verdict: wrong ? 'problems' : isUnknown(cluster) ? 'unknown' : 'sound',
    cluster,
    kinds: kindCounts(cluster),
    computed: computedFacts(assumptions ?? cluster.assumptions),
    input,
    findings,
    limits: once(limits),
  }
}

/** The list of missing kinds says the same. */
const TOLD_AS_MISSING: ReadonlySet<string> = new Set(['layout-lacks', 'collector-refused'])

/** Each once, though loading and diagnosing may both have found it. */
function once(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const told = new Map(diagnostics.map((one) => [`${one.message}\0${one.at?.file}\0${one.at?.line}`, one]))
  return [...told.values()].sort(byWeight)
}

const isUnknown = (cluster: Cluster): boolean =>
  cluster.pods.length + cluster.workloads.length === 0 &&
  cluster.services.some(({ selector }) => selector !== undefined)

function kindCounts(cluster: Cluster): KindCount[] {
  const total = new Map<string, number>()
  const objects = [
    ...cluster.nodes,
    ...cluster.namespaces,
    ...cluster.pods,
    ...cluster.services,
    ...cluster.endpointSlices,
    ...cluster.endpoints,
    ...cluster.workloads,
  ]
  for (const { kind } of objects) total.set(kind, (total.get(kind) ?? 0) + 1)
  const { read } = cluster.inventory
  return [...new Set([...total.keys(), ...Object.keys(read)])].sort(byText).map((kind) => {
    const inInput = read[kind] ?? 0
    return { kind, read: inInput, computed: Math.max((total.get(kind) ?? 0) - inInput, 0) }
  })
}

/** One command for all facts of a sort, where each alone would need its own. */
const COLLECT: Readonly<Record<string, string>> = {
  pod: 'kubectl get pods -A -o yaml',
  'endpoints-computed': 'kubectl get endpointslices -A -o yaml',
  'service-address': 'kubectl get services -A -o yaml',
  'node-ip': 'kubectl get nodes -o yaml',
  'node-pod-cidr': 'kubectl get nodes -o yaml',
}

function computedFacts(assumptions: readonly Assumption[]): ComputedFact[] {
  const byCode = new Map<string, Assumption[]>()
  for (const assumption of assumptions) {
    const group = byCode.get(assumption.code)
    if (group === undefined) byCode.set(assumption.code, [assumption])
    else group.push(assumption)
  }
  return [...byCode].flatMap(([code, group]): ComputedFact[] => {
    const [first] = group
    if (first === undefined) return []
    const collect = group.length === 1 ? first.collect : (COLLECT[code] ?? first.collect)
    return [
      {
        code,
        count: group.length,
        text: first.text,
        ...(first.set === undefined ? {} : { set: first.set }),
        ...(collect === undefined ? {} : { collect }),
      },
    ]
  })
}
