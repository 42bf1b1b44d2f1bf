import type { Family } from '../../../packet/ip.ts'
import type { IptablesTable } from '../../op.ts'

/**
 * Rules as given to `iptables -A CHAIN` and as iptables-save printed them: recorded with iptables 1.8.9 (nf_tables) on
 * Linux 6.18. Test data; the kernel test records them again.
 */
export interface RuleText {
  readonly family: Family
  readonly table: IptablesTable
  readonly args: string
  readonly saved: string
}

const of =
  (family: Family, table: IptablesTable) =>
  ([args, saved]: readonly [string, string]): RuleText => ({ family, table, args, saved })

const FILTER4: readonly (readonly [string, string])[] = [
  ['', ''],
  ['-s 10.0.0.1 -j ACCEPT', '-s 10.0.0.1/32 -j ACCEPT'],
  ['-s 0.0.0.0/0 -j ACCEPT', '-j ACCEPT'],
  ['-s 10.1.2.3/16 -j ACCEPT', '-s 10.1.0.0/16 -j ACCEPT'],
  ['-s 10.0.0.0/255.255.0.0 -j ACCEPT', '-s 10.0.0.0/16 -j ACCEPT'],
  ['-s 10.0.0.1/255.255.255.255 -j ACCEPT', '-s 10.0.0.1/32 -j ACCEPT'],
  ['-p 6 -j ACCEPT', '-p tcp -j ACCEPT'],
  ['-p TCP -j ACCEPT', '-p tcp -j ACCEPT'],
  ['-p all -j ACCEPT', '-j ACCEPT'],
  ['-p 0 -j ACCEPT', '-j ACCEPT'],
  ['-p 4 -j ACCEPT', '-p ipencap -j ACCEPT'],
  ['-p ipip -j ACCEPT', '-p ipip -j ACCEPT'],
  ['-p icmpv6 -j ACCEPT', '-p ipv6-icmp -j ACCEPT'],
  ['-p 47 -j ACCEPT', '-p gre -j ACCEPT'],
  ['-p 89 -j ACCEPT', '-p ospf -j ACCEPT'],
  ['-p 135 -j ACCEPT', '-p mobility-header -j ACCEPT'],
  ['-p 200 -j ACCEPT', '-p 200 -j ACCEPT'],
  ['! -p tcp -j ACCEPT', '! -p tcp -j ACCEPT'],
  ['-i eth+ -o + -j ACCEPT', '-i eth+ -j ACCEPT'],
  ['! -i + -j ACCEPT', '! -i + -j ACCEPT'],
  ['! -i cni0 ! -o cni0 -j X', '! -i cni0 ! -o cni0 -j X'],
  ['-m physdev ! --physdev-is-in -j X', '-m physdev ! --physdev-is-in -j X'],
  ['-m physdev --physdev-in eth0 --physdev-is-bridged -j X', '-m physdev --physdev-in eth0 --physdev-is-bridged -j X'],
  ['-m physdev ! --physdev-out veth+ --physdev-is-in -j X', '-m physdev --physdev-is-in ! --physdev-out veth+ -j X'],
  [
    '-m physdev --physdev-is-out --physdev-out eth1 --physdev-is-in --physdev-in eth0 -j X',
    '-m physdev --physdev-is-in --physdev-in eth0 --physdev-is-out --physdev-out eth1 -j X',
  ],
  ['-i abcdefghijklmno -j X', '-i abcdefghijklmno -j X'],
  ['-i lo -g X', '-i lo -g X'],
  ['-j RETURN', '-j RETURN'],
  ['-j DROP', '-j DROP'],
  ['-d 10.0.0.1 ! -s 10.0.0.0/8 -o x -i y -p udp', '! -s 10.0.0.0/8 -d 10.0.0.1/32 -i y -o x -p udp'],
  ['--jump ACCEPT --source 10.0.0.1 --protocol tcp --dport 80', '-s 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT'],
  ['--src 10.0.0.1 --dst 10.0.0.2 --in-interface a --out-interface b', '-s 10.0.0.1/32 -d 10.0.0.2/32 -i a -o b'],
  ['-4 -s 10.0.0.1 -j ACCEPT', '-s 10.0.0.1/32 -j ACCEPT'],
  ['-m comment --comment plain', '-m comment --comment plain'],
  ['-m comment --comment=abc -j ACCEPT', '-m comment --comment abc -j ACCEPT'],
  ['-m comment --comment "a b"', '-m comment --comment "a b"'],
  ['-m comment --comment "a \\"q\\" b\\\\c"', '-m comment --comment "a \\"q\\" b\\\\c"'],
  ['-m comment --comment ""', '-m comment --comment ""'],
  ["-m comment --comment it's", '-m comment --comment "it\\\'s"'],
  ['-m comment --comment a\\b', '-m comment --comment "a\\\\b"'],
  ['-m comment --comment a_b-C9', '-m comment --comment a_b-C9'],
  ['-m comment --comment default/my-nginx', '-m comment --comment "default/my-nginx"'],
  [
    '-m comment --comment cali:abc -m comment --comment second',
    '-m comment --comment "cali:abc" -m comment --comment second',
  ],
  ['-m addrtype --dst-type LOCAL -j X', '-m addrtype --dst-type LOCAL -j X'],
  [
    '-m addrtype ! --dst-type LOCAL,BROADCAST --src-type UNICAST -j X',
    '-m addrtype --src-type UNICAST ! --dst-type LOCAL,BROADCAST -j X',
  ],
  ['-m addrtype --dst-type local -j X', '-m addrtype --dst-type LOCAL -j X'],
  [
    '-m addrtype --dst-type MULTICAST,LOCAL --limit-iface-in -j X',
    '-m addrtype --dst-type LOCAL,MULTICAST --limit-iface-in -j X',
  ],
  ['-m addrtype --dst-type LOCAL --limit-iface-out -j X', '-m addrtype --dst-type LOCAL --limit-iface-out -j X'],
  ['-m mark --mark 5 -j X', '-m mark --mark 0x5 -j X'],
  ['-m mark --mark 010', '-m mark --mark 0x8'],
  ['-m mark --mark 0x00004000/0x4000 -j X', '-m mark --mark 0x4000/0x4000 -j X'],
  ['-m mark ! --mark 0x4000/16384 -j X', '-m mark ! --mark 0x4000/0x4000 -j X'],
  ['-m mark --mark 0/0 -j X', '-m mark --mark 0x0/0x0 -j X'],
  ['-m mark --mark 0xff/0x0f -j X', '-m mark --mark 0xff/0xf -j X'],
  ['-m conntrack --ctstate NEW -j X', '-m conntrack --ctstate NEW -j X'],
  ['-m conntrack --ctstate established,related -j X', '-m conntrack --ctstate RELATED,ESTABLISHED -j X'],
  [
    '-m conntrack --ctstate DNAT,SNAT,UNTRACKED,INVALID,NEW -j X',
    '-m conntrack --ctstate INVALID,NEW,UNTRACKED,SNAT,DNAT -j X',
  ],
  ['-m conntrack ! --ctstate DNAT -j X', '-m conntrack ! --ctstate DNAT -j X'],
  ['-m state --state NEW,RELATED -j X', '-m state --state NEW,RELATED -j X'],
  [
    '-m statistic --mode random --probability 0.3333333333 -j X',
    '-m statistic --mode random --probability 0.33333333349 -j X',
  ],
  ['-m statistic --mode random --probability 0.5 -j X', '-m statistic --mode random --probability 0.50000000000 -j X'],
  [
    '-m statistic --mode random ! --probability 0.5 -j X',
    '-m statistic --mode random ! --probability 0.50000000000 -j X',
  ],
  ['-m statistic --mode random --probability 1 -j X', '-m statistic --mode random --probability 1.00000000000 -j X'],
  ['-m statistic --mode random --probability 0 -j X', '-m statistic --mode random --probability 0.00000000000 -j X'],
  [
    '-m statistic --mode random --probability 0.0001 -j X',
    '-m statistic --mode random --probability 0.00009999983 -j X',
  ],
  [
    '-m statistic --mode random --probability 0.14285714285 -j X',
    '-m statistic --mode random --probability 0.14285714272 -j X',
  ],
  // Ties, rounded to the even digit: one below, one above.
  ['-m statistic --mode random --probability 0.000244140625', '-m statistic --mode random --probability 0.00024414062'],
  ['-m statistic --mode random --probability 0.000732421875', '-m statistic --mode random --probability 0.00073242188'],
  ['-m statistic --mode nth --every 3 --packet 2 -j X', '-m statistic --mode nth --every 3 --packet 2 -j X'],
  ['-m statistic --mode nth ! --every 3 --packet 0', '-m statistic --mode nth ! --every 3 --packet 0'],
  ['-m recent --set -j X', '-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource -j X'],
  [
    '-m recent --name A --rcheck --seconds 10800 --reap -j X',
    '-m recent --rcheck --seconds 10800 --reap --name A --mask 255.255.255.255 --rsource -j X',
  ],
  [
    '-m recent --rcheck --seconds 5 --reap --rttl --hitcount 2 --name A',
    '-m recent --rcheck --seconds 5 --reap --hitcount 2 --rttl --name A --mask 255.255.255.255 --rsource',
  ],
  [
    '-m recent --rcheck --seconds 10 --hitcount 3 --name B --rdest -j X',
    '-m recent --rcheck --seconds 10 --hitcount 3 --name B --mask 255.255.255.255 --rdest -j X',
  ],
  ['-m recent ! --rcheck --name C -j X', '-m recent ! --rcheck --name C --mask 255.255.255.255 --rsource -j X'],
  ['-m recent --remove --name C -j X', '-m recent --remove --name C --mask 255.255.255.255 --rsource -j X'],
  [
    '-m recent --set --name D --mask 255.255.255.0 -j X',
    '-m recent --set --name D --mask 255.255.255.0 --rsource -j X',
  ],
  ['-p tcp --dport 80 -j X', '-p tcp -m tcp --dport 80 -j X'],
  ['-p tcp -m tcp -j X', '-p tcp -m tcp -j X'],
  ['-m tcp -p tcp --dport 0x50 -j X', '-p tcp -m tcp --dport 80 -j X'],
  ['-p tcp --destination-port 80 --source-port 5', '-p tcp -m tcp --sport 5 --dport 80'],
  ['-p tcp --sport 1:1024 --dport :80 -j X', '-p tcp -m tcp --sport 1:1024 --dport 0:80 -j X'],
  ['-p tcp ! --sport 1024: -j X', '-p tcp -m tcp ! --sport 1024:65535 -j X'],
  ['-p tcp --dport 0:65535 -j X', '-p tcp -m tcp -j X'],
  ['-p tcp --syn -j X', '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j X'],
  ['-p tcp ! --syn -j X', '-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j X'],
  ['-p tcp --tcp-flags SYN,RST SYN -j X', '-p tcp -m tcp --tcp-flags SYN,RST SYN -j X'],
  ['-p tcp --tcp-flags ALL NONE -j X', '-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j X'],
  ['-p tcp --tcp-flags syn ack', '-p tcp -m tcp --tcp-flags SYN ACK'],
  ['-p tcp --tcp-flags NONE NONE', '-p tcp -m tcp'],
  [
    '-p tcp -m comment --comment x --dport 80 -m mark --mark 1 -j X',
    '-p tcp -m comment --comment x -m tcp --dport 80 -m mark --mark 0x1 -j X',
  ],
  ['-p udp --dport 53 --sport 1 -j X', '-p udp -m udp --sport 1 --dport 53 -j X'],
  ['-p sctp --dport 53 -j X', '-p sctp -m sctp --dport 53 -j X'],
  ['-p icmp --icmp-type echo-request -j X', '-p icmp -m icmp --icmp-type 8 -j X'],
  ['-p icmp --icmp-type 3/4 -j X', '-p icmp -m icmp --icmp-type 3/4 -j X'],
  ['-p icmp --icmp-type any -j X', '-p icmp -m icmp --icmp-type any -j X'],
  ['-p icmp --icmp-type 255 -j X', '-p icmp -m icmp --icmp-type any -j X'],
  ['-p icmp ! --icmp-type 8 -j X', '-p icmp -m icmp ! --icmp-type 8 -j X'],
  ['-p icmp --icmp-type port-unreachable -j X', '-p icmp -m icmp --icmp-type 3/3 -j X'],
  ['-p tcp -m multiport --dports 80,443,1000:2000 -j X', '-p tcp -m multiport --dports 80,443,1000:2000 -j X'],
  ['-p tcp -m multiport --source-ports 80 -j X', '-p tcp -m multiport --sports 80 -j X'],
  ['-p udp -m multiport ! --ports 80,81 -j X', '-p udp -m multiport ! --ports 80,81 -j X'],
  [
    '-p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15',
    '-p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15',
  ],
  ['-j REJECT', '-j REJECT --reject-with icmp-port-unreachable'],
  ['-j REJECT --reject-with port-unreach', '-j REJECT --reject-with icmp-port-unreachable'],
  ['-j REJECT --reject-with icmp-host-prohibited', '-j REJECT --reject-with icmp-host-prohibited'],
  ['-j REJECT --reject-with icmp-admin-prohibited', '-j REJECT --reject-with icmp-admin-prohibited'],
  ['-p tcp -j REJECT --reject-with tcp-reset', '-p tcp -j REJECT --reject-with tcp-reset'],
]

