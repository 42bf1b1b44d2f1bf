import type { DestinationState } from '../destination.ts'
import { foldIp, hash32, isUsable, ONCE, type Scheduler, type SchedulerService, stateless } from './scheduler.ts'

/** IP_VS_SH_TAB_BITS, IP_VS_DH_TAB_BITS. */
const TABLE_BITS = 8
const TABLE_SIZE = 1 << TABLE_BITS

/** The buckets in the order of the list, each destination as often in a row as `timesOf` says, over and over. */
function fillTable(
  destinations: readonly DestinationState[],
  timesOf: (destination: DestinationState) => number,
): readonly DestinationState[] {
  const table: DestinationState[] = []
  if (destinations.length === 0) return table
  for (let at = 0; ; at = (at + 1) % destinations.length) {
    const destination = destinations[at]
    if (destination === undefined) return table
    // At least once, also with weight 0: what falls there is refused, or looked for elsewhere.
    for (let i = 0; i < Math.max(1, timesOf(destination)); i++) {
      if (table.length === TABLE_SIZE) return table
      table.push(destination)
    }
  }
}

/**
 * `sh`: by the client's address, with the flag sh-port by its port too; weights count (Linux ip_vs_sh.c). Who falls on
 * one that cannot be used is refused, or with sh-fallback the next buckets are tried.
 */
export function sourceHash({ destinations, flags }: SchedulerService): Scheduler {
  const withPort = flags.includes('sh-port')
  const fallsBack = flags.includes('sh-fallback')
  let table = fillTable(destinations, ({ weight }) => weight)
  return {
    schedule({ source, sourcePort }) {
      const hash = hash32((foldIp(source) + (withPort ? sourcePort : 0)) >>> 0, TABLE_BITS)
      const found = table[hash]
      if (found === undefined || isUsable(found)) return found
      if (!fallsBack) return undefined
      // ip_vs_sh_get_fallback starts at the hash, and adds the hash again.
      for (let i = 0; i < TABLE_SIZE; i++) {
        const next = table[(i + hash + hash) % TABLE_SIZE]
        if (next !== undefined && isUsable(next)) return next
      }
      return undefined
    },
    changed() {
      table = fillTable(destinations, ({ weight }) => weight)
    },
    removing: () => undefined,
    period: ONCE,
  }
}

/** `dh`: by the address that the client asked for; weights do not count (Linux ip_vs_dh.c). */
export function destinationHash({ destinations }: SchedulerService): Scheduler {
  let table = fillTable(destinations, () => 1)
  return {
    ...stateless(({ destination }) => {
      const found = table[hash32(foldIp(destination), TABLE_BITS)]
      return found?.available === true && isUsable(found) ? found : undefined
    }),
    changed() {
      table = fillTable(destinations, () => 1)
    },
  }
}
