import fc from 'fast-check'
import type { Cluster } from '../../../cluster/cluster.ts'
import { type Family, formatIp, type Ip, ip } from '../../../packet/ip.ts'
import { formatPrefix, type Prefix, prefix } from '../../../packet/prefix.ts'
import type { DetectLocal, KubeProxyConfig } from '../../../proxy/config.ts'
import { DEFAULT_CONFIG, node, service, slice, smallCluster } from '../../../proxy/testing/small-cluster.ts'

/** Random Services, said in words that no compiler of ours uses: what `expected.ts` answers from. */
export interface World {
  readonly family: Family
  readonly services: readonly SomeService[]
  readonly detect: 'clusterCIDR' | 'nodeCIDR' | 'bridge' | 'prefix' | 'none'
  readonly masqueradeAll: boolean
  readonly localhostNodePorts: boolean
}

export interface SomeService {
  /** Makes its addresses and ports: no two Services share one. */
  readonly number: number
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly externalLocal: boolean
  readonly internalLocal: boolean
  readonly affinity: boolean
  readonly hasExternalIP: boolean
  /** False: `allocateLoadBalancerNodePorts: false` (KEP-1864); of a LoadBalancer only. */
  readonly hasNodePort: boolean
  /** Another proxy than kube-proxy serves it (label service.kubernetes.io/service-proxy-name). */
  readonly ofOtherProxy: boolean
  /** Words of RANGES; of a LoadBalancer only. */
  readonly sourceRanges: readonly Range[]
  readonly endpoints: readonly SomeEndpoint[]
}

export interface SomeEndpoint {
  readonly number: number
  readonly node: 1 | 2
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly hintZone: 'a' | 'b' | undefined
}

export type Range = 'near' | 'far' | 'everybody'

/** Everything stands on node 1, in zone a. */
export const HOME = 1

const address = (family: Family, v4: string, v6: string): Ip => ip(family === 4 ? v4 : v6)

export const nodeIP = (family: Family): Ip => address(family, '192.0.2.11', '2001:db8::11')
/** The address of the bridge of the pods. */
export const bridgeIP = (family: Family): Ip => address(family, '10.244.1.1', 'fd00:10:244:1::1')
export const loopback = (family: Family): Ip => address(family, '127.0.0.1', '::1')
export const clusterIP = (family: Family, { number }: SomeService): Ip =>
  address(family, `10.96.0.${number}`, `fd00:96::${number}`)
export const externalIP = (family: Family, { number }: SomeService): Ip =>
  address(family, `198.51.100.${number}`, `2001:db8:1::${number}`)
export const balancerIP = (family: Family, { number }: SomeService): Ip =>
  address(family, `203.0.113.${number}`, `2001:db8:2::${number}`)
export const podIP = (family: Family, node: number, number: number): Ip =>
  address(family, `10.244.${node}.${number}`, `fd00:10:244:${node}::${number}`)
export const endpointIP = (family: Family, of: SomeService, { node, number }: SomeEndpoint): Ip =>
  podIP(family, node, 10 * of.number + number)
export const nearIP = (family: Family): Ip => address(family, '192.0.2.50', '2001:db8::50')
export const farIP = (family: Family): Ip => address(family, '203.0.113.200', '2001:db8:2::200')

export const SERVICE_PORT = 80
export const TARGET_PORT = 8080
export const nodePort = ({ number }: SomeService): number => 30_000 + number

export const rangePrefix = (family: Family, range: Range): Prefix =>
  family === 4
    ? prefix({ near: '192.0.2.0/24', far: '203.0.113.128/25', everybody: '0.0.0.0/0' }[range])
    : prefix({ near: '2001:db8::/112', far: '2001:db8:2::/64', everybody: '::/0' }[range])

/** The bridge of the pods of the node, and what its name starts with. */
export const BRIDGE = 'cni0'

