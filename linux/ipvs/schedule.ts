import { maskIp } from '../../packet/prefix.ts'
import type { Netns } from '../netns.ts'
import { sysctl } from '../netns.ts'
import type { IpSkb } from '../skb.ts'
import { type Endpoint, type IpvsConnection, templateKey } from './connection.ts'
import { forgetTemplate, newConnection, touch } from './connection-table.ts'
import type { DestinationState } from './destination.ts'
import type { ServiceState } from './ipvs-state.ts'

/** A packet that begins a connection: its protocol and both ends. */
export interface Opening {
  readonly protocol: number
  readonly client: Endpoint
  readonly virtual: Endpoint
}

/** `unmatched`: this service does not schedule it, and it goes on as it is; `nowhere`: nobody is there to serve it. */
export type Scheduled =
  | { readonly kind: 'made'; readonly connection: IpvsConnection; readonly by: 'scheduler' | 'template' }
  | { readonly kind: 'nowhere' | 'unmatched' }

/** Port 20: active FTP data is never scheduled. */
const FTP_DATA = 20

/** ip_vs_schedule: chooses a destination and makes the connection; Linux net/netfilter/ipvs/ip_vs_core.c. */
export function schedule(skb: IpSkb, service: ServiceState, opening: Opening): Scheduled {
  const { protocol, client, virtual } = opening
  if (client.port === FTP_DATA) return { kind: 'unmatched' }
  if (service.config.persistent !== undefined) return schedulePersistent(skb, service, opening)
  if (virtual.port !== service.config.port) return { kind: 'nowhere' }
  const destination = choose(skb, service, opening)
  if (destination === undefined) return { kind: 'nowhere' }
  const realPort = destination.port === 0 ? virtual.port : destination.port
  const connection = newConnection(skb.ns, { service, destination }, { protocol, client, virtual, realPort })
  count(connection)
  return { kind: 'made', connection, by: 'scheduler' }
}

function choose(skb: IpSkb, service: ServiceState, { client, virtual }: Opening): DestinationState | undefined {
  return service.scheduler.schedule({
    source: client.ip,
    sourcePort: client.port,
    destination: virtual.ip,
    now: skb.ns.host.kernel.now(),
  })
}

function count({ destination, service }: IpvsConnection): void {
  destination.stats.connections++
  service.stats.connections++
}

/**
 * ip_vs_sched_persist: a client that was here within the timeout goes where it went, told by a template of its address
 * (or network) and the service.
 */
function schedulePersistent(skb: IpSkb, service: ServiceState, opening: Opening): Scheduled {
  const { config } = service
  const { protocol, client, virtual } = opening
  const { seconds = 0, mask } = config.persistent ?? {}
  const network: Endpoint = { ip: mask === undefined ? client.ip : maskIp(client.ip, mask), port: 0 }
  const ofService: Endpoint = { ip: virtual.ip, port: config.port }
  const known = skb.ns.netfilterState.ipvs.byClient.get(templateKey(protocol, network, ofService))
  const usable = known !== undefined && checkTemplate(skb.ns, known) ? known : undefined
  const destination = usable?.destination ?? choose(skb, service, opening)
  if (destination === undefined) return { kind: 'nowhere' }
  const of = { service, destination }
  const control =
    usable ??
    newConnection(skb.ns, of, {
      protocol,
      client: network,
      virtual: ofService,
      realPort: config.port === 0 ? 0 : destination.port,
      template: true,
    })
  control.timeout = usable === undefined ? seconds * 1e9 : control.timeout
  const realPort = virtual.port === config.port && destination.port !== 0 ? destination.port : virtual.port
  const connection = newConnection(skb.ns, of, { protocol, client, virtual, realPort, control })
  touch(skb.ns, control)
  count(connection)
  return { kind: 'made', connection, by: usable === undefined ? 'scheduler' : 'template' }
}

/** ip_vs_check_template: not to a destination that is gone, nor, with expire_quiescent_template, to one of weight 0. */
function checkTemplate(ns: Netns, template: IpvsConnection): boolean {
  const { destination } = template
  const quiescent = destination.weight === 0 && sysctl(ns, 'net.ipv4.vs.expire_quiescent_template', 0) !== 0
  if (destination.available && !quiescent) return true
  forgetTemplate(ns, template)
  return false
}
