import { describe, expect, it } from 'vitest'
import type { EndpointSlice, Service } from '../cluster/objects.ts'
import { formatIp, ip } from '../packet/ip.ts'
import { formatPrefix } from '../packet/prefix.ts'
import { serviceMap } from './service-map.ts'
import type { ServicePort } from './service-port.ts'
import { DRAINING, GONE, NOT_READY, type ServiceText, service, slice, smallCluster } from './testing/small-cluster.ts'

const ports = (services: readonly Service[], slices: readonly EndpointSlice[] = [], family: 4 | 6 = 4) =>
  serviceMap(smallCluster({ services, slices }), family, 'v1.36.3').ports

const onlyPort = (text: ServiceText, family: 4 | 6 = 4): ServicePort => ports([service('web', text)], [], family)[0]!

describe('serviceMap: which Services', () => {
  it.each([
    ['a ClusterIP Service', service('a'), 1],
    ['a headless one', service('a', { headless: true, clusterIPs: [] }), 0],
    ['an ExternalName', service('a', { type: 'ExternalName', clusterIPs: [] }), 0],
    ['one of another proxy', service('a', { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }), 0],
    [
      'one of another proxy without a name',
      service('a', { labels: { 'service.kubernetes.io/service-proxy-name': '' } }),
      0,
    ],
    ['one without an address yet', service('a', { clusterIPs: [] }), 0],
    ['one of the other family', service('a', { clusterIPs: ['fd00::1'] }), 0],
    ['every port', service('a', { ports: [{ name: 'x' }, { name: 'y', port: 81 }] }), 2],
  ])('%s', (_, one, count) => {
    expect(ports([one])).toHaveLength(count)
  })

  it('a dual-stack Service has a port in each family', () => {
    const both = service('web', { clusterIPs: ['10.96.0.1', 'fd00::1'] })
    expect(ports([both]).map((port) => formatIp(port.clusterIP))).toEqual(['10.96.0.1'])
    expect(ports([both], [], 6).map((port) => formatIp(port.clusterIP))).toEqual(['fd00::1'])
  })

  it('is sorted by name as bytes, unnamed ports without a colon', () => {
    const named = (names: readonly string[]) => names.map((name) => ({ name }))
    const services = [
      service('default/a-b', { ports: named(['x']) }),
      service('default/a', { ports: named(['b', 'a', 'B']) }),
      service('default/a2'),
      service('b/a'),
    ]
    expect(ports(services).map((port) => port.name)).toEqual([
      'b/a',
      'default/a-b:x',
      'default/a2',
      'default/a:B',
      'default/a:a',
      'default/a:b',
    ])
  })

  it('is made once for a cluster, a family and a behaviour', () => {
    const cluster = smallCluster({ services: [service('a')] })
    expect(serviceMap(cluster, 4, 'v1.36.3')).toBe(serviceMap(cluster, 4, 'v1.36.0'))
    expect(serviceMap(cluster, 4, 'v1.36.3')).not.toBe(serviceMap(cluster, 6, 'v1.36.3'))
    expect(serviceMap(cluster, 4, 'v1.36.3')).not.toBe(serviceMap(cluster, 4, 'v1.32.0'))
  })
})

describe('serviceMap: what a port says', () => {
  const LB: ServiceText = { type: 'LoadBalancer', vips: ['192.0.2.1'] }

  it('external addresses of the family only', () => {
    const text: ServiceText = {
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      externalIPs: ['198.51.100.1', '2001:db8::1'],
      vips: ['192.0.2.1', '2001:db8::2'],
      sourceRanges: ['203.0.113.0/24', '2001:db8::/32'],
    }
    const texts = (port: ServicePort) => [
      port.externalIPs.map(formatIp),
      port.loadBalancerVIPs.map(formatIp),
      port.sourceRanges.map(formatPrefix),
    ]
    expect(texts(onlyPort(text))).toEqual([['198.51.100.1'], ['192.0.2.1'], ['203.0.113.0/24']])
    expect(texts(onlyPort(text, 6))).toEqual([['2001:db8::1'], ['2001:db8::2'], ['2001:db8::/32']])
  })

  it('ingress of mode Proxy or with a host name only is no VIP', () => {
    const port = onlyPort({
      type: 'LoadBalancer',
      loadBalancerIngress: [
        { ip: ip('192.0.2.1'), ipMode: 'VIP' },
        { ip: ip('192.0.2.2'), ipMode: 'Proxy' },
        { hostname: 'lb.example.com', ipMode: 'VIP' },
      ],
    })
    expect(port.loadBalancerVIPs.map(formatIp)).toEqual(['192.0.2.1'])
  })

  it.each([
    ['v1.36.3', ['0.0.0.0/0', '203.0.113.0/24'], []],
    ['v1.36.3', ['::/0', '203.0.113.0/24'], ['203.0.113.0/24']],
    ['v1.33.9', ['0.0.0.0/0', '203.0.113.0/24'], ['0.0.0.0/0', '203.0.113.0/24']],
  ])('%s with source ranges %j keeps %j', (version, sourceRanges, kept) => {
    const cluster = smallCluster({ services: [service('web', { ...LB, sourceRanges })] })
    expect(serviceMap(cluster, 4, version).ports[0]!.sourceRanges.map(formatPrefix)).toEqual(kept)
  })

  it.each([
    ['LoadBalancer', { ...LB, healthCheckNodePort: 30100, externalTrafficPolicy: 'Local' }, true, 30100],
    ['LoadBalancer with policy Cluster', { ...LB, healthCheckNodePort: 30100 }, false, 0],
    ['NodePort', { type: 'NodePort', healthCheckNodePort: 30100, externalTrafficPolicy: 'Local' }, true, 0],
    ['ClusterIP with external IPs', { externalIPs: ['192.0.2.9'], externalTrafficPolicy: 'Local' }, true, 0],
    ['plain ClusterIP', { externalTrafficPolicy: 'Local' }, false, 0],
  ] as const)('externalTrafficPolicy and health check port of a %s', (_, text, local, healthCheck) => {
    const port = onlyPort(text)
    expect([port.externalPolicyLocal, port.healthCheckNodePort]).toEqual([local, healthCheck])
  })

  it('affinity is the timeout, and none without ClientIP', () => {
    expect(onlyPort({ sessionAffinity: 'ClientIP', sessionAffinityTimeout: 60 }).affinity).toBe(60)
    expect(onlyPort({ sessionAffinityTimeout: 60 }).affinity).toBeUndefined()
  })
})

