import type { ByteSource } from './byte-source.ts'

/** A file in an archive. Its name is only a name: nothing is ever written under it. */
export interface Member {
  readonly name: string
  readonly source: ByteSource
}

/** What a reader of an archive tells: its files one by one, and what is wrong with it or not read. */
export interface MemberSink {
  readonly member: (member: Member) => void
  readonly damaged: (reason: string) => void
  readonly skipped: (name: string, reason: string) => void
}
