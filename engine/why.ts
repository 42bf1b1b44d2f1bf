import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { formatLocation } from '../cluster/source.ts'
import { formatIp } from '../packet/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import { contains } from '../packet/prefix.ts'
import type { Exchange } from './conversation.ts'
import { servicesAt } from './service-addresses.ts'

/** A reason beyond the packets: what about the cluster's objects made it so. */
export interface Why {
  readonly code: 'virtual-address' | 'no-endpoints' | 'unready-endpoints' | 'stale-flow'
  readonly text: string
}

/** Reasons for a question that did not get through, from the Service it went to. */
export function whyOf(cluster: Cluster, { request, outcome }: Exchange): readonly Why[] {
  if (request === undefined || outcome.kind === 'connected' || outcome.kind === 'answered') return []
  const { dst } = request.sent
  const [service] = servicesAt(cluster, dst)
  if (request.disposition.kind === 'leftCluster') return virtualAddress(cluster, request.sent, service)
  if (service === undefined || (request.disposition.kind !== 'rejected' && request.disposition.kind !== 'dropped'))
    return []
  return endpointsOf(cluster, service)
}

/** A Service address is on no interface: without a rule for the port a packet is routed like any other, to nowhere. */
function virtualAddress(cluster: Cluster, { dst, payload }: IpPacket, service: Service | undefined): readonly Why[] {
  if (service === undefined) {
    const inRange = cluster.facts.serviceCIDRs.some((prefix) => contains(prefix, dst))
    return inRange
      ? [
          {
            code: 'virtual-address',
            text: `${formatIp(dst)} is in the range of Service addresses, and no Service has it`,
          },
        ]
      : []
  }
  const offered = service.ports.map((port) => `${port.port}/${port.protocol}`).join(', ')
  const asked = payload.kind === 'icmp' ? 'a ping' : 'this port'
  return [
    {
      code: 'virtual-address',
      text: `${formatIp(dst)} is the virtual address of Service ${named(service)}: it is on no interface, only ${offered || 'no port'} has rules, and ${asked} is routed away to where nobody has it`,
    },
  ]
}

function endpointsOf(cluster: Cluster, service: Service): readonly Why[] {
  const slices = cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []
  const endpoints = slices.flatMap((slice) => slice.endpoints)
  if (endpoints.some((endpoint) => endpoint.ready)) return []
  if (endpoints.length > 0)
    return [
      {
        code: 'unready-endpoints',
        text: `Service ${named(service)} has ${endpoints.length} endpoints and none of them is ready`,
      },
    ]
  const selector =
    service.selector === undefined
      ? undefined
      : Object.entries(service.selector).map(([key, value]) => `${key}=${value}`)
  const because =
    selector === undefined
      ? 'it has no selector, and nobody made its Endpoints'
      : `its selector is ${selector.join(',')}`
  return [{ code: 'no-endpoints', text: `Service ${named(service)} has no endpoints: ${because}` }]
}

const named = ({ meta, at }: Service): string =>
  `${keyOf(meta)}${at === undefined ? '' : ` (${formatLocation({ file: at.file, line: at.line })})`}`
