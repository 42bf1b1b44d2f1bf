import { bytesOf, type NameRule, refuseText, subdomainRule } from './names.ts'
import { child, type Place, pathTo, textMap } from './place.ts'

const NAME_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const MAX_LENGTH = 63

const NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

const tooLong = (text: string, most: number): string[] =>
  bytesOf(text) > most ? [`must be no more than ${most} bytes`] : []

/** IsLabelKey (k8s.io/apimachinery pkg/api/validate/content): the key of a label or taint, an appProtocol. */
export const qualifiedNameRule: NameRule = (text) => {
  if (text.length <= MAX_LENGTH && NAME_PART.test(text)) return FINE
  const parts = text.split('/')
  if (parts.length > 2)
    return [`a valid label key ${NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  const name = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? prefixProblems(parts[0] ?? '') : []
  const length = name === '' ? ['must be non-empty'] : tooLong(name, MAX_LENGTH)
  const own = [...length, ...(NAME_PART.test(name) ? [] : [NAME_RULE])]
  return [...prefix.map((problem) => `prefix part ${problem}`), ...own.map((problem) => `name part ${problem}`)]
}

const FINE: readonly string[] = []
const MAX_PREFIX = 253

function prefixProblems(prefix: string): readonly string[] {
  if (prefix === '') return ['must be non-empty']
  return [...tooLong(prefix, MAX_PREFIX), ...subdomainRule(prefix).filter((one) => !one.startsWith('must be no more'))]
}

/** IsLabelValue of the same package. */
export const labelValueRule: NameRule = (text) =>
  text === '' || (text.length <= MAX_LENGTH && NAME_PART.test(text))
    ? FINE
    : [...tooLong(text, MAX_LENGTH), ...(NAME_PART.test(text) ? [] : [VALUE_RULE])]

/**
 * ValidateLabels (pkg/apis/meta/v1/validation): labels of an object, a Service's selector, matchLabels. The API server
 * names the map, whichever entry is wrong.
 */
export function refuseLabels(place: Place, key: string): void {
  const shown = pathTo(place, key)
  const labels = child(place, key)
  for (const [name, value] of Object.entries(textMap(place, key))) {
    refuseText(labels, name, { written: name, rule: qualifiedNameRule, shown })
    refuseText(labels, name, { written: value, rule: labelValueRule, shown })
  }
}

/** ValidateAnnotations (pkg/api/validation): keys are as those of labels, capital letters allowed. */
export function refuseAnnotations(place: Place): void {
  const shown = pathTo(place, 'annotations')
  const annotations = child(place, 'annotations')
  const rule: NameRule = (name) => qualifiedNameRule(name.toLowerCase())
  for (const name of Object.keys(annotations.value)) refuseText(annotations, name, { written: name, rule, shown })
}
