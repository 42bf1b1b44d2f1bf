import { readItems, type Unpacking, unpack } from '../input/content.ts'
import type { InputInventory } from '../input/inventory.ts'
import type { Item, SourceFile } from '../input/item.ts'
import { isObject, member } from '../input/json-value.ts'
import { byText } from '../order.ts'
import type { Diagnostic } from '../source.ts'
import { type SourceTexts, sourceTexts } from '../source-texts.ts'
import { type Draft, type Found, kindOf, objectName, readDraft } from './object-kinds.ts'
import { type FieldProblem, problemText } from './place.ts'

/** All that the files say: one draft for each object, Lab documents, and what was left out. */
export interface Snapshot {
  readonly found: readonly Found[]
  readonly labs: readonly Item[]
  readonly read: Readonly<Record<string, number>>
  readonly skipped: Readonly<Record<string, number>>
  /** What `kubectl version -o json` says of the API server, where that is in the input. */
  readonly serverVersion: string | undefined
  readonly diagnostics: readonly Diagnostic[]
  readonly sources: SourceTexts
  /** What the files were found to be, and what was left out of them. */
  readonly input: InputInventory
}

const NOTHING_SKIPPED: InputInventory = { files: [], layouts: [], skipped: [], lacking: [], empty: [] }

/** Files may come in any order: they are read in the order of their names. */
export function readSnapshot(inputs: readonly SourceFile[], unpacking: Unpacking): Snapshot {
  const diagnostics: Diagnostic[] = []
  const diagnose = (diagnostic: Diagnostic) => void diagnostics.push(diagnostic)
  const files = [...inputs]
    .sort((x, y) => byText(x.name, y.name))
    .flatMap((input) => unpack(input, unpacking, diagnose) ?? [])
  const sources = sourceTexts(files)
  const objects = new Map<string, Found>()
  const labs: Item[] = []
  const skipped = new Map<string, number>()
  let serverVersion: string | undefined

  const item = (item: Item) => {
    if (item.kind === 'Lab' && item.apiVersion.startsWith('podwalk/')) return void labs.push(item)
    if (item.kind === '') {
      const version = serverVersionOf(item)
      if (version === undefined) diagnose(noKind(item))
      else serverVersion = version
      return
    }
    const problems: FieldProblem[] = []
    // A Secret is counted and never read.
    const found = item.kind === 'Secret' ? undefined : readDraft(item, problems)
    if (found === undefined) return count(skipped, item.kind)
    const name = objectName(kindOf(found.draft), found.draft.meta)
    for (const problem of withoutRepeats(problems)) diagnose(fieldDiagnostic({ found, name, problem, sources }))
    if (found.draft.meta.name !== '') keep({ objects, diagnose }, found)
  }
  for (const file of files) readItems(file, { item, diagnose })

  const found = [...objects.entries()].sort(([x], [y]) => byText(x, y)).map(([, value]) => value)
  return {
    found,
    labs,
    read: countOf(found),
    skipped: sorted(skipped),
    serverVersion,
    diagnostics,
    sources,
    input: NOTHING_SKIPPED,
  }
}

/** A field that is looked at twice, to read it and to validate it, has one problem. */
function withoutRepeats(problems: readonly FieldProblem[]): readonly FieldProblem[] {
  if (problems.length < 2) return problems
  const told = new Map(problems.map((problem) => [`${problem.code}\0${problemText(problem)}`, problem]))
  return [...told.values()]
}

/** `kubectl version -o json` has no kind. */
function serverVersionOf(item: Item): string | undefined {
  const server = member(item.value, 'serverVersion')
  const version = isObject(server) ? member(server, 'gitVersion') : undefined
  return typeof version === 'string' ? version : undefined
}

function noKind(item: Item): Diagnostic {
  return {
    severity: 'warning',
    code: 'kind-missing',
    message: `an object without kind is left out`,
    at: { file: item.at.file, line: item.at.line },
  }
}

function fieldDiagnostic(of: { found: Found; name: string; problem: FieldProblem; sources: SourceTexts }): Diagnostic {
  const { found, name, problem, sources } = of
  // What an API server took, it took: a rule that came later, or does not hold for updates.
  const refused = problem.refusal && !found.recorded
  return {
    severity: problem.refusal && found.recorded ? 'warning' : problem.severity,
    code: problem.code,
    message: `${name}${refused ? ' is invalid' : ''}: ${problemText(problem)}`,
    at: sources.locate(found.at, problem.path),
    object: name,
    ...(refused ? { refused: true } : {}),
    ...(problem.suggestion === undefined ? {} : { suggestion: problem.suggestion }),
  }
}

/** Two files often hold the same object: the recorded one counts, then the newer one, then the later one. */
function keep(
  { objects, diagnose }: { objects: Map<string, Found>; diagnose: (diagnostic: Diagnostic) => void },
  found: Found,
): void {
  const kind = kindOf(found.draft)
  const group = found.draft.kind === 'Other' ? `${found.draft.apiVersion.split('/')[0]}/` : ''
  const key = `${group}${kind}\0${found.draft.meta.namespace}\0${found.draft.meta.name}`
  const before = objects.get(key)
  if (before === undefined) return void objects.set(key, found)
  const rank = (one: Found) => (one.recorded ? 1 : 0) * 2 + (hasStatus(one.draft) ? 1 : 0)
  const newer = rank(found) - rank(before) || found.resourceVersion - before.resourceVersion
  const [winner, loser] = newer >= 0 ? [found, before] : [before, found]
  objects.set(key, winner)
  if (sameDraft(winner.draft, loser.draft)) return
  const name = objectName(kind, winner.draft.meta)
  // A manifest beside the recorded object differs by what the cluster filled in; two of a kind differ by mistake.
  const expected = winner.recorded !== loser.recorded
  diagnose({
    severity: expected ? 'note' : winner.recorded ? 'warning' : 'error',
    code: 'object-twice',
    message: `${name} is in the input twice and differs; the ${expected ? 'recorded' : 'later'} one is used`,
    at: { file: winner.at.file, line: winner.at.line },
    notes: [{ message: 'the one that is not used', at: { file: loser.at.file, line: loser.at.line } }],
    object: name,
    ...(expected ? {} : { suggestion: 'leave one of them out' }),
  })
}

const hasStatus = (draft: Draft): boolean => draft.kind === 'Pod' && draft.hasStatus

const sameDraft = (x: Draft, y: Draft): boolean => JSON.stringify(x) === JSON.stringify(y)

function countOf(found: readonly Found[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { draft } of found) count(counts, kindOf(draft))
  return sorted(counts)
}

function count(counts: Map<string, number>, kind: string): void {
  counts.set(kind, (counts.get(kind) ?? 0) + 1)
}

const sorted = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(([x], [y]) => byText(x, y)))
