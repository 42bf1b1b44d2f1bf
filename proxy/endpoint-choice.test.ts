import { describe, expect, it } from 'vitest'
import { chooseEndpoints } from './endpoint-choice.ts'
import { serviceMap } from './service-map.ts'
import {
  DRAINING,
  type EndpointText,
  GONE,
  NOT_READY,
  type ServiceText,
  service,
  slice,
  smallCluster,
} from './testing/small-cluster.ts'
import { proxyFeatures } from './versions.ts'

const NODE_PORT: ServiceText = { type: 'NodePort', ports: [{ nodePort: 30080 }] }
const ETP_LOCAL: ServiceText = { ...NODE_PORT, externalTrafficPolicy: 'Local' }
const ITP_LOCAL: ServiceText = { internalTrafficPolicy: 'Local' }

interface Row {
  readonly rule: string
  readonly service?: ServiceText
  readonly endpoints: readonly EndpointText[]
  readonly zone?: string
  readonly version?: string
  readonly cluster: string
  readonly local: string
  readonly reachable?: string
  readonly any?: boolean
}

/** Endpoints .1 and .2 are on node1, where the choice is made; .8 and .9 elsewhere. */
const here = (last: number, more: Partial<EndpointText> = {}): EndpointText => ({
  ip: `10.0.0.${last}`,
  nodeName: 'node1',
  ...more,
})
const there = (last: number, more: Partial<EndpointText> = {}): EndpointText => ({
  ip: `10.0.0.${last}`,
  nodeName: 'node2',
  ...more,
})

/** Two entries of one address: on node1 it has stopped serving, elsewhere it is ready. */
const TWINS = [there(1), here(1, GONE), there(9)]

