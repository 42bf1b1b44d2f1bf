import { subdomainProblem } from './names.ts'
import { child, type Place, refuse, textMap } from './place.ts'

const NAME_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const MAX_LENGTH = 63

const NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

/** IsQualifiedName (k8s.io/apimachinery pkg/util/validation): the key of a label or taint, an appProtocol. */
export function qualifiedNameProblem(text: string): string | undefined {
  const parts = text.split('/')
  if (parts.length > 2)
    return `a qualified name ${NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`
  const name = parts.at(-1) ?? ''
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') return 'prefix part must be non-empty'
    const problem = subdomainProblem(prefix)
    if (problem !== undefined) return `prefix part ${problem}`
  }
  if (name === '') return 'name part must be non-empty'
  if (name.length > MAX_LENGTH) return `name part must be no more than ${MAX_LENGTH} characters`
  return NAME_PART.test(name) ? undefined : `name part ${NAME_RULE}`
}

/** IsValidLabelValue of the same file. */
export function labelValueProblem(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return `must be no more than ${MAX_LENGTH} characters`
  return text === '' || NAME_PART.test(text) ? undefined : VALUE_RULE
}

/** ValidateLabels (pkg/apis/meta/v1/validation): labels of an object, a Service's selector, matchLabels. */
export function refuseLabels(place: Place, key: string): void {
  const labels = child(place, key)
  for (const [name, value] of Object.entries(textMap(place, key))) {
    const wrongName = qualifiedNameProblem(name)
    if (wrongName !== undefined)
      refuse(place, key, { code: 'label-invalid', text: `Invalid value: "${name}": ${wrongName}` })
    const wrongValue = labelValueProblem(value)
    if (wrongValue !== undefined)
      refuse(labels, name, { code: 'label-invalid', text: `Invalid value: "${value}": ${wrongValue}` })
  }
}
