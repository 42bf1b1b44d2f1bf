import type { CheckReport, ComputedFact } from '../cluster/check.ts'
import type { InputInventory, LackingKind, Skipped } from '../cluster/input/inventory.ts'
import { collectCommand, resourceOfKind } from '../cluster/input/resources.ts'
import { type Diagnostic, formatLocation } from '../cluster/source.ts'
import { formatPrefix } from '../packet/prefix.ts'
import { toAscii } from './ascii.ts'
import { labelled, table, wrap } from './columns.ts'
import { DEFAULT_TEXT, type TextOptions } from './text-options.ts'

/** What a snapshot holds and what is wrong in it, for people: the count of problems first, the problems last. */
export function renderCheck(report: CheckReport, options: Partial<TextOptions> = {}): string {
  const how: TextOptions = { ...DEFAULT_TEXT, ...options }
  const blocks = [
    [headline(report, how)],
    [...clusterLines(report, how), ...readLines(report, how)],
    computedLines(report, how),
    missingLines(report.input.lacking, how),
    emptyLines(report.input, how),
    skippedLines(report, how),
    ...findingBlocks(report, how),
  ]
  const text = `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
  return how.ascii ? toAscii(text) : text
}

const number = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

function headline({ verdict, findings }: CheckReport, { paint }: TextOptions): string {
  const of = (severity: Diagnostic['severity']) => findings.filter((finding) => finding.severity === severity).length
  const counts = [number(of('error'), 'error'), number(of('warning'), 'warning'), number(of('note'), 'note')].join(', ')
  switch (verdict) {
    case 'sound':
      return `${paint.good('✓ NOTHING WRONG')}  ${counts}`
    case 'problems':
      return `${paint.bad('✗ PROBLEMS')}  ${counts}`
    case 'unknown':
      return `${paint.unsure('? NOT ENOUGH DATA')}  ${counts}; whether Services have pods cannot be told`
    default:
      return verdict satisfies never
  }
}

const INDENT = 10

const part = (label: string, text: string, { width, paint }: TextOptions): readonly string[] =>
  labelled(label, text, { indent: INDENT, width })
    .map((line) => line.replaceAll(GLUE, ' '))
    .map((line, i) => (i === 0 ? paint.heading(label) + line.slice(label.length) : line))

/** A number stays with its kind. */
const kindList = (counts: readonly { readonly kind: string; readonly count: number }[]): string =>
  counts.map(({ kind, count }) => `${count}${GLUE}${kind}`).join(', ')

/** A blank that no line is broken at. */
const GLUE = '\u00a0'

function clusterLines({ cluster }: CheckReport, how: TextOptions): readonly string[] {
  const { kubernetesVersion, cni, podCIDRs, serviceCIDRs, dnsDomain } = cluster.facts
  const network = cni.name === 'unknown' ? `pod network not known (${cni.evidence})` : `${cni.name} (${cni.evidence})`
  return part(
    'CLUSTER',
    `Kubernetes ${kubernetesVersion}, ${network}, pods ${podCIDRs.map(formatPrefix).join(', ')}, Services ${serviceCIDRs.map(formatPrefix).join(', ')}, domain ${dnsDomain}`,
    how,
  )
}

/** Kinds that questions are asked about come first. */
const FIRST = ['Node', 'Namespace', 'Pod', 'Service', 'EndpointSlice', 'Endpoints', 'NetworkPolicy', 'Ingress']
const rankOf = (kind: string): number => (FIRST.includes(kind) ? FIRST.indexOf(kind) : FIRST.length)

function readLines({ kinds, input }: CheckReport, how: TextOptions): readonly string[] {
  const read = kinds.filter((one) => one.read > 0).sort((x, y) => rankOf(x.kind) - rankOf(y.kind))
  const files = input.files
  const layouts = input.layouts.map(({ kind, root }) => `${kind}${root === '' ? '' : ` in ${root}`}`)
  const from =
    files.length === 0
      ? ''
      : files.length === 1
        ? ` from ${files[0]?.name ?? ''}`
        : ` from ${number(files.length, 'file')}`
  const counts = kindList(read.map(({ kind, read: count }) => ({ kind, count })))
  return [
    ...part('READ', `${counts === '' ? 'nothing' : counts}${from}`, how),
    ...(layouts.length === 0 ? [] : part('FORM', layouts.join(', '), how)),
  ]
}

function computedLines({ kinds, computed }: CheckReport, how: TextOptions): readonly string[] {
  if (computed.length === 0) return []
  const made = kindList(kinds.map(({ kind, computed: count }) => ({ kind, count })).filter(({ count }) => count > 0))
  const heading = made === '' ? part('ASSUMED', 'what the objects do not tell', how) : part('COMPUTED', made, how)
  return [...heading, ...computed.flatMap((fact) => factLines(fact, how))]
}

function factLines({ text, count, collect, set }: ComputedFact, { width, paint }: TextOptions): readonly string[] {
  const more = count === 1 ? '' : `, and ${count - 1} more of this kind`
  return [
    ...wrap(`${text}${more}`, width - 2).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`)),
    ...(collect === undefined ? [] : [paint.faint(`    get it: ${collect}`)]),
    ...(set === undefined ? [] : [paint.faint(`    or say it: ${set}`)]),
  ]
}

