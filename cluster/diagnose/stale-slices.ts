import { formatIp, type Ip, ipKey } from '../../packet/ip.ts'
import { contains } from '../../packet/prefix.ts'
import { isFinished } from '../build-index.ts'
import { keyOf } from '../cluster.ts'
import { computeSlices, MANAGED_BY, SLICE_CONTROLLER } from '../complete/endpoint-slices.ts'
import { hintsOf } from '../complete/hints.ts'
import { MIRRORING_CONTROLLER } from '../complete/mirrored-slices.ts'
import { inSliceOrder } from '../complete/port-order.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Labels, Service } from '../objects.ts'
import { labelsMatch } from '../selector.ts'
import type { Diagnostic } from '../source.ts'
import { type DiagnoseContext, nameOf, noteOf, placeOf } from './context.ts'

/**
 * Recorded slices against what the controllers would make of the recorded pods. The recorded ones are used, since
 * kube-proxy and CoreDNS use them; each difference is told.
 */
export function staleSlices(context: DiagnoseContext): Diagnostic[] {
  const { cluster } = context
  const hints = hintsOf(cluster.nodes)
  const recordedPods = cluster.pods.some(({ assumed }) => !assumed)
  return cluster.services.flatMap((service) => {
    const slices = (cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []).filter(({ assumed }) => !assumed)
    if (slices.length === 0) return []
    const left = leftBehind(context, service, slices)
    if (left !== undefined) return [left]
    if (!recordedPods) return []
    const controlled = slices.filter(({ meta }) => meta.labels[MANAGED_BY] === SLICE_CONTROLLER)
    const byHand = slices.filter((slice) => !controlled.includes(slice))
    const strays = byHand.flatMap((slice) => straysOf(context, slice))
    if (service.selector === undefined || controlled.length === 0) return strays
    const pods = context.selected(service.meta.namespace, service.selector)
    const expected = computeSlices(service, { pods, node: cluster.index.node, hints })
    return [...strays, ...differences(context, { service, recorded: controlled, expected })]
  })
}

/** Slices that no controller looks after any more: the selector was taken away, or the Service became a name. */
function leftBehind(
  context: DiagnoseContext,
  service: Service,
  slices: readonly EndpointSlice[],
): Diagnostic | undefined {
  if (service.selector !== undefined && service.type !== 'ExternalName') return undefined
  const old = slices.find(({ meta }) => meta.labels[MANAGED_BY] === SLICE_CONTROLLER)
  if (old === undefined) return undefined
  const mirrored = slices.find(({ meta }) => meta.labels[MANAGED_BY] === MIRRORING_CONTROLLER)
  const why = service.type === 'ExternalName' ? 'became an ExternalName' : 'lost its selector'
  return {
    severity: 'warning',
    code: 'slice-left-behind',
    message: `${nameOf(old)} is left from before ${nameOf(service)} ${why}; nobody updates it${mirrored === undefined ? '' : ', and its backends are there twice'}`,
    ...placeOf(context, old),
    notes: [
      noteOf(context, service, `${nameOf(service)} stands here`),
      ...(mirrored === undefined ? [] : [noteOf(context, mirrored, `${nameOf(mirrored)} has them again`)]),
    ],
    object: nameOf(old),
    suggestion: `kubectl delete endpointslice -n ${old.meta.namespace} ${old.meta.name}`,
  }
}

/** Endpoints by hand that point at a pod that is not there, or into the pod network where no pod is. */
function straysOf(context: DiagnoseContext, slice: EndpointSlice): Diagnostic[] {
  const { cluster } = context
  return slice.endpoints.flatMap((endpoint, i) => {
    const { targetRef } = endpoint
    const [ip] = endpoint.addresses
    if (ip === undefined || podOf(context, slice, endpoint) !== undefined) return []
    if (targetRef?.kind === 'Pod') return [withoutPod(context, { slice, endpoint, i, ip })]
    const inNetwork = [...cluster.facts.podCIDRs, ...cluster.nodes.flatMap(({ podCIDRs }) => podCIDRs)].some((range) =>
      contains(range, ip),
    )
    const isNode = cluster.nodes.some(({ internalIPs }) => internalIPs.some((own) => ipKey(own) === ipKey(ip)))
    if (!inNetwork || isNode || cluster.index.podByIp.has(ipKey(ip))) return []
    return [withoutPod(context, { slice, endpoint, i, ip })]
  })
}

interface Stray {
  readonly slice: EndpointSlice
  readonly endpoint: Endpoint
  readonly i: number
  readonly ip: Ip
}

function withoutPod(context: DiagnoseContext, { slice, endpoint, i, ip }: Stray): Diagnostic {
  const { targetRef } = endpoint
  const owner = context.cluster.index.podByIp.get(ipKey(ip))
  const who = targetRef?.kind === 'Pod' ? `is for Pod ${targetRef.name}, which does not exist` : "is no pod's address"
  return {
    severity: owner === undefined ? 'error' : 'warning',
    code: 'endpoint-without-pod',
    message: `${nameOf(slice)}: endpoint ${formatIp(ip)} ${who}${owner === undefined ? '' : `; ${nameOf(owner)} has the address now`}`,
    ...placeOf(context, slice, ['endpoints', i]),
    ...(owner === undefined ? {} : { notes: [noteOf(context, owner, `${nameOf(owner)} has ${formatIp(ip)}`)] }),
    object: nameOf(slice),
    suggestion: 'take the endpoint out, or look whether the snapshot lacks the pod (kubectl get pods -A -o yaml)',
  }
}

