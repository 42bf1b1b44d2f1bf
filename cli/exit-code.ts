import type { Conversation } from '../engine/conversation.ts'
import { isSuccess } from '../engine/trace.ts'

/** Like grep and kubectl diff: 0 yes, 1 no, 2 wrong usage or nothing readable, 3 not enough known, 70 our own fault. */
export const EXIT = { yes: 0, no: 1, usage: 2, unknown: 3, bug: 70 } as const

export function exitCodeOf({
  disposition,
  outcome,
  why,
}: Pick<Conversation, 'disposition' | 'outcome' | 'why'>): number {
  if (disposition.kind === 'insufficientInfo') return EXIT.unknown
  const gotThrough = outcome.kind === 'connected' || outcome.kind === 'answered' || outcome.kind === 'resolved'
  if (gotThrough && isSuccess(disposition.kind)) return EXIT.yes
  if (why.some((reason) => reason.code === 'virtual-address')) return EXIT.no
  // It left for a place that the input does not describe: whether it is answered cannot be told.
  return disposition.kind === 'leftCluster' ? EXIT.unknown : EXIT.no
}
