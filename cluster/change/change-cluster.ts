import { type Parsed, parsed } from '../../packet/parsed.ts'
import { buildIndex } from '../build-index.ts'
import { type Cluster, keyOf } from '../cluster.ts'
import { completeCluster } from '../complete/complete.ts'
import { deepFreeze } from '../freeze.ts'
import type { InputFile } from '../input/item.ts'
import { mergeLabs, readLabs } from '../lab-document.ts'
import type { Assumption, Diagnostic } from '../source.ts'
import { sourceTexts } from '../source-texts.ts'
import { changeObjects, type Objects } from './change-objects.ts'
import { type Change, parseChanges } from './parse-change.ts'
import { objectKey, recordedObjects, withMarks } from './recorded-objects.ts'
import { runControllers } from './run-controllers.ts'

export interface ChangeOptions {
  /** The files that a change names. */
  readonly files?: (name: string) => readonly InputFile[]
  /** Of names without one; `default` unless said. */
  readonly namespace?: string
  /** What the cluster was before that, where it has been changed more than once: names and addresses are not given twice. */
  readonly earlier?: readonly Cluster[]
}

export interface Changed {
  readonly cluster: Cluster
  /** What is to be said about the files that were applied. */
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * The cluster after changes, when its controllers have done their part: pods keep their nodes and addresses, Services
 * theirs; what was deleted is replaced by those who own it, and slices follow.
 */
export function changeCluster(
  before: Cluster,
  changes: readonly Change[],
  options: ChangeOptions = {},
): Parsed<Changed> {
  const { files = () => [], namespace = 'default', earlier = [] } = options
  const recorded = { byKey: recordedObjects(before) }
  const objects: Objects = {
    byKey: new Map(recorded.byKey),
    touched: new Set(),
    stirred: [],
    snapshots: [],
    pods: { goAtOnce: true },
  }
  for (const change of changes) {
    const done = changeObjects(objects, change, { files, namespace })
    if (!done.ok) return done
  }
  const { missing, rewritten } = runControllers(objects, recorded)
  const labs = objects.snapshots.map(({ labs, sources }) => readLabs(labs, sources))
  const known = [...earlier, before]
  const { cluster, diagnostics } = completeCluster({
    snapshot: {
      found: [...objects.byKey.values()],
      labs: [],
      read: before.inventory.read,
      skipped: before.inventory.skipped,
      serverVersion: undefined,
      diagnostics: [],
      sources: sourceTexts(new Map()),
      input: { files: [], layouts: [], skipped: [], lacking: [], empty: [] },
    },
    lab: labs.reduce((lab, next) => mergeLabs(lab, next.lab), before.lab),
    refused: 'use',
    before,
    ongoing: {
      facts: before.facts,
      blocks: before.addressBlocks ?? [],
      used: known.flatMap(({ pods }) => pods.flatMap(({ spec, ips }) => (spec.hostNetwork ? [] : ips))),
      names: new Set(known.flatMap(({ pods }) => pods.filter(isKept(objects)).map(({ meta }) => keyOf(meta)))),
      missing,
      rewritten,
    },
  })
  const marked = withMarks(cluster, before, (key) => objects.touched.has(key))
  const after = withSameSlices(marked, before)
  return parsed({
    cluster: deepFreeze({
      ...after,
      assumptions: merged(before.assumptions, cluster.assumptions),
      index: buildIndex(after),
    }),
    diagnostics: [
      ...objects.snapshots.flatMap((snapshot) => snapshot.diagnostics),
      ...labs.flatMap((lab) => lab.diagnostics),
      ...diagnostics.filter(({ object }) => object !== undefined && isNew(object, before)),
    ],
  })
}

/** The same for changes as people say them: `delete pod/client; apply -f after.yaml`. */
export function changeByWords(before: Cluster, words: string, options: ChangeOptions = {}): Parsed<Changed> {
  const changes = parseChanges(words)
  return changes.ok ? changeCluster(before, changes.value, options) : changes
}

/** The next pod of a StatefulSet is called as the one before it, once that is gone. */
const isKept =
  ({ byKey }: Objects) =>
  (pod: Cluster['pods'][number]): boolean =>
    pod.meta.owner?.kind !== 'StatefulSet' || byKey.has(objectKey(pod))

const isNew = (object: string, before: Cluster): boolean =>
  ![...before.pods, ...before.services].some(({ kind, meta }) => `${kind} ${keyOf(meta)}` === object)

/** Slices that were written anew and say what they said stay as they were. */
function withSameSlices(after: Cluster, before: Cluster): Cluster {
  const old = new Map(before.endpointSlices.map((slice) => [keyOf(slice.meta), slice]))
  return {
    ...after,
    endpointSlices: after.endpointSlices.map((slice) => {
      const then = old.get(keyOf(slice.meta))
      return then !== undefined && saysTheSame(then, slice) ? then : slice
    }),
  }
}

type Slice = Cluster['endpointSlices'][number]

const saysTheSame = (x: Slice, y: Slice): boolean =>
  JSON.stringify([x.meta.labels, x.ports, x.endpoints]) === JSON.stringify([y.meta.labels, y.ports, y.endpoints])

function merged(old: readonly Assumption[], added: readonly Assumption[]): readonly Assumption[] {
  const known = new Set(old.map(({ code, text }) => `${code} ${text}`))
  return [...old, ...added.filter(({ code, text }) => !known.has(`${code} ${text}`))]
}
