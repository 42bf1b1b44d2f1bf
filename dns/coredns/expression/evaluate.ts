import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { compileRegexp, type Regexp } from '../regexp/regexp.ts'
import { type Expression, parseExpression } from './parse.ts'
import { located } from './token.ts'

export type Value = string | number | boolean | null | readonly Value[]

/** Names an expression may use: functions of the query, and variables. */
export interface Environment {
  readonly functions: Readonly<Record<string, (...args: readonly Value[]) => Value>>
  readonly variables: Readonly<Record<string, Value>>
}

/** An expression ready to run; what goes wrong then is undefined, as an error of expr.Run. */
export interface Program {
  run(environment: Environment): Value | undefined
}

/** Compiles an expression; refused in the words of expr for what cannot be read and for names nobody knows. */
export function compileExpression(
  text: string,
  known: { readonly functions: readonly string[]; readonly variables: readonly string[] },
): Parsed<Program> {
  const expression = parseExpression(text)
  if (!expression.ok) return expression
  const unknown = firstUnknown(expression.value, known)
  if (unknown) return refused(located(text, unknown.at, `unknown name ${unknown.name}`))
  return parsed({
    run(environment) {
      try {
        return evaluate(expression.value, environment)
      } catch (error) {
        if (error instanceof RunFault) return undefined
        throw error
      }
    },
  })
}

class RunFault {}

function firstUnknown(
  node: Expression,
  known: { readonly functions: readonly string[]; readonly variables: readonly string[] },
): { readonly name: string; readonly at: number } | undefined {
  switch (node.kind) {
    case 'name':
      return known.functions.includes(node.name) || known.variables.includes(node.name) ? undefined : node
    case 'call': {
      if (!known.functions.includes(node.name) && !Object.hasOwn(BUILTINS, node.name)) return node
      break
    }
  }
  for (const child of children(node)) {
    const unknown = firstUnknown(child, known)
    if (unknown) return unknown
  }
  return undefined
}

function children(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'literal':
    case 'name':
      return []
    case 'call':
      return node.args
    case 'list':
      return node.items
    case 'member':
      return [node.of, node.key]
    case 'slice':
      return [node.of, node.from, node.to].filter((part) => part !== undefined)
    case 'unary':
      return [node.operand]
    case 'binary':
      return [node.left, node.right]
    case 'condition':
      return [node.test, node.yes, node.no]
  }
}

function evaluate(node: Expression, environment: Environment): Value {
  switch (node.kind) {
    case 'literal':
      return node.value
    case 'name': {
      const value = environment.variables[node.name]
      if (value === undefined) throw new RunFault()
      return value
    }
    case 'call': {
      const called = environment.functions[node.name] ?? BUILTINS[node.name]
      if (!called) throw new RunFault()
      return called(...node.args.map((arg) => evaluate(arg, environment)))
    }
    case 'list':
      return node.items.map((item) => evaluate(item, environment))
    case 'member':
      return member(evaluate(node.of, environment), evaluate(node.key, environment))
    case 'slice': {
      const whole = evaluate(node.of, environment)
      if (typeof whole !== 'string' && !Array.isArray(whole)) throw new RunFault()
      const from = node.from ? numberOf(evaluate(node.from, environment)) : 0
      const to = node.to ? numberOf(evaluate(node.to, environment)) : whole.length
      return whole.slice(from, to)
    }
    case 'unary': {
      const value = evaluate(node.operand, environment)
      if (node.operator === '-') return -numberOf(value)
      if (node.operator === '+') return numberOf(value)
      return !booleanOf(value)
    }
    case 'condition':
      return booleanOf(evaluate(node.test, environment))
        ? evaluate(node.yes, environment)
        : evaluate(node.no, environment)
    case 'binary':
      return binary(node, environment)
  }
}

