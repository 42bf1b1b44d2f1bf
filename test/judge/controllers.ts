import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SourceFile } from '../../cluster/input/item.ts'
import { load } from '../../cluster/load.ts'
import type {
  Endpoint,
  EndpointAddress,
  EndpointPort,
  EndpointSlice,
  Endpoints,
  Service,
} from '../../cluster/objects.ts'
import { formatIp } from '../../packet/ip.ts'
import type { Judge } from './judge.ts'

interface RawObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** One recorded case: manifests as applied, pods as stored. */
export interface ControllersCase {
  readonly name: string
  readonly namespace: string
  readonly cluster: string
  readonly applied: readonly RawObject[]
  /** What was done after everything had settled. `pods` hold its outcome already. */
  readonly then?: { readonly patch?: Readonly<Record<string, unknown>> }
  readonly pods?: readonly RawObject[]
}

export interface ControllersFile {
  readonly clusters: Readonly<
    Record<string, { readonly nodes: readonly RawObject[]; readonly serviceCIDRs: readonly string[] }>
  >
  readonly cases: readonly ControllersCase[]
}

/** Replays controllers.json: what the loader makes of each case's manifests, in the form of the recorded objects. */
export const controllersJudge: Judge = ({ cases, out }) => {
  const file = JSON.parse(readFileSync(join(cases, 'controllers.json'), 'utf8')) as ControllersFile
  mkdirSync(out, { recursive: true })
  const results = { cases: file.cases.map((one) => replayControllers(file, one)) }
  writeFileSync(join(out, 'controllers.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  return { written: file.cases.length, skipped: [] }
}

export function replayControllers(file: ControllersFile, one: ControllersCase): Record<string, unknown> {
  const before =
    one.then?.patch === undefined ? undefined : load(itemsOf(file, one, 'before'), { refused: 'drop' }).cluster
  const { cluster: loaded, diagnostics } = load(itemsOf(file, one, 'after'), {
    refused: 'drop',
    ...(before === undefined ? {} : { before }),
  })
  const isOwn = ({ meta }: { readonly meta: { readonly namespace: string } }) => meta.namespace === one.namespace
  const refused = new Set(
    diagnostics.flatMap(({ refused, object }) => (refused && object !== undefined ? [object] : [])),
  )
  const given = new Map(one.applied.map((object) => [`${object.kind} ${object.metadata.name}`, object]))
  return {
    name: one.name,
    services: loaded.services
      .filter(isOwn)
      .map((service) => ({ metadata: { name: service.meta.name }, spec: serviceSpec(service) })),
    endpointSlices: loaded.endpointSlices
      .filter(isOwn)
      .map((slice) => sliceObject(slice, given.get(`EndpointSlice ${slice.meta.name}`))),
    endpoints: loaded.endpoints.filter(isOwn).map(endpointsObject),
    namespaceLabels: loaded.index.namespace.get(one.namespace)?.meta.labels,
    refused: [...refused].map((object) => {
      const [kind = '', name = ''] = object.split(' ')
      const messages = diagnostics.filter((one) => one.refused && one.object === object).map(({ message }) => message)
      return { kind, name: name.split('/').at(-1), messages }
    }),
  }
}

/** What was given to the API server, before or after the change of a case with a history. */
function itemsOf(file: ControllersFile, one: ControllersCase, when: 'before' | 'after'): SourceFile[] {
  const cluster = file.clusters[one.cluster]
  const inNamespace = (object: RawObject) => ({ ...object, metadata: { namespace: one.namespace, ...object.metadata } })
  const items = [
    ...(cluster?.nodes ?? []),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: one.namespace } },
    ...serviceCIDRs(cluster?.serviceCIDRs ?? []),
    ...one.applied.map((object) => inNamespace(when === 'before' ? object : patched(object, one))),
    ...(one.pods ?? []),
  ]
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
  return [{ name: `${one.name}.json`, bytes: new TextEncoder().encode(text) }]
}

