import { type Ip, sameIp } from '../../packet/ip.ts'
import { formatSocket } from '../../packet/text.ts'
import type { Netns } from '../netns.ts'
import type { IpvsDestinationSpec } from '../op.ts'
import type { Origin } from '../origin.ts'
import type { IpvsConnection } from './connection.ts'
import { type DestinationState, type IpvsStats, newStats } from './destination.ts'
import { type IpvsDestination, type IpvsService, serviceKey } from './ipvs-config.ts'
import { newScheduler } from './scheduler/registry.ts'
import type { Scheduler } from './scheduler/scheduler.ts'

/** What traffic changes in the virtual servers of a namespace (struct netns_ipvs). */
export interface IpvsState {
  /** Services that a packet has come to, by `serviceKey`; the others are as configured. */
  readonly services: Map<string, ServiceState>
  /** By `clientKey`: what a client's packets are found by. */
  readonly byClient: Map<string, IpvsConnection>
  /** By `serverKey`: what a real server's answers are found by. */
  readonly byServer: Map<string, IpvsConnection>
  /** Every live connection and template, the oldest first. */
  readonly all: Set<IpvsConnection>
}

/** struct ip_vs_service at run time. */
export interface ServiceState {
  /** As it was added, or edited since. */
  config: IpvsService
  /** In the order of the kernel's list: the one that was added last comes first (list_add_rcu). */
  readonly destinations: DestinationState[]
  scheduler: Scheduler
  readonly stats: IpvsStats
}

export const newIpvsState = (): IpvsState => ({
  services: new Map(),
  byClient: new Map(),
  byServer: new Map(),
  all: new Set(),
})

/**
 * ip_vs_service_find: the service of an address and port, else the one of that address with port 0. Services by
 * firewall mark are not modelled.
 */
export function findService(
  ns: Netns,
  protocol: number,
  { ip, port }: { readonly ip: Ip; readonly port: number },
): ServiceState | undefined {
  return serviceState(ns, serviceKey(protocol, ip, port)) ?? serviceState(ns, serviceKey(protocol, ip, 0))
}

/** A service by its `serviceKey`, as it is in this run. */
export function serviceState(ns: Netns, key: string): ServiceState | undefined {
  const { ipvs } = ns.netfilterState
  const known = ipvs.services.get(key)
  if (known !== undefined) return known
  const config = ns.netfilter.ipvs.byAddress.get(key)
  if (config === undefined) return undefined
  const destinations = config.destinations.map(newDestination).reverse()
  const scheduler = newScheduler(config.scheduler, { destinations, flags: config.flags ?? [] })
  const service: ServiceState = { config, destinations, scheduler, stats: newStats() }
  ipvs.services.set(key, service)
  takeTurn(ns, service)
  return service
}

/** Other clients have been there before: where the round stands is a matter of chance. */
function takeTurn({ host, name }: Netns, { config, scheduler }: ServiceState): void {
  const period = scheduler.period()
  if (period < 2) return
  const entry = `${config.protocol} ${formatSocket(config.address, config.port)}`
  const turns = host.kernel.draw({ host: host.name, netns: name, purpose: 'turn', entry }, period)
  const nobody = { source: config.address, sourcePort: 0, destination: config.address, now: 0 }
  for (let i = 0; i < turns; i++) scheduler.schedule(nobody)
}

function newDestination(spec: IpvsDestination): DestinationState {
  const { address, port, forward, weight, upperThreshold = 0, lowerThreshold = 0, origin } = spec
  return {
    address,
    port,
    forward,
    upperThreshold,
    lowerThreshold,
    origin,
    stats: newStats(),
    weight,
    lastWeight: weight,
    active: 0,
    inactive: 0,
    persistent: 0,
    overloaded: false,
    available: true,
  }
}

const findDestination = (service: ServiceState, { address, port }: Pick<IpvsDestinationSpec, 'address' | 'port'>) =>
  service.destinations.find((other) => other.port === port && sameIp(other.address, address))

/** `ipvsadm -a` while traffic runs. */
export function addDestination(service: ServiceState, spec: IpvsDestinationSpec & { readonly origin: Origin }): void {
  service.destinations.unshift(newDestination(spec))
  service.scheduler.changed()
}

/** `ipvsadm -e -w`: 0 lets the connections that are there go on, and sends no new ones. */
export function setWeight(
  service: ServiceState,
  at: Pick<IpvsDestinationSpec, 'address' | 'port'>,
  weight: number,
): void {
  const destination = findDestination(service, at)
  if (destination === undefined) return
  destination.weight = weight
  if (weight !== 0) destination.lastWeight = weight
  service.scheduler.changed()
}

/** `ipvsadm -d`: its connections stay until a packet of theirs comes (expire_nodest_conn) or they run out. */
export function removeDestination(service: ServiceState, at: Pick<IpvsDestinationSpec, 'address' | 'port'>): void {
  const destination = findDestination(service, at)
  if (destination === undefined) return
  service.scheduler.removing(destination)
  service.destinations.splice(service.destinations.indexOf(destination), 1)
  destination.available = false
  service.scheduler.changed()
}
