import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { contains, type Ranges } from './class.ts'
import { type Assertion, type Node, parseRegexp } from './syntax.ts'

/**
 * A regular expression as Go's package regexp has it: no backtracking, so its time is bounded by the length of the text
 * times that of the expression; of all matches the leftmost, and of these the one a backtracking search finds first.
 */
export interface Regexp {
  readonly source: string
  /** How many groups it has, the whole match not counted. */
  readonly groups: number
  /** By group, `''` without a name; index 0 is the whole match. */
  readonly groupNames: readonly string[]
  /** The leftmost match with its groups, `''` for those that took no part; undefined where there is none. */
  find(text: string): readonly string[] | undefined
  matches(text: string): boolean
}

type Instruction =
  | { readonly kind: 'class'; readonly ranges: Ranges }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'save'; readonly slot: number }
  /** Tries the first way before the second. */
  | { readonly kind: 'split'; first: number; second: number }
  | { readonly kind: 'jump'; to: number }
  | { readonly kind: 'match' }

/** Larger programs are refused (regexp/syntax maxSize, in its way). */
const MAX_PROGRAM = 30_000

/** Compiles an expression; refused in Go's words. */
export function compileRegexp(source: string): Parsed<Regexp> {
  const syntax = parseRegexp(source)
  if (!syntax.ok) return syntax
  const program: Instruction[] = []
  if (!emit(program, { kind: 'group', index: 0, body: syntax.value.root }))
    return refused(`error parsing regexp: expression too large: \`${source}\``)
  program.push({ kind: 'match' })
  const { groupNames } = syntax.value
  const find = (text: string) => run(program, text, groupNames.length)
  return parsed({
    source,
    groups: groupNames.length - 1,
    groupNames,
    find,
    matches: (text) => find(text) !== undefined,
  })
}

/** Appends the program of a node; false where it becomes too large. */
function emit(program: Instruction[], node: Node): boolean {
  if (program.length > MAX_PROGRAM) return false
  switch (node.kind) {
    case 'empty':
      return true
    case 'class':
    case 'assert':
      program.push(node)
      return true
    case 'group': {
      program.push({ kind: 'save', slot: node.index * 2 })
      const done = emit(program, node.body)
      program.push({ kind: 'save', slot: node.index * 2 + 1 })
      return done
    }
    case 'sequence':
      return node.parts.every((part) => emit(program, part))
    case 'choice':
      return emitChoice(program, node.options)
    case 'repeat':
      return emitRepeat(program, node)
  }
}

function emitChoice(program: Instruction[], options: readonly Node[]): boolean {
  const jumps: { kind: 'jump'; to: number }[] = []
  for (const [i, option] of options.entries()) {
    if (i === options.length - 1) {
      if (!emit(program, option)) return false
      break
    }
    const split = { kind: 'split' as const, first: program.length + 1, second: 0 }
    program.push(split)
    if (!emit(program, option)) return false
    const jump = { kind: 'jump' as const, to: 0 }
    program.push(jump)
    jumps.push(jump)
    split.second = program.length
  }
  for (const jump of jumps) jump.to = program.length
  return true
}

function emitRepeat(program: Instruction[], { body, min, max, greedy }: Node & { kind: 'repeat' }): boolean {
  for (let i = 0; i < min; i++) if (!emit(program, body)) return false
  const optional = (): { kind: 'split'; first: number; second: number } => {
    const split = { kind: 'split' as const, first: 0, second: 0 }
    program.push(split)
    return split
  }
  const aim = (split: { first: number; second: number }, inside: number, outside: number) => {
    split.first = greedy ? inside : outside
    split.second = greedy ? outside : inside
  }
  if (max === undefined) {
    const start = program.length
    const split = optional()
    if (!emit(program, body)) return false
    program.push({ kind: 'jump', to: start })
    aim(split, start + 1, program.length)
    return true
  }
  const splits: { readonly split: { first: number; second: number }; readonly inside: number }[] = []
  for (let i = min; i < max; i++) {
    splits.push({ split: optional(), inside: program.length })
    if (!emit(program, body)) return false
  }
  for (const { split, inside } of splits) aim(split, inside, program.length)
  return true
}

interface Thread {
  readonly at: number
  readonly slots: readonly number[]
}

/** Pike's machine: all threads at once, the ones before win. */
function run(program: readonly Instruction[], text: string, groups: number): readonly string[] | undefined {
  let threads: Thread[] = []
  let found: readonly number[] | undefined
  const none: readonly number[] = new Array(groups * 2).fill(-1)
  for (let position = 0; position <= text.length; position++) {
    const marks = new Uint8Array(program.length)
    const current: Thread[] = []
    for (const thread of threads) follow({ program, text, position, marks, into: current }, thread.at, thread.slots)
    if (!found) follow({ program, text, position, marks, into: current }, 0, none)
    if (current.length === 0 && found) break
    threads = []
    const code = position < text.length ? text.charCodeAt(position) : -1
    for (const { at, slots } of current) {
      const instruction = program[at]
      if (instruction?.kind === 'match') {
        found = slots
        break
      }
      if (instruction?.kind === 'class' && code >= 0 && contains(instruction.ranges, code))
        threads.push({ at: at + 1, slots })
    }
  }
  if (!found) return undefined
  const slots = found
  return Array.from({ length: groups }, (_, i) => {
    const [from = -1, to = -1] = [slots[i * 2], slots[i * 2 + 1]]
    return from < 0 || to < 0 ? '' : text.slice(from, to)
  })
}

interface Following {
  readonly program: readonly Instruction[]
  readonly text: string
  readonly position: number
  readonly marks: Uint8Array
  readonly into: Thread[]
}

/** Goes through what needs no character, by a stack of its own: expressions may be long. */
function follow(state: Following, start: number, startSlots: readonly number[]): void {
  const { program, marks, into } = state
  const stack: { at: number; slots: readonly number[] }[] = [{ at: start, slots: startSlots }]
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { at, slots } = top
    const instruction = program[at]
    if (!instruction || marks[at] === 1) continue
    marks[at] = 1
    switch (instruction.kind) {
      case 'jump':
        stack.push({ at: instruction.to, slots })
        break
      case 'split':
        stack.push({ at: instruction.second, slots }, { at: instruction.first, slots })
        break
      case 'save': {
        const saved = [...slots]
        saved[instruction.slot] = state.position
        stack.push({ at: at + 1, slots: saved })
        break
      }
      case 'assert':
        if (holds(instruction.what, state.text, state.position)) stack.push({ at: at + 1, slots })
        break
      case 'class':
      case 'match':
        into.push({ at, slots })
    }
  }
}

const isWord = (character: string | undefined): boolean => character !== undefined && /\w/.test(character)

function holds(what: Assertion, text: string, position: number): boolean {
  switch (what) {
    case 'textStart':
      return position === 0
    case 'textEnd':
      return position === text.length
    case 'lineStart':
      return position === 0 || text[position - 1] === '\n'
    case 'lineEnd':
      return position === text.length || text[position] === '\n'
    case 'wordEdge':
      return isWord(text[position - 1]) !== isWord(text[position])
    case 'notWordEdge':
      return isWord(text[position - 1]) === isWord(text[position])
  }
}