const serviceCIDRs = (cidrs: readonly string[]): unknown[] => [
  { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' }, spec: { cidrs } },
]

/** A Service's spec as the API server stores it: each type has its own set of fields. */
function serviceSpec(service: Service): Record<string, unknown> {
  const external = service.type === 'ExternalName'
  const reachable = service.type === 'NodePort' || service.type === 'LoadBalancer'
  const clusterIPs = service.headless ? ['None'] : service.clusterIPs.map(formatIp)
  return {
    type: service.type,
    sessionAffinity: service.sessionAffinity,
    ...(service.selector === undefined ? {} : { selector: service.selector }),
    ...(service.ports.length === 0 ? {} : { ports: service.ports.map(servicePort) }),
    ...(external
      ? { externalName: service.externalName }
      : {
          clusterIP: clusterIPs[0],
          clusterIPs,
          ipFamilies: service.ipFamilies,
          ipFamilyPolicy: service.ipFamilyPolicy,
          internalTrafficPolicy: service.internalTrafficPolicy,
        }),
    ...(service.externalIPs.length === 0 ? {} : { externalIPs: service.externalIPs.map(formatIp) }),
    ...(reachable || (!external && service.externalIPs.length > 0)
      ? { externalTrafficPolicy: service.externalTrafficPolicy }
      : {}),
    ...(service.type === 'LoadBalancer'
      ? { allocateLoadBalancerNodePorts: service.allocateLoadBalancerNodePorts }
      : {}),
    ...(service.healthCheckNodePort === 0 ? {} : { healthCheckNodePort: service.healthCheckNodePort }),
    ...(service.sessionAffinity === 'ClientIP'
      ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: service.sessionAffinityTimeout } } }
      : {}),
    ...(service.publishNotReadyAddresses ? { publishNotReadyAddresses: true } : {}),
    ...(service.trafficDistribution === undefined ? {} : { trafficDistribution: service.trafficDistribution }),
  }
}

const servicePort = (port: Service['ports'][number]): Record<string, unknown> => ({
  ...(port.name === '' ? {} : { name: port.name }),
  port: port.port,
  protocol: port.protocol,
  targetPort: port.targetPort,
  ...(port.nodePort === 0 ? {} : { nodePort: port.nodePort }),
  ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
})

/** A merge patch (RFC 7396) on a Service after the fact: the manifest that a user would have by then. */
function patched(object: RawObject, { then }: ControllersCase): RawObject {
  const patch = object.kind === 'Service' ? then?.patch?.[object.metadata.name] : undefined
  return patch === undefined ? object : (mergePatch(object, patch) as RawObject)
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const merged: Record<string, unknown> = { ...(target as Record<string, unknown>) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}

/** A slice as the API has it. One written by hand keeps its endpoints as they were written. */
function sliceObject(slice: EndpointSlice, written: RawObject | undefined): Record<string, unknown> {
  const mirrored = slice.meta.owner?.kind === 'Endpoints'
  if (written !== undefined) return { ...written, ports: slice.ports.map(slicePort) }
  return {
    addressType: slice.addressType,
    metadata: { name: slice.meta.name, namespace: slice.meta.namespace, labels: slice.meta.labels },
    ports: slice.ports.length === 0 ? null : slice.ports.map(slicePort),
    endpoints:
      slice.endpoints.length === 0 ? null : slice.endpoints.map((endpoint) => sliceEndpoint(endpoint, mirrored)),
  }
}

const slicePort = ({ name, port, protocol, appProtocol }: EndpointPort): Record<string, unknown> => ({
  name,
  port,
  protocol,
  ...(appProtocol === undefined ? {} : { appProtocol }),
})

/** The mirroring controller writes one condition, the slice controller three. */
function sliceEndpoint(endpoint: Endpoint, mirrored: boolean): Record<string, unknown> {
  const { ready, serving, terminating, hostname, nodeName, zone, targetRef, hintZones, hintNodes } = endpoint
  const named = (names: readonly string[]) => names.map((name) => ({ name }))
  return {
    addresses: endpoint.addresses.map(formatIp),
    conditions: mirrored ? { ready } : { ready, serving, terminating },
    hostname,
    nodeName,
    zone,
    ...(hintZones === undefined && hintNodes === undefined
      ? {}
      : {
          hints: {
            ...(hintZones === undefined ? {} : { forZones: named(hintZones) }),
            ...(hintNodes === undefined ? {} : { forNodes: named(hintNodes) }),
          },
        }),
    targetRef,
  }
}

/** An Endpoints object as the API has it: no empty names, no empty lists. */
function endpointsObject({ meta, subsets }: Endpoints): Record<string, unknown> {
  const address = ({ ip, hostname, nodeName, targetRef }: EndpointAddress) => ({
    ip: formatIp(ip),
    hostname,
    nodeName,
    targetRef,
  })
  return {
    metadata: { name: meta.name, namespace: meta.namespace, labels: meta.labels },
    ...(subsets.length === 0
      ? {}
      : {
          subsets: subsets.map(({ addresses, notReadyAddresses, ports }) => ({
            ...(addresses.length === 0 ? {} : { addresses: addresses.map(address) }),
            ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses: notReadyAddresses.map(address) }),
            ...(ports.length === 0
              ? {}
              : { ports: ports.map(({ name, ...port }) => ({ ...(name === '' ? {} : { name }), ...port })) }),
          })),
        }),
  }
}
