import { lengthOfIp } from '../../../packet/length.ts'
import type { IpSkb } from '../../skb.ts'
import type { LimitStatement, QuotaStatement } from './expression.ts'

/** What limits and quotas remember of the packets that came to them. */
export interface Meters {
  readonly limits: Map<LimitStatement, Bucket>
  /** Octets that each quota has seen, those it was made with included. */
  readonly quotas: Map<QuotaStatement, bigint>
}

/** A token bucket: a token is a nanosecond. */
interface Bucket {
  readonly tokens: bigint
  /** When it was last looked at. */
  readonly last: bigint
}

export const newMeters = (): Meters => ({ limits: new Map(), quotas: new Map() })

const NANOSECONDS = 1_000_000_000n

/** nft_limit_eval, Linux net/netfilter/nft_limit.c: whether the rule goes on. A bucket begins full. */
export function withinLimit(meters: Meters, limit: LimitStatement, skb: IpSkb): boolean {
  const period = BigInt(limit.seconds) * NANOSECONDS
  const rate = BigInt(limit.rate)
  const most =
    limit.of === 'packets' ? (period / rate) * BigInt(limit.burst) : (period * (rate + BigInt(limit.burst))) / rate
  const cost = limit.of === 'packets' ? period / rate : (period * BigInt(lengthOfIp(skb.packet))) / rate
  const now = BigInt(skb.ns.host.kernel.now())
  const bucket = meters.limits.get(limit) ?? { tokens: most, last: now }
  const filled = bucket.tokens + now - bucket.last
  const tokens = filled > most ? most : filled
  const left = tokens - cost
  meters.limits.set(limit, { tokens: left >= 0n ? left : tokens, last: now })
  return left >= 0n !== limit.over
}

/** nft_quota_do_eval, Linux net/netfilter/nft_quota.c (6.18): a quota that is just used up still holds. */
export function withinQuota(meters: Meters, quota: QuotaStatement, skb: IpSkb): boolean {
  const consumed = (meters.quotas.get(quota) ?? BigInt(quota.used)) + BigInt(lengthOfIp(skb.packet))
  meters.quotas.set(quota, consumed)
  return consumed > BigInt(quota.bytes) === quota.over
}
