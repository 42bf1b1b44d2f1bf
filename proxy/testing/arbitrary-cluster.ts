import fc from 'fast-check'
import type { EndpointSlice, Service } from '../../cluster/objects.ts'
import { type EndpointText, node, type ServiceText, service, slice } from './small-cluster.ts'

/** Random Services on three nodes, small enough that every rule of choice comes up. */

export const NODES = [
  node('node1', { ips: ['192.0.2.11', '2001:db8::11'], zone: 'a', podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] }),
  node('node2', { ips: ['192.0.2.12', '2001:db8::12'], zone: 'a', podCIDRs: ['10.244.2.0/24', 'fd00:10:244:2::/64'] }),
  node('node3', { ips: ['198.51.100.13'], zone: 'b', podCIDRs: ['10.244.3.0/24'] }),
]

export interface Objects {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
}

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP' },
  { name: 'dns', port: 53, protocol: 'UDP' },
  { name: 'sig', port: 53, protocol: 'SCTP' },
] as const

const policy = fc.constantFrom('Cluster' as const, 'Local' as const)

const anyService = (name: string): fc.Arbitrary<ServiceText & { readonly name: string }> =>
  fc
    .record({
      type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
      families: fc.constantFrom([4], [6], [4, 6]),
      ports: fc.subarray([...PORTS], { minLength: 1 }),
      externalTrafficPolicy: policy,
      internalTrafficPolicy: policy,
      sessionAffinity: fc.constantFrom('None' as const, 'ClientIP' as const),
      externalIPs: fc.subarray(['198.51.100.1', '2001:db8:1::1']),
      vips: fc.subarray(['203.0.113.1', '203.0.113.2', '2001:db8:2::1']),
      sourceRanges: fc.subarray(['192.0.2.0/24', '203.0.113.128/25', '2001:db8::/32', '0.0.0.0/0']),
      healthCheckNodePort: fc.constantFrom(0, 31_000),
    })
    .map(({ families, ports, type, vips, ...rest }) => ({
      ...rest,
      name,
      type,
      vips: type === 'LoadBalancer' ? vips : [],
      clusterIPs: families.map((family) => (family === 4 ? `10.96.0.${name.length}` : `fd00:96::${name.length}`)),
      ports: ports.map((port, i) => ({ ...port, nodePort: type === 'ClusterIP' ? 0 : 30_000 + 10 * name.length + i })),
    }))

const anyEndpoint: fc.Arbitrary<Omit<EndpointText, 'ip'> & { readonly last: number }> = fc
  .record({
    last: fc.integer({ min: 1, max: 6 }),
    nodeName: fc.constantFrom('node1', 'node2', 'node3', undefined),
    ready: fc.boolean(),
    serving: fc.boolean(),
    terminating: fc.boolean(),
    hintZones: fc.option(fc.subarray(['a', 'b']), { nil: undefined }),
    hintNodes: fc.option(fc.subarray(['node1', 'node2']), { nil: undefined }),
  })
  .map(({ nodeName, hintZones, hintNodes, ...rest }) => ({
    ...rest,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(hintZones === undefined ? {} : { hintZones }),
    ...(hintNodes === undefined ? {} : { hintNodes }),
  }))

const anySlice = (of: string, name: string): fc.Arbitrary<EndpointSlice> =>
  fc
    .record({ family: fc.constantFrom(4, 6), endpoints: fc.array(anyEndpoint, { maxLength: 4 }) })
    .map(({ family, endpoints }) =>
      slice({
        of,
        name,
        addressType: family === 4 ? 'IPv4' : 'IPv6',
        ports: PORTS.map(({ name, protocol }) => ({ name, protocol, port: 8080 })),
        endpoints: endpoints.map(({ last, ...rest }) => ({
          ...rest,
          ip: family === 4 ? `10.244.1.${last}` : `fd00::${last}`,
        })),
      }),
    )

const anyApplication = (name: string): fc.Arbitrary<Objects> =>
  fc
    .tuple(anyService(name), fc.array(fc.constant(0), { maxLength: 2 }))
    .chain(([{ name: own, ...text }, slices]) =>
      fc
        .tuple(...slices.map((_, i) => anySlice(own, `${own}-${i}`)))
        .map((made) => ({ services: [service(own, text)], slices: made })),
    )

/** Up to three Services, `a`, `bb` and `ccc`, each with up to two slices. */
export const anyObjects: fc.Arbitrary<Objects> = fc
  .subarray(['a', 'bb', 'ccc'])
  .chain((names) => fc.tuple(...names.map(anyApplication)))
  .map((applications) => ({
    services: applications.flatMap((one) => one.services),
    slices: applications.flatMap((one) => one.slices),
  }))
