import type { TLocalizedValidationError } from 'typebox/error'
import { Errors } from 'typebox/schema'
import { parseIp } from '../packet/ip.ts'
import { parseMac } from '../packet/mac.ts'
import type { Parsed } from '../packet/parsed.ts'
import { parsePrefix } from '../packet/prefix.ts'
import { type FieldPath, formatFieldPath } from './input/field-path.ts'
import type { Item } from './input/item.ts'
import { isList, isObject, type Json, type JsonObject, member } from './input/json-value.ts'
import type { Lab } from './lab.ts'
import { faultVariants, labSchema } from './lab-schema.ts'
import { nearest } from './nearest.ts'
import type { Diagnostic } from './source.ts'
import type { SourceTexts } from './source-texts.ts'

/** A value that can be changed: a copy of the document out of which wrong parts are cut. */
type Draft = null | boolean | number | string | Draft[] | { [key: string]: Draft }

/** The version that is read. */
const API_VERSION = 'podwalk/v1alpha1'

/** Rounds of checking and cutting; each removes at least one part. */
const MAX_ROUNDS = 1000

/**
 * Reads the Lab documents of the input. A wrong part is told with its place and cut out; the rest counts. Several
 * documents are merged: lists are joined, maps are merged, and of two words for one thing the later one counts.
 */
export function readLabs(
  items: readonly Item[],
  sources: SourceTexts,
): { lab: Lab; diagnostics: readonly Diagnostic[] } {
  const diagnostics: Diagnostic[] = []
  let lab: Lab = {}
  for (const item of items) {
    const problems: Problem[] = []
    const document = checked(structuredClone(item.value) as Draft, problems)
    const spec = isObject(document) ? member(document, 'spec') : undefined
    const name = isObject(document) ? nameOf(document) : undefined
    lab = mergeLabs(lab, { ...(isObject(spec) ? spec : {}), ...(name === undefined ? {} : { name }) } as Lab)
    const title = `Lab ${name ?? ''}`.trim()
    for (const { path, message, suggestion } of problems)
      diagnostics.push({
        severity: 'error',
        code: 'lab-invalid',
        message: `${title}: ${formatFieldPath(path)} ${message}`,
        at: sources.locate(item.at, path),
        object: title,
        ...(suggestion === undefined ? {} : { suggestion }),
      })
  }
  diagnostics.push(...unknownNames(lab, items, sources))
  return { lab, diagnostics }
}

function nameOf(document: JsonObject): string | undefined {
  const metadata = member(document, 'metadata')
  const name = isObject(metadata) ? member(metadata, 'name') : undefined
  return typeof name === 'string' ? name : undefined
}

interface Problem {
  readonly path: FieldPath
  readonly message: string
  readonly suggestion?: string
}

/** Where the elements of a list stood before some were cut out. */
type Places = WeakMap<Draft[], number[]>

const placesOf = (list: Draft[], places: Places): number[] => places.get(list) ?? [...list.keys()]

/** The path by which the user's own text has a part. */
function writtenPath(document: Draft, path: FieldPath, places: Places): FieldPath {
  let at: Draft | undefined = document
  return path.map((part) => {
    const list = Array.isArray(at) ? at : undefined
    at = list !== undefined ? list[Number(part)] : isDraftObject(at) ? at[String(part)] : undefined
    return list === undefined ? part : (placesOf(list, places)[Number(part)] ?? part)
  })
}

const isDraftObject = (value: Draft | undefined): value is { [key: string]: Draft } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function checked(document: Draft, problems: Problem[]): Json {
  const places: Places = new WeakMap()
  if (isDraftObject(document) && document.apiVersion !== API_VERSION) {
    const suggestion = `write apiVersion: ${API_VERSION}`
    problems.push({ path: ['apiVersion'], message: `is not ${API_VERSION}`, suggestion })
    document.apiVersion = API_VERSION
  }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const [valid, errors] = Errors(labSchema, document)
    if (valid) break
    const error = errors.find(({ keyword }) => keyword !== 'boolean') ?? errors[0]
    if (error === undefined) break
    const problem = problemOf(error, document)
    problems.push({ ...problem, path: writtenPath(document, problem.path, places) })
    if (!cut(document, problem.cut ?? problem.path, places)) return {}
  }
  for (const problem of textProblems(document as Json)) {
    problems.push({ ...problem, path: writtenPath(document, problem.path, places) })
    cut(document, problem.cut ?? problem.path, places)
  }
  return document as Json
}