function binary({ operator, left, right }: Expression & { kind: 'binary' }, environment: Environment): Value {
  const a = evaluate(left, environment)
  const b = () => evaluate(right, environment)
  switch (operator) {
    case '&&':
    case 'and':
      return booleanOf(a) && booleanOf(b())
    case '||':
    case 'or':
      return booleanOf(a) || booleanOf(b())
    case '??':
      return a ?? b()
    case '==':
      return same(a, b())
    case '!=':
      return !same(a, b())
    case 'in': {
      const list = b()
      if (!Array.isArray(list)) throw new RunFault()
      return list.some((item) => same(item, a))
    }
    case 'matches':
      return regexp(stringOf(b())).matches(stringOf(a))
    case 'contains':
      return stringOf(a).includes(stringOf(b()))
    case 'startsWith':
      return stringOf(a).startsWith(stringOf(b()))
    case 'endsWith':
      return stringOf(a).endsWith(stringOf(b()))
    case '<':
    case '>':
    case '<=':
    case '>=':
      return compared(operator, a, b())
    case '..': {
      const [from, to] = [numberOf(a), numberOf(b())]
      if (to - from > MAX_RANGE) throw new RunFault()
      return Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i)
    }
    case '+': {
      const other = b()
      if (typeof a === 'string' && typeof other === 'string') return a + other
      return numberOf(a) + numberOf(other)
    }
    default:
      return arithmetic(operator, numberOf(a), numberOf(b()))
  }
}

/** Memory that one expression may take (vm MemoryBudget). */
const MAX_RANGE = 1_000_000

function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '%':
      if (b === 0) throw new RunFault()
      return a % b
    case '**':
    case '^':
      return a ** b
    default:
      throw new RunFault()
  }
}

function compared(operator: string, a: Value, b: Value): boolean {
  const numbers = typeof a === 'number' && typeof b === 'number'
  const strings = typeof a === 'string' && typeof b === 'string'
  if (!numbers && !strings) throw new RunFault()
  if (operator === '<') return a < b
  if (operator === '>') return a > b
  return operator === '<=' ? a <= b : a >= b
}

const same = (a: Value, b: Value): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((item, i) => same(item, b[i] ?? null))
    : a === b

function member(of: Value, key: Value): Value {
  if ((typeof of === 'string' || Array.isArray(of)) && typeof key === 'number') {
    const item = of.at(key)
    if (item !== undefined) return item
  }
  throw new RunFault()
}

function numberOf(value: Value): number {
  if (typeof value !== 'number') throw new RunFault()
  return value
}

function booleanOf(value: Value): boolean {
  if (typeof value !== 'boolean') throw new RunFault()
  return value
}

function stringOf(value: Value | undefined): string {
  if (typeof value !== 'string') throw new RunFault()
  return value
}

function regexp(source: string): Regexp {
  const compiled = compileRegexp(source)
  if (!compiled.ok) throw new RunFault()
  return compiled.value
}

type Builtin = (...args: readonly Value[]) => Value

/** Functions of expr that are modelled (builtin/builtin.go); `type` is not among them: CoreDNS has its own. */
export const BUILTINS: Readonly<Record<string, Builtin>> = {
  len: (value) => (typeof value === 'string' || Array.isArray(value) ? value.length : stringOf(value).length),
  lower: (text) => stringOf(text).toLowerCase(),
  upper: (text) => stringOf(text).toUpperCase(),
  trim: (text) => stringOf(text).trim(),
  trimPrefix: (text, head) => {
    const [whole, start] = [stringOf(text), stringOf(head)]
    return whole.startsWith(start) ? whole.slice(start.length) : whole
  },
  trimSuffix: (text, tail) => {
    const [whole, end] = [stringOf(text), stringOf(tail)]
    return end !== '' && whole.endsWith(end) ? whole.slice(0, -end.length) : whole
  },
  hasPrefix: (text, head) => stringOf(text).startsWith(stringOf(head)),
  hasSuffix: (text, tail) => stringOf(text).endsWith(stringOf(tail)),
  indexOf: (text, part) => stringOf(text).indexOf(stringOf(part)),
  lastIndexOf: (text, part) => stringOf(text).lastIndexOf(stringOf(part)),
  split: (text, by) => stringOf(text).split(stringOf(by)),
  join: (list, by) => {
    if (!Array.isArray(list)) throw new RunFault()
    return list.map((item: Value) => stringOf(item)).join(by === undefined ? '' : stringOf(by))
  },
  replace: (text, from, to) => stringOf(text).replaceAll(stringOf(from), () => stringOf(to)),
  int: (value) => {
    const number = typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value
    return Math.trunc(numberOf(number ?? null))
  },
  float: (value) => numberOf(typeof value === 'string' && value !== '' ? Number(value) : (value ?? null)),
  string: (value) => (value === null || value === undefined ? 'nil' : String(value)),
  abs: (value) => Math.abs(numberOf(value ?? null)),
  min: (...values) => Math.min(...values.map(numberOf)),
  max: (...values) => Math.max(...values.map(numberOf)),
}
