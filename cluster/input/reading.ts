import type { Diagnostic } from '../source.ts'
import { type ByteWindow, openWindow } from './byte-window.ts'
import type { ItemSink, ObjectKind, TextFile } from './item.ts'

/** A file that is being read, and how far. */
export interface Reading {
  readonly file: TextFile
  readonly sink: ItemSink
  readonly window: ByteWindow
  /** Index of what is looked at. */
  at: number
  /** Index of the first byte that is still needed; -1: `at`. */
  keep: number
  /** Objects found so far, for messages. */
  found: number
}

export const beginReading = (file: TextFile, sink: ItemSink): Reading => ({
  file,
  sink,
  window: openWindow(file.source, file.firstPiece),
  at: 0,
  keep: -1,
  found: 0,
})

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const decodeText = (bytes: Uint8Array): string => decoder.decode(bytes)

/** The kind of an object that may not tell its own: as its list has it, or the file's name. */
export function kindInList(
  { kind: ownKind, apiVersion }: ObjectKind,
  list: ObjectKind | undefined,
  file: TextFile,
): ObjectKind {
  const own = { kind: ownKind, apiVersion }
  if (own.kind !== '') return own
  // The kind of the items of a typed list: `PodList` holds Pods. A plain `List` says nothing about its items.
  const kind = list === undefined ? '' : list.kind.slice(0, -'List'.length)
  if (kind !== '') return { kind, apiVersion: own.apiVersion || (list?.apiVersion ?? '') }
  return file.holds ?? own
}

export const wanted = (sink: ItemSink, kind: ObjectKind): boolean =>
  kind.kind === '' || sink.wants === undefined || sink.wants(kind)

/** Cut off: what was read is used. */
export function cutOff(
  file: TextFile,
  told: { readonly message: string; readonly line: number; readonly notes?: Diagnostic['notes'] },
): Diagnostic {
  return {
    severity: 'error',
    code: 'input-cut-off',
    message: told.message,
    at: { file: file.name, line: told.line },
    ...(told.notes === undefined ? {} : { notes: told.notes }),
    suggestion: 'collect the file again; what was read is used',
  }
}
