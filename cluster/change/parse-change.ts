import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { nearest } from '../nearest.ts'

/** An object as kubectl is told it: `pod/client`, `deploy my-nginx -n shop`. */
export interface NamedObject {
  readonly kind: ChangedKind
  readonly name: string
  /** Undefined: wherever it is alone of that name, the default namespace first. */
  readonly namespace: string | undefined
}

/** A change of a cluster, in the words of kubectl. */
export type Change =
  /** `apply -f FILE`; with `--prune` the files are all that there is. */
  | { readonly kind: 'apply'; readonly files: readonly string[]; readonly prune: boolean }
  /** `delete`; without `--wait` pods are on their way out, as they are until their processes have ended. */
  | {
      readonly kind: 'delete'
      readonly objects: readonly NamedObject[]
      readonly files: readonly string[]
      readonly wait: boolean
    }
  | { readonly kind: 'scale'; readonly object: NamedObject; readonly replicas: number }
  | { readonly kind: 'restart'; readonly object: NamedObject }
  /** Undefined: the label is taken away. */
  | {
      readonly kind: 'label'
      readonly object: NamedObject
      readonly labels: Readonly<Record<string, string | undefined>>
    }

const KINDS = {
  Pod: ['pod', 'pods', 'po'],
  Service: ['service', 'services', 'svc'],
  Deployment: ['deployment', 'deployments', 'deploy'],
  ReplicaSet: ['replicaset', 'replicasets', 'rs'],
  StatefulSet: ['statefulset', 'statefulsets', 'sts'],
  DaemonSet: ['daemonset', 'daemonsets', 'ds'],
  EndpointSlice: ['endpointslice', 'endpointslices'],
  Endpoints: ['endpoints', 'ep'],
  ConfigMap: ['configmap', 'configmaps', 'cm'],
  NetworkPolicy: ['networkpolicy', 'networkpolicies', 'netpol'],
} as const satisfies Record<string, readonly string[]>

export type ChangedKind = keyof typeof KINDS

const BY_WORD: ReadonlyMap<string, ChangedKind> = new Map(
  Object.entries(KINDS).flatMap(([kind, words]) => words.map((word) => [word, kind as ChangedKind] as const)),
)

const VERBS = ['apply', 'delete', 'scale', 'rollout', 'label'] as const

/** How a change may be told, for messages and help. */
export const CHANGE_EXAMPLES =
  "'apply -f after.yaml', 'delete pod/NAME', 'scale deploy/NAME --replicas=0', 'rollout restart deploy/NAME', 'label pod/NAME app-'"

/**
 * Reads what would stand behind `kubectl`: one command, or several with `;` or `&&` between. A file name alone is
 * applied.
 */
export function parseChanges(text: string): Parsed<readonly Change[]> {
  const changes: Change[] = []
  for (const command of text.split(/;|&&/)) {
    const words = wordsOf(command)
    if (words.length === 0) continue
    const change = parseChange(words[0] === 'kubectl' ? words.slice(1) : words)
    if (!change.ok) return change
    changes.push(change.value)
  }
  return changes.length === 0 ? refused(`it says no change; write ${CHANGE_EXAMPLES}`) : parsed(changes)
}

const wordsOf = (text: string): string[] =>
  [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2] ?? word[3] ?? '')

interface Words {
  readonly plain: readonly string[]
  readonly files: readonly string[]
  readonly namespace: string | undefined
  readonly options: ReadonlyMap<string, string>
}

/** Options that stand alone; the others take a value. */
const FLAGS = new Set(['prune', 'all', 'overwrite', 'now', 'force'])

function parseChange([verb = '', ...rest]: readonly string[]): Parsed<Change> {
  if (rest.length === 0 && looksLikeFile(verb)) return parsed({ kind: 'apply', files: [verb], prune: false })
  const said = readWords(rest)
  if (!said.ok) return said
  switch (verb) {
    case 'apply':
    case 'create':
    case 'replace':
      return applied(said.value)
    case 'delete':
      return deleted(said.value)
    case 'scale':
      return scaled(said.value)
    case 'rollout':
      return restarted(said.value)
    case 'label':
      return labelled(said.value)
    default: {
      const near = nearest(verb, VERBS)
      const hint = near === undefined ? '' : ` (did you mean ${near}?)`
      return refused(`"${verb}" is no change that is known${hint}; write ${CHANGE_EXAMPLES}`)
    }
  }
}

const looksLikeFile = (word: string): boolean => /[./]/.test(word) || word === '-'

