import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import type { Cluster } from '../cluster.ts'
import { load } from '../load.ts'
import type { Endpoint } from '../objects.ts'

/**
 * The rules of the slice and Endpoints controllers as sentences, held against clusters that nobody has seen. What is
 * expected is worked out here from the raw objects, pod by pod, in another way than the code does it.
 */

interface RandomPod {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly node: string
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  readonly ready: boolean
  readonly deleted: boolean
  readonly families: readonly (4 | 6)[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number; readonly protocol: string }[]
  readonly hostname: string
  readonly subdomain: string
}

interface RandomService {
  readonly selector: Readonly<Record<string, string>>
  readonly publish: boolean
  readonly ports: readonly {
    readonly name: string
    readonly port: number
    readonly protocol: string
    readonly targetPort: string | number
  }[]
  readonly policy: 'SingleStack' | 'PreferDualStack'
  readonly first: 'IPv4' | 'IPv6'
  readonly distribution: string | undefined
  readonly headless: boolean
}

const LABELS = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2 })
const PROTOCOL = fc.constantFrom('TCP', 'UDP')
const PORT_NAME = fc.constantFrom('http', 'dns')

const pods = fc
  .array(
    fc.record({
      labels: LABELS,
      node: fc.constantFrom('n1', 'n2', 'n3', 'gone', ''),
      phase: fc.constantFrom('Pending', 'Running', 'Running', 'Running', 'Succeeded', 'Failed'),
      ready: fc.boolean(),
      deleted: fc.boolean(),
      families: fc.subarray([4, 6] as (4 | 6)[]),
      ports: fc.array(fc.record({ name: PORT_NAME, containerPort: fc.constantFrom(53, 8080), protocol: PROTOCOL }), {
        maxLength: 2,
      }),
      hostname: fc.constantFrom('', 'h'),
      subdomain: fc.constantFrom('', 's', 'other'),
    }),
    { maxLength: 12 },
  )
  .map((list) => list.map((pod, i): RandomPod => ({ ...pod, name: `p${String(i).padStart(3, '0')}` }) as RandomPod))

const service: fc.Arbitrary<RandomService> = fc.record({
  selector: fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), { minKeys: 1, maxKeys: 2 }),
  publish: fc.boolean(),
  ports: fc
    .uniqueArray(
      fc.record({
        port: fc.constantFrom(53, 80),
        protocol: PROTOCOL,
        targetPort: fc.constantFrom<string | number>('http', 'dns', 8080, 53),
      }),
      { selector: ({ port, protocol }) => `${port}/${protocol}`, minLength: 1, maxLength: 3 },
    )
    .map((list) => list.map((port, i) => ({ ...port, name: list.length === 1 ? '' : `port${i}` }))),
  policy: fc.constantFrom('SingleStack', 'PreferDualStack'),
  first: fc.constantFrom('IPv4', 'IPv6'),
  distribution: fc.constantFrom(undefined, 'PreferClose', 'PreferSameNode'),
  headless: fc.boolean(),
})

const ZONES: Readonly<Record<string, string>> = { n1: 'z1', n2: 'z2', n3: '' }
const addressOf = (family: 4 | 6, i: number): string =>
  family === 4 ? `10.244.0.${i + 10}` : `fd00:10:244::${(i + 10).toString(16)}`