const pathOf = (error: TLocalizedValidationError): FieldPath =>
  error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))

/** `cut` is what has to go where that is more than the place of the mistake. */
type CutProblem = Problem & { readonly cut?: FieldPath }

function problemOf(error: TLocalizedValidationError, document: Draft): CutProblem {
  const path = pathOf(error)
  if (path[0] === 'spec' && path[1] === 'faults' && path.length > 2) return faultProblem(path.slice(0, 3), document)
  return plainProblem(error, { schema: labSchema, document })
}

function plainProblem(error: TLocalizedValidationError, of: { schema: unknown; document: Draft }): CutProblem {
  const path = indexed(pathOf(error), of.document)
  switch (error.keyword) {
    case 'additionalProperties': {
      const [name = ''] = error.params.additionalProperties
      const known = nearest(name, knownMembers(of.schema, error.schemaPath))
      return { path: [...path, name], message: 'is not known', ...didYouMean(known) }
    }
    case 'required':
      return { path, message: `lacks ${error.params.requiredProperties.join(' and ')}` }
    case 'enum':
      return { path, message: `is not one of ${error.params.allowedValues.join(', ')}` }
    default:
      return { path, message: error.message }
  }
}

const didYouMean = (word: string | undefined): { suggestion?: string } =>
  word === undefined ? {} : { suggestion: `did you mean ${word}?` }

/** Numbers for the places in lists, which a JSON pointer does not tell from names. */
function indexed(path: FieldPath, document: Draft): FieldPath {
  let at: Draft | undefined = document
  return path.map((part) => {
    const key: string | number = Array.isArray(at) ? Number(part) : part
    at = Array.isArray(at) ? at[Number(part)] : at !== null && typeof at === 'object' ? at[String(part)] : undefined
    return key
  })
}

/** The names that the schema at a path knows. */
function knownMembers(schema: unknown, schemaPath: string): string[] {
  let at: unknown = schema
  for (const part of schemaPath.split('/').slice(1)) at = (at as Record<string, unknown> | undefined)?.[part]
  return Object.keys(((at as Record<string, unknown> | undefined)?.properties as object | undefined) ?? {})
}

const kindsOf = (variant: (typeof faultVariants)[number]): readonly string[] => variant.properties.kind.enum

/** A union says too much: only the variant of the fault's own kind matters. */
function faultProblem(path: FieldPath, document: Draft): CutProblem {
  const at = indexed(path, document)
  const value = valueAt(document as Json, at)
  const kind = isObject(value) ? member(value, 'kind') : undefined
  const variant = faultVariants.find((one) => typeof kind === 'string' && kindsOf(one).includes(kind))
  if (variant === undefined) {
    const known = faultVariants.flatMap(kindsOf)
    const near = typeof kind === 'string' ? nearest(kind, known) : undefined
    const message = `is not one of ${known.join(', ')}`
    return { path: [...at, 'kind'], cut: at, message, ...didYouMean(near) }
  }
  const error = Errors(variant, value)[1].find(({ keyword }) => keyword !== 'boolean')
  if (error === undefined) return { path: at, message: 'is not understood' }
  const inner = plainProblem(error, { schema: variant, document: value as Draft })
  const isExtra = error.keyword === 'additionalProperties'
  return { ...inner, path: [...at, ...inner.path], ...(isExtra ? {} : { cut: at }) }
}

/** Removes what is at a path; where it is missing, what should hold it. False: nothing to remove. */
function cut(document: Draft, path: FieldPath, places: Places): boolean {
  const last = path.at(-1)
  if (last === undefined) return false
  let at: Draft | undefined = document
  for (const part of path.slice(0, -1))
    at = Array.isArray(at) ? at[Number(part)] : isDraftObject(at) ? at[String(part)] : undefined
  if (Array.isArray(at)) {
    const written = placesOf(at, places)
    written.splice(Number(last), 1)
    places.set(at, written)
    return at.splice(Number(last), 1).length > 0
  }
  if (!isDraftObject(at) || !Object.hasOwn(at, String(last))) return cut(document, path.slice(0, -1), places)
  return delete at[String(last)]
}

