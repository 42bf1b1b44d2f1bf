import type { FlanneldNote } from '../cni/flannel/udp-forwarder.ts'
import type { DnsStepBody } from '../dns/step.ts'
import type { StepBody, StepHead } from '../linux/step.ts'
import type { RelayNote } from '../proxy/userspace/relay.ts'
import type { ClientStep } from './client.ts'
import type { ListenerStep } from './listener.ts'

/** Everything that can be observed in a walk. Each layer owns the words for what can happen in it. */
export type Step = StepHead & (StepBody | EngineStepBody | ProgramStep)

/** What a program said of itself; `packet` is 0 there. */
export type ProgramStep = (DnsStepBody | FlanneldNote | RelayNote | ClientStep | ListenerStep | UnknownStep) & {
  readonly process: string
}

export type EngineStepBody =
  /** The frame left for a place the input does not describe. */
  | { readonly kind: 'wire.left'; readonly segment: string }
  /** The frame was lost between machines. */
  | { readonly kind: 'wire.lost'; readonly segment: string; readonly detail: string }
  | UnknownStep

/** Something that decides the answer is not known, or not modelled. */
export interface UnknownStep {
  readonly kind: 'lab.unknown'
  readonly what: string
  readonly detail: string
}
