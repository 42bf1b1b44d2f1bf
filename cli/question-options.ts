import type { Built } from '../engine/build.ts'
import type { Probe } from '../engine/probe.ts'
import { type Question, readQuestion } from '../engine/question.ts'
import type { SnapshotOptions } from './snapshot.ts'
import { Stop } from './terminal.ts'

export const PROTOCOLS = ['tcp', 'udp', 'icmp', 'sctp'] as const

/** Options of every command that asks a question. */
export interface QuestionOptions extends SnapshotOptions {
  readonly from: string
  readonly to: string
  readonly namespace: string
  readonly protocol?: (typeof PROTOCOLS)[number]
  readonly ttl?: number
  /** The port that the client sends from. */
  readonly sourcePort?: number
  readonly seed: number
}

/** The probe that the options ask for. */
export function probeOf(built: Built, options: QuestionOptions): Probe {
  const probe = readQuestion(built, questionOf(options))
  if (!probe.ok) throw new Stop(probe.reason, { todo: 'for example: --from pod/client --to svc/my-nginx:80' })
  return probe.value
}

export const questionOf = ({ from, to, namespace, protocol, ttl, sourcePort }: QuestionOptions): Question => ({
  from,
  to,
  namespace,
  ...(protocol === undefined ? {} : { protocol }),
  ...(ttl === undefined ? {} : { ttl }),
  ...(sourcePort === undefined ? {} : { sourcePort }),
})