/** The pod that an endpoint points at. */
function podOf({ cluster }: DiagnoseContext, slice: EndpointSlice, { targetRef }: Endpoint) {
  return targetRef?.kind === 'Pod'
    ? cluster.index.pod.get(`${targetRef.namespace || slice.meta.namespace}/${targetRef.name}`)
    : undefined
}

interface Entry {
  readonly slice: EndpointSlice
  readonly endpoint: Endpoint
  readonly i: number
  readonly ip: Ip
}

const entriesOf = (slices: readonly EndpointSlice[]): Map<string, Entry> =>
  new Map(
    slices.flatMap((slice) =>
      slice.endpoints.flatMap((endpoint, i): [string, Entry][] => {
        const [ip] = endpoint.addresses
        return ip === undefined
          ? []
          : [[`${endpoint.targetRef?.name ?? ''} ${formatIp(ip)}`, { slice, endpoint, i, ip }]]
      }),
    ),
  )

function differences(
  context: DiagnoseContext,
  of: { service: Service; recorded: readonly EndpointSlice[]; expected: readonly EndpointSlice[] },
): Diagnostic[] {
  const { service } = of
  const [recorded, expected] = [entriesOf(of.recorded), entriesOf(of.expected)]
  const found: Diagnostic[] = []
  for (const [key, entry] of recorded) {
    const other = expected.get(key)
    if (other === undefined) found.push(tooMuch(context, service, entry))
    else {
      const why = difference(entry, other)
      if (why !== undefined) found.push(stale(context, entry, why))
    }
  }
  for (const [key, { endpoint, ip }] of expected) {
    if (recorded.has(key)) continue
    const pod = podOf(context, of.expected[0] ?? entryless, endpoint)
    found.push({
      severity: 'warning',
      code: 'slice-stale',
      message: `${nameOf(service)}: no slice has Pod ${endpoint.targetRef?.name ?? ''} with ${formatIp(ip)}, which it selects`,
      ...placeOf(context, service),
      ...(pod === undefined ? {} : { notes: [noteOf(context, pod, `${nameOf(pod)} stands here`)] }),
      object: nameOf(service),
      suggestion: STALE,
    })
  }
  return found
}

const entryless = { meta: { namespace: '' } } as EndpointSlice

const STALE =
  'the snapshot was taken between two moments, or the controller is behind: take it again, and look at kube-controller-manager if it stays'

function tooMuch(context: DiagnoseContext, service: Service, entry: Entry): Diagnostic {
  const pod = podOf(context, entry.slice, entry.endpoint)
  if (pod === undefined) return withoutPod(context, entry)
  const why = isFinished(pod)
    ? `${nameOf(pod)} has ${pod.phase.toLowerCase()}`
    : !labelsMatch(service.selector as Labels, pod.meta.labels)
      ? `${nameOf(pod)} is not selected any more`
      : pod.ips.some((ip) => ipKey(ip) === ipKey(entry.ip))
        ? `node ${pod.spec.nodeName} of ${nameOf(pod)} is not in the input`
        : `${nameOf(pod)} has ${pod.ips.map(formatIp).join(' and ') || 'no address'}`
  return stale(context, entry, why)
}

/** What a recorded endpoint says otherwise than the pod would make it. */
function difference(recorded: Entry, expected: Entry): string | undefined {
  const [x, y] = [recorded.endpoint, expected.endpoint]
  if (x.ready !== y.ready) return `it is ${ready(x)}, and by its pod it would be ${ready(y)}`
  if (x.terminating !== y.terminating)
    return x.terminating ? 'it is terminating, and its pod is not' : 'its pod is terminating'
  if (x.nodeName !== y.nodeName) return `it is on node ${x.nodeName ?? 'none'}, and its pod on ${y.nodeName ?? 'none'}`
  const [ports, others] = [portText(recorded.slice.ports), portText(expected.slice.ports)]
  return ports === others ? undefined : `its ports are ${ports}, and by Service and pod they would be ${others}`
}

const ready = (endpoint: Endpoint): string => (endpoint.ready ? 'ready' : 'not ready')

const portText = (ports: readonly EndpointPort[]): string =>
  ports.length === 0
    ? 'none'
    : inSliceOrder(ports)
        .map(
          ({ name, port, protocol }) =>
            `${name === '' || name === undefined ? '' : `${name}:`}${port ?? 'all'}/${protocol}`,
        )
        .join(', ')

function stale(context: DiagnoseContext, { slice, i, ip }: Entry, why: string): Diagnostic {
  return {
    severity: 'warning',
    code: 'slice-stale',
    message: `${nameOf(slice)} does not agree with its pods at ${formatIp(ip)}: ${why}`,
    ...placeOf(context, slice, ['endpoints', i]),
    object: nameOf(slice),
    suggestion: STALE,
  }
}
