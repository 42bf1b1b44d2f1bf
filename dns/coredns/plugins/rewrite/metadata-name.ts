import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { fqdn, lowerName } from '../../../name.ts'
import { compileRule } from './matcher.ts'

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'group'; readonly index: number }
  | { readonly kind: 'label' }

/** `name regex FROM TO metadata`: labels such as `{kubernetes/client-namespace}` in the new name (name_metadata.go). */
export function parseMetadataReplacement(from: string, to: string): Parsed<(name: string) => string | undefined> {
  const pattern = compileRule(from)
  if (!pattern.ok) return pattern
  const parts = parseParts(fqdn(to), pattern.value.groups)
  if (!parts.ok) return parts
  return parsed((name) => {
    const groups = pattern.value.find(name)
    // No metadata is collected: a rule that needs some is passed over, as CoreDNS does without the metadata plugin.
    if (!groups || parts.value.some(({ kind }) => kind === 'label')) return undefined
    return parts.value
      .map((part) => (part.kind === 'text' ? part.text : part.kind === 'group' ? (groups[part.index] ?? '') : ''))
      .join('')
  })
}

function parseParts(replacement: string, groups: number): Parsed<readonly Part[]> {
  const parts: Part[] = []
  for (let rest = replacement; rest !== ''; ) {
    const open = rest.indexOf('{')
    const before = open < 0 ? rest : rest.slice(0, open)
    if (before.includes('}')) return refused('unmatched closing brace in metadata name replacement')
    if (before !== '') parts.push({ kind: 'text', text: lowerName(before) })
    if (open < 0) break
    const close = rest.indexOf('}', open)
    if (close < 0) return refused('unclosed placeholder in metadata name replacement')
    const label = rest.slice(open + 1, close)
    rest = rest.slice(close + 1)
    if (/^[+-]?\d+$/.test(label)) {
      const index = Number(label)
      if (index < 0 || index > groups) return refused(`capture group ${label} does not exist in name matching pattern`)
      parts.push({ kind: 'group', index })
    } else if (/^[^/{}\s]+\/[^{}\s]+$/.test(label)) parts.push({ kind: 'label' })
    else return refused(`invalid metadata label ${JSON.stringify(label)} in name replacement`)
  }
  return parsed(parts)
}
