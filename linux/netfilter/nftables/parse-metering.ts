import type { LimitStatement, QuotaStatement, Statement } from './expression.ts'
import { type Cursor, next, peek, peekQuoted, take, takeNumber } from './tokens.ts'

/** Statements that count, and `log`: nft(8), STATEMENTS. */

const SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3_600, day: 86_400, week: 604_800 }
const OCTETS: Readonly<Record<string, number>> = { bytes: 1, kbytes: 1_024, mbytes: 1_048_576 }
/** NFT_LIMIT_PKT_BURST_DEFAULT. */
const USUAL_BURST = 5

/** Behind `limit`: `rate [over] 10/second [burst 3 packets]`, `rate [over] 10 kbytes/second [burst 5 kbytes]`. */
export function readLimit(cursor: Cursor): LimitStatement | undefined {
  if (!take(cursor, 'rate')) return undefined
  const over = take(cursor, 'over')
  const plain = /^(\d+)\/([a-z]+)$/.exec(peek(cursor))
  if (plain !== null) {
    cursor.at++
    const burst = readBurst(cursor, { packets: 1 }, USUAL_BURST)
    return limitOf('packets', { rate: Number(plain[1]), per: plain[2], burst, over })
  }
  const amount = takeNumber(cursor)
  const [unit = '', per] = next(cursor).split('/')
  const factor = Object.hasOwn(OCTETS, unit) ? OCTETS[unit] : undefined
  if (amount === undefined || factor === undefined) return undefined
  return limitOf('bytes', { rate: amount * factor, per, burst: readBurst(cursor, OCTETS, 0), over })
}

function limitOf(
  of: LimitStatement['of'],
  { rate, per = '', burst, over }: { rate: number; per: string | undefined; burst: number | undefined; over: boolean },
): LimitStatement | undefined {
  const seconds = Object.hasOwn(SECONDS, per) ? SECONDS[per] : undefined
  if (seconds === undefined || burst === undefined || rate === 0 || (of === 'packets' && burst === 0)) return undefined
  return { kind: 'limit', of, rate, seconds, burst, over }
}

function readBurst(cursor: Cursor, units: Readonly<Record<string, number>>, usual: number): number | undefined {
  if (!take(cursor, 'burst')) return usual
  const amount = takeNumber(cursor)
  const unit = next(cursor)
  return amount === undefined || !Object.hasOwn(units, unit) ? undefined : amount * (units[unit] ?? 1)
}

/** Behind `quota`: `[over|until] 25 mbytes [used 3 kbytes]`. */
export function readQuota(cursor: Cursor): QuotaStatement | undefined {
  const over = take(cursor, 'over')
  if (!over) take(cursor, 'until')
  const bytes = readOctets(cursor)
  const used = take(cursor, 'used') ? readOctets(cursor) : 0
  return bytes === undefined || used === undefined ? undefined : { kind: 'quota', bytes, used, over }
}

function readOctets(cursor: Cursor): number | undefined {
  const amount = takeNumber(cursor)
  const unit = next(cursor)
  return amount === undefined || !Object.hasOwn(OCTETS, unit) ? undefined : amount * (OCTETS[unit] ?? 1)
}

const LEVELS: ReadonlySet<string> = new Set(['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'])

/** What else may follow, or one of those above that is not as it should be. */
const OTHER_LOG_WORDS: ReadonlySet<string> = new Set(['prefix', 'level', 'flags', 'snaplen', 'queue-threshold'])

/** Behind `log`: prefix and level, or a group. A line in the kernel's log changes nothing for the packet. */
export function readLog(cursor: Cursor): Statement | undefined {
  let prefix: string | undefined
  let level: string | undefined
  let group: number | undefined
  for (;;) {
    if (peek(cursor) === 'prefix' && peekQuoted(cursor, 1) !== undefined) {
      cursor.at++
      prefix = next(cursor)
    } else if (peek(cursor) === 'level' && LEVELS.has(peek(cursor, 1))) {
      cursor.at++
      level = next(cursor)
    } else if (take(cursor, 'group')) {
      group = takeNumber(cursor)
      if (group === undefined) return undefined
    } else break
  }
  if (OTHER_LOG_WORDS.has(peek(cursor))) return undefined
  return { kind: 'log', prefix, level: level === 'warn' ? undefined : level, group }
}

/** As nft lists it: the usual burst is not said. */
export function printLimit({ of, rate, seconds, burst, over }: LimitStatement): string {
  const per = Object.entries(SECONDS).find(([, length]) => length === seconds)?.[0] ?? 'second'
  const sign = over ? 'over ' : ''
  if (of === 'packets')
    return `limit rate ${sign}${rate}/${per}${burst === USUAL_BURST ? '' : ` burst ${burst} packets`}`
  return `limit rate ${sign}${octetsText(rate)}/${per}${burst === 0 ? '' : ` burst ${octetsText(burst)}`}`
}

export const printQuota = ({ bytes, used, over }: QuotaStatement): string =>
  `quota ${over ? 'over ' : ''}${octetsText(bytes)}${used === 0 ? '' : ` used ${octetsText(used)}`}`

/** In the largest unit that holds it without a rest. */
function octetsText(octets: number): string {
  for (const unit of ['mbytes', 'kbytes'] as const)
    if (octets > 0 && octets % (OCTETS[unit] ?? 1) === 0) return `${octets / (OCTETS[unit] ?? 1)} ${unit}`
  return `${octets} bytes`
}