const MANGLE4: readonly (readonly [string, string])[] = [
  ['-j MARK --set-mark 5', '-j MARK --set-xmark 0x5/0xffffffff'],
  ['-j MARK --set-mark 5/0xf0', '-j MARK --set-xmark 0x5/0xf5'],
  ['-j MARK --set-xmark 5/0xf', '-j MARK --set-xmark 0x5/0xf'],
  ['-j MARK --set-xmark 5', '-j MARK --set-xmark 0x5/0xffffffff'],
  ['-j MARK --or-mark 0x4000', '-j MARK --set-xmark 0x4000/0x4000'],
  ['-j MARK --xor-mark 0x00004000', '-j MARK --set-xmark 0x4000/0x0'],
  ['-j MARK --and-mark 0xffff', '-j MARK --set-xmark 0x0/0xffff0000'],
]

const RAW4: readonly (readonly [string, string])[] = [
  ['-j NOTRACK', '-j NOTRACK'],
  ['-j CT --notrack', '-j CT --notrack'],
]

const NAT4: readonly (readonly [string, string])[] = [
  ['-p tcp -j DNAT --to-destination 10.0.0.1:80', '-p tcp -j DNAT --to-destination 10.0.0.1:80'],
  [
    '-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90',
    '-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90',
  ],
  ['-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.1:80-80', '-p tcp -j DNAT --to-destination 10.0.0.1:80'],
  ['-p tcp -j DNAT --to-destination :80', '-p tcp -j DNAT --to-destination :80'],
  ['-j DNAT --to-destination 10.0.0.1', '-j DNAT --to-destination 10.0.0.1'],
  [
    '-p tcp -j DNAT --to-destination 10.0.0.1:80 --random --persistent',
    '-p tcp -j DNAT --to-destination 10.0.0.1:80 --random --persistent',
  ],
  ['-j SNAT --to-source 10.0.0.1', '-j SNAT --to-source 10.0.0.1'],
  [
    '-p udp -j SNAT --to-source 10.0.0.1-10.0.0.3:1000-2000 --random-fully --persistent',
    '-p udp -j SNAT --to-source 10.0.0.1-10.0.0.3:1000-2000 --random-fully --persistent',
  ],
  [
    '-p udp -j SNAT --to-source 10.0.0.1 --random-fully --random',
    '-p udp -j SNAT --to-source 10.0.0.1 --random --random-fully',
  ],
  ['-j MASQUERADE', '-j MASQUERADE'],
  ['-j MASQUERADE --random-fully', '-j MASQUERADE --random-fully'],
  [
    '-p tcp -j MASQUERADE --to-ports 1000-2000 --random-fully',
    '-p tcp -j MASQUERADE --to-ports 1000-2000 --random-fully',
  ],
  ['-p tcp -j REDIRECT --to-ports 8080', '-p tcp -j REDIRECT --to-ports 8080'],
  ['-p tcp -j REDIRECT', '-p tcp -j REDIRECT'],
]