const ROWS: readonly Row[] = [
  {
    rule: 'Auto in topology-mode asks for hints in v1.27.1',
    version: 'v1.27.1',
    service: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1',
    local: '',
  },
  {
    rule: 'Auto in topology-mode does not ask for hints in v1.26.1',
    version: 'v1.26.1',
    service: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'auto in topology-aware-hints asks for hints in v1.26.1',
    version: 'v1.26.1',
    service: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' } },
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1',
    local: '',
  },
  {
    rule: 'On in topology-aware-hints does not ask for hints in v1.26.1',
    version: 'v1.26.1',
    service: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'On' } },
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'On in topology-aware-hints asks for hints in v1.27.1',
    version: 'v1.27.1',
    service: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'On' } },
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1',
    local: '',
  },
  {
    rule: 'of two with one address the one on this node, until 1.35',
    version: 'v1.35.4',
    endpoints: TWINS,
    cluster: '9',
    local: '',
  },
  {
    rule: 'of two with one address that are elsewhere the first, until 1.35',
    version: 'v1.35.4',
    endpoints: [there(1), there(1, GONE), here(9)],
    cluster: '1 9',
    local: '',
  },
  { rule: 'of two with one address the last that does not end', endpoints: TWINS, cluster: '1 9', local: '' },
  {
    rule: 'of two with one address the first by all their addresses, until 1.30',
    version: 'v1.30.9',
    endpoints: [there(1, { more: ['10.0.0.7'] }), there(1, GONE), there(9)],
    cluster: '9',
    local: '',
  },
  { rule: 'ready endpoints everywhere for policy Cluster', endpoints: [here(1), there(9)], cluster: '1 9', local: '' },
  {
    rule: 'an endpoint that is not ready is left out',
    endpoints: [here(1, NOT_READY), there(9)],
    cluster: '9',
    local: '',
  },
  { rule: 'a draining one only when none is ready', endpoints: [here(1, DRAINING), there(9)], cluster: '9', local: '' },
  {
    rule: 'draining ones when none is ready',
    endpoints: [here(1, DRAINING), there(9, NOT_READY)],
    cluster: '1',
    local: '',
  },
  {
    rule: 'one that stopped serving never',
    endpoints: [here(1, GONE), there(9, GONE)],
    cluster: '',
    local: '',
    any: false,
  },
  {
    rule: 'serving without terminating is not enough',
    endpoints: [here(1, { ...NOT_READY, serving: true })],
    cluster: '',
    local: '',
    any: false,
  },
  { rule: 'no endpoints at all', endpoints: [], cluster: '', local: '', any: false },
  {
    rule: 'external Local: all for pods, local ones for outsiders',
    service: ETP_LOCAL,
    endpoints: [here(1), there(9)],
    cluster: '1 9',
    local: '1',
  },
  {
    rule: 'external Local counts only where outsiders can come',
    service: { externalTrafficPolicy: 'Local' },
    endpoints: [here(1), there(9)],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'external Local of a load balancer without address or nodePort counts for nothing',
    service: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
    endpoints: [here(1), there(9)],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'an endpoint without node is local to nobody',
    service: ETP_LOCAL,
    endpoints: [{ ip: '10.0.0.1' }, there(9)],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'internal Local: no cluster list',
    service: ITP_LOCAL,
    endpoints: [here(1), there(9)],
    cluster: '',
    local: '1',
    reachable: '1',
  },
  {
    rule: 'internal Local with a nodePort: both lists',
    service: { ...NODE_PORT, ...ITP_LOCAL },
    endpoints: [here(1), there(9)],
    cluster: '1 9',
    local: '1',
  },
  {
    rule: 'Local without a local endpoint, but others exist',
    service: ITP_LOCAL,
    endpoints: [there(9)],
    cluster: '',
    local: '',
    reachable: '',
  },
  {
    rule: 'Local, only draining ones elsewhere',
    service: ITP_LOCAL,
    endpoints: [there(9, DRAINING)],
    cluster: '',
    local: '',
    reachable: '',
  },
  {
    rule: 'Local falls back to local draining ones',
    service: ETP_LOCAL,
    endpoints: [here(1, DRAINING), there(9)],
    cluster: '9',
    local: '1',
    reachable: '1 9',
  },
  {
    rule: 'Local does not fall back beside a ready one',
    service: ETP_LOCAL,
    endpoints: [here(1, DRAINING), here(2), there(9)],
    cluster: '2 9',
    local: '2',
  },
  {
    rule: 'zone hints for this zone',
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1',
    local: '',
  },
  {
    rule: 'zone hints without one for this zone',
    zone: 'c',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'zone hints on a node without zone',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'one ready endpoint without hint switches hints off',
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9)],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'an empty list of hints is no hint',
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: [] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'a hint may be missing where not ready',
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(8, { hintZones: ['b'] }), there(9, NOT_READY)],
    cluster: '1',
    local: '',
  },
  {
    rule: 'node hints before zone hints',
    zone: 'a',
    endpoints: [
      here(1, { hintZones: ['b'], hintNodes: ['node1'] }),
      there(9, { hintZones: ['a'], hintNodes: ['node2'] }),
    ],
    cluster: '1',
    local: '',
  },
  {
    rule: 'zone hints where no node hint names this node',
    zone: 'a',
    endpoints: [
      there(8, { hintZones: ['a'], hintNodes: ['node2'] }),
      there(9, { hintZones: ['b'], hintNodes: ['node2'] }),
    ],
    cluster: '8',
    local: '',
  },
  {
    rule: 'node hints are not read before 1.34',
    version: 'v1.33.4',
    endpoints: [here(1, { hintNodes: ['node1'] }), there(9, { hintNodes: ['node2'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'zone hints need the annotation before 1.31',
    version: 'v1.30.2',
    zone: 'a',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'zone hints with the annotation before 1.31',
    version: 'v1.30.2',
    zone: 'a',
    service: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1',
    local: '',
  },
  {
    rule: 'the older annotation wins',
    version: 'v1.30.2',
    zone: 'a',
    service: {
      annotations: {
        'service.kubernetes.io/topology-mode': 'Auto',
        'service.kubernetes.io/topology-aware-hints': 'disabled',
      },
    },
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '1 9',
    local: '',
  },
  {
    rule: 'hints do not hold for policy Local, and both are reachable',
    service: ETP_LOCAL,
    zone: 'b',
    endpoints: [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
    cluster: '9',
    local: '1',
    reachable: '1 9',
  },
  {
    rule: 'no draining endpoint here while another zone has ready ones',
    zone: 'a',
    endpoints: [here(1, DRAINING), there(9, { hintZones: ['b'] })],
    cluster: '9',
    local: '',
  },
]

const lastOctets = (endpoints: readonly { readonly text: string }[]): string =>
  endpoints.map(({ text }) => text.replace('10.0.0.', '').replace(':8080', '')).join(' ')

describe('chooseEndpoints', () => {
  it.each(ROWS)(
    '$rule',
    ({ service: text, endpoints, zone = '', version = 'v1.36.3', cluster, local, reachable, any }) => {
      const objects = smallCluster({ services: [service('web', text)], slices: [slice({ of: 'web', endpoints })] })
      const [port] = serviceMap(objects, 4, version).ports
      const choice = chooseEndpoints(port!, { node: 'node1', zone, features: proxyFeatures(version) })
      expect({
        cluster: lastOctets(choice.cluster),
        local: lastOctets(choice.local),
        reachable: lastOctets(choice.reachable),
        any: choice.any,
      }).toEqual({ cluster, local, reachable: reachable ?? cluster, any: any ?? true })
    },
  )

  it.each([
    ['policy Cluster: every node', {}, [here(1), there(9)], 'node2', true],
    ['policy Local: nodes without endpoints', ETP_LOCAL, [there(9)], 'node3', true],
    ['policy Local: not a node with endpoints', ETP_LOCAL, [here(1), there(9)], 'node2', false],
    [
      'zone hints: not nodes of other zones',
      {},
      [here(1, { hintZones: ['a'] }), there(9, { hintZones: ['b'] })],
      'node9',
      false,
    ],
  ] as const)('shares one choice between nodes that choose alike, %s', (_, text, endpoints, other, shared) => {
    const objects = smallCluster({ services: [service('web', text)], slices: [slice({ of: 'web', endpoints })] })
    const [port] = serviceMap(objects, 4, 'v1.36.3').ports
    const features = proxyFeatures('v1.36.3')
    const mine = chooseEndpoints(port!, { node: 'node1', zone: 'a', features })
    const theirs = chooseEndpoints(port!, { node: other, zone: other === 'node9' ? 'b' : 'a', features })
    expect(mine === theirs).toBe(shared)
    expect(chooseEndpoints(port!, { node: 'node1', zone: 'a', features })).toBe(mine)
  })
})
