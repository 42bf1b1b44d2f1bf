import type { SourceLocation, SourceSpan } from '../source.ts'
import { type FieldPath, parseFieldPath } from './field-path.ts'
import { positionIn } from './line-counter.ts'
import { parseYaml, type YamlNode } from './yaml-tree.ts'

/**
 * The place of a field, found by parsing its object once more with positions. `text` is the object's own text (the
 * bytes of its span). A field that is not there gives the place of its nearest parent that is.
 */
export function fieldLocation(text: string, span: SourceSpan, path: FieldPath | string): SourceLocation {
  // JSON is YAML in brackets, so one parser finds the places of both. The dash of a list item is not part of it.
  const item = text.replace(/^( *)-(?=\s)/, '$1 ')
  const [document] = parseYaml(item).documents
  const offset = document === undefined ? 0 : offsetOf(document, typeof path === 'string' ? parseFieldPath(path) : path)
  return { file: span.file, ...positionOf(item, offset, span.line) }
}

function offsetOf(root: YamlNode, path: FieldPath): number {
  let node = root
  let offset = root.start
  for (const part of path) {
    if (node.kind === 'list') {
      const child = typeof part === 'number' ? node.items[part] : undefined
      if (child === undefined) return offset
      node = child
      offset = child.start
    } else if (node.kind === 'map') {
      const entry = node.entries.find(({ key }) => key === part)
      if (entry === undefined) return offset
      node = entry.value
      offset = entry.keyStart
    } else return offset
  }
  return offset
}

/** Columns are left out on the object's first line of a one-line file, where the span's own column is unknown. */
function positionOf(text: string, offset: number, line: number): { line: number; column?: number } {
  const place = positionIn(text, offset, line)
  return place.line === line ? { line } : place
}