const WHY: Readonly<Record<LackingKind['why'], string>> = {
  notCollected: 'not in such a dump',
  notAllowed: 'not allowed to look',
  notFound: 'none in the input',
}

function missingLines(lacking: readonly LackingKind[], how: TextOptions): readonly string[] {
  if (lacking.length === 0) return []
  const rows = lacking.map(({ kind, why, collect, at }) => [
    `  ${kind}`,
    `${WHY[why]}${at === undefined ? '' : ` (${formatLocation(at)})`}`,
    collect,
  ])
  const resources = lacking.flatMap(({ kind }) => resourceOfKind(kind) ?? [])
  return [
    ...part('MISSING', 'kinds that answers may depend on, and how to get them', how),
    ...table(rows),
    ...(resources.length < 2 ? [] : [`  ${how.paint.faint('all at once:')} ${collectCommand(resources)}`]),
  ]
}

function emptyLines(input: InputInventory, how: TextOptions): readonly string[] {
  const empty = input.empty
  return empty.length === 0
    ? []
    : part('NONE', `${empty.map(({ kind }) => kind).join(', ')}: looked for, and the cluster has none`, how)
}

function skippedLines({ input }: CheckReport, how: TextOptions): readonly string[] {
  if (input.skipped.length === 0) return []
  return [...part('NOT READ', 'what no answer needs', how), ...table(input.skipped.map(skippedRow))]
}

const skippedRow = ({ at, reason, count }: Skipped): readonly string[] => [
  `  ${count}`,
  reason,
  `${formatLocation(at)}${count > 1 ? ' and on' : ''}`,
]

function findingBlocks({ findings, limits }: CheckReport, how: TextOptions): readonly (readonly string[])[] {
  const wrong = findings.filter(({ severity }) => severity !== 'note')
  const notes = findings.filter(({ severity }) => severity === 'note')
  return [
    ...section('PROBLEMS', wrong, how),
    ...section('GOOD TO KNOW', notes, how),
    ...section(
      'NOT MODELLED',
      limits.map((limit) => ({ ...limit, severity: 'note' })),
      how,
    ),
  ]
}

/** At most this many findings of one code are told; `-o wide` and JSON have all. */
const MOST_OF_ONE_CODE = 10

function section(title: string, findings: readonly Diagnostic[], how: TextOptions): readonly (readonly string[])[] {
  if (findings.length === 0) return []
  const most = Number.isFinite(how.width) ? MOST_OF_ONE_CODE : Number.POSITIVE_INFINITY
  const counts = new Map<string, number>()
  const told = findings.filter(({ code }) => {
    const count = (counts.get(code) ?? 0) + 1
    counts.set(code, count)
    return count <= most
  })
  const more = [...counts].filter(([, count]) => count > most)
  return [
    [how.paint.heading(title)],
    ...told.map((finding) => findingLines(finding, how)),
    ...(more.length === 0
      ? []
      : [more.map(([code, count]) => `and ${count - most} more [${code}]: podwalk check -o wide tells all`)]),
  ]
}

const MARK = { error: '✗', warning: '!', note: '-' } as const

/** The sentence, its place alone on a line so that it can be copied, what else matters, and what to do. */
function findingLines(finding: Diagnostic, how: TextOptions): readonly string[] {
  const { severity, code, message, at, notes, suggestion } = finding
  const paint = severity === 'error' ? how.paint.bad : severity === 'warning' ? how.paint.unsure : how.paint.faint
  const head = wrap(message, how.width - 2).map((line, i) =>
    i === 0 ? `${paint(MARK[severity])} ${line}` : `  ${line}`,
  )
  const place = at === undefined ? '' : `${formatLocation(at)}  `
  return [
    ...head,
    `    ${place}${how.paint.faint(`[${code}]`)}`,
    ...(notes ?? []).flatMap((note) => [
      ...labelled('    see', note.message, { indent: 8, width: how.width }),
      ...(note.at === undefined ? [] : [`        ${formatLocation(note.at)}`]),
    ]),
    ...(suggestion === undefined ? [] : doLines(suggestion, how)),
  ]
}

const COMMAND = /kubectl (?:get|describe|logs|delete|scale|uncordon|-n) /

/** A command is not broken: it is there to be copied. */
function doLines(suggestion: string, { width }: TextOptions): readonly string[] {
  const at = suggestion.search(COMMAND)
  if (at === 0) return [`    do  ${suggestion}`]
  if (at < 0 || !suggestion.slice(0, at).endsWith(': ')) return labelled('    do', suggestion, { indent: 8, width })
  return [...labelled('    do', suggestion.slice(0, at - 1), { indent: 8, width }), `        ${suggestion.slice(at)}`]
}