function readWords(words: readonly string[]): Parsed<Words> {
  const plain: string[] = []
  const files: string[] = []
  const options = new Map<string, string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? ''
    const option = /^--?([a-z][a-z-]*)(?:=(.*))?$/.exec(word)
    if (option === null || word === '-') {
      plain.push(word)
      continue
    }
    const [, name = '', inline] = option
    let value = inline
    if (value === undefined && !FLAGS.has(name)) value = name === 'wait' ? 'true' : words[++i]
    if (value === undefined && !FLAGS.has(name)) return refused(`--${name} lacks its value`)
    if (name === 'f' || name === 'filename') files.push(value ?? '')
    else options.set(name === 'n' ? 'namespace' : name, value ?? 'true')
  }
  return parsed({ plain, files, namespace: options.get('namespace'), options })
}

function applied({ files, plain, options }: Words): Parsed<Change> {
  if (files.length + plain.length === 0) return refused('apply lacks a file: apply -f after.yaml')
  return parsed({ kind: 'apply', files: [...files, ...plain], prune: options.get('prune') === 'true' })
}

function deleted(words: Words): Parsed<Change> {
  const objects = objectsOf(words)
  if (!objects.ok) return objects
  const { files, options } = words
  if (files.length + objects.value.length === 0) return refused('delete lacks what is deleted: delete pod/NAME')
  return parsed({ kind: 'delete', objects: objects.value, files, wait: options.get('wait') !== 'false' })
}

function scaled(words: Words): Parsed<Change> {
  const object = onlyObject(words, 'scale deploy/NAME --replicas=3')
  if (!object.ok) return object
  const replicas = words.options.get('replicas') ?? ''
  if (!/^\d{1,4}$/.test(replicas)) return refused('scale lacks how many: scale deploy/NAME --replicas=3')
  return parsed({ kind: 'scale', object: object.value, replicas: Number(replicas) })
}

function restarted(words: Words): Parsed<Change> {
  const [what, ...plain] = words.plain
  if (what !== 'restart') return refused('of rollout only restart changes anything: rollout restart deploy/NAME')
  const object = onlyObject({ ...words, plain }, 'rollout restart deploy/NAME')
  return object.ok ? parsed({ kind: 'restart', object: object.value }) : object
}

function labelled(words: Words): Parsed<Change> {
  const given = words.plain.filter((word) => word.includes('=') || word.endsWith('-'))
  const object = onlyObject({ ...words, plain: words.plain.filter((word) => !given.includes(word)) }, LABEL)
  if (!object.ok) return object
  if (given.length === 0) return refused(`label lacks a label: ${LABEL}`)
  const labels: Record<string, string | undefined> = {}
  for (const word of given) {
    const at = word.indexOf('=')
    if (at < 0) labels[word.slice(0, -1)] = undefined
    else labels[word.slice(0, at)] = word.slice(at + 1)
  }
  return parsed({ kind: 'label', object: object.value, labels })
}

const LABEL = 'label pod/NAME app=other'

function onlyObject(words: Words, example: string): Parsed<NamedObject> {
  const objects = objectsOf(words)
  if (!objects.ok) return objects
  const [only] = objects.value
  return only === undefined || objects.value.length > 1 ? refused(`name one object: ${example}`) : parsed(only)
}

/** `pod/a svc/b`, or `pod a b`. */
function objectsOf({ plain, namespace }: Words): Parsed<NamedObject[]> {
  const objects: NamedObject[] = []
  const [first = '', ...names] = plain
  if (plain.length > 0 && !first.includes('/')) {
    const kind = kindNamed(first)
    if (!kind.ok) return kind
    if (names.length === 0) return refused(`${first} lacks a name: ${first}/NAME`)
    return parsed(names.map((name) => ({ kind: kind.value, name, namespace })))
  }
  for (const word of plain) {
    const [said = '', ...rest] = word.split('/')
    const kind = kindNamed(said)
    if (!kind.ok) return kind
    const [name = '', own] = rest.reverse()
    if (name === '') return refused(`${word} lacks a name`)
    objects.push({ kind: kind.value, name, namespace: own ?? namespace })
  }
  return parsed(objects)
}

function kindNamed(word: string): Parsed<ChangedKind> {
  const kind = BY_WORD.get(word.toLowerCase())
  if (kind !== undefined) return parsed(kind)
  const near = nearest(word, BY_WORD.keys())
  const words = Object.values(KINDS).map(([first]) => first)
  return refused(
    `"${word}" is no kind that can be changed${near === undefined ? '' : ` (did you mean ${near}?)`}; known are ${words.join(', ')}`,
  )
}