const FILTER6: readonly (readonly [string, string])[] = [
  ['-s fd00::1 -j ACCEPT', '-s fd00::1/128 -j ACCEPT'],
  ['-s fd00::1/64 -j ACCEPT', '-s fd00::/64 -j ACCEPT'],
  ['-s fd00::1/ffff:ffff:ffff:ffff:: -j ACCEPT', '-s fd00::/64 -j ACCEPT'],
  ['-s ::/0 -j ACCEPT', '-j ACCEPT'],
  ['-s FD00:0:0::1 -j ACCEPT', '-s fd00::1/128 -j ACCEPT'],
  ['-s ::ffff:1.2.3.4 -j ACCEPT', '-s ::ffff:1.2.3.4/128 -j ACCEPT'],
  ['-p icmpv6 -j ACCEPT', '-p ipv6-icmp -j ACCEPT'],
  ['-p icmp -j ACCEPT', '-p icmp -j ACCEPT'],
  ['-p icmpv6 --icmpv6-type echo-request -j ACCEPT', '-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT'],
  ['-p icmpv6 -m icmp6 --icmpv6-type 1/4 -j ACCEPT', '-p ipv6-icmp -m icmp6 --icmpv6-type 1/4 -j ACCEPT'],
  ['-p icmpv6 -m icmpv6 --icmpv6-type 135 -j ACCEPT', '-p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT'],
  ['-m recent --set --name A', '-m recent --set --name A --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource'],
  [
    '-m recent --rcheck --seconds 5 --name A --mask ffff:ffff::',
    '-m recent --rcheck --seconds 5 --name A --mask ffff:ffff:: --rsource',
  ],
  ['-j REJECT', '-j REJECT --reject-with icmp6-port-unreachable'],
  ['-j REJECT --reject-with adm-prohibited', '-j REJECT --reject-with icmp6-adm-prohibited'],
  ['-j REJECT --reject-with icmp6-policy-fail', '-j REJECT --reject-with icmp6-policy-fail'],
  ['-p tcp -j REJECT --reject-with tcp-reset', '-p tcp -j REJECT --reject-with tcp-reset'],
  ['-d fd00::1 -p sctp -m sctp --dport 5', '-d fd00::1/128 -p sctp -m sctp --dport 5'],
]