const anyEndpoint = (number: number): fc.Arbitrary<SomeEndpoint> =>
  fc.record({
    number: fc.constant(number),
    node: fc.constantFrom(1, 2),
    ready: fc.boolean(),
    serving: fc.boolean(),
    terminating: fc.boolean(),
    hintZone: fc.constantFrom('a', 'a', 'b', undefined),
  })

const anyService = (number: number): fc.Arbitrary<SomeService> =>
  fc
    .record({
      number: fc.constant(number),
      type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
      externalLocal: fc.boolean(),
      internalLocal: fc.boolean(),
      affinity: fc.boolean(),
      hasExternalIP: fc.boolean(),
      hasNodePort: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
      ofOtherProxy: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      sourceRanges: fc.oneof(fc.constant([]), fc.subarray(['near', 'far', 'everybody'] as const, { maxLength: 2 })),
      endpoints: fc
        .integer({ min: 0, max: 4 })
        .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => anyEndpoint(i)))),
    })
    .map((one) =>
      one.type === 'LoadBalancer' ? one : { ...one, sourceRanges: [], hasNodePort: one.type === 'NodePort' },
    )

export const anyWorld: fc.Arbitrary<World> = fc.record({
  family: fc.constantFrom(4, 6),
  services: fc
    .integer({ min: 1, max: 3 })
    .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => anyService(i + 1)))),
  detect: fc.constantFrom('clusterCIDR', 'clusterCIDR', 'nodeCIDR', 'bridge', 'prefix', 'none'),
  masqueradeAll: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  localhostNodePorts: fc.boolean(),
})

export const PODS: Readonly<Record<Family, string>> = { 4: '10.244.0.0/16', 6: 'fd00:10:244::/48' }

const DETECT: Readonly<Record<World['detect'], DetectLocal>> = {
  clusterCIDR: { kind: 'clusterCIDR', cidrs: [prefix(PODS[4]), prefix(PODS[6])] },
  nodeCIDR: { kind: 'nodeCIDR' },
  bridge: { kind: 'bridgeInterface', bridge: BRIDGE },
  prefix: { kind: 'interfaceNamePrefix', prefix: 'cni' },
  none: { kind: 'none' },
}

export const configOf = ({ detect, masqueradeAll, localhostNodePorts }: World, mode: string): KubeProxyConfig => ({
  ...DEFAULT_CONFIG,
  mode,
  detectLocal: DETECT[detect],
  masqueradeAll,
  localhostNodePorts,
  nodePortAddresses: mode === 'nftables' ? 'primary' : 'all',
})

export const HOME_NODE = node('node1', {
  ips: ['192.0.2.11', '2001:db8::11'],
  zone: 'a',
  podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
})

/** The world as the API has it. */
export const clusterOf = ({ family, services }: World): Cluster =>
  smallCluster({
    nodes: [HOME_NODE, node('node2', { ips: ['192.0.2.12', '2001:db8::12'], zone: 'b' })],
    services: services.map((one) =>
      service(`s${one.number}`, {
        type: one.type,
        ports: [{ port: SERVICE_PORT, protocol: one.protocol, nodePort: one.hasNodePort ? nodePort(one) : 0 }],
        labels: one.ofOtherProxy ? { 'service.kubernetes.io/service-proxy-name': 'other' } : {},
        externalTrafficPolicy: one.externalLocal ? 'Local' : 'Cluster',
        internalTrafficPolicy: one.internalLocal ? 'Local' : 'Cluster',
        sessionAffinity: one.affinity ? 'ClientIP' : 'None',
        sourceRanges: one.sourceRanges.map((range) => formatPrefix(rangePrefix(family, range))),
        clusterIPs: [formatIp(clusterIP(family, one))],
        externalIPs: one.hasExternalIP ? [formatIp(externalIP(family, one))] : [],
        vips: one.type === 'LoadBalancer' ? [formatIp(balancerIP(family, one))] : [],
      }),
    ),
    slices: services.map((one) => ({
      ...slice({
        of: `s${one.number}`,
        ports: [{ port: TARGET_PORT, protocol: one.protocol }],
        addressType: family === 4 ? 'IPv4' : 'IPv6',
        endpoints: [],
      }),
      endpoints: one.endpoints.map((endpoint) => ({
        addresses: [endpointIP(family, one, endpoint)],
        ready: endpoint.ready,
        serving: endpoint.serving,
        terminating: endpoint.terminating,
        nodeName: `node${endpoint.node}`,
        ...(endpoint.hintZone === undefined ? {} : { hintZones: [endpoint.hintZone] }),
      })),
    })),
  })

