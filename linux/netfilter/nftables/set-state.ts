import type { Data } from './expression.ts'
import { dataKey, type NftSet } from './set.ts'

/** What rules put into sets: by the set's id, then by key. Linux net/netfilter/nft_dynset.c, nft_set_hash.c. */
export type NftSetStates = Map<string, Map<number | string, DynamicElement>>

/** An element that a rule added. */
export interface DynamicElement {
  readonly key: readonly Data[]
  /** When it goes, in nanoseconds; undefined: never. */
  readonly expires: number | undefined
  /** Seconds, where they are not the set's own. */
  readonly timeout: number | undefined
}

const NANOSECONDS = 1e9
/** What nft gives a dynamic set that is given no size. */
const USUAL_SIZE = 65_535

export function isRemembered(states: NftSetStates, set: NftSet, at: { key: readonly Data[]; now: number }): boolean {
  const elements = states.get(set.id)
  const key = dataKey(at.key)
  const element = elements?.get(key)
  return element !== undefined && isAlive(element, at.now)
}

const isAlive = ({ expires }: DynamicElement, now: number): boolean => expires === undefined || expires > now

/** The elements that are still there, in the order in which they came. */
export const rememberedIn = (states: NftSetStates, { id }: NftSet, now: number): readonly DynamicElement[] =>
  [...(states.get(id)?.values() ?? [])].filter((element) => isAlive(element, now))

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
  const elements = states.get(set.id) ?? new Map<number | string, DynamicElement>()
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
  elements.set(key, {
    key: update.key,
    expires: timeout === undefined ? undefined : now + timeout * NANOSECONDS,
    timeout: update.timeout === set.line.timeout ? undefined : update.timeout,
  })
  return true
}

function alive(elements: ReadonlyMap<number | string, DynamicElement>, now: number): number {
  let count = 0
  for (const element of elements.values()) if (isAlive(element, now)) count++
  return count
}
