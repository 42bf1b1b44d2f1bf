import { ExecutionFault, isList, isMap, isTrue, printed, type Value } from './value.ts'

type TemplateFunction = (...args: readonly Value[]) => Value

/** Functions every template has (text/template/funcs.go) but `call`; `and` and `or` stop early in execute.ts. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (arg) => !isTrue(arg),
  len: (arg) => {
    if (typeof arg === 'string') return new TextEncoder().encode(arg).length
    if (isList(arg)) return arg.length
    if (isMap(arg)) return arg.size
    throw new ExecutionFault(`error calling len: len of type ${typeName(arg)}`)
  },
  index: (item, ...indexes) => indexes.reduce<Value>(indexed, item),
  slice: (item, ...bounds) => {
    if (typeof item !== 'string' && !isList(item)) throw new ExecutionFault("error calling slice: can't slice item")
    const [from = 0, to = item.length] = bounds.map(Number)
    if (!(from >= 0 && to <= item.length && from <= to))
      throw new ExecutionFault(`error calling slice: index out of range: ${to}`)
    return item.slice(from, to)
  },
  print: (...args) =>
    args
      .map((arg, i) => {
        const before = args[i - 1]
        const parted = i > 0 && typeof arg !== 'string' && typeof before !== 'string'
        return `${parted ? ' ' : ''}${printed(arg)}`
      })
      .join(''),
  println: (...args) => `${args.map(printed).join(' ')}\n`,
  printf: (format, ...args) => formatted(String(format), args),
  html: (...args) =>
    args
      .map(printed)
      .join('')
      .replace(/[&<>"']/g, (letter) => HTML[letter] ?? letter),
  js: (...args) => JSON.stringify(args.map(printed).join('')).slice(1, -1).replaceAll("'", "\\'"),
  urlquery: (...args) => encodeURIComponent(args.map(printed).join('')).replaceAll('%20', '+'),
  eq: (first, ...others) => {
    if (others.length === 0) throw new ExecutionFault('error calling eq: missing argument for comparison')
    return others.some((other) => equal(first, other))
  },
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => less(a, b),
  le: (a, b) => less(a, b) || equal(a, b),
  gt: (a, b) => !(less(a, b) || equal(a, b)),
  ge: (a, b) => !less(a, b),
  parseInt: (text, base, bits) => parseUint(String(text), Number(base), Number(bits)),
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' }

function typeName(value: Value): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'string' ? 'string' : 'nil'
}

function indexed(item: Value, index: Value): Value {
  if (isMap(item)) return item.get(String(index)) ?? ''
  if (!isList(item) && typeof item !== 'string')
    throw new ExecutionFault(`error calling index: can't index item of type ${typeName(item)}`)
  if (typeof index !== 'number')
    throw new ExecutionFault(`error calling index: cannot index slice/array with type ${typeName(index)}`)
  if (index < 0 || index >= item.length) throw new ExecutionFault(`error calling index: index out of range: ${index}`)
  return typeof item === 'string' ? item.charCodeAt(index) : item[index]
}

function equal(a: Value, b: Value): boolean {
  if (a === null || b === null || a === undefined || b === undefined) return a === b
  if (typeof a !== typeof b || typeof a === 'object')
    throw new ExecutionFault('error calling eq: incompatible types for comparison')
  return a === b
}

function less(a: Value, b: Value): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b
  if (typeof a === 'string' && typeof b === 'string') return a < b
  throw new ExecutionFault('error calling lt: incompatible types for comparison')
}

/** strconv.ParseUint, for numbers that JavaScript holds exactly. */
function parseUint(text: string, base: number, bits: number): number {
  const failed = (why: string) =>
    new ExecutionFault(`error calling parseInt: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`)
  const prefixed = base === 0 ? /^0([xbo]?)/i.exec(text) : null
  const radix =
    base === 0
      ? (({ x: 16, b: 2, o: 8, '': text.length > 1 ? 8 : 10 } as const)[(prefixed?.[1] ?? '-').toLowerCase() as 'x'] ??
        10)
      : base
  const digits = prefixed && prefixed[1] !== '' ? text.slice(2) : text
  const allowed = '0123456789abcdefghijklmnopqrstuvwxyz'.slice(0, radix)
  if (digits === '' || [...digits.toLowerCase()].some((digit) => !allowed.includes(digit)))
    throw failed('invalid syntax')
  const value = Number.parseInt(digits, radix)
  if (value >= 2 ** (bits === 0 ? 64 : bits)) throw failed('value out of range')
  return value
}

/** fmt.Sprintf, for the verbs that make sense in a record. */
function formatted(format: string, args: readonly Value[]): string {
  let at = 0
  const text = format.replace(
    /%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%'
      if (at >= args.length) return `%!${verb}(MISSING)`
      const body = verbText(verb, args[at++], { flags, precision })
      const size = Math.min(Number(width ?? 0), 1000)
      if (flags.includes('-')) return body.padEnd(size)
      return flags.includes('0') && !body.startsWith('-') ? body.padStart(size, '0') : body.padStart(size)
    },
  )
  const rest = args.slice(at)
  return rest.length === 0
    ? text
    : `${text}%!(EXTRA ${rest.map((arg) => `${typeName(arg)}=${printed(arg)}`).join(', ')})`
}

function verbText(
  verb: string,
  arg: Value,
  { flags, precision }: { readonly flags: string; readonly precision: string | undefined },
): string {
  const wrong = `%!${verb}(${typeName(arg)}=${printed(arg)})`
  switch (verb) {
    case 'v':
      return printed(arg)
    case 's':
      if (typeof arg === 'number' || typeof arg === 'boolean') return wrong
      return precision === undefined ? printed(arg) : printed(arg).slice(0, Number(precision))
    case 'q':
      return typeof arg === 'string' ? JSON.stringify(arg) : wrong
    case 't':
      return typeof arg === 'boolean' ? String(arg) : wrong
    case 'x':
    case 'X': {
      const digits =
        typeof arg === 'number'
          ? arg.toString(16)
          : [...new TextEncoder().encode(String(arg))].map((octet) => octet.toString(16).padStart(2, '0')).join('')
      const prefix = flags.includes('#') ? '0x' : ''
      return verb === 'X' ? (prefix + digits).toUpperCase() : prefix + digits
    }
    case 'd':
      return typeof arg === 'number' ? `${flags.includes('+') && arg >= 0 ? '+' : ''}${arg}` : wrong
    case 'o':
    case 'b':
      return typeof arg === 'number' ? arg.toString(verb === 'o' ? 8 : 2) : wrong
    case 'c':
      return typeof arg === 'number' ? String.fromCodePoint(arg) : wrong
    case 'f':
      return typeof arg === 'number' ? fixed(arg, Number(precision ?? 6)) : wrong
    default:
      return wrong
  }
}

/** With so many digits behind the point; of two that are as near the even one, where JavaScript takes the larger. */
function fixed(value: number, digits: number): string {
  const scaled = Math.abs(value) * 10 ** digits
  const isTie = scaled % 1 === 0.5 && Math.floor(scaled) % 2 === 0
  return (isTie ? (Math.sign(value) * Math.floor(scaled)) / 10 ** digits : value).toFixed(digits)
}
