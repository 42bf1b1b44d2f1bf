import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { applyOps } from '../linux/apply.ts'
import type { HostConfig } from '../linux/host-config.ts'
import { USUAL_CAPABILITIES } from '../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS, type Route } from '../linux/op.ts'
import { ip } from '../packet/ip.ts'
import { type Mac, mac } from '../packet/mac.ts'
import { must } from '../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../packet/prefix.ts'
import { renderBridgeFdb } from './bridge-fdb.ts'
import { renderIpAddr, renderIpLink } from './ip-addr.ts'
import { configuredNeighbors, renderIpNeigh } from './ip-neigh.ts'
import { renderIpRoute } from './ip-route.ts'
import { renderIpRule } from './ip-rule.ts'
import { renderSysctl } from './sysctl.ts'

/** What a real namespace printed that was given the same commands (test/cases/iproute2/namespace.sh). */
const recorded = readFileSync(
  join(fileURLToPath(new URL('..', import.meta.url)), 'test/cases/iproute2/namespace.txt'),
  'utf8',
)

function printed(command: string): readonly string[] {
  const [, after] = recorded.split(`## ${command}\n`)
  if (after === undefined) throw new Error(`${command} was not recorded`)
  return (after.split('\n## ')[0] ?? '').trimEnd().split('\n')
}

const POD = 'default/web-0'
const at = (body: OpBody, netns = ROOT_NETNS): Op => ({ ...body, netns, origin: { by: 'test' } })
const up = (name: string, netns?: string) => at({ kind: 'link.set', name, up: true }, netns)
const route = (text: string, rest: Partial<Route>, netns?: string) =>
  at({ kind: 'route.replace', route: { type: 'unicast', protocol: 'boot', destination: prefix(text), ...rest } }, netns)
const addr = (link: string, text: string, rest: { brd?: string; noPrefixRoute?: boolean } = {}, netns?: string) =>
  at(
    {
      kind: 'addr.add',
      link,
      address: must(parseInterfaceAddress(text)),
      ...(rest.brd === undefined ? {} : { broadcast: ip(rest.brd) }),
      ...(rest.noPrefixRoute ? { noPrefixRoute: true } : {}),
    },
    netns,
  )
const peer = (n: number) => {
  const [subnet, vtep] = [ip(`10.244.${n}.0`), mac(`1e:57:a2:00:00:8${n}`)]
  return [
    at({ kind: 'neigh.replace', link: 'flannel.1', ip: subnet, mac: vtep }),
    at({ kind: 'fdb.append', link: 'flannel.1', mac: vtep, dst: ip(`192.168.50.18${n}`) }),
    route(`10.244.${n}.0/24`, { via: subnet, dev: 'flannel.1', onlink: true }),
  ]
}

