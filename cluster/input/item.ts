import type { Diagnostic, SourceSpan } from '../source.ts'
import type { ByteSource } from './byte-source.ts'
import type { JsonObject } from './json-value.ts'

/** One API object of the input, not yet understood. */
export interface Item {
  readonly value: JsonObject
  readonly apiVersion: string
  readonly kind: string
  readonly at: SourceSpan
}

/** An object that was found and not parsed, because nothing reads its kind. */
export type UnreadItem = Omit<Item, 'value'>

/** A named file whose bytes are at hand. */
export interface SourceFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A named file that is read piece by piece. */
export interface StoredFile {
  readonly name: string
  readonly source: ByteSource
  /**
   * The directory it was found below, where it was not named itself: then a file that holds no object is passed over
   * without an error.
   */
  readonly below?: string
}

export type InputFile = SourceFile | StoredFile

/** A file after unpacking: text in UTF-8 without a byte order mark. */
export interface TextFile {
  readonly name: string
  readonly source: ByteSource
  /** What its name says of objects that do not tell their kind: `pods/default.json` of a support bundle. */
  readonly holds?: ObjectKind
  /** How much is read first; tests read little, so that every place is once the end of a piece. */
  readonly firstPiece?: number
}

export interface ObjectKind {
  readonly kind: string
  readonly apiVersion: string
}

export interface ItemSink {
  readonly item: (item: Item) => void
  readonly diagnose: (diagnostic: Diagnostic) => void
  /** False: objects of the kind are only counted, and their contents never become values. Absent: all are read. */
  readonly wants?: (kind: ObjectKind) => boolean
  readonly unread?: (item: UnreadItem) => void
  /** A list that holds nothing. */
  readonly emptyList?: (list: ObjectKind, at: { readonly file: string; readonly line: number }) => void
}
