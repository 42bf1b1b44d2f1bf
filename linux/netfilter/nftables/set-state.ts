import type { Data } from './expression.ts'
import { dataKey, type NftSet } from './set.ts'

/**
 * What rules put into sets: by the set's id, then by key, when the element goes (nanoseconds; undefined: never).
 * Linux net/netfilter/nft_dynset.c, nft_set_hash.c.
 */
export type NftSetStates = Map<string, Map<number | string, number | undefined>>

const NANOSECONDS = 1e9
/** What nft gives a dynamic set that is given no size. */
const USUAL_SIZE = 65_535

export function isRemembered(states: NftSetStates, set: NftSet, at: { key: readonly Data[]; now: number }): boolean {
  const elements = states.get(set.id)
  const key = dataKey(at.key)
  if (elements === undefined || !elements.has(key)) return false
  const expires = elements.get(key)
  return expires === undefined || expires > at.now
}

/** nft_dynset_eval: false where the set is full, and the rule ends. */
export function updateSet(
  states: NftSetStates,
  set: NftSet,
  update: {
    readonly action: 'add' | 'update' | 'delete'
    readonly key: readonly Data[]
    readonly timeout: number | undefined
    readonly now: number
  },
): boolean {
  const { action, now } = update
  const elements = states.get(set.id) ?? new Map<number | string, number | undefined>()
  states.set(set.id, elements)
  const key = dataKey(update.key)
  const known = isRemembered(states, set, { key: update.key, now })
  if (action === 'delete') {
    elements.delete(key)
    return known
  }
  if (known && action === 'add') return true
  if (!known && alive(elements, now) >= (set.line.size ?? USUAL_SIZE)) return false
  const timeout = update.timeout ?? set.line.timeout
  elements.set(key, timeout === undefined ? undefined : now + timeout * NANOSECONDS)
  return true
}

function alive(elements: ReadonlyMap<number | string, number | undefined>, now: number): number {
  let count = 0
  for (const expires of elements.values()) if (expires === undefined || expires > now) count++
  return count
}