describe('serviceMap: endpoints', () => {
  const endpointsOf = (slices: readonly EndpointSlice[], text: ServiceText = {}, family: 4 | 6 = 4) =>
    ports([service('web', text)], slices, family)[0]!.endpoints.map((endpoint) => endpoint.text)

  it('are sorted as text', () => {
    const slices = [slice({ of: 'web', endpoints: ['10.0.0.2', '10.0.0.10', '10.0.0.1'] })]
    expect(endpointsOf(slices)).toEqual(['10.0.0.10:8080', '10.0.0.1:8080', '10.0.0.2:8080'])
  })

  it('of IPv6 have brackets', () => {
    const slices = [slice({ of: 'web', endpoints: ['fd00::2'] })]
    expect(endpointsOf(slices, { clusterIPs: ['fd00::1'] }, 6)).toEqual(['[fd00::2]:8080'])
    expect(endpointsOf(slices)).toEqual([])
  })

  it.each([
    ['with another port name', { ports: [{ name: 'http' }] }, []],
    ['of another protocol', { ports: [{ protocol: 'UDP' }] }, []],
    ['without a port name', { ports: [{ name: undefined }] }, []],
    ['without a port number', { ports: [{ port: undefined }] }, []],
    ['with port 0', { ports: [{ port: 0 }] }, []],
    ['of host names', { addressType: 'FQDN' }, []],
    ['of a headless Service', { labels: { 'service.kubernetes.io/headless': '' } }, []],
    ['of another Service', { of: 'other' }, []],
    ['of another namespace', { of: 'prod/web' }, []],
    ['of this port', {}, ['10.0.0.1:8080']],
  ] as const)('come from a slice %s', (_, text, expected) => {
    expect(endpointsOf([slice({ of: 'web', endpoints: ['10.0.0.1'], ...text })])).toEqual(expected)
  })

  it('take only the first address', () => {
    const base = slice({ of: 'web', endpoints: ['10.0.0.1'] })
    const two = {
      ...base,
      endpoints: base.endpoints.map((one) => ({ ...one, addresses: [ip('10.0.0.1'), ip('10.0.0.2')] })),
    }
    const none = { ...base, endpoints: base.endpoints.map((one) => ({ ...one, addresses: [] })) }
    expect(endpointsOf([two])).toEqual(['10.0.0.1:8080'])
    expect(endpointsOf([none])).toEqual([])
  })

  it.each([
    ['the later one', [{}, NOT_READY], false],
    ['the later one', [NOT_READY, {}], true],
    ['the one that is not terminating, first', [{}, DRAINING], true],
    ['the one that is not terminating, last', [GONE, {}], true],
  ])('in two slices count once: %s', (_, conditions, ready) => {
    const slices = conditions.map((condition, i) =>
      slice({ of: 'web', name: `web-${i}`, endpoints: [{ ip: '10.0.0.1', ...condition }] }),
    )
    const [port] = ports([service('web')], slices)
    expect(port!.endpoints.map((endpoint) => endpoint.ready)).toEqual([ready])
  })

  it('are counted over all ports, ready or not', () => {
    const cluster = smallCluster({
      services: [service('a', { ports: [{ name: 'x' }, { name: 'y' }] })],
      slices: [
        slice({
          of: 'a',
          ports: [{ name: 'x' }, { name: 'y' }],
          endpoints: ['10.0.0.1', { ip: '10.0.0.2', ...NOT_READY }],
        }),
      ],
    })
    expect(serviceMap(cluster, 4, 'v1.36.3').totalEndpoints).toBe(4)
    expect(serviceMap(cluster, 6, 'v1.36.3').totalEndpoints).toBe(0)
  })
})
