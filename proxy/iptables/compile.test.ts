import { describe, expect, it } from 'vitest'
import { applyOps } from '../../linux/apply.ts'
import { listTables } from '../../linux/netfilter/iptables/ruleset.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { DEFAULT_CONFIG, machine, node, service, slice, smallCluster } from '../testing/small-cluster.ts'
import { iptablesMode } from './compile.ts'

const NODE = node('node1', { ips: ['192.0.2.11'] })
const FACTS = machine(['192.0.2.11/24', '203.0.113.11/24', '2001:db8::11/64'])

const compile = (config: Partial<KubeProxyConfig> = {}, facts = FACTS): readonly Op[] =>
  iptablesMode.compile(smallCluster({}), NODE, { ...DEFAULT_CONFIG, ...config }, facts)

/** The rules of a chain after all ops, as they were given. */
function chain(
  ops: readonly Op[],
  family: 4 | 6,
  table: 'nat' | 'filter',
  name: string,
): readonly string[] | undefined {
  const ruleset = applyOps('node1', ops, FACTS.capabilities).netns.get(ROOT_NETNS)?.netfilter.iptables[family]
  const listed = listTables(ruleset!).find((one) => one.name === table)
  return listed?.chains.find((one) => one.name === name)?.lines.map((line) => line.args)
}

const sysctls = (ops: readonly Op[]) =>
  Object.fromEntries(ops.flatMap((op) => (op.kind === 'sysctl.set' ? [[op.key, op.value]] : [])))

