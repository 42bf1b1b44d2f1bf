import { type ByteSource, bytesAt } from './input/byte-source.ts'
import { type FieldFinder, fieldFinder } from './input/field-location.ts'
import type { FieldPath } from './input/field-path.ts'
import type { SourceLocation, SourceSpan } from './source.ts'

/** Finds the line of a field when something wants to print it: its object is read and parsed once more. */
export interface SourceTexts {
  /** The place of a field (`spec.ports[0].targetPort`) of the object at `span`. */
  readonly locate: (span: SourceSpan, path: FieldPath | string) => SourceLocation
}

/** Objects that are parsed for a place in them; for more mistakes than anybody reads, their objects' places will do. */
const MOST_PARSED = 2000

/** Texts by the name of their file; more may be added later. */
export function sourceTexts(files: ReadonlyMap<string, ByteSource>): SourceTexts {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let latest: { readonly span: SourceSpan; readonly find: FieldFinder } | undefined
  let parsed = 0
  return {
    locate(span, path) {
      const source = files.get(span.file)
      if (source === undefined || (parsed >= MOST_PARSED && latest?.span !== span))
        return { file: span.file, line: span.line }
      // What is wrong with an object is often more than one thing.
      if (latest?.span !== span) {
        const text = decoder.decode(bytesAt(source, span.offset, span.length))
        parsed++
        latest = { span, find: fieldFinder(text, span) }
      }
      return latest.find(path)
    },
  }
}