const NAT6: readonly (readonly [string, string])[] = [
  ['-p tcp -j DNAT --to-destination [fd00::1]:80', '-p tcp -j DNAT --to-destination [fd00::1]:80'],
  ['-p tcp -j DNAT --to-destination fd00::1', '-p tcp -j DNAT --to-destination fd00::1'],
  ['-p tcp -j DNAT --to-destination [fd00::1]', '-p tcp -j DNAT --to-destination fd00::1'],
  ['-p tcp -j DNAT --to-destination ::1', '-p tcp -j DNAT --to-destination ::1'],
  [
    '-p tcp -j DNAT --to-destination [fd00::1-fd00::5]:80-90',
    '-p tcp -j DNAT --to-destination [fd00::1-fd00::5]:80-90',
  ],
  ['-p tcp -j DNAT --to-destination fd00::1-fd00::5', '-p tcp -j DNAT --to-destination fd00::1-fd00::5'],
  ['-p tcp -j DNAT --to-destination :80', '-p tcp -j DNAT --to-destination :80'],
  ['-p tcp -j SNAT --to-source [fd00::1]:80', '-p tcp -j SNAT --to-source [fd00::1]:80'],
  ['-p tcp -j MASQUERADE --to-ports 5-9', '-p tcp -j MASQUERADE --to-ports 5-9'],
]

