/** A timer of the real kernel may run out while nobody was on the CPU: what it does not do again is no difference. */
export const LIVE_RETRIES = 2
