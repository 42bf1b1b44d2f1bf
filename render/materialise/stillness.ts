/** Settings that hold back what a machine says by itself, so that only what is asked is seen. */

/** Reports of multicast groups come at once, not within a second, so that they are over before anybody asks. */
export const EARLY_REPORTS = ['all', 'default'].flatMap((which) => [
  `net.ipv4.conf.${which}.igmpv2_unsolicited_report_interval=1`,
  `net.ipv4.conf.${which}.igmpv3_unsolicited_report_interval=1`,
])

export const NO_IPV6 = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']

/** IPv6 without duplicate detection, router solicitations, and late MLD reports. */
export const QUIET_IPV6 = ['all', 'default'].flatMap((which) => [
  `net.ipv6.conf.${which}.accept_dad=0`,
  `net.ipv6.conf.${which}.dad_transmits=0`,
  `net.ipv6.conf.${which}.router_solicitations=0`,
  `net.ipv6.conf.${which}.accept_ra=0`,
  `net.ipv6.conf.${which}.mldv1_unsolicited_report_interval=1`,
  `net.ipv6.conf.${which}.mldv2_unsolicited_report_interval=1`,
])
