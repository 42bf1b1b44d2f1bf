import { load } from 'js-yaml'
import type { Diagnostic, SourceLocation } from '../cluster/source.ts'
import { parseGoDuration } from './go-duration.ts'

/** A tree of values as YAML gives it. */
export type Tree = { readonly [key: string]: unknown }

/** A KubeProxyConfiguration under reading, and what was wrong with it. */
export interface ConfigurationDocument {
  readonly tree: Tree
  /** What to call it in messages. */
  readonly name: string
  readonly at: SourceLocation | undefined
  readonly problems: Diagnostic[]
}

/** Parses YAML or JSON. A text that is neither, or no object, is an empty document with a problem. */
export function openDocument(
  text: string,
  about: { readonly name: string; readonly at: SourceLocation | undefined },
): ConfigurationDocument {
  const problems: Diagnostic[] = []
  const document = { ...about, problems }
  try {
    const value = load(text)
    if (isTree(value)) return { ...document, tree: value }
    report(document, 'is not an object')
  } catch (error) {
    report(document, `is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`)
  }
  return { ...document, tree: {} }
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `over` on top of `under`; objects are merged, everything else is replaced. */
export function overlay(under: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isTree(value) && isTree(below) ? overlay(below, value) : value
  }
  return merged
}

/** Says that something in the document is wrong; kube-proxy itself would refuse to start with it. */
export function report(
  document: Pick<ConfigurationDocument, 'name' | 'at' | 'problems'>,
  what: string,
  suggestion?: string,
): void {
  document.problems.push({
    severity: 'error',
    code: 'kube-proxy-config-invalid',
    message: `${document.name} ${what}`,
    ...(document.at === undefined ? {} : { at: document.at }),
    ...(suggestion === undefined ? {} : { suggestion }),
  })
}

/** Names that kube-proxy does not know: it warns and ignores them (lenient decoding). Names are case-sensitive. */
export function reportUnknownFields(document: ConfigurationDocument, known: KnownFields): void {
  for (const path of unknownFields(document.tree, known, '')) {
    const right = flatten(known, '').find((name) => name.toLowerCase() === path.toLowerCase())
    document.problems.push({
      severity: 'warning',
      code: 'kube-proxy-config-unknown-field',
      message: `${document.name} has a field ${path} that kube-proxy does not know and ignores`,
      ...(document.at === undefined ? {} : { at: document.at }),
      ...(right === undefined ? {} : { suggestion: `did you mean ${right}?` }),
    })
  }
}

/** Field names; `true` where what is inside is not looked at. */
export interface KnownFields {
  readonly [name: string]: true | KnownFields
}

function unknownFields(tree: Tree, known: KnownFields, prefix: string): readonly string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const inside = Object.hasOwn(known, key) ? known[key] : undefined
    if (inside === undefined) return [`${prefix}${key}`]
    return inside !== true && isTree(value) ? unknownFields(value, inside, `${prefix}${key}.`) : []
  })
}

const flatten = (known: KnownFields, prefix: string): readonly string[] =>
  Object.entries(known).flatMap(([key, inside]) => [
    `${prefix}${key}`,
    ...(inside === true ? [] : flatten(inside, `${prefix}${key}.`)),
  ])

/** The value at a dotted path; undefined where it or something above it is missing or null. */
function valueAt(document: ConfigurationDocument, path: string): unknown {
  let value: unknown = document.tree
  for (const key of path.split('.')) value = isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value ?? undefined
}

function typed<T>(document: ConfigurationDocument, path: string, want: Wanted<T>): T | undefined {
  const value = valueAt(document, path)
  if (value === undefined || want.is(value)) return value
  report(document, `has ${path}: ${JSON.stringify(value)}, which is not ${want.name}`)
  return undefined
}

interface Wanted<T> {
  readonly name: string
  is(value: unknown): value is T
}

const TEXT: Wanted<string> = { name: 'a text', is: (value) => typeof value === 'string' }
const FLAG: Wanted<boolean> = { name: 'true or false', is: (value) => typeof value === 'boolean' }
const TEXTS: Wanted<readonly string[]> = {
  name: 'a list of texts',
  is: (value): value is string[] => Array.isArray(value) && value.every(TEXT.is),
}
const integer = (min: number, max: number): Wanted<number> => ({
  name: `a whole number from ${min} to ${max}`,
  is: (value): value is number => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
})

/** The text at `path`; undefined for none, null and the empty text, which all mean "the default". */
export const textAt = (document: ConfigurationDocument, path: string): string | undefined =>
  typed(document, path, TEXT) || undefined

export const flagAt = (document: ConfigurationDocument, path: string): boolean | undefined =>
  typed(document, path, FLAG)

export const textsAt = (document: ConfigurationDocument, path: string): readonly string[] =>
  typed(document, path, TEXTS) ?? []

export const integerAt = (
  document: ConfigurationDocument,
  path: string,
  range: readonly [min: number, max: number],
): number | undefined => typed(document, path, integer(...range))

/** Seconds of a Go duration (`24h0m0s`). */
export function secondsAt(document: ConfigurationDocument, path: string): number | undefined {
  const text = typed(document, path, TEXT)
  if (text === undefined) return undefined
  const seconds = parseGoDuration(text)
  if (seconds === undefined) report(document, `has ${path}: "${text}", which is not a duration like 1h0m0s`)
  return seconds
}
