import type { Cluster, Loaded } from '../cluster/cluster.ts'
import { load } from '../cluster/load.ts'
import { nearest } from '../cluster/nearest.ts'
import type { Diagnostic } from '../cluster/source.ts'
import { type Built, build } from '../engine/build.ts'
import { PROXY_MODE_NAMES } from '../proxy/proxy-mode.ts'
import { builtInLab, DEFAULT_LAB } from './built-in-labs.ts'
import { progressLine } from './progress.ts'
import { readInput } from './read-input.ts'
import { complain, diagnosticLines, Stop } from './terminal.ts'

/** Options of every command that reads a cluster. */
export interface SnapshotOptions {
  readonly file?: readonly string[]
  readonly lab?: string
  readonly proxy?: string
  readonly strict?: boolean
  readonly quiet?: boolean
}

/** Reads the snapshot that the options name: files, PODWALK_SNAPSHOT, or a built-in lab. Tells what is wrong in it. */
export function openSnapshot(options: SnapshotOptions): Loaded {
  const loaded = readSnapshot(options)
  tell(loaded.diagnostics, options)
  if (isEmpty(loaded.cluster)) throw new Stop('')
  return { ...loaded, diagnostics: strictly(options, loaded.diagnostics) }
}

/** The same for who tells by himself what is wrong; stops only where nothing could be read, or because of --strict. */
export function openToCheck(options: SnapshotOptions): Loaded {
  const loaded = readSnapshot(options)
  const hasErrors = loaded.diagnostics.some(({ severity }) => severity === 'error')
  const nothing = Object.keys(loaded.cluster.inventory.read).length === 0
  if (nothing || (options.strict === true && hasErrors)) tell(loaded.diagnostics, options)
  if (nothing) throw new Stop('')
  return { ...loaded, diagnostics: strictly(options, loaded.diagnostics) }
}

function readSnapshot(options: SnapshotOptions): Loaded {
  const input = readInput(pathsOf(options))
  if (input.files.length === 0) {
    tell(input.diagnostics, options)
    throw new Stop('')
  }
  const progress = progressLine()
  const loaded = load(input.files, { progress: progress.tell })
  progress.done()
  return { ...loaded, diagnostics: [...input.diagnostics, ...loaded.diagnostics] }
}

function strictly(options: SnapshotOptions, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  if (options.strict === true && diagnostics.some((diagnostic) => diagnostic.severity === 'error'))
    throw new Stop('stopped at the errors above, because of --strict', {
      todo: 'mend the input, or leave --strict out',
    })
  return diagnostics
}

/** Reads the snapshot and makes it ready to be walked. */
export function openBuilt(options: SnapshotOptions): Built {
  return buildFrom(openSnapshot(options).cluster, options)
}

/** Makes a cluster ready, and tells what the compilers have to say. */
export function buildFrom(cluster: Cluster, options: SnapshotOptions): Built {
  checkProxyMode(options.proxy)
  const built = build(cluster, options.proxy === undefined ? {} : { proxyMode: options.proxy })
  tell(built.diagnostics, options)
  return built
}

function checkProxyMode(mode: string | undefined): void {
  if (mode === undefined || PROXY_MODE_NAMES.some((name) => name === mode)) return
  const near = nearest(mode, PROXY_MODE_NAMES)
  throw new Stop(`--proxy: kube-proxy has no mode "${mode}"`, {
    todo: `${near === undefined ? '' : `did you mean ${near}? `}choose one of ${PROXY_MODE_NAMES.join(', ')}`,
  })
}

function pathsOf(options: SnapshotOptions): readonly string[] {
  const files = options.file ?? []
  const lab = options.lab === undefined ? [] : [builtInLab(options.lab)]
  if (files.length > 0 || lab.length > 0) return [...lab, ...files]
  const named = process.env.PODWALK_SNAPSHOT
  return named === undefined || named === '' ? [builtInLab(DEFAULT_LAB)] : [named]
}

/** At most this many messages of one code are printed; the others are counted. */
const MOST_OF_ONE_CODE = 5

/** Writes what is to be said about the input, a few of each kind. */
export function tell(diagnostics: readonly Diagnostic[], { quiet }: SnapshotOptions): void {
  const shown = new Map<string, number>()
  for (const diagnostic of diagnostics) {
    if (quiet === true && diagnostic.severity !== 'error') continue
    if (diagnostic.severity === 'note') continue
    const count = (shown.get(diagnostic.code) ?? 0) + 1
    shown.set(diagnostic.code, count)
    if (count <= MOST_OF_ONE_CODE) complain(diagnosticLines(diagnostic))
  }
  for (const [code, count] of shown)
    if (count > MOST_OF_ONE_CODE) complain([`and ${count - MOST_OF_ONE_CODE} more [${code}]`])
}

const isEmpty = (cluster: Cluster): boolean =>
  cluster.nodes.length + cluster.pods.length + cluster.services.length === 0
