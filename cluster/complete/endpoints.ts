import { formatIp } from '../../packet/ip.ts'
import { isFinished } from '../build-index.ts'
import type { EndpointAddress, EndpointSubset, Endpoints, EndpointsPort, Pod, Service } from '../objects.ts'
import { byText, inKeyOrder } from '../order.ts'
import { labelsMatch } from '../selector.ts'
import { HEADLESS, targetPortOn } from './endpoint-slices.ts'
import { repackSubsets } from './repack-subsets.ts'
import { familyOfIp } from './service-addresses.ts'

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by'
export const ENDPOINTS_CONTROLLER = 'endpoint-controller'

/** Addresses that one Endpoints object holds; what is more is left out (pkg/controller/endpoint, maxCapacity). */
const MAX_ADDRESSES = 1000

/**
 * The Endpoints object that the endpoints controller keeps for a Service with a selector
 * (pkg/controller/endpoint/endpoints_controller.go): the first family alone, no pod that is shutting down unless it is
 * to be published, no address where the pod lacks the port; a pod on a node that does not exist is in it.
 */
export function computeEndpoints(service: Service, pods: readonly Pod[]): Endpoints | undefined {
  const { selector } = service
  if (selector === undefined || service.type === 'ExternalName') return undefined
  const [family] = service.ipFamilies
  const subsets = pods.flatMap((pod): EndpointSubset[] => {
    if (!labelsMatch(selector, pod.meta.labels) || !isListed(pod, service)) return []
    const ip = pod.ips.find((one) => family === undefined || familyOfIp(one) === family)
    if (ip === undefined) return []
    const isReady = service.publishNotReadyAddresses || pod.ready
    const address = { ip, ...fieldsOf(pod, service) }
    const subset = (ports: readonly EndpointsPort[]): EndpointSubset => ({
      addresses: isReady ? [address] : [],
      notReadyAddresses: isReady ? [] : [address],
      ports,
    })
    if (service.ports.length === 0) return service.headless ? [subset([])] : []
    return service.ports.flatMap((port) => {
      const number = targetPortOn(pod, port)
      if (number === undefined) return []
      const { name, protocol, appProtocol } = port
      return [subset([{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }])]
    })
  })
  return {
    kind: 'Endpoints',
    meta: {
      namespace: service.meta.namespace,
      name: service.meta.name,
      labels: labelsOf(service),
      annotations: {},
    },
    assumed: true,
    ...(service.at === undefined ? {} : { at: service.at }),
    subsets: truncated(packed(subsets)),
  }
}

const isListed = (pod: Pod, service: Service): boolean =>
  !isFinished(pod) && (pod.meta.deletionTimestamp === undefined || service.publishNotReadyAddresses)

function fieldsOf(pod: Pod, service: Service): Omit<EndpointAddress, 'ip'> {
  const { hostname, subdomain, nodeName } = pod.spec
  return {
    ...(hostname !== '' && subdomain === service.meta.name ? { hostname } : {}),
    ...(nodeName === '' ? {} : { nodeName }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.meta.namespace,
      name: pod.meta.name,
      ...(pod.meta.uid === undefined ? {} : { uid: pod.meta.uid }),
    },
  }
}

function labelsOf({ meta, headless }: Service): Endpoints['meta']['labels'] {
  const { [HEADLESS]: _, ...labels } = meta.labels
  return inKeyOrder({ ...labels, ...(headless ? { [HEADLESS]: '' } : {}), [MANAGED_BY]: ENDPOINTS_CONTROLLER })
}

/** Addresses are listed in the order of their text. */
function packed(subsets: readonly EndpointSubset[]): EndpointSubset[] {
  const owner = ({ targetRef }: EndpointAddress): string => targetRef?.name ?? ''
  const found = repackSubsets(subsets, { owner, written: false }).map(({ ports, addresses }) => {
    const listed = (ready: boolean) =>
      addresses
        .filter((one) => one.ready === ready)
        .map(({ address }) => address)
        .sort(
          (x, y) => byText(formatIp(x.ip), formatIp(y.ip)) || byText(x.targetRef?.name ?? '', y.targetRef?.name ?? ''),
        )
    return { addresses: listed(true), notReadyAddresses: listed(false), ports }
  })
  return found.sort((x, y) => byText(JSON.stringify(x.ports), JSON.stringify(y.ports)))
}

/** Ready addresses are kept first. */
function truncated(subsets: readonly EndpointSubset[]): EndpointSubset[] {
  let room = MAX_ADDRESSES
  const cut = (addresses: readonly EndpointAddress[]): readonly EndpointAddress[] => {
    const kept = addresses.slice(0, room)
    room -= kept.length
    return kept
  }
  const ready = subsets.map(({ addresses }) => cut(addresses))
  return subsets
    .map((subset, i) => ({ ...subset, addresses: ready[i] ?? [], notReadyAddresses: cut(subset.notReadyAddresses) }))
    .filter(({ addresses, notReadyAddresses }) => addresses.length + notReadyAddresses.length > 0)
}
