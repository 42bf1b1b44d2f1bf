import { type Netns, sysctl } from '../netns.ts'

/**
 * Seconds that an entry lives after its last packet, by the ending of its sysctl's name: the defaults of Linux 6.18
 * (Documentation/networking/nf_conntrack-sysctl.rst).
 */
const TIMEOUTS = {
  generic: 600,
  icmp: 30,
  icmpv6: 30,
  udp: 30,
  udp_stream: 120,
  tcp_syn_sent: 120,
  tcp_syn_recv: 60,
  tcp_established: 432_000,
  tcp_fin_wait: 120,
  tcp_close_wait: 60,
  tcp_last_ack: 30,
  tcp_time_wait: 120,
  tcp_close: 10,
  tcp_max_retrans: 300,
  tcp_unacknowledged: 300,
  sctp_closed: 10,
  sctp_cookie_wait: 3,
  sctp_cookie_echoed: 3,
  sctp_established: 210,
  sctp_shutdown_sent: 3,
  sctp_shutdown_recd: 3,
  sctp_shutdown_ack_sent: 3,
  sctp_heartbeat_sent: 30,
} as const

export type TimeoutName = keyof typeof TIMEOUTS

/** `udp_stream` is the sysctl net.netfilter.nf_conntrack_udp_timeout_stream. */
const SYSCTLS: ReadonlyMap<string, string> = new Map(
  Object.keys(TIMEOUTS).map((name) => [
    name,
    `net.netfilter.nf_conntrack_${name.replace(/_|$/, '_timeout_')}`.replace(/_$/, ''),
  ]),
)

/** In nanoseconds. */
export function timeoutOf(ns: Netns, name: TimeoutName): number {
  return sysctl(ns, SYSCTLS.get(name) ?? '', TIMEOUTS[name]) * 1e9
}
