import { lengthOfIp } from '../../packet/length.ts'
import { PROTOCOL } from '../../packet/packet.ts'
import { findEntry, removeEntry } from '../netfilter/conntrack-table.ts'
import type { Netns } from '../netns.ts'
import { sysctl } from '../netns.ts'
import type { IpSkb } from '../skb.ts'
import { clientKey, type Endpoint, FIRST_STATE, type IpvsConnection, serverKey, templateKey } from './connection.ts'
import type { DestinationState, IpvsStats } from './destination.ts'
import type { ServiceState } from './ipvs-state.ts'
import { nextSctpState, SCTP_TIMEOUTS } from './sctp-states.ts'
import { type IpvsDirection, nextTcpState, TCP_TIMEOUTS } from './tcp-states.ts'

/** Connections: made, found, moved on, ended; Linux net/netfilter/ipvs/ip_vs_conn.c. */

const SECOND = 1e9

/** How long one lives before its first packet has set a state. */
const FIRST_TIMEOUT = 3 * SECOND

/** UDP_S_NORMAL of ip_vs_proto_udp.c. */
const UDP_TIMEOUT = 300

export interface NewConnection {
  readonly protocol: number
  readonly client: Endpoint
  readonly virtual: Endpoint
  readonly realPort: number
  readonly template?: boolean
  readonly control?: IpvsConnection
}

/** ip_vs_conn_new, ip_vs_bind_dest, ip_vs_conn_hash. */
export function newConnection(
  ns: Netns,
  { service, destination }: { readonly service: ServiceState; readonly destination: DestinationState },
  wanted: NewConnection,
): IpvsConnection {
  const { protocol, client, virtual, realPort, template = false, control } = wanted
  const now = ns.host.kernel.now()
  const connection: IpvsConnection = {
    protocol,
    client,
    virtual,
    real: { ip: destination.address, port: realPort },
    destination,
    service,
    template,
    control,
    controlled: 0,
    state: FIRST_STATE,
    inactive: false,
    noOutput: destination.forward !== 'masquerade',
    usesConntrack: sysctl(ns, 'net.ipv4.vs.conntrack', 0) !== 0,
    timeout: FIRST_TIMEOUT,
    expiresAt: now + FIRST_TIMEOUT,
    inPackets: 0,
  }
  bind(connection)
  if (control !== undefined) control.controlled++
  const { ipvs } = ns.netfilterState
  if (template) ipvs.byClient.set(templateKey(protocol, client, virtual), connection)
  else {
    ipvs.byClient.set(clientKey(protocol, client, virtual), connection)
    ipvs.byServer.set(serverKey(protocol, connection.real, client), connection)
  }
  ipvs.all.add(connection)
  return connection
}

/** ip_vs_bind_dest: all but established TCP and SCTP count as inactive. */
function bind(connection: IpvsConnection): void {
  const { destination, template } = connection
  if (template) {
    destination.persistent++
    return
  }
  connection.inactive = true
  destination.inactive++
  if (destination.upperThreshold !== 0 && totalOf(destination) >= destination.upperThreshold)
    destination.overloaded = true
}

const totalOf = ({ active, inactive }: DestinationState): number => active + inactive

/** ip_vs_unbind_dest. */
function unbind({ destination, template, inactive }: IpvsConnection): void {
  if (template) destination.persistent--
  else if (inactive) destination.inactive--
  else destination.active--
  const { lowerThreshold, upperThreshold } = destination
  if (lowerThreshold !== 0) {
    if (totalOf(destination) < lowerThreshold) destination.overloaded = false
  } else if (upperThreshold === 0 || totalOf(destination) * 4 < upperThreshold * 3) destination.overloaded = false
}

/**
 * Timers that have run out, done when somebody looks, each at its own time: ip_vs_conn_expire. A template that still
 * has connections waits a minute more, as often as need be.
 */
export function expireConnections(ns: Netns): void {
  const now = ns.host.kernel.now()
  for (let due = nextDue(ns, now); due !== undefined; due = nextDue(ns, now))
    if (due.controlled === 0) endConnection(ns, due)
    else {
      due.timeout = MINUTE
      due.expiresAt += MINUTE
    }
}

