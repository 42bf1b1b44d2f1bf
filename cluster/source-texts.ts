import { type ByteSource, bytesAt } from './input/byte-source.ts'
import { fieldLocation } from './input/field-location.ts'
import type { FieldPath } from './input/field-path.ts'
import type { SourceLocation, SourceSpan } from './source.ts'

/** Finds the line of a field when something wants to print it: its object is read and parsed once more. */
export interface SourceTexts {
  /** The place of a field (`spec.ports[0].targetPort`) of the object at `span`. */
  readonly locate: (span: SourceSpan, path: FieldPath | string) => SourceLocation
}

/** Texts by the name of their file; more may be added later. */
export function sourceTexts(files: ReadonlyMap<string, ByteSource>): SourceTexts {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let latest: { readonly span: SourceSpan; readonly text: string } | undefined
  return {
    locate(span, path) {
      const source = files.get(span.file)
      if (source === undefined) return { file: span.file, line: span.line }
      // What is wrong with an object is often more than one thing.
      if (latest?.span !== span) latest = { span, text: decoder.decode(bytesAt(source, span.offset, span.length)) }
      return fieldLocation(latest.text, span, path)
    },
  }
}
