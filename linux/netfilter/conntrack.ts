/** One tracked flow. */
export interface ConntrackEntry {
  readonly id: number
}
