import { sameIp } from '../../packet/ip.ts'
import type { Netns } from '../netns.ts'
import type { IpvsDestinationSpec } from '../op.ts'
import { type IpvsDestination, type IpvsService, keyOfService } from './ipvs-config.ts'
import { addDestination, removeDestination, type ServiceState, setWeight } from './ipvs-state.ts'
import { newScheduler } from './scheduler/registry.ts'

/** What ipvsadm(8) is told while traffic runs: `-A`, `-E`, `-D` of a service, `-a`, `-e -w`, `-d` of a real server. */
export type IpvsChange =
  | { readonly kind: 'addService' | 'editService' | 'deleteService'; readonly service: IpvsService }
  | { readonly kind: 'addServer'; readonly service: IpvsService; readonly server: IpvsDestination }
  | {
      readonly kind: 'setWeight'
      readonly service: IpvsService
      readonly server: Pick<IpvsDestinationSpec, 'address' | 'port'>
      readonly weight: number
    }
  | {
      readonly kind: 'deleteServer'
      readonly service: IpvsService
      readonly server: Pick<IpvsDestinationSpec, 'address' | 'port'>
    }

/**
 * Does it to a service that packets have come to; the others are as their configuration says whenever one comes.
 * Linux net/netfilter/ipvs/ip_vs_ctl.c.
 */
export function changeService(ns: Netns, change: IpvsChange): void {
  const { services } = ns.netfilterState.ipvs
  const key = keyOfService(change.service)
  const live = services.get(key)
  if (live === undefined) return
  switch (change.kind) {
    case 'addService':
      return
    case 'editService':
      return editService(live, change.service)
    case 'deleteService':
      for (const { address, port } of [...live.destinations]) removeDestination(live, { address, port })
      services.delete(key)
      return
    case 'addServer':
      return addDestination(live, change.server)
    case 'setWeight':
      return setWeight(live, change.server, change.weight)
    case 'deleteServer':
      return removeDestination(live, change.server)
    default:
      return change satisfies never
  }
}

/** ip_vs_edit_service: another scheduler begins anew. */
function editService(live: ServiceState, service: IpvsService): void {
  const { scheduler, flags = [] } = live.config
  live.config = service
  if (scheduler !== service.scheduler || flags.join() !== (service.flags ?? []).join())
    live.scheduler = newScheduler(service.scheduler, { destinations: live.destinations, flags: service.flags ?? [] })
}

/** The real servers that the service has now, as they were configured where no packet has come to it. */
export function serversOf(
  ns: Netns,
  service: IpvsService,
): readonly (Pick<IpvsDestinationSpec, 'address' | 'port' | 'weight'> & { readonly connections: number })[] {
  const live = ns.netfilterState.ipvs.services.get(keyOfService(service))
  if (live === undefined)
    return service.destinations.map(({ address, port, weight }) => ({ address, port, weight, connections: 0 }))
  return live.destinations.map(({ address, port, weight, active, inactive }) => ({
    address,
    port,
    weight,
    connections: active + inactive,
  }))
}

export const sameServer = (
  x: Pick<IpvsDestinationSpec, 'address' | 'port'>,
  y: Pick<IpvsDestinationSpec, 'address' | 'port'>,
): boolean => x.port === y.port && sameIp(x.address, y.address)
