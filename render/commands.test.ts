import { describe, expect, it } from 'vitest'
import type { IptablesBlock } from '../linux/netfilter/block.ts'
import type { Op, OpBody, Route } from '../linux/op.ts'
import { ip } from '../packet/ip.ts'
import { mac } from '../packet/mac.ts'
import { must } from '../packet/parsed.ts'
import { parseInterfaceAddress, parsePrefix } from '../packet/prefix.ts'
import { opCommands, quote } from './commands.ts'
import { namesOnHost } from './netns-name.ts'

const names = namesOnHost(['root', 'shop/web-0'])
const on = (netns: string, body: OpBody): Op => ({ ...body, netns, origin: { by: 'test' } })
const commandsOf = (body: OpBody, netns = 'root') => opCommands(on(netns, body), names)
const M = mac('0a:58:0a:f4:01:02')
const route = (destination: string, more: Partial<Route> = {}): OpBody => ({
  kind: 'route.replace',
  route: { type: 'unicast', protocol: 'boot', destination: must(parsePrefix(destination)), ...more },
})
const vxlan = { kind: 'vxlan', vni: 1, port: 8472, local: ip('192.168.40.181'), dev: 'ens33', learning: false } as const

/** What iproute2, iptables and their like are given. */
const rows: readonly (readonly [string, OpBody, readonly string[]])[] = [
  [
    'bridge',
    { kind: 'link.add', name: 'cni0', mac: M, mtu: 1450, type: { kind: 'bridge', ageing: 300 } },
    ['ip link add cni0 address 0a:58:0a:f4:01:02 mtu 1450 type bridge ageing_time 30000'],
  ],
  [
    'vxlan as flannel makes it',
    {
      kind: 'link.add',
      name: 'flannel.1',
      mac: M,
      mtu: 1450,
      type: { ...vxlan, dontFragment: false, udpChecksum: true },
    },
    [
      'ip link add flannel.1 address 0a:58:0a:f4:01:02 mtu 1450 type vxlan id 1 dstport 8472 local 192.168.40.181 dev ens33 nolearning',
    ],
  ],
  [
    'vxlan with every switch the other way',
    {
      kind: 'link.add',
      name: 'vx',
      mac: M,
      mtu: 1450,
      type: { ...vxlan, learning: true, dontFragment: true, udpChecksum: false },
    },
    [
      'ip link add vx address 0a:58:0a:f4:01:02 mtu 1450 type vxlan id 1 dstport 8472 local 192.168.40.181 dev ens33 learning df set noudpcsum',
    ],
  ],
  [
    'tun',
    { kind: 'link.add', name: 'flannel0', mac: M, mtu: 1472, type: { kind: 'tun' } },
    ['ip tuntap add dev flannel0 mode tun', 'ip link set dev flannel0 mtu 1472'],
  ],
  [
    'network card',
    { kind: 'link.add', name: 'ens33', mac: M, mtu: 1500, type: { kind: 'physical', segment: 'rack1' } },
    ['# ens33 is a network card on rack1', 'ip link set dev ens33 address 0a:58:0a:f4:01:02 mtu 1500'],
  ],
  [
    'everything of a link',
    { kind: 'link.set', name: 'eth0', mac: M, mtu: 1400, master: 'cni0', up: true },
    ['ip link set dev eth0 address 0a:58:0a:f4:01:02 mtu 1400 master cni0 up'],
  ],
  ['link down', { kind: 'link.set', name: 'eth0', up: false }, ['ip link set dev eth0 down']],
  [
    'hairpin port',
    { kind: 'bridge.port', name: 'veth1', hairpin: true, learning: false },
    ['bridge link set dev veth1 hairpin on learning off'],
  ],
  [
    'address',
    {
      kind: 'addr.add',
      link: 'eth0',
      address: must(parseInterfaceAddress('10.244.1.2/24')),
      broadcast: ip('10.244.1.255'),
    },
    ['ip addr add 10.244.1.2/24 brd 10.244.1.255 dev eth0'],
  ],
  [
    'address without a route',
    {
      kind: 'addr.add',
      link: 'eth0',
      address: must(parseInterfaceAddress('fd00::2/64')),
      scope: 'link',
      noPrefixRoute: true,
    },
    ['ip addr add fd00::2/64 scope link dev eth0 noprefixroute'],
  ],
  [
    'default route',
    route('0.0.0.0/0', { via: ip('10.244.1.1'), dev: 'eth0' }),
    ['ip route replace default via 10.244.1.1 dev eth0'],
  ],
  [
    'default route of IPv6',
    route('::/0', { via: ip('fd00::1'), dev: 'eth0' }),
    ['ip route replace ::/0 via fd00::1 dev eth0'],
  ],
  [
    'onlink route',
    route('10.244.2.0/24', { via: ip('10.244.2.0'), dev: 'flannel.1', onlink: true }),
    ['ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink'],
  ],
  [
    'route with every word',
    route('10.1.0.0/16', {
      dev: 'eth0',
      src: ip('10.1.0.1'),
      metric: 100,
      mtu: 1400,
      protocol: 'static',
      scope: 'link',
      table: '100',
    }),
    ['ip route replace 10.1.0.0/16 dev eth0 src 10.1.0.1 metric 100 proto static scope link mtu 1400 table 100'],
  ],
  [
    'blackhole',
    route('10.244.121.0/26', { type: 'blackhole', protocol: 'bird' }),
    ['ip route replace blackhole 10.244.121.0/26 proto bird'],
  ],
  [
    'next hop of the other family',
    route('10.2.0.0/16', { via: ip('fe80::1'), dev: 'eth0' }),
    ['ip route replace 10.2.0.0/16 via inet6 fe80::1 dev eth0'],
  ],
  [
    'rule',
    {
      kind: 'rule.add',
      family: 4,
      priority: 100,
      from: must(parsePrefix('10.0.0.0/8')),
      fwmark: { value: 0x4000, mask: 0x4000 },
      iif: 'eth0',
      table: '5',
    },
    ['ip rule add from 10.0.0.0/8 fwmark 0x4000/0x4000 iif eth0 lookup 5 priority 100'],
  ],
  [
    'rule of IPv6',
    { kind: 'rule.add', family: 6, priority: 7, to: must(parsePrefix('fd00::/8')), table: 'main' },
    ['ip -6 rule add from all to fd00::/8 lookup main priority 7'],
  ],
  [
    'neighbour',
    { kind: 'neigh.replace', link: 'flannel.1', ip: ip('10.244.2.0'), mac: M },
    ['ip neigh replace 10.244.2.0 lladdr 0a:58:0a:f4:01:02 dev flannel.1 nud permanent'],
  ],
  [
    'vxlan forwarding entry',
    { kind: 'fdb.append', link: 'flannel.1', mac: M, dst: ip('192.168.40.182') },
    ['bridge fdb append 0a:58:0a:f4:01:02 dev flannel.1 dst 192.168.40.182 self permanent'],
  ],
  [
    'bridge forwarding entry',
    { kind: 'fdb.append', link: 'veth1', mac: M },
    ['bridge fdb append 0a:58:0a:f4:01:02 dev veth1 master static'],
  ],
  [
    'chain',
    { kind: 'chain.new', family: 4, table: 'nat', chain: 'KUBE-SERVICES' },
    ['iptables -t nat -N KUBE-SERVICES'],
  ],
  [
    'policy',
    { kind: 'chain.policy', family: 6, table: 'filter', chain: 'FORWARD', policy: 'DROP' },
    ['ip6tables -t filter -P FORWARD DROP'],
  ],
  [
    'rule at the end',
    { kind: 'rule.append', family: 4, table: 'filter', chain: 'FORWARD', args: '-m comment --comment "a b" -j ACCEPT' },
    ['iptables -t filter -A FORWARD -m comment --comment "a b" -j ACCEPT'],
  ],
  [
    'rule at the top',
    { kind: 'rule.insert', family: 6, table: 'raw', chain: 'OUTPUT', args: '-j CT --notrack' },
    ['ip6tables -t raw -I OUTPUT -j CT --notrack'],
  ],
  ['set', { kind: 'set.new', set: 'KUBE-X', type: 'hash:ip,port' }, ['ipset create KUBE-X hash:ip,port']],
  ['set entry', { kind: 'set.add', set: 'KUBE-X', entry: '10.0.0.1,tcp:80' }, ['ipset add KUBE-X 10.0.0.1,tcp:80']],
  ['sysctl', { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' }, ['sysctl -w net.ipv4.ip_forward=1']],
  [
    'sysctl with a blank',
    { kind: 'sysctl.set', key: 'net.ipv4.ping_group_range', value: '0 1' },
    ["sysctl -w 'net.ipv4.ping_group_range=0 1'"],
  ],
  [
    'file',
    { kind: 'file.write', path: '/etc/resolv.conf', text: 'nameserver 10.96.0.10\n' },
    ['mkdir -p /etc', "cat > /etc/resolv.conf << 'EOF'\nnameserver 10.96.0.10\nEOF"],
  ],
  [
    'file that holds the end mark',
    { kind: 'file.write', path: '/x/y', text: 'EOF' },
    ['mkdir -p /x', "cat > /x/y << 'EOF_'\nEOF\nEOF_"],
  ],
  [
    'process',
    { kind: 'process.start', name: 'web', program: 'listener', args: { tcp: '80', answers: 'echo' } },
    ['# in this namespace: web listener answers=echo tcp=80'],
  ],
]

describe('an op as the command that does it', () => {
  it.each(rows)('%s', (_, body, expected) => {
    expect(commandsOf(body)).toEqual(expected)
  })
})

describe('in a namespace', () => {
  it.each<[string, OpBody, readonly string[]]>([
    ['the namespace itself', { kind: 'netns.add' }, ['ip netns add shop-web-0']],
    ['ip', { kind: 'link.set', name: 'lo', up: true }, ['ip -n shop-web-0 link set dev lo up']],
    ['bridge', { kind: 'bridge.port', name: 'p', flood: true }, ['bridge -n shop-web-0 link set dev p flood on']],
    [
      'iptables',
      { kind: 'chain.new', family: 4, table: 'nat', chain: 'X' },
      ['ip netns exec shop-web-0 iptables -t nat -N X'],
    ],
    ['sysctl', { kind: 'sysctl.set', key: 'a', value: '1' }, ['ip netns exec shop-web-0 sysctl -w a=1']],
    [
      'a file of /etc',
      { kind: 'file.write', path: '/etc/hosts', text: 'x' },
      ['mkdir -p /etc/netns/shop-web-0', "cat > /etc/netns/shop-web-0/hosts << 'EOF'\nx\nEOF"],
    ],
  ])('%s', (_, body, expected) => {
    expect(commandsOf(body, 'shop/web-0')).toEqual(expected)
  })

  const pair = (here: string, there: string): OpBody => ({
    kind: 'link.add',
    name: here,
    mac: M,
    mtu: 1450,
    type: {
      kind: 'veth',
      peer: { netns: here === 'eth0' ? 'root' : 'shop/web-0', name: there, mac: mac('0e:00:00:00:00:01'), mtu: 1400 },
    },
  })

  it('a pair is made from the end that the shell stands in, whichever end the op names', () => {
    expect(commandsOf(pair('veth1', 'eth0'))).toEqual([
      'ip link add veth1 address 0a:58:0a:f4:01:02 mtu 1450 type veth peer name eth0 address 0e:00:00:00:00:01 mtu 1400 netns shop-web-0',
    ])
    expect(commandsOf(pair('eth0', 'veth1'), 'shop/web-0')).toEqual([
      'ip link add veth1 address 0e:00:00:00:00:01 mtu 1400 type veth peer name eth0 address 0a:58:0a:f4:01:02 mtu 1450 netns shop-web-0',
    ])
  })

  it('the root namespace has no command that makes it', () => {
    expect(commandsOf({ kind: 'netns.add' })).toEqual([])
  })
})

it('a block makes its own chains first, then fills them, then is jumped to', () => {
  const origin = { by: 'test' }
  const block: IptablesBlock = {
    dispatch: [{ table: 'nat', chain: 'KUBE-SERVICES', args: '-j KUBE-SVC-X', origin }],
    entries: [{ table: 'nat', chain: 'KUBE-SVC-X' }],
    chains: () => [
      {
        table: 'nat',
        chain: 'KUBE-SVC-X',
        rules: [{ table: 'nat', chain: 'KUBE-SVC-X', args: '-j KUBE-SEP-X', origin }],
      },
      { table: 'nat', chain: 'KUBE-SEP-X', rules: [] },
    ],
  }
  expect(commandsOf({ kind: 'rules.block', family: 4, block })).toEqual([
    'iptables -t nat -N KUBE-SVC-X',
    'iptables -t nat -N KUBE-SEP-X',
    'iptables -t nat -A KUBE-SVC-X -j KUBE-SEP-X',
    'iptables -t nat -A KUBE-SERVICES -j KUBE-SVC-X',
  ])
})

it.each([
  ['plain-1.2_3/x:y,z=@%+', 'plain-1.2_3/x:y,z=@%+'],
  ['a b', "'a b'"],
  ["it's", "'it'\\''s'"],
  ['', "''"],
  ['$(x)', "'$(x)'"],
])('quotes %j for a shell', (word, expected) => {
  expect(quote(word)).toBe(expected)
})