export const RULE_TEXTS: readonly RuleText[] = [
  ...FILTER4.map(of(4, 'filter')),
  ...MANGLE4.map(of(4, 'mangle')),
  ...RAW4.map(of(4, 'raw')),
  ...NAT4.map(of(4, 'nat')),
  ...FILTER6.map(of(6, 'filter')),
  ...NAT6.map(of(6, 'nat')),
]

/** Printed so where the ipsets `a` and `b` (hash:net) are there. */
export const SET_TEXTS: readonly RuleText[] = [
  [
    '-m set --match-set a src -m set ! --match-set b dst -j X',
    '-m set --match-set a src -m set ! --match-set b dst -j X',
  ],
  ['-m set ! --match-set a src,dst', '-m set ! --match-set a src,dst'],
].map(([args = '', saved = '']) => of(4, 'filter')([args, saved]))

/** Printed by the extension itself only where the kernel has nfnetlink_acct; from recorded dumps, iptables 1.8.9. */
export const NFACCT_TEXT: RuleText = of(
  4,
  'filter',
)([
  '-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP',
  '-m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP',
])

/** The extension asks for xt_ipvs, which the recording kernel has not; from ipvs_mt_save of iptables 1.8.9. */
export const IPVS_TEXTS: readonly RuleText[] = [
  ['-m ipvs --ipvs -j X', '-m ipvs --ipvs -j X'],
  ['-m ipvs ! --ipvs -j X', '-m ipvs ! --ipvs -j X'],
  [
    '-s 1.2.3.4 -m ipvs --vaddr 1.2.3.4 --vproto tcp --vport 80 -j DROP',
    '-s 1.2.3.4/32 -m ipvs --vproto 6 --vaddr 1.2.3.4 --vport 80 -j DROP',
  ],
  ['-m ipvs ! --vaddr 10.0.0.0/8 -j X', '-m ipvs ! --vaddr 10.0.0.0/8 -j X'],
].map(([args = '', saved = '']) => of(4, 'filter')([args, saved]))
