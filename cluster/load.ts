import type { Cluster, Loaded } from './cluster.ts'
import { completeCluster } from './complete/complete.ts'
import { crossChecks } from './complete/cross-checks.ts'
import { deepFreeze } from './freeze.ts'
import type { InputFile } from './input/item.ts'
import type { InputProgress } from './input/read-inputs.ts'
import type { Lab } from './lab.ts'
import { readLabs } from './lab-document.ts'
import { readSnapshot } from './read/snapshot.ts'
import type { Diagnostic } from './source.ts'

export interface LoadOptions {
  /** Is called while files are read. */
  readonly progress?: InputProgress
  /** Settings that override those of the Lab documents: what the user gave beside the files. */
  readonly lab?: Lab
  /** What to do with an object that the API server would refuse: use what is right in it, or leave it out. */
  readonly refused?: 'use' | 'drop'
  /**
   * The cluster before a change, where the files are the cluster after it: what its controllers had made and would not
   * take away again is still there (the slices of a Service that lost its selector).
   */
  readonly before?: Pick<Cluster, 'endpointSlices' | 'endpoints'>
}

/**
 * Turns named files into the Cluster that an API server and its controllers would hold. Never throws: what cannot be
 * read is told, with its place, and the rest is used. The order of the files does not matter.
 */
export function load(inputs: readonly InputFile[], options: LoadOptions = {}): Loaded {
  const snapshot = readSnapshot(inputs, options)
  const labs = readLabs(snapshot.labs, snapshot.sources)
  const lab = { ...labs.lab, ...options.lab }
  const completed = completeCluster({ snapshot, lab, refused: options.refused ?? 'use', before: options.before })
  const told = withoutLaterRefusals(snapshot.diagnostics, completed.diagnostics)
  const diagnostics: Diagnostic[] = [...told, ...labs.diagnostics, ...completed.diagnostics]
  if (snapshot.found.length === 0) diagnostics.push(noObjects(inputs))
  const cluster: Cluster = deepFreeze(completed.cluster)
  diagnostics.push(...crossChecks({ cluster, sources: snapshot.sources, labs: snapshot.labs }))
  return { cluster, diagnostics, sources: snapshot.sources, input: snapshot.input }
}

/** The API server gives addresses and ports before it looks at anything else, and where that fails it says no more. */
function withoutLaterRefusals(read: readonly Diagnostic[], completed: readonly Diagnostic[]): readonly Diagnostic[] {
  const first = new Set(completed.flatMap(({ refused, object }) => (refused ? (object ?? []) : [])))
  if (first.size === 0) return read
  return read.filter(({ refused, object }) => !refused || object === undefined || !first.has(object))
}

function noObjects(inputs: readonly InputFile[]): Diagnostic {
  const [first] = inputs
  return {
    severity: 'error',
    code: 'no-objects',
    message: first === undefined ? 'there is no input' : 'the input holds no Kubernetes object',
    ...(first === undefined ? {} : { at: { file: first.name, line: 1 } }),
    suggestion: 'give what `kubectl get nodes,pods,svc,endpointslices,cm -A -o yaml` prints, or manifests',
  }
}
