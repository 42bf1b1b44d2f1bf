import type { InputInventory } from '../input/inventory.ts'
import type { InputFile, Item } from '../input/item.ts'
import { isObject, member } from '../input/json-value.ts'
import { type InputProgress, readInputs } from '../input/read-inputs.ts'
import { internStrings, type Strings } from '../input/strings.ts'
import { byText } from '../order.ts'
import type { Diagnostic, SourceLocation } from '../source.ts'
import { type SourceTexts, sourceTexts } from '../source-texts.ts'
import { type Draft, type Found, isReadKind, kindOf, objectName, readDraft } from './object-kinds.ts'
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

export interface ReadOptions {
  readonly progress?: InputProgress
}

/** Files may come in any order: what is in them is told in the order of their names. */
export function readSnapshot(inputs: readonly InputFile[], { progress }: ReadOptions = {}): Snapshot {
  const diagnostics: Diagnostic[] = []
  const diagnose = (diagnostic: Diagnostic) => void diagnostics.push(diagnostic)
  const objects = new Map<string, Found[]>()
  const labs: Item[] = []
  const skipped = new Map<string, number>()
  const strings: Strings = new Map()
  const versions: { readonly version: string; readonly at: SourceLocation }[] = []
  const texts = new Map()
  const sources = sourceTexts(texts)

  const item = (item: Item, below: boolean): boolean => {
    if (item.kind === 'Lab' && item.apiVersion.startsWith('podwalk/')) {
      labs.push(item)
      return true
    }
    if (item.kind === '') {
      const version = serverVersionOf(item)
      if (version === undefined) diagnose(noKind(item, below))
      else versions.push({ version, at: item.at })
      return version !== undefined
    }
    const problems: FieldProblem[] = []
    const found = readDraft(item, problems)
    if (found === undefined) return false
    internStrings(found, strings)
    const name = objectName(kindOf(found.draft), found.draft.meta)
    for (const problem of withoutRepeats(problems)) diagnose(fieldDiagnostic({ found, name, problem, sources }))
    if (found.draft.meta.name !== '') keep(objects, found)
    return true
  }
  const input = readInputs(inputs, {
    texts,
    diagnose,
    item,
    wants: isReadKind,
    unread: (kind) => count(skipped, kind),
    ...(progress === undefined ? {} : { progress }),
  })

  const found = [...objects.entries()]
    .sort(([x], [y]) => byText(x, y))
    .flatMap(([, copies]) => bestOf(copies, diagnose) ?? [])
  return {
    found,
    labs: labs.sort((x, y) => byPlace(x.at, y.at)),
    read: countOf(found),
    skipped: sorted(skipped),
    serverVersion: versions.sort((x, y) => byPlace(x.at, y.at)).at(-1)?.version,
    diagnostics: inOrderOfFiles(diagnostics),
    sources,
    input,
  }
}

const byPlace = (x: SourceLocation, y: SourceLocation): number => byText(x.file, y.file) || x.line - y.line

/** Diagnostics of one file stay in the order in which it was read; those that have no file come first. */
const inOrderOfFiles = (diagnostics: readonly Diagnostic[]): Diagnostic[] =>
  [...diagnostics].sort((x, y) => byText(x.at?.file ?? '', y.at?.file ?? ''))

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

/** In a directory there may be files of many kinds; one that was named should hold objects. */
function noKind(item: Item, below: boolean): Diagnostic {
  return {
    severity: below ? 'note' : 'warning',
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

/** Keeps an object beside the others of its name; of equal ones the last. */
function keep(objects: Map<string, Found[]>, found: Found): void {
  const group = found.draft.kind === 'Other' ? `${found.draft.apiVersion.split('/')[0]}/` : ''
  const key = `${group}${kindOf(found.draft)}\0${found.draft.meta.namespace}\0${found.draft.meta.name}`
  const copies = objects.get(key)
  if (copies === undefined) return void objects.set(key, [found])
  const equal = copies.findIndex((copy) => copy.recorded === found.recorded && sameDraft(copy.draft, found.draft))
  if (equal < 0) copies.push(found)
  else if (byWorth(copies[equal] ?? found, found) < 0) copies[equal] = found
}

/** The recorded object counts more than a manifest, then one with a status, then the newer one, then the later one. */
function byWorth(x: Found, y: Found): number {
  const rank = (one: Found) => (one.recorded ? 2 : 0) + (hasStatus(one.draft) ? 1 : 0)
  return rank(x) - rank(y) || x.resourceVersion - y.resourceVersion || byPlace(x.at, y.at) || x.at.offset - y.at.offset
}

/** Two files often hold the same object. The best one is used; where another differs, that is told. */
function bestOf(copies: readonly Found[], diagnose: (diagnostic: Diagnostic) => void): Found | undefined {
  const [winner, ...losers] = copies.length < 2 ? copies : [...copies].sort((x, y) => byWorth(y, x))
  if (winner === undefined) return undefined
  const name = objectName(kindOf(winner.draft), winner.draft.meta)
  for (const loser of losers) {
    if (sameDraft(winner.draft, loser.draft)) continue
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
  return winner
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