function nextDue(ns: Netns, now: number): IpvsConnection | undefined {
  let first: IpvsConnection | undefined
  for (const connection of ns.netfilterState.ipvs.all)
    if (connection.expiresAt <= now && (first === undefined || connection.expiresAt < first.expiresAt))
      first = connection
  return first
}

const MINUTE = 60 * SECOND

/** The end of a connection, and of the conntrack entry that it was tied to (ip_vs_conn_drop_conntrack). */
export function endConnection(ns: Netns, connection: IpvsConnection): void {
  const { ipvs } = ns.netfilterState
  if (!ipvs.all.delete(connection)) return
  const { protocol, client, virtual, real, template, control } = connection
  const key = template ? templateKey(protocol, client, virtual) : clientKey(protocol, client, virtual)
  if (ipvs.byClient.get(key) === connection) ipvs.byClient.delete(key)
  const back = serverKey(protocol, real, client)
  if (ipvs.byServer.get(back) === connection) ipvs.byServer.delete(back)
  if (control !== undefined) control.controlled--
  unbind(connection)
  if (!connection.usesConntrack || template) return
  const tuple = { protocol, src: client.ip, srcKey: client.port, dst: virtual.ip, dstKey: virtual.port }
  const found = findEntry(ns, tuple)
  if (found !== undefined) removeEntry(ns, found.entry)
}

/** A template whose destination is gone is found by nobody any more (ip_vs_check_template hashes it elsewhere). */
export function forgetTemplate(ns: Netns, template: IpvsConnection): void {
  const key = templateKey(template.protocol, template.client, template.virtual)
  const { byClient } = ns.netfilterState.ipvs
  if (byClient.get(key) === template) byClient.delete(key)
}

/** ip_vs_set_state, and ip_vs_conn_put: the state after this packet, and the timer started again. */
export function movedBy(skb: IpSkb, connection: IpvsConnection, from: 'input' | 'output'): void {
  let direction: IpvsDirection = from
  if (connection.noOutput) {
    if (from === 'output') connection.noOutput = false
    else direction = 'inputOnly'
  }
  const { payload } = skb.packet
  const { timeouts } = skb.ns.netfilter.ipvs
  let seconds = timeouts.udp || UDP_TIMEOUT
  if (payload.kind === 'tcp') {
    connection.state = nextTcpState(connection.state, direction, payload)
    const set =
      connection.state === 'ESTABLISHED' ? timeouts.tcp : connection.state === 'FIN_WAIT' ? timeouts.tcpFin : 0
    seconds = set || (TCP_TIMEOUTS[connection.state] ?? 2)
  } else if (payload.kind === 'sctp') {
    connection.state = nextSctpState(connection.state, direction, payload)
    seconds = SCTP_TIMEOUTS[connection.state] ?? 2
  } else connection.state = 'UDP'
  connection.timeout = seconds * SECOND
  const assured = payload.kind === 'udp' ? from === 'output' : connection.state === 'ESTABLISHED'
  if (assured && connection.control !== undefined) connection.control.state = 'ASSURED'
  countState(connection)
  touch(skb.ns, connection)
}

export function touch(ns: Netns, connection: IpvsConnection): void {
  connection.expiresAt = ns.host.kernel.now() + connection.timeout
}

function countState(connection: IpvsConnection): void {
  const inactive = connection.state !== 'ESTABLISHED' || connection.protocol === PROTOCOL.udp
  if (inactive === connection.inactive) return
  const { destination } = connection
  connection.inactive = inactive
  destination.active += inactive ? -1 : 1
  destination.inactive += inactive ? 1 : -1
}

/** ip_vs_in_stats, ip_vs_out_stats. */
export function countPacket(skb: IpSkb, { destination, service }: IpvsConnection, which: 'in' | 'out'): void {
  const octets = lengthOfIp(skb.packet)
  const add = (stats: IpvsStats): void => {
    if (which === 'in') {
      stats.inPackets++
      stats.inOctets += octets
    } else {
      stats.outPackets++
      stats.outOctets += octets
    }
  }
  add(destination.stats)
  add(service.stats)
}
