import type { Item } from './input/item.ts'
import { isObject, member } from './input/json-value.ts'
import type { Lab } from './lab.ts'
import type { Diagnostic } from './source.ts'
import type { SourceTexts } from './source-texts.ts'

/** Reads the Lab documents of the input and merges them into one. */
export function readLabs(
  items: readonly Item[],
  _sources: SourceTexts,
): { lab: Lab; diagnostics: readonly Diagnostic[] } {
  const specs = items.map((item) => member(item.value, 'spec')).filter(isObject)
  return { lab: Object.assign({}, ...specs) as Lab, diagnostics: [] }
}