describe('what kube-proxy writes for no Service', () => {
  it('is accepted by the machine', () => {
    expect(applyOps('node1', compile(), FACTS.capabilities).refused).toEqual([])
  })

  it('has an origin by kube-proxy, from its ConfigMap', () => {
    for (const op of compile()) {
      expect(op.origin.by).toBe('kube-proxy')
      expect(op.origin.source).toBe('kube-proxy.yaml:1')
      expect(op.netns).toBe(ROOT_NETNS)
    }
  })

  it('is for both families where the kernel has IPv6, for IPv4 alone otherwise', () => {
    const families = (ops: readonly Op[]) => [...new Set(ops.flatMap((op) => ('family' in op ? [op.family] : [])))]
    expect(families(compile())).toEqual([4, 6])
    expect(families(compile({}, machine([], { ipv6: false })))).toEqual([4])
  })

  it('leads from the built-in chains into its own, the last jump first', () => {
    const targets = (table: 'nat' | 'filter', name: string) =>
      chain(compile(), 6, table, name)?.map((args) => args.split(' -j ')[1] ?? args.slice(3))
    expect(targets('filter', 'INPUT')).toEqual([
      'KUBE-FIREWALL',
      'KUBE-PROXY-FIREWALL',
      'KUBE-NODEPORTS',
      'KUBE-EXTERNAL-SERVICES',
    ])
    expect(targets('filter', 'FORWARD')).toEqual([
      'KUBE-PROXY-FIREWALL',
      'KUBE-FORWARD',
      'KUBE-SERVICES',
      'KUBE-EXTERNAL-SERVICES',
    ])
    expect(targets('filter', 'OUTPUT')).toEqual(['KUBE-FIREWALL', 'KUBE-PROXY-FIREWALL', 'KUBE-SERVICES'])
    expect(targets('nat', 'PREROUTING')).toEqual(['KUBE-SERVICES'])
    expect(targets('nat', 'OUTPUT')).toEqual(['KUBE-SERVICES'])
    expect(targets('nat', 'POSTROUTING')).toEqual(['KUBE-POSTROUTING'])
  })

  it('marks what is to be masqueraded with the configured bit', () => {
    expect(chain(compile({ masqueradeBit: 0 }), 4, 'nat', 'KUBE-MARK-MASQ')).toEqual(['-j MARK --or-mark 0x00000001'])
    expect(chain(compile({ masqueradeBit: 31 }), 4, 'nat', 'KUBE-POSTROUTING')).toEqual([
      '-m mark ! --mark 0x80000000/0x80000000 -j RETURN',
      '-j MARK --xor-mark 0x80000000',
      '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
    ])
    expect(chain(compile({}, machine([], { randomFully: false })), 4, 'nat', 'KUBE-POSTROUTING')?.at(-1)).toMatch(
      /MASQUERADE$/,
    )
  })

  it.each<[string, readonly Op[], boolean]>([
    ['nf_conntrack_tcp_be_liberal is 0', compile(), true],
    ['the machine has it set', compile({}, machine([], { conntrackTcpBeLiberal: true })), false],
    ['kube-proxy sets it', compile({ conntrack: { ...DEFAULT_CONFIG.conntrack, tcpBeLiberal: true } }), false],
  ])('drops packets that conntrack cannot place only where %s', (_, ops, drops) => {
    const forward = chain(ops, 4, 'filter', 'KUBE-FORWARD') ?? []
    expect(forward.includes('-m conntrack --ctstate INVALID -j DROP')).toBe(drops)
    expect(forward.slice(-2)).toEqual([
      '-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT',
      '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ])
  })

  it('counts these where the kernel can', () => {
    expect(chain(compile({}, machine([], { nfacct: true })), 6, 'filter', 'KUBE-FORWARD')?.[0]).toBe(
      '-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP',
    )
  })
})

describe('nodePorts on localhost', () => {
  const LIMITED = { nodePortAddresses: [prefix('192.0.2.0/24')] }

  it.each<[string, Partial<KubeProxyConfig>, boolean]>([
    ['by default', {}, true],
    ['not when switched off', { localhostNodePorts: false }, false],
    ['not when nodePorts are limited to other addresses', LIMITED, false],
    ['when 127.0.0.0/8 is among the addresses', { nodePortAddresses: [prefix('127.0.0.0/8')] }, true],
  ])('need route_localnet and its guard: %s', (_, config, wanted) => {
    const ops = compile(config)
    expect(sysctls(ops)['net.ipv4.conf.all.route_localnet']).toBe(wanted ? '1' : undefined)
    expect(chain(ops, 4, 'filter', 'KUBE-FIREWALL')).toHaveLength(wanted ? 1 : 0)
    expect(chain(ops, 6, 'filter', 'KUBE-FIREWALL')).toEqual([])
  })
})

describe('addresses that serve nodePorts', () => {
  const served = (config: Partial<KubeProxyConfig>, family: 4 | 6) =>
    chain(compile(config), family, 'nat', 'KUBE-SERVICES')?.map((args) =>
      args.replace(/^-m comment --comment "[^"]*" /, '').replace(' -j KUBE-NODEPORTS', ''),
    )

  it.each<[string, Partial<KubeProxyConfig>, 4 | 6, readonly string[]]>([
    ['all', {}, 4, ['-m addrtype --dst-type LOCAL']],
    ['all but localhost', { localhostNodePorts: false }, 4, ['-m addrtype --dst-type LOCAL ! -d 127.0.0.0/8']],
    ['all but ::1', {}, 6, ['-m addrtype --dst-type LOCAL ! -d ::1/128']],
    ['the primary', { nodePortAddresses: 'primary' }, 4, ['-d 192.0.2.11']],
    [
      'those of a CIDR',
      { nodePortAddresses: ['203.0.113.0/24', '192.0.2.0/24'].map(prefix) },
      4,
      ['-d 192.0.2.11', '-d 203.0.113.11'],
    ],
    ['localhost', { nodePortAddresses: [prefix('127.0.0.0/8')] }, 4, ['-d 127.0.0.1']],
    ['localhost, switched off', { nodePortAddresses: [prefix('127.0.0.0/8')], localhostNodePorts: false }, 4, []],
    ['::1 never', { nodePortAddresses: ['::1/128', '2001:db8::/32'].map(prefix) }, 6, ['-d 2001:db8::11']],
    ['none that the node has', { nodePortAddresses: [prefix('198.51.100.0/24')] }, 4, []],
  ])('%s', (_, config, family, expected) => {
    expect(served(config, family)).toEqual(expected)
  })
})

describe('conntrack settings', () => {
  it('are set as configured, where they are', () => {
    const conntrack = {
      tcpEstablishedTimeout: 86400,
      tcpCloseWaitTimeout: 3600.5,
      udpTimeout: 0,
      udpStreamTimeout: 120,
      tcpBeLiberal: true,
    }
    const { 'net.ipv4.conf.all.route_localnet': _, ...set } = sysctls(compile({ conntrack }))
    expect(set).toEqual({
      'net.netfilter.nf_conntrack_tcp_timeout_established': '86400',
      'net.netfilter.nf_conntrack_tcp_timeout_close_wait': '3600',
      'net.netfilter.nf_conntrack_tcp_be_liberal': '1',
      'net.netfilter.nf_conntrack_udp_timeout_stream': '120',
    })
  })
})

describe('the order of rules in a shared chain', () => {
  it('is that of the Services by name, and the nodePorts last', () => {
    const cluster = smallCluster({
      services: [service('b', { clusterIPs: ['10.96.0.2'] }), service('a')],
      slices: [slice({ of: 'a', endpoints: ['10.244.1.5'] }), slice({ of: 'b', endpoints: ['10.244.1.6'] })],
    })
    const ops = iptablesMode.compile(cluster, NODE, DEFAULT_CONFIG, FACTS)
    const rules = chain(ops, 4, 'nat', 'KUBE-SERVICES')?.map((args) => /"([^"]*)"/.exec(args)?.[1])
    expect(rules).toEqual([
      'default/a cluster IP',
      'default/b cluster IP',
      'kubernetes service nodeports; NOTE: this must be the last rule in this chain',
    ])
  })
})
