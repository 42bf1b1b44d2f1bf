import { describe, expect, it } from 'vitest'
import type { Endpoint, KubeNode, Service } from '../objects.ts'
import { loadText } from '../testing/load-text.ts'
import { hintsOf, withHints } from './hints.ts'

const bare: KubeNode = loadText('apiVersion: v1\nkind: Node\nmetadata: {name: n}\n').cluster.nodes[0]!
const service: Service = loadText(
  'apiVersion: v1\nkind: Service\nmetadata: {name: x, annotations: {service.kubernetes.io/topology-mode: Auto}}\nspec: {selector: {app: x}, trafficDistribution: PreferSameNode, ports: [{port: 80}]}\n',
).cluster.index.service.get('default/x')!

/** `a500 b3000`: a node of each zone with so many thousandths of a CPU. */
const nodesOf = (text: string): KubeNode[] =>
  text.split(' ').map((one) => ({
    ...bare,
    meta: { ...bare.meta, labels: { 'topology.kubernetes.io/zone': one.slice(0, 1) } },
    ready: true,
    allocatableMilliCpu: Number(one.slice(1)),
  }))

const endpointsOf = (counts: Readonly<Record<string, number>>): Endpoint[] =>
  Object.entries(counts).flatMap(([zone, count]) =>
    Array.from({ length: count }, () => ({ addresses: [], ready: true, serving: true, terminating: false, zone })),
  )

function hinted(nodes: string, counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const [slice] = withHints(service, [{ ports: [], endpoints: endpointsOf(counts) }], hintsOf(nodesOf(nodes)))
  const zones = slice!.endpoints.map(({ hintZones }) => hintZones?.join() ?? '-')
  return Object.fromEntries([...new Set(zones)].map((zone) => [zone, zones.filter((one) => one === zone).length]))
}

// What the topology cache of k8s.io/endpointslice v0.36.3 made of the same zones.
describe('topology-mode Auto moves endpoints between zones by their CPUs', () => {
  it.each([
    ['a500 a1000 b3000 b1000', { a: 3, b: 2, e: 1 }, { a: 2, b: 3, e: 1 }],
    ['a8000 a500 b4000 b4000 c16000 d2000 d8000', { a: 4, b: 2, c: 3, d: 1 }, { a: 2, b: 2, c: 4, d: 2 }],
    ['a8000 a8000 b4000 c500 c3000', { a: 1, b: 2, c: 3 }, { a: 4, b: 1, c: 1 }],
    ['a2000 a8000 b1000', { a: 2, b: 8 }, { a: 9, b: 1 }],
    ['a8000 a1000 b3000 b500', { a: 3, b: 7, e: 1 }, { a: 7, b: 3, e: 1 }],
    ['a500 c500 d8000 d2000', { a: 3, b: 2, c: 4, d: 1 }, { a: 1, b: 2, c: 1, d: 6 }],
    ['a3000 a1000 b1000 c8000', { a: 3, b: 3, c: 4, e: 1 }, { a: 3, b: 1, c: 6, e: 1 }],
    ['a2000 a8000 b1000 b3000', { a: 8, b: 1 }, { a: 6, b: 3 }],
    ['a2000 b4000 b16000', { a: 6, b: 4 }, { a: 1, b: 9 }],
    ['a1000 b1000', { a: 2, b: 1 }, { '-': 3 }],
    ['a1000 b1000', { a: 4, b: 3 }, { a: 4, b: 3 }],
    ['a1000', { a: 3 }, { '-': 3 }],
    ['a1000 b1000 c1000', { a: 1, b: 1 }, { '-': 2 }],
    ['a1000 b0', { a: 2, b: 2 }, { '-': 4 }],
  ])('%s: %j', (nodes, counts, expected) => expect(hinted(nodes, counts)).toEqual(expected))
})

it('the annotation wins over trafficDistribution, whether it gives hints or not', () => {
  const [slice] = withHints(service, [{ ports: [], endpoints: endpointsOf({ a: 1 }) }], hintsOf(nodesOf('a1000')))
  expect(slice!.endpoints[0]).not.toHaveProperty('hintZones')
})
