import { fieldLocation } from './input/field-location.ts'
import type { FieldPath } from './input/field-path.ts'
import type { SourceFile } from './input/item.ts'
import type { SourceLocation, SourceSpan } from './source.ts'

/** The input's texts, kept so that the line of a field can be found when something wants to print it. */
export interface SourceTexts {
  /** The place of a field (`spec.ports[0].targetPort`) of the object at `span`. */
  readonly locate: (span: SourceSpan, path: FieldPath | string) => SourceLocation
}

export function sourceTexts(files: readonly SourceFile[]): SourceTexts {
  const byName = new Map(files.map((file) => [file.name, file.bytes]))
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    locate(span, path) {
      const bytes = byName.get(span.file)
      if (bytes === undefined) return { file: span.file, line: span.line }
      return fieldLocation(decoder.decode(bytes.subarray(span.offset, span.offset + span.length)), span, path)
    },
  }
}
