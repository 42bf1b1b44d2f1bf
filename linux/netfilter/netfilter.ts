/** The frozen rules of one namespace. */
export interface NetfilterConfig {
  readonly active: boolean
}
/** What traffic changes: conntrack, `recent` lists, fragment queues. */
export interface NetfilterState {
  readonly active: boolean
}
