import type { SourceLocation, SourceSpan } from '../source.ts'
import { type FieldPath, parseFieldPath } from './field-path.ts'
import { parseYaml, type YamlNode } from './yaml-tree.ts'

/** Finds the places of fields of one object. */
export type FieldFinder = (path: FieldPath | string) => SourceLocation

/**
 * Parses an object once more with positions. `text` is the object's own text (the bytes of its span). A field that is
 * not there gives the place of its nearest parent that is.
 */
export function fieldFinder(text: string, span: SourceSpan): FieldFinder {
  // JSON is YAML in brackets, so one parser finds the places of both. The dash of a list item is not part of it.
  const item = text.replace(/^( *)-(?=\s)/, '$1 ')
  const [document] = parseYaml(item).documents
  const starts = lineStarts(item)
  return (path) => {
    const offset =
      document === undefined ? 0 : offsetOf(document, typeof path === 'string' ? parseFieldPath(path) : path)
    return { file: span.file, ...positionOf(starts, offset, span.line) }
  }
}

export const fieldLocation = (text: string, span: SourceSpan, path: FieldPath | string): SourceLocation =>
  fieldFinder(text, span)(path)

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

/** Offsets at which the lines of a text begin. */
function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let feed = text.indexOf('\n'); feed >= 0; feed = text.indexOf('\n', feed + 1)) starts.push(feed + 1)
  return starts
}

/** Columns are left out on the object's first line of a one-line file, where the span's own column is unknown. */
function positionOf(starts: readonly number[], offset: number, line: number): { line: number; column?: number } {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return low === 0 ? { line } : { line: line + low, column: offset - (starts[low] ?? 0) + 1 }
}
