import { byText } from '../order.ts'
import type { Diagnostic, SourceLocation } from '../source.ts'
import type { CollectorError } from './collector-errors.ts'
import type { EmptyKind, FileReport, FoundLayout, InputInventory, LackingKind, Skipped } from './inventory.ts'
import type { TextFile } from './item.ts'
import { LAYOUTS, layoutsOf } from './layouts.ts'
import { collectCommand, kindOfPath, RESOURCES, resourceOfKind } from './resources.ts'

/** Notes what files are while they are read. */
export interface Inventory {
  readonly file: (report: FileReport) => void
  readonly skip: (skipped: Omit<Skipped, 'count'>) => void
  /** An object of a kind that is not read. */
  readonly skipKind: (kind: string, at: SourceLocation) => void
  readonly emptyList: (listKind: string, at: SourceLocation, file: TextFile) => void
  readonly errors: (file: string, errors: readonly CollectorError[]) => void
  /** A pod that does not say how it is. */
  readonly noStatus: (at: SourceLocation) => void
  readonly take: () => InputInventory
  /** Pods without a status: the first, and how many. */
  readonly stripped: () => Stripped
}

interface Stripped {
  readonly at: SourceLocation | undefined
  readonly count: number
}

const byPlace = (x: { readonly at: SourceLocation }, y: { readonly at: SourceLocation }): number =>
  byText(x.at.file, y.at.file) || x.at.line - y.at.line

export function newInventory(): Inventory {
  const files: FileReport[] = []
  const skipped: Skipped[] = []
  const kinds = new Map<string, Skipped>()
  const empty: EmptyKind[] = []
  const refused = new Map<string, { readonly at: SourceLocation }>()
  let stripped: Stripped = { at: undefined, count: 0 }

  return {
    file: (report) => void files.push({ ...report, kinds: sorted(report.kinds) }),
    skip: (one) => void skipped.push({ ...one, count: 1 }),
    skipKind(kind, at) {
      const before = kinds.get(kind)
      const first = before === undefined || byPlace({ at }, before) < 0 ? at : before.at
      const secret = kind === 'Secret'
      kinds.set(kind, {
        at: first,
        code: secret ? 'secret' : 'kind-not-read',
        reason: secret ? 'a Secret is counted and its data is never read' : `kind ${kind} is not read`,
        count: (before?.count ?? 0) + 1,
      })
    },
    emptyList(listKind, at, file) {
      const named =
        listKind === 'List' || listKind === '' ? kindOfPath(file.name)?.kind : listKind.slice(0, -'List'.length)
      if (named !== undefined && named !== '') empty.push({ kind: named, at })
    },
    errors(file, errors) {
      for (const { kind, why, line } of errors) {
        const at = { file, line }
        if (why === 'absent') empty.push({ kind, at })
        else refused.set(kind, { at })
      }
    },
    noStatus({ file, line }) {
      const at = { file, line }
      const first = stripped.at === undefined || byPlace({ at }, { at: stripped.at }) < 0 ? at : stripped.at
      stripped = { at: first, count: stripped.count + 1 }
    },
    stripped: () => stripped,
    take() {
      const held = new Set(files.flatMap((report) => Object.keys(report.kinds)))
      const layouts = layoutsOf(files.map(({ name }) => name))
      const none = [...empty]
        .sort((x, y) => byText(x.kind, y.kind) || byPlace(x, y))
        .filter(({ kind }) => !held.has(kind))
      const firstOfKind = none.filter(({ kind }, i) => none[i - 1]?.kind !== kind)
      return {
        files: files.sort((x, y) => byText(x.name, y.name)),
        layouts,
        skipped: [...skipped, ...kinds.values()].sort((x, y) => byPlace(x, y) || byText(x.code, y.code)),
        lacking: lackingKinds({ held, layouts, refused, none: new Set(firstOfKind.map(({ kind }) => kind)) }),
        empty: firstOfKind,
      }
    },
  }
}

const sorted = (counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([x], [y]) => byText(x, y)))

function lackingKinds(of: {
  readonly held: ReadonlySet<string>
  readonly none: ReadonlySet<string>
  readonly layouts: readonly FoundLayout[]
  readonly refused: ReadonlyMap<string, { readonly at: SourceLocation }>
}): LackingKind[] {
  const never = new Set(of.layouts.flatMap(({ kind }) => LAYOUTS[kind].never))
  return RESOURCES.filter(({ kind }) => !of.held.has(kind) && (of.refused.has(kind) || !of.none.has(kind)))
    .filter(({ kind, expected }) => expected || never.has(kind) || of.refused.has(kind))
    .map((resource) => ({
      kind: resource.kind,
      why: of.refused.has(resource.kind)
        ? ('notAllowed' as const)
        : never.has(resource.kind)
          ? ('notCollected' as const)
          : ('notFound' as const),
      collect: collectCommand([resource]),
      ...of.refused.get(resource.kind),
    }))
    .sort((x, y) => byText(x.kind, y.kind))
}

/** What a layout never holds, and what the collector was not allowed to see, is told without being asked. */
export function lackingDiagnostics({ layouts, lacking }: InputInventory): Diagnostic[] {
  const found: Diagnostic[] = []
  const never = lacking.filter(({ why }) => why === 'notCollected')
  const layout = layouts.find(({ kind }) => LAYOUTS[kind].never.length > 0)
  if (layout !== undefined && never.length > 0)
    found.push({
      severity: 'warning',
      code: 'layout-lacks',
      message: `${layout.root === '' ? '' : `${layout.root}: `}${LAYOUTS[layout.kind].title} never holds ${never.map(({ kind }) => kind).join(', ')}: what they would say is computed or unknown`,
      suggestion: `collect them too: ${collectCommand(never.flatMap(({ kind }) => resourceOfKind(kind) ?? []))}`,
    })
  for (const { kind, why, collect, at } of lacking)
    if (why === 'notAllowed')
      found.push({
        severity: 'warning',
        code: 'collector-refused',
        message: `who collected this was not allowed to see objects of kind ${kind}: nothing is known of them`,
        ...(at === undefined ? {} : { at }),
        suggestion: `let somebody collect them who may: ${collect}`,
      })
  return found
}

/** Velero may be told to leave statuses out: then pods have no addresses, and those that are computed are others. */
export function strippedDiagnostics({ layouts }: InputInventory, { at, count }: Stripped): Diagnostic[] {
  if (count === 0 || !layouts.some(({ kind }) => kind === 'velero')) return []
  return [
    {
      severity: 'warning',
      code: 'status-stripped',
      message: `${count} pods of the velero backup have no status: their addresses are not known`,
      ...(at === undefined ? {} : { at }),
      suggestion: 'collect them as they are: kubectl get pods -A -o yaml',
    },
  ]
}