/** What a schema cannot say: texts that must be addresses. */
function textProblems(document: Json): CutProblem[] {
  const problems: CutProblem[] = []
  const spec = isObject(document) ? member(document, 'spec') : undefined
  const check = (path: FieldPath, parse: (text: string) => Parsed<unknown>, cut?: FieldPath) => {
    const value = valueAt(spec, path.slice(1))
    const result = typeof value === 'string' ? parse(value) : undefined
    if (result !== undefined && !result.ok)
      problems.push({ path, message: result.reason, ...(cut === undefined ? {} : { cut }) })
  }
  const each = (path: FieldPath, visit: (path: FieldPath) => void) => {
    const found = valueAt(spec, path.slice(1))
    if (isList(found)) for (const i of [...found.keys()].reverse()) visit([...path, i])
    else if (isObject(found)) for (const key of Object.keys(found)) visit([...path, key])
  }
  const cidr = (text: string) => parsePrefix(text)
  each(['spec', 'networks'], (network) => {
    check([...network, 'cidr'], cidr, network)
    check([...network, 'cidr6'], cidr)
  })
  each(['spec', 'routers'], (router) => each([...router, 'addresses'], (address) => check(address, parseIp)))
  each(['spec', 'hosts'], (host) => {
    check([...host, 'ip'], parseIp, host)
    check([...host, 'gateway'], parseIp)
  })
  each(['spec', 'upstreamDNS'], (server) => check([...server, 'ip'], parseIp, server))
  for (const key of ['podCIDRs', 'serviceCIDRs']) each(['spec', key], (range) => check(range, cidr))
  each(['spec', 'nodes'], (node) => {
    check([...node, 'gateway'], parseIp)
    check([...node, 'mac'], parseMac)
    each([...node, 'calicoBlocks'], (block) => check(block, cidr))
  })
  return problems
}

function valueAt(root: Json | undefined, path: FieldPath): Json | undefined {
  let found = root
  for (const part of path) {
    if (isList(found)) found = found[Number(part)]
    else if (isObject(found)) found = member(found, String(part))
    else return undefined
  }
  return found
}

/** Lists are joined, maps are merged, and of two words for one thing the later one counts. */
export function mergeLabs(one: Lab, other: Lab): Lab {
  const result: Record<string, unknown> = { ...one }
  for (const [key, value] of Object.entries(other)) {
    const before = result[key]
    if (Array.isArray(before) && Array.isArray(value)) result[key] = [...before, ...value]
    else if (isPlain(before) && isPlain(value))
      result[key] = key === 'nodes' ? mergedNodes(before, value) : { ...before, ...value }
    else result[key] = value
  }
  return result as Lab
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function mergedNodes(one: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const nodes = new Map(Object.entries(one))
  for (const [name, value] of Object.entries(other)) {
    const before = nodes.get(name)
    nodes.set(name, isPlain(before) && isPlain(value) ? { ...before, ...value } : value)
  }
  return Object.fromEntries(nodes)
}

/** Networks that routers and hosts name and nobody declares. */
function unknownNames(lab: Lab, items: readonly Item[], sources: SourceTexts): Diagnostic[] {
  const known = new Set([...(lab.networks ?? []).map(({ name }) => name), 'internet'])
  const named = [
    ...(lab.routers ?? []).flatMap(({ name, networks }) =>
      networks.map((network) => ({ network, by: `router ${name}` })),
    ),
    ...(lab.hosts ?? []).map(({ name, network }) => ({ network, by: `host ${name}` })),
  ]
  const [item] = items
  return named
    .filter(({ network }) => !known.has(network))
    .map(({ network, by }) => {
      const near = nearest(network, known)
      return {
        severity: 'error' as const,
        code: 'lab-network-unknown',
        message: `${by} is on network ${network}, which spec.networks does not declare`,
        ...(item === undefined ? {} : { at: sources.locate(item.at, 'spec.networks') }),
        ...(near === undefined ? {} : { suggestion: `did you mean ${near}?` }),
      }
    })
}
