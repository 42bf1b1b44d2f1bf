import { formatIp } from '../../../packet/ip.ts'
import type { LookupOutcome, Printed } from '../lookup.ts'

/** What getent(1) prints (nss/getent.c of glibc 2.36). */

const NOT_FOUND: Printed = { stdout: '', stderr: '', exitCode: 2 }
/** Socket types of `ahosts`, a line each. */
const SOCKET_TYPES = ['STREAM', 'DGRAM', 'RAW'] as const
const ADDRESS_COLUMN = 15

/** `getent ahosts`: the canonical name stands on the first line only. */
export function ahostsPrinted(outcome: LookupOutcome): Printed {
  if (!outcome.ok) return NOT_FOUND
  const lines = outcome.addresses.flatMap((ip, i) =>
    SOCKET_TYPES.map((type, t) => {
      const name = i === 0 && t === 0 ? outcome.canonicalName : ''
      return `${formatIp(ip).padEnd(ADDRESS_COLUMN)} ${type.padEnd(6)} ${name}\n`
    }),
  )
  return { stdout: lines.join(''), stderr: '', exitCode: 0 }
}

/** `getent hosts`: the name, and its aliases behind it. */
export function hostsPrinted(outcome: LookupOutcome, aliases: readonly string[]): Printed {
  if (!outcome.ok) return NOT_FOUND
  const names = [outcome.canonicalName, ...aliases].join(' ')
  const lines = outcome.addresses.map((ip) => `${formatIp(ip).padEnd(ADDRESS_COLUMN)} ${names}\n`)
  return { stdout: lines.join(''), stderr: '', exitCode: 0 }
}
