/** What a strict text parser answers: the value, or the reason in words that can follow "10.1/16: ". */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value })
export const refused = (reason: string): Parsed<never> => ({ ok: false, reason })

/** The value of a text that our own code wrote; a refusal there is our bug and throws. */
export function must<T>(result: Parsed<T>): T {
  if (result.ok) return result.value
  throw new Error(result.reason)
}