const ops: readonly Op[] = [
  at({ kind: 'netns.add' }, POD),
  up('lo'),
  up('lo', POD),
  at({
    kind: 'link.add',
    name: 'ens33',
    mac: mac('52:54:00:00:00:01'),
    mtu: 1500,
    type: { kind: 'veth', peer: { netns: ROOT_NETNS, name: 'x', mac: mac('52:54:00:00:00:02'), mtu: 1500 } },
  }),
  up('x'),
  up('ens33'),
  addr('ens33', '192.168.40.181/24', { brd: '192.168.40.255' }),
  addr('ens33', '192.168.40.190/24', { brd: '192.168.40.255', noPrefixRoute: true }),
  route('0.0.0.0/0', { via: ip('192.168.40.2'), dev: 'ens33', protocol: 'static', metric: 100 }),
  at({
    kind: 'link.add',
    name: 'flannel.1',
    mac: mac('1e:57:a2:00:00:81'),
    mtu: 1450,
    type: {
      kind: 'vxlan',
      vni: 1,
      port: 8472,
      local: ip('192.168.40.181'),
      dev: 'ens33',
      learning: false,
      dontFragment: false,
      udpChecksum: true,
    },
  }),
  addr('flannel.1', '10.244.1.0/32'),
  up('flannel.1'),
  ...peer(0),
  ...peer(2),
  at({
    kind: 'link.add',
    name: 'cni0',
    mac: mac('12:00:00:00:00:01'),
    mtu: 1450,
    type: { kind: 'bridge', ageing: 300 },
  }),
  up('cni0'),
  addr('cni0', '10.244.1.1/24', { brd: '10.244.1.255' }),
  addr('cni0', 'fd00:10:244:1::1/64'),
  at({
    kind: 'link.add',
    name: 'veth1',
    mac: mac('0e:00:00:00:00:01'),
    mtu: 1450,
    type: { kind: 'veth', peer: { netns: POD, name: 'eth0', mac: mac('0a:00:00:00:00:01'), mtu: 1450 } },
  }),
  up('veth1'),
  at({ kind: 'link.set', name: 'veth1', master: 'cni0' }),
  at({ kind: 'bridge.port', name: 'veth1', hairpin: true }),
  up('eth0', POD),
  addr('eth0', '10.244.1.2/24', { brd: '10.244.1.255' }, POD),
  addr('eth0', 'fd00:10:244:1::2/64', {}, POD),
  route('10.244.0.0/16', { via: ip('10.244.1.1'), dev: 'eth0' }, POD),
  route('0.0.0.0/0', { via: ip('10.244.1.1'), dev: 'eth0' }, POD),
  route('::/0', { via: ip('fd00:10:244:1::1'), dev: 'eth0' }, POD),
  at({ kind: 'link.add', name: 'flannel0', mac: 0 as Mac, mtu: 1472, type: { kind: 'tun' } }),
  up('flannel0'),
  addr('flannel0', '10.9.9.9/32'),
  route('10.9.0.0/16', { dev: 'flannel0', scope: 'global' }),
  at({
    kind: 'link.add',
    name: 'br9',
    mac: mac('12:00:00:00:00:09'),
    mtu: 1500,
    type: { kind: 'bridge', ageing: 300 },
  }),
  route('fd00::/64', { type: 'blackhole', protocol: 'bird' }),
  route('fd00::/16', { via: ip('fd00:10:244:1::5'), dev: 'cni0' }),
  route('::/0', { via: ip('fd00:10:244:1::9'), dev: 'cni0' }),
  route('10.9.0.0/26', { type: 'blackhole', protocol: 'bird' }),
  route('10.2.0.0/26', { type: 'unreachable' }),
  route('10.3.0.9/32', { dev: 'cni0', metric: 50 }),
  route('10.3.0.9/32', { dev: 'cni0' }),
  route('10.4.0.0/24', { via: ip('10.244.1.7'), dev: 'cni0', mtu: 1400, protocol: '80' }),
  at({ kind: 'sysctl.set', key: 'net.ipv6.conf.all.forwarding', value: '1' }),
  at({ kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' }),
  at({
    kind: 'rule.add',
    family: 4,
    priority: 100,
    from: prefix('10.0.0.0/8'),
    fwmark: { value: 0x80, mask: 0x80 },
    iif: 'cni0',
    table: '7',
  }),
  at({
    kind: 'rule.add',
    family: 4,
    priority: 100,
    to: prefix('10.0.0.1/32'),
    fwmark: { value: 1, mask: 0xffffffff },
    table: 'main',
  }),
]

const host: HostConfig = applyOps('node1', ops, USUAL_CAPABILITIES)
const root = host.netns.get(ROOT_NETNS)!
const pod = host.netns.get(POD)!
const learned = new Map([['cni0', new Map([[mac('0a:00:00:00:00:01'), { port: 'veth1' }]])]])
const details = (name: string) => {
  const lines = renderIpLink({ host, netns: root }, 'details')
  return lines[lines.findIndex((line) => line.includes(` ${name}:`)) + 2]
}

describe('the printers say what iproute2 says of the same namespace', () => {
  it('the kernel takes every command', () => expect(host.refused).toEqual([]))

  it.each([
    ['ip addr', () => renderIpAddr({ host, netns: root })],
    ['ip link', () => renderIpLink({ host, netns: root })],
    ['ip route', () => renderIpRoute(root.fib)],
    ['ip -6 route show table local', () => renderIpRoute(root.fib, { family: 6, table: 'local' })],
    ['ip neigh', () => renderIpNeigh(configuredNeighbors(root))],
    ['ip rule', () => renderIpRule(root.fib)],
    ['ip -6 rule', () => renderIpRule(root.fib, 6)],
    ['ip -n default-web-0 addr', () => renderIpAddr({ host, netns: pod })],
    ['ip -n default-web-0 route', () => renderIpRoute(pod.fib)],
    ['ip -n default-web-0 -6 route', () => renderIpRoute(pod.fib, { family: 6 })],
  ])('%s', (command, render) => expect(render()).toEqual(printed(command)))

  // Routes of one prefix stand in the order of their making; the bridge got its link-local one with its first port.
  it('ip -6 route', () => {
    const late = (lines: readonly string[]) => {
      const bridge = lines.filter((line) => line.startsWith('fe80::/64 dev cni0'))
      const rest = lines.filter((line) => !line.startsWith('fe80::/64 dev cni0'))
      return [...rest.slice(0, -1), ...bridge, ...rest.slice(-1)]
    }
    expect(late(renderIpRoute(root.fib, { family: 6 }))).toEqual(printed('ip -6 route'))
  })

  // The source of a secondary address's local route is the primary address; the model keeps its own.
  it('ip route show table local', () => {
    const own = renderIpRoute(root.fib, { table: 'local' }).map((line) =>
      line.replace('src 192.168.40.190', 'src 192.168.40.181'),
    )
    expect(own).toEqual(printed('ip route show table local'))
  })

  // The kernel keeps a vxlan device's entries in a hash with a random seed.
  it.each([
    ['bridge fdb', {}],
    ['bridge fdb show dev flannel.1', { dev: 'flannel.1' }],
  ])('%s', (command, which) => {
    const byVtep = (x: string, y: string) => (x.startsWith('1e:57') && y.startsWith('1e:57') ? (x < y ? -1 : 1) : 0)
    expect([...renderBridgeFdb(root, { ...which, learned })].sort(byVtep)).toEqual([...printed(command)].sort(byVtep))
  })

  it('ip -d link of a vxlan device begins with its settings', () => {
    const real = printed('ip -d link show flannel.1')[2]!
    expect(details('flannel.1')).toMatch(/^ {4}vxlan id 1 local/)
    expect(real.startsWith(details('flannel.1')!)).toBe(true)
  })

  it('sysctl, by key', () => {
    expect(renderSysctl(root)).toEqual(['net.ipv4.ip_forward = 1', 'net.ipv6.conf.all.forwarding = 1'])
  })
})

describe('ip link', () => {
  const line = (...made: readonly Op[]) => {
    const bare = applyOps('n', made, USUAL_CAPABILITIES)
    return renderIpLink({ host: bare, netns: bare.netns.get(ROOT_NETNS)! })[2]
  }
  const bridge = at({
    kind: 'link.add',
    name: 'cni0',
    mac: mac('12:00:00:00:00:01'),
    mtu: 1450,
    type: { kind: 'bridge', ageing: 300 },
  })
  const veth = at({
    kind: 'link.add',
    name: 'a',
    mac: mac('0e:00:00:00:00:01'),
    mtu: 1500,
    type: { kind: 'veth', peer: { netns: ROOT_NETNS, name: 'b', mac: mac('0e:00:00:00:00:02'), mtu: 1500 } },
  })

  // Recorded: a bridge that is up and has no port; a veth whose other end is down.
  it.each([
    [
      [bridge, up('cni0')],
      '2: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN mode DEFAULT group default qlen 1000',
    ],
    [
      [veth, up('a')],
      '2: a@b: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue state LOWERLAYERDOWN mode DEFAULT group default qlen 1000',
    ],
  ])('shows what has no carrier', (made, text) => expect(line(...made)).toBe(text))
})

describe('ip neigh', () => {
  const entry = (state: 'reachable' | 'incomplete' | 'failed' | 'stale' | 'noarp', text: string) =>
    ({ dev: 'eth0', ip: ip(text), mac: mac('0a:00:00:00:00:01'), state }) as const
  it('shows no address where none is known, and hides entries that need none', () => {
    expect(
      renderIpNeigh([
        entry('noarp', '10.0.0.9'),
        entry('stale', 'fe80::1'),
        entry('failed', '10.0.0.3'),
        entry('incomplete', '10.0.0.2'),
        entry('reachable', '10.0.0.10'),
      ]),
    ).toEqual([
      '10.0.0.2 dev eth0 INCOMPLETE',
      '10.0.0.3 dev eth0 FAILED',
      '10.0.0.10 dev eth0 lladdr 0a:00:00:00:00:01 REACHABLE',
      'fe80::1 dev eth0 lladdr 0a:00:00:00:00:01 STALE',
    ])
  })
})
