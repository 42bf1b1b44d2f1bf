import type { Assumption, Diagnostic } from '../source.ts'

/** Where the steps of completing a cluster say what they assumed and what is wrong. */
export interface Filling {
  readonly assume: (assumption: Assumption) => void
  readonly diagnose: (diagnostic: Diagnostic) => void
}
