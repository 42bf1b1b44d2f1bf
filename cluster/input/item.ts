import type { Diagnostic, SourceSpan } from '../source.ts'
import type { JsonObject } from './json-value.ts'

/** One API object of the input, not yet understood. */
export interface Item {
  readonly value: JsonObject
  readonly apiVersion: string
  readonly kind: string
  readonly at: SourceSpan
}

/** A named file after unpacking. */
export interface SourceFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface ItemSink {
  readonly item: (item: Item) => void
  readonly diagnose: (diagnostic: Diagnostic) => void
}
