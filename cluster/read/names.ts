import type { FieldPath } from '../input/field-path.ts'
import { has, type Place, refuse, text } from './place.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const MAX_LABEL = 63
const MAX_SUBDOMAIN = 253
const MAX_PORT_NAME = 15

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

/** What is wrong with a name, in the API server's words (k8s.io/apimachinery pkg/util/validation); nothing if empty. */
export type NameRule = (name: string) => readonly string[]

const FINE: readonly string[] = []
const found = (...problems: readonly (string | false)[]): readonly string[] => {
  const told = problems.filter((one) => one !== false)
  return told.length === 0 ? FINE : told
}

/** Go counts bytes, whatever its messages say. */
export const bytesOf = (text: string): number =>
  /^[\x20-\x7e]*$/.test(text) ? text.length : new TextEncoder().encode(text).length

const tooLong = (name: string, most: number): string | false =>
  bytesOf(name) > most && `must be no more than ${most} characters`

/** IsDNS1123Label. */
export const labelRule: NameRule = (name) =>
  LABEL.test(name) && name.length <= MAX_LABEL
    ? FINE
    : found(
        tooLong(name, MAX_LABEL),
        !LABEL.test(name) && (SUBDOMAIN.test(name) ? 'must not contain dots' : LABEL_RULE),
      )

/** IsDNS1123Subdomain. */
export const subdomainRule: NameRule = (name) =>
  found(tooLong(name, MAX_SUBDOMAIN), !SUBDOMAIN.test(name) && SUBDOMAIN_RULE)

const SEARCH = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/
const SEARCH_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"

/** IsDNS1123SubdomainWithUnderscore: a search domain. */
export const searchRule: NameRule = (name) => found(tooLong(name, MAX_SUBDOMAIN), !SEARCH.test(name) && SEARCH_RULE)

/** IsValidPortName: the name of a container port, and of a targetPort. */
export const portNameRule: NameRule = (name) =>
  found(
    tooLong(name, MAX_PORT_NAME),
    !/^[-a-z0-9]+$/.test(name) && 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    !/[a-z]/.test(name) && 'must contain at least one letter (a-z)',
    name.includes('--') && 'must not contain consecutive hyphens',
    (name.startsWith('-') || name.endsWith('-')) && 'must not begin or end with a hyphen',
  )

/** Refuses a member whose name is wrong by one of the rules above. An absent one is no problem here. */
export function refuseName(place: Place, key: string, rule: NameRule): void {
  const name = text(place, key)
  if (name !== '') refuseText(place, key, { written: name, rule })
}

/** Refuses a member that is given, be it empty: one that is optional in Go, where empty is not absent. */
export function refuseGivenName(place: Place, key: string, rule: NameRule): void {
  if (has(place, key)) refuseText(place, key, { written: text(place, key), rule })
}

/** Refuses a text by a rule. `shown` is the path that the API server prints, where it is another. */
export function refuseText(
  place: Place,
  key: string | number,
  of: { readonly written: string; readonly rule: NameRule; readonly shown?: FieldPath },
): void {
  for (const problem of of.rule(of.written))
    refuse(place, key, {
      code: 'name-invalid',
      text: `Invalid value: ${goQuoted(of.written)}: ${problem}`,
      ...(of.shown === undefined ? {} : { shown: of.shown }),
      ...(problem.includes('must be no more') ? { suggestion: 'choose a shorter name' } : {}),
    })
}

/** As Go prints a text with %q. */
export const goQuoted = (written: string): string => JSON.stringify(written)