/** One first packet. */
export interface Flow {
  readonly from: From
  readonly to: To
  readonly service: SomeService
}

/** `self` is the first endpoint of the Service on this node. */
export type From = 'pod' | 'self' | 'node' | 'other pod' | 'near' | 'far'
export type To =
  | 'clusterIP'
  | 'externalIP'
  | 'balancer'
  | 'nodePort'
  | 'nodePort on the bridge'
  | 'nodePort on loopback'
  | 'other port of clusterIP'
  | 'other port of balancer'

const EVERYBODY: readonly From[] = ['pod', 'self', 'node', 'other pod', 'near', 'far']

/** Every flow that makes sense. */
export function flowsOf({ services }: World): readonly Flow[] {
  return services.flatMap((service) =>
    destinations(service).flatMap((to) =>
      EVERYBODY.filter((from) => makesSense({ from, to, service })).map((from) => ({ from, to, service })),
    ),
  )
}

function destinations({ type, hasExternalIP, hasNodePort }: SomeService): readonly To[] {
  return [
    'clusterIP',
    'other port of clusterIP',
    ...(hasExternalIP ? (['externalIP'] as const) : []),
    ...(type === 'LoadBalancer' ? (['balancer', 'other port of balancer'] as const) : []),
    ...(hasNodePort ? (['nodePort', 'nodePort on the bridge', 'nodePort on loopback'] as const) : []),
  ]
}

function makesSense({ from, to, service }: Flow): boolean {
  if (from === 'self' && selfOf(service) === undefined) return false
  return to !== 'nodePort on loopback' || from === 'node'
}

export const selfOf = ({ endpoints }: SomeService): SomeEndpoint | undefined =>
  endpoints.find((endpoint) => endpoint.node === HOME)

/** Undefined where the node chooses it, by the address it calls. */
export function sourceOf({ family }: World, { from, service }: Flow): Ip | undefined {
  const self = selfOf(service)
  switch (from) {
    case 'pod':
      return podIP(family, 1, 200)
    case 'self':
      return self === undefined ? undefined : endpointIP(family, service, self)
    case 'other pod':
      return podIP(family, 2, 200)
    case 'near':
      return nearIP(family)
    case 'far':
      return farIP(family)
    case 'node':
      return undefined
    default:
      return from satisfies never
  }
}

export function destinationOf({ family }: World, { to, service }: Flow): { readonly ip: Ip; readonly port: number } {
  const own = nodePort(service)
  switch (to) {
    case 'clusterIP':
      return { ip: clusterIP(family, service), port: SERVICE_PORT }
    case 'other port of clusterIP':
      return { ip: clusterIP(family, service), port: 81 }
    case 'externalIP':
      return { ip: externalIP(family, service), port: SERVICE_PORT }
    case 'balancer':
      return { ip: balancerIP(family, service), port: SERVICE_PORT }
    case 'other port of balancer':
      return { ip: balancerIP(family, service), port: 81 }
    case 'nodePort':
      return { ip: nodeIP(family), port: own }
    case 'nodePort on the bridge':
      return { ip: bridgeIP(family), port: own }
    case 'nodePort on loopback':
      return { ip: loopback(family), port: own }
    default:
      return to satisfies never
  }
}
