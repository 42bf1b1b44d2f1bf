import type { RecentLists } from '../linux/netfilter/iptables/recent.ts'
import { formatIp } from '../packet/ip.ts'

/**
 * What `grep -H . /proc/net/xt_recent/*` prints (recent_seq_show of Linux net/netfilter/xt_recent.c), lists by name. A
 * jiffy is a millisecond (HZ 1000) since the first question.
 */
export function renderRecent(lists: RecentLists): readonly string[] {
  return [...lists]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .flatMap(([name, { entries }]) =>
      [...entries.values()].map(({ address, ttl, stamps }) => {
        const jiffies = stamps.map((stamp) => Math.floor(stamp / 1_000_000))
        return `/proc/net/xt_recent/${name}:src=${formatIp(address)} ttl: ${ttl} last_seen: ${jiffies.at(-1) ?? 0} oldest_pkt: ${stamps.length} ${jiffies.join(', ')}`
      }),
    )
}