function objectsOf(given: readonly RandomPod[], of: RandomService): unknown[] {
  const nodes = Object.entries(ZONES).map(([name, zone], i) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, labels: zone === '' ? {} : { 'topology.kubernetes.io/zone': zone } },
    status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${i + 1}` }] },
  }))
  const ranges = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/16', 'fd00:96::/112'] },
  }
  return [
    ...nodes,
    ranges,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default' },
      spec: {
        selector: of.selector,
        ports: of.ports,
        publishNotReadyAddresses: of.publish,
        ipFamilyPolicy: of.policy,
        ipFamilies: [of.first],
        ...(of.distribution === undefined ? {} : { trafficDistribution: of.distribution }),
        ...(of.headless ? { clusterIP: 'None' } : {}),
      },
    },
    ...given.map((pod, i) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: pod.name,
        namespace: 'default',
        uid: pod.name,
        labels: pod.labels,
        ...(pod.deleted ? { deletionTimestamp: '2030-01-01T00:00:00Z' } : {}),
      },
      spec: {
        nodeName: pod.node,
        hostname: pod.hostname,
        subdomain: pod.subdomain,
        containers: [{ name: 'c', ports: pod.ports }],
      },
      status: {
        phase: pod.phase,
        conditions: [{ type: 'Ready', status: pod.ready ? 'True' : 'False' }],
        podIPs: pod.families.map((family) => ({ ip: addressOf(family, i) })),
      },
    })),
  ]
}

const clusterOf = (objects: readonly unknown[]): Cluster =>
  load([
    {
      name: 'in.json',
      bytes: new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })),
    },
  ]).cluster

const isSelected = (pod: RandomPod, of: RandomService): boolean =>
  Object.entries(of.selector).every(([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value)

const isAlive = (pod: RandomPod): boolean => pod.phase === 'Pending' || pod.phase === 'Running'

/** `name:number/protocol` of the ports that a pod offers a Service. */
function offered(pod: RandomPod, of: RandomService): string[] {
  return of.ports
    .flatMap(({ name, protocol, targetPort }) => {
      const number =
        typeof targetPort === 'number'
          ? targetPort
          : pod.ports.find((port) => port.name === targetPort && port.protocol === protocol)?.containerPort
      return number === undefined ? [] : [`${name}:${number}/${protocol}`]
    })
    .sort()
}

interface Entry {
  readonly pod: string
  readonly family: string
  readonly ports: readonly string[]
  readonly endpoint: Endpoint
}

const entriesOf = (cluster: Cluster): Entry[] =>
  (cluster.index.slicesOfService.get('default/s') ?? []).flatMap((slice) =>
    slice.endpoints.map((endpoint) => ({
      pod: endpoint.targetRef?.name ?? '',
      family: slice.addressType,
      ports: slice.ports.map(({ name, port, protocol }) => `${name}:${port}/${protocol}`).sort(),
      endpoint,
    })),
  )

const holds = (
  rule: (given: {
    pods: readonly RandomPod[]
    service: RandomService
    cluster: Cluster
    entries: readonly Entry[]
  }) => void,
): void =>
  fc.assert(
    fc.property(pods, service, (given, of) => {
      const cluster = clusterOf(objectsOf(given, of))
      rule({ pods: given, service: of, cluster, entries: entriesOf(cluster) })
    }),
    { numRuns: 100, seed: 4 },
  )

const familiesOf = ({ policy, first }: RandomService): string[] =>
  policy === 'SingleStack' ? [first] : [first, first === 'IPv4' ? 'IPv6' : 'IPv4']

describe('of any pods and Service', () => {
  it('each selected living pod with an address of the family is an endpoint there once, and nobody else is', () =>
    holds(({ pods: given, service: of, entries }) => {
      const expected = given.flatMap((pod) =>
        familiesOf(of).flatMap((family) => {
          const has = pod.families.includes(family === 'IPv4' ? 4 : 6)
          const placed = of.publish || pod.node in ZONES
          return isSelected(pod, of) && isAlive(pod) && has && placed ? [`${family} ${pod.name}`] : []
        }),
      )
      expect(entries.map(({ family, pod }) => `${family} ${pod}`).sort()).toEqual(expected.sort())
    }))

  it('it stands in the slice of the ports that it offers', () =>
    holds(({ pods: given, service: of, entries }) => {
      for (const { pod, ports } of entries) expect(ports).toEqual(offered(given.find(({ name }) => name === pod)!, of))
    }))

  it('there is one slice for each set of ports and family, or one without anything', () =>
    holds(({ service: of, cluster }) => {
      const slices = cluster.index.slicesOfService.get('default/s') ?? []
      for (const family of familiesOf(of)) {
        const own = slices.filter(({ addressType }) => addressType === family)
        const sets = own.map(({ ports }) => JSON.stringify(ports))
        expect(new Set(sets).size).toBe(sets.length)
        expect(own.length).toBeGreaterThan(0)
        if (own.length > 1) for (const { endpoints } of own) expect(endpoints.length).toBeGreaterThan(0)
      }
    }))

  it('its conditions follow readiness, deletion and publishing', () =>
    holds(({ pods: given, service: of, entries }) => {
      for (const { pod, endpoint } of entries) {
        const { ready, deleted } = given.find(({ name }) => name === pod)!
        expect([endpoint.ready, endpoint.serving, endpoint.terminating]).toEqual([
          of.publish || (ready && !deleted),
          ready,
          deleted,
        ])
      }
    }))

  it('it has its node, its zone, and a hostname under its own Service alone', () =>
    holds(({ pods: given, entries }) => {
      for (const { pod, endpoint } of entries) {
        const { node, hostname, subdomain } = given.find(({ name }) => name === pod)!
        expect(endpoint.nodeName ?? '').toBe(node)
        expect(endpoint.zone ?? '').toBe(ZONES[node] ?? '')
        expect(endpoint.hostname ?? '').toBe(subdomain === 's' ? hostname : '')
      }
    }))

  it('hints are on ready endpoints only, and name their own zone and node', () =>
    holds(({ service: of, entries }) => {
      for (const { endpoint } of entries) {
        const wanted = endpoint.ready && of.distribution !== undefined
        expect(endpoint.hintZones).toEqual(wanted && endpoint.zone !== undefined ? [endpoint.zone] : undefined)
        const node = wanted && of.distribution === 'PreferSameNode' && endpoint.nodeName !== undefined
        expect(endpoint.hintNodes).toEqual(node ? [endpoint.nodeName] : undefined)
      }
    }))

  it('Endpoints list, port by port, the living pods of the first family that have the port', () =>
    holds(({ pods: given, service: of, cluster }) => {
      const listed = cluster.endpoints
        .find(({ meta }) => meta.name === 's')!
        .subsets.flatMap((subset) =>
          subset.ports.flatMap(({ name, port, protocol }) => [
            ...subset.addresses.map(({ ip }) => `${formatIp(ip)} ${name}:${port}/${protocol} ready`),
            ...subset.notReadyAddresses.map(({ ip }) => `${formatIp(ip)} ${name}:${port}/${protocol} not ready`),
          ]),
        )
      const family = of.first === 'IPv4' ? 4 : 6
      const expected = given.flatMap((pod, i) =>
        isSelected(pod, of) && isAlive(pod) && pod.families.includes(family) && (of.publish || !pod.deleted)
          ? offered(pod, of).map(
              (port) => `${addressOf(family, i)} ${port} ${of.publish || pod.ready ? 'ready' : 'not ready'}`,
            )
          : [],
      )
      expect(listed.sort()).toEqual(expected.sort())
    }))

  it('the order of the objects does not matter', () =>
    fc.assert(
      fc.property(pods, service, fc.integer({ min: 1, max: 1000 }), (given, of, turn) => {
        const objects = objectsOf(given, of)
        const at = turn % objects.length
        const turned = [...objects.slice(at), ...objects.slice(0, at)].reverse()
        const text = (cluster: Cluster) =>
          JSON.stringify([cluster.endpointSlices, cluster.endpoints, cluster.services], (key, value) =>
            key === 'at' ? undefined : value,
          )
        expect(text(clusterOf(turned))).toBe(text(clusterOf(objects)))
      }),
      { numRuns: 100, seed: 4 },
    ))
})
