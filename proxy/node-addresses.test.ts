import { describe, expect, it } from 'vitest'
import { type Family, formatIp, ip } from '../packet/ip.ts'
import { formatPrefix, prefix } from '../packet/prefix.ts'
import type { KubeProxyConfig } from './config.ts'
import { localTraffic } from './local-traffic.ts'
import { nodeIPs } from './node-ips.ts'
import { includesLoopback, matchingAddresses, nodePortAddresses } from './node-port-addresses.ts'
import { DEFAULT_CONFIG, machine, node } from './testing/small-cluster.ts'

describe('nodeIPs', () => {
  it.each([
    ['the first InternalIP', ['192.0.2.1', '192.0.2.2'], [], undefined, ['192.0.2.1', '::1']],
    ['in each family', ['192.0.2.1', '2001:db8::1'], [], undefined, ['192.0.2.1', '2001:db8::1']],
    ['else an ExternalIP', ['192.0.2.1'], ['198.51.100.1', '2001:db8::2'], undefined, ['192.0.2.1', '2001:db8::2']],
    ['else loopback', [], [], undefined, ['127.0.0.1', '::1']],
    ['bindAddress takes its place', ['192.0.2.1', '2001:db8::1'], [], '192.0.2.9', ['192.0.2.9', '2001:db8::1']],
    ['an unspecified bindAddress does not', ['192.0.2.1'], [], '0.0.0.0', ['192.0.2.1', '::1']],
  ])('%s', (_, internal, external, bind, expected) => {
    const found = nodeIPs(
      node('n', { ips: internal, externalIPs: external.map(ip) }),
      bind === undefined ? undefined : ip(bind),
    )
    expect([formatIp(found[4]), formatIp(found[6])]).toEqual(expected)
  })
})

describe('nodePortAddresses', () => {
  const IPS = { 4: ip('192.0.2.1'), 6: ip('::1') }
  const of = (given: KubeProxyConfig['nodePortAddresses'], family: Family) =>
    nodePortAddresses({ ...DEFAULT_CONFIG, nodePortAddresses: given }, family, IPS)

  it.each([
    ['all', 4, undefined],
    ['primary', 4, ['192.0.2.1/32']],
    ['primary', 6, undefined],
    [['192.0.2.0/24', '10.0.0.0/8'], 4, ['192.0.2.0/24', '10.0.0.0/8']],
    [['192.0.2.0/24'], 6, undefined],
    [['192.0.2.0/24', '0.0.0.0/0'], 4, undefined],
    [['192.0.2.0/24', '::/0'], 4, ['192.0.2.0/24']],
  ] as const)('%j in family %i: %j', (given, family, expected) => {
    const found = of(typeof given === 'string' ? given : given.map(prefix), family)
    expect(found.kind === 'all' ? undefined : found.cidrs.map(formatPrefix)).toEqual(expected)
  })

  it.each([
    ['all', 4, true],
    ['all', 6, false],
    [['127.0.0.0/8'], 4, true],
    [['127.0.0.1/32'], 4, true],
    [['126.0.0.0/7'], 4, true],
    [['192.0.2.0/24'], 4, false],
    [['::1/128'], 6, false],
  ] as const)('%j in family %i asks for localhost: %s', (given, family, expected) => {
    expect(includesLoopback(of(typeof given === 'string' ? given : given.map(prefix), family), family)).toBe(expected)
  })

  it('finds the addresses of the node, lo included, each once', () => {
    const facts = machine(['192.0.2.1/24', '10.0.0.1/8', '2001:db8::1/64', '192.0.2.1/32'])
    const found = (cidrs: readonly string[]) => matchingAddresses(cidrs.map(prefix), facts).map(formatIp)
    expect(found(['192.0.2.0/24', '127.0.0.0/8', '192.0.2.1/32'])).toEqual(['127.0.0.1', '192.0.2.1'])
    expect(found(['::/0'])).toEqual(['::1', '2001:db8::1'])
    expect(found(['203.0.113.0/24'])).toEqual([])
  })
})

describe('localTraffic', () => {
  const CIDRS = ['10.244.0.0/16', '10.245.0.0/16', 'fd00::/48'].map(prefix)
  const NODE = node('n', { podCIDRs: ['fd00:1::/64', '10.244.1.0/24', '10.244.2.0/24'] })

  it.each([
    [{ kind: 'clusterCIDR', cidrs: CIDRS }, 4, { kind: 'source', cidr: prefix('10.244.0.0/16') }],
    [{ kind: 'clusterCIDR', cidrs: CIDRS }, 6, { kind: 'source', cidr: prefix('fd00::/48') }],
    [{ kind: 'clusterCIDR', cidrs: CIDRS.slice(0, 2) }, 6, undefined],
    [{ kind: 'nodeCIDR' }, 4, { kind: 'source', cidr: prefix('10.244.1.0/24') }],
    [{ kind: 'nodeCIDR' }, 6, { kind: 'source', cidr: prefix('fd00:1::/64') }],
    [{ kind: 'bridgeInterface', bridge: 'cni0' }, 4, { kind: 'interface', name: 'cni0' }],
    [{ kind: 'interfaceNamePrefix', prefix: 'cali' }, 6, { kind: 'interfacePrefix', prefix: 'cali' }],
    [{ kind: 'none' }, 4, undefined],
  ] as const)('%j in family %i', (detectLocal, family, expected) => {
    expect(localTraffic({ ...DEFAULT_CONFIG, detectLocal }, NODE, family)).toEqual(expected)
  })
})
