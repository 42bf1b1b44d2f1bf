import { describe, expect, it } from 'vitest'
import type { KubeNode } from '../../cluster/objects.ts'
import type { IptablesBlock } from '../../linux/netfilter/block.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import {
  type ClusterText,
  DEFAULT_CONFIG,
  machine,
  node,
  type ServiceText,
  service,
  slice,
  smallCluster,
} from '../testing/small-cluster.ts'
import { iptablesMode } from './compile.ts'

const NODES = [
  node('node1', { ips: ['192.0.2.11'], zone: 'a', podCIDRs: ['10.244.1.0/24'] }),
  node('node2', { ips: ['192.0.2.12'], zone: 'a', podCIDRs: ['10.244.2.0/24'] }),
  node('node3', { ips: ['198.51.100.13'], zone: 'b', podCIDRs: ['10.244.3.0/24'] }),
]

const on = (last: number, nodeName: string, hintZones?: readonly string[]) => ({
  ip: `10.244.0.${last}`,
  nodeName,
  ...(hintZones === undefined ? {} : { hintZones }),
})

const web = (text: ServiceText, endpoints: Parameters<typeof slice>[0]['endpoints']): ClusterText => ({
  services: [service('web', text)],
  slices: [slice({ of: 'web', endpoints })],
  nodes: NODES,
})

function blocksOf(cluster: ReturnType<typeof smallCluster>, of: KubeNode, config: Partial<KubeProxyConfig> = {}) {
  const facts = machine(of.internalIPs.map(() => '192.0.2.11/24'))
  const ops = iptablesMode.compile(cluster, of, { ...DEFAULT_CONFIG, ...config }, facts)
  return ops.flatMap((op): IptablesBlock[] => (op.kind === 'rules.block' ? [op.block] : []))
}

describe('the block of a service port', () => {
  const LOCAL: ServiceText = { type: 'NodePort', ports: [{ nodePort: 30080 }], externalTrafficPolicy: 'Local' }
  const RANGES: ServiceText = { type: 'LoadBalancer', vips: ['203.0.113.1'], sourceRanges: ['192.0.2.0/24'] }

  it.each<[string, ClusterText, readonly [boolean, boolean]]>([
    ['is one object for all nodes', web({}, [on(1, 'node1'), on(2, 'node2')]), [true, true]],
    ['with policy Local is one for all nodes without endpoints', web(LOCAL, [on(1, 'node9')]), [true, true]],
    ['with policy Local is a node’s own where endpoints are', web(LOCAL, [on(1, 'node2')]), [false, true]],
    [
      'with internal policy Local looks at no hints',
      web({ internalTrafficPolicy: 'Local' }, [on(1, 'node9', ['a']), on(2, 'node9', ['b'])]),
      [true, true],
    ],
    ['with hints is one for a zone', web({}, [on(1, 'node1', ['a']), on(2, 'node3', ['b'])]), [true, false]],
    ['with source ranges tells nodes inside from others', web(RANGES, [on(1, 'node1')]), [true, false]],
  ])('%s', (_, text, expected) => {
    const cluster = smallCluster(text)
    const [first, second, third] = NODES.map((one) => blocksOf(cluster, one)[0])
    expect([first === second, first === third]).toEqual(expected)
  })

  it('is a node’s own where pods are told by the podCIDR of the node', () => {
    const cluster = smallCluster(web({}, [on(1, 'node1')]))
    const [first, second] = NODES.map((one) => blocksOf(cluster, one, { detectLocal: { kind: 'nodeCIDR' } })[0])
    expect(first).not.toBe(second)
  })

  it.each<[string, Partial<KubeProxyConfig>]>([
    ['masqueradeAll', { masqueradeAll: true }],
    ['another clusterCIDR', { detectLocal: { kind: 'clusterCIDR', cidrs: [prefix('10.9.0.0/16')] } }],
    ['no clusterCIDR', { detectLocal: { kind: 'none' } }],
    ['a bridge', { detectLocal: { kind: 'bridgeInterface', bridge: '10.244.0.0/16' } }],
  ])('is another one with %s', (_, config) => {
    const cluster = smallCluster(web({}, [on(1, 'node1')]))
    expect(blocksOf(cluster, NODES[0]!, config)[0]).not.toBe(blocksOf(cluster, NODES[0]!)[0])
  })

  it('is another one where the kernel can count', () => {
    const cluster = smallCluster(web({}, [on(1, 'node1')]))
    const [plain, counting] = [false, true].map((nfacct) => {
      const ops = iptablesMode.compile(cluster, NODES[0]!, DEFAULT_CONFIG, machine(['192.0.2.11/24'], { nfacct }))
      return ops.find((op) => op.kind === 'rules.block')?.block
    })
    expect(plain).toBeDefined()
    expect(plain).not.toBe(counting)
  })

  it('makes its chains once, and only when asked', () => {
    const cluster = smallCluster(web({}, [on(1, 'node1')]))
    const [block] = blocksOf(cluster, NODES[0]!)
    expect(block?.chains()).toBe(block?.chains())
  })
})
