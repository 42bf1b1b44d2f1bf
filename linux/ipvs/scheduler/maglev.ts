import type { Ip } from '../../../packet/ip.ts'
import type { DestinationState } from '../destination.ts'
import { hsiphash1u32 } from '../siphash.ts'
import { foldIp, gcd, isUsable, ONCE, type Scheduler, type SchedulerService } from './scheduler.ts'

/** The prime that CONFIG_IP_VS_MH_TAB_INDEX=12 (the default) chooses: primes[12 - 8]. */
const TABLE_SIZE = 4093
/** IP_VS_MH_TAB_BITS: the most bits that weights may take. */
const TABLE_BITS = 12 / 2

/** generate_hash_secret: the "secrets" are the same on every machine. */
const FIRST_KEY = [2654435761n, 2654435761n] as const
const SECOND_KEY = [2654446892n, 2654446892n] as const

function hashKey(
  ip: Ip,
  port: number,
  { key, offset = 0 }: { key: readonly [bigint, bigint]; offset?: number },
): number {
  return hsiphash1u32((offset + port + foldIp(ip)) >>> 0, key)
}

/**
 * `mh`: Maglev hashing by the client's address, with mh-port by its port too. Every destination goes through the table
 * in an order of its own and takes the next free place when it is its turn; weights are turns (Linux ip_vs_mh.c, after
 * Eisenbud et al., "Maglev", NSDI 2016, 3.4).
 */
export function maglev({ destinations, flags }: SchedulerService): Scheduler {
  const withPort = flags.includes('mh-port')
  const fallsBack = flags.includes('mh-fallback')
  let table: readonly DestinationState[] | undefined
  return {
    schedule({ source, sourcePort }) {
      table ??= maglevTable(destinations)
      const port = withPort ? sourcePort : 0
      const first = hashKey(source, port, { key: FIRST_KEY }) % TABLE_SIZE
      const found = table[first]
      if (found === undefined || isUsable(found)) return found
      if (!fallsBack) return undefined
      for (let i = 0; i < TABLE_SIZE; i++) {
        const offset = (i + first) % TABLE_SIZE
        const next = table[hashKey(source, port, { key: FIRST_KEY, offset }) % TABLE_SIZE]
        if (next === undefined) return undefined
        if (isUsable(next)) return next
      }
      return undefined
    },
    changed() {
      table = undefined
    },
    removing: () => undefined,
    period: ONCE,
  }
}

/** ip_vs_mh_permutate and ip_vs_mh_populate. Empty where no destination has, or had, a weight. */
export function maglevTable(destinations: readonly DestinationState[]): readonly DestinationState[] {
  const divisor = destinations.map(({ lastWeight }) => lastWeight).reduce(gcd, 0)
  if (divisor < 1) return []
  const most = Math.max(...destinations.map(({ lastWeight }) => lastWeight)) / divisor
  const shift = Math.max(0, 32 - Math.clz32(most) - TABLE_BITS)
  return fillLookup(
    TABLE_SIZE,
    destinations.map((destination) => {
      const { address, port, lastWeight } = destination
      return {
        entry: destination,
        offset: hashKey(address, port, { key: FIRST_KEY }) % TABLE_SIZE,
        skip: (hashKey(address, port, { key: SECOND_KEY }) % (TABLE_SIZE - 1)) + 1,
        turns: (lastWeight / divisor) >> shift || (lastWeight === 0 ? 0 : 1),
      }
    }),
  )
}

/** One that wants places in the table: `offset`, then `skip` further each time, as often as it has `turns`. */
export interface Preference<T> {
  readonly entry: T
  readonly offset: number
  readonly skip: number
  readonly turns: number
}

/** Everybody in turn takes the next place of its own order that is still free, until all are taken. */
export function fillLookup<T>(size: number, preferences: readonly Preference<T>[]): readonly T[] {
  const players = preferences.map((preference) => ({ ...preference, at: preference.offset }))
  const table = Array<T | undefined>(size)
  for (let taken = 0; ; )
    for (const player of players)
      for (let turn = 0; turn < player.turns; turn++) {
        while (table[player.at] !== undefined) player.at = (player.at + player.skip) % size
        table[player.at] = player.entry
        if (++taken === size) return table as T[]
      }
}
