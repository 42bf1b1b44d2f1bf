/**
 * What kubectl takes a plain YAML scalar for. It reads YAML with the goyaml.v2 of sigs.k8s.io/yaml (resolve.go), which
 * is YAML 1.1 with its own ideas: `on` and `y` are booleans, `0777` is octal, `1_000` is a number, `12e4567` is text
 * because no float64 holds it, and a time stamp stays text.
 */
export function plainScalar(text: string): null | boolean | number | string {
  if (text === '') return null
  const first = text.charCodeAt(0)
  if (first >= 0x30 && first <= 0x39) return numberOr(text)
  switch (text.charAt(0)) {
    case '+':
    case '-':
      return words.get(text) ?? numberOr(text)
    case '.':
      return words.get(text) ?? (/^\.\d+([eE][-+]?\d+)?$/.test(text) ? finiteOr(text, text) : text)
    case 'y':
    case 'Y':
    case 'n':
    case 'N':
    case 't':
    case 'T':
    case 'f':
    case 'F':
    case 'o':
    case 'O':
    case '~': {
      const word = words.get(text)
      return word === undefined ? text : word
    }
    default:
      return text
  }
}

const words = new Map<string, null | boolean | number>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word) => [word, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
])

const INTEGER = /^[-+]?(0|[1-9]\d*|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+)$/
const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/

function numberOr(text: string): number | string {
  const plain = text.includes('_') ? text.replaceAll('_', '') : text
  if (INTEGER.test(plain)) return integerOf(plain)
  if (FLOAT.test(plain)) return finiteOr(plain, text)
  return text
}

/** Go's ParseInt with base 0: a leading zero alone means octal. */
function integerOf(text: string): number {
  const negative = text.startsWith('-')
  const digits = text.replace(/^[-+]/, '')
  const octal = /^0[0-7]+$/.test(digits)
  const value = octal ? Number.parseInt(digits, 8) : Number(digits.toLowerCase())
  return negative && value !== 0 ? -value : value
}

/** Go refuses a float that overflows; the scalar then stays text. */
function finiteOr(plain: string, text: string): number | string {
  const value = Number(plain)
  return Number.isFinite(value) ? value : text
}
