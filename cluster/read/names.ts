import { type Place, refuse, text } from './place.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const MAX_LABEL = 63
const MAX_SUBDOMAIN = 253
const MAX_PORT_NAME = 15

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

/** What is wrong with a name, in the API server's words (k8s.io/apimachinery pkg/util/validation); undefined if nothing. */
export function labelProblem(name: string): string | undefined {
  if (name.length > MAX_LABEL) return `must be no more than ${MAX_LABEL} characters`
  return LABEL.test(name) ? undefined : LABEL_RULE
}

export function subdomainProblem(name: string): string | undefined {
  if (name.length > MAX_SUBDOMAIN) return `must be no more than ${MAX_SUBDOMAIN} characters`
  return SUBDOMAIN.test(name) ? undefined : SUBDOMAIN_RULE
}

/** IsValidPortName: the name of a container port, and of a targetPort. */
export function portNameProblem(name: string): string | undefined {
  if (name.length > MAX_PORT_NAME) return `must be no more than ${MAX_PORT_NAME} characters`
  if (!/^[-a-z0-9]+$/.test(name)) return 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'
  if (!/[a-z]/.test(name)) return 'must contain at least one letter (a-z)'
  if (name.includes('--')) return 'must not contain consecutive hyphens'
  return name.startsWith('-') || name.endsWith('-') ? 'must not begin or end with a hyphen' : undefined
}

/** Refuses a member whose name is wrong by one of the rules above. An absent one is no problem here. */
export function refuseName(place: Place, key: string, problemOf: (name: string) => string | undefined): void {
  const name = text(place, key)
  const problem = name === '' ? undefined : problemOf(name)
  if (problem !== undefined)
    refuse(place, key, { code: 'name-invalid', text: `Invalid value: "${name}": ${problem}`, ...shorter(problem) })
}

const shorter = (problem: string): { suggestion?: string } =>
  problem.startsWith('must be no more') ? { suggestion: 'choose a shorter name' } : {}
