import type { Loaded } from '../cluster.ts'
import { byText } from '../order.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, diagnoseContext } from './context.ts'
import { endpointlessServices } from './endpointless-services.ts'
import { localPolicies } from './local-policies.ts'
import { nodesInTrouble } from './nodes.ts'
import { podsInTrouble } from './pods-in-trouble.ts'
import { policiesOfServicePorts } from './policy-ports.ts'
import { brokenReferences } from './references.ts'
import { reusedAddresses } from './reused-addresses.ts'
import { selectorsOfNothing } from './selectors.ts'
import { staleSlices } from './stale-slices.ts'
import { targetPortsOfNobody } from './target-ports.ts'

/** The families of findings, each a file. */
const FAMILIES: readonly ((context: DiagnoseContext) => readonly Diagnostic[])[] = [
  selectorsOfNothing,
  targetPortsOfNobody,
  endpointlessServices,
  brokenReferences,
  policiesOfServicePorts,
  podsInTrouble,
  nodesInTrouble,
  staleSlices,
  localPolicies,
  reusedAddresses,
]

const RANK: Readonly<Record<Diagnostic['severity'], number>> = { error: 0, warning: 1, note: 2 }

/**
 * What is wrong in a cluster whose objects are each right: Services that lead nowhere, pods that take no traffic, slices
 * that are not as their pods. Nothing is changed. The worst first, then by place.
 */
export function diagnose({ cluster, sources }: Pick<Loaded, 'cluster' | 'sources'>): readonly Diagnostic[] {
  const context = diagnoseContext(cluster, sources)
  return FAMILIES.flatMap((family) => family(context)).sort(byWeight)
}

/** Errors before warnings before notes; then by file, line and text. */
export const byWeight = (x: Diagnostic, y: Diagnostic): number =>
  RANK[x.severity] - RANK[y.severity] ||
  byText(x.at?.file ?? '', y.at?.file ?? '') ||
  (x.at?.line ?? 0) - (y.at?.line ?? 0) ||
  byText(x.message, y.message)
