import type { SourceLocation } from '../source.ts'

/**
 * What the input was found to be, before anything was computed from it. Plain data for `podwalk check`: every list is
 * sorted, and all that was not read is in it with its place and the reason.
 */
export interface InputInventory {
  /** Every file and archive member whose objects were read, by name. */
  readonly files: readonly FileReport[]
  /** How it was collected, where names or contents tell; empty for plain files. */
  readonly layouts: readonly FoundLayout[]
  /** Files and objects that were left out, by place. */
  readonly skipped: readonly Skipped[]
  /** Kinds that podwalk reads and that the input says nothing about, by kind. */
  readonly lacking: readonly LackingKind[]
  /** Kinds that were collected, and none exists: their lists are empty. */
  readonly empty: readonly EmptyKind[]
}

export interface FileReport {
  /** As the user named it; a member of an archive is `snap.tar.gz!pods.json`. */
  readonly name: string
  readonly form: FileForm
  /** What it was unpacked from, outermost first: `['gzip', 'tar']`. */
  readonly packing: readonly Packing[]
  /** Bytes after unpacking. */
  readonly bytes: number
  /** Objects by kind as the file has them, duplicates and kinds that are not read included; sorted by kind. */
  readonly kinds: Readonly<Record<string, number>>
}

/** `mixed`: documents of both, or the log sections of `kubectl cluster-info dump` between lists. */
export type FileForm = 'json' | 'yaml' | 'mixed'
export type Packing = 'gzip' | 'tar' | 'zip'

export interface FoundLayout {
  readonly kind: Layout
  /** The directory or archive: `dump.tar.gz!dump`; `''` for the directory the files were named in. */
  readonly root: string
}

export type Layout = 'cluster-info-dump' | 'must-gather' | 'support-bundle' | 'velero'

export interface Skipped {
  readonly at: SourceLocation
  /** Stable, kebab-case: `log`, `kind-not-read`, `secret`, `file-binary`. */
  readonly code: string
  /** A sentence without a full stop: `a container's log`, `kind Lease is not read`. */
  readonly reason: string
  /** How many objects or files of that kind are left out; `at` is the first of them. */
  readonly count: number
}

export interface LackingKind {
  readonly kind: string
  /** `notCollected`: the input's layout never holds it; `notAllowed`: the collector was refused; `notFound`: no file has it. */
  readonly why: 'notCollected' | 'notAllowed' | 'notFound'
  /** The command that fetches it. */
  readonly collect: string
  /** Where the refusal stands. */
  readonly at?: SourceLocation
}

export interface EmptyKind {
  readonly kind: string
  /** The list that is empty. */
  readonly at: SourceLocation
}
