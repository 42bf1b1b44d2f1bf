import { type IpPacket, PROTOCOL, protocolOf, TCP_FLAG } from '../../packet/packet.ts'
import { portsOf } from '../../packet/ports.ts'
import { isConfirmed } from '../netfilter/conntrack.ts'
import { withTuple } from '../netfilter/nat-rewrite.ts'
import { ACCEPT, DROP, type NfVerdict } from '../netfilter/netfilter.ts'
import { tupleOf } from '../netfilter/tuple.ts'
import { type Netns, sysctl } from '../netns.ts'
import { routeOutput } from '../route.ts'
import { type IpSkb, isBridged } from '../skb.ts'
import type { Hook } from '../step.ts'
import { clientKey, type Endpoint, type IpvsConnection, serverKey } from './connection.ts'
import { countPacket, endConnection, expireConnections, movedBy } from './connection-table.ts'
import { errorToClient, errorToServer } from './icmp.ts'
import { findService, type ServiceState } from './ipvs-state.ts'
import { type Opening, schedule } from './schedule.ts'
import { alterReply, transmit, untrack } from './transmit.ts'

/** The director: the hooks of Linux net/netfilter/ipvs/ip_vs_core.c (6.18). */

interface Flow {
  readonly protocol: number
  readonly from: Endpoint
  readonly to: Endpoint
}

/** ip_vs_proto_data_get: TCP, UDP and SCTP are balanced (AH and ESP are not modelled). */
function flowOf(packet: IpPacket): Flow | undefined {
  const ports = portsOf(packet)
  if (ports === undefined) return undefined
  return {
    protocol: protocolOf(packet),
    from: { ip: packet.src, port: ports.src },
    to: { ip: packet.dst, port: ports.dst },
  }
}

/** ip_vs_out: an answer of a real server gets the virtual server's address. LOCAL_IN, LOCAL_OUT and FORWARD. */
export function directReply(skb: IpSkb, hook: Hook): NfVerdict {
  if (skb.ipvs) return ACCEPT
  expireConnections(skb.ns)
  const error = errorToClient(skb, hook)
  if (error !== undefined) return error
  const flow = flowOf(skb.packet)
  if (flow === undefined) return ACCEPT
  const { byServer } = skb.ns.netfilterState.ipvs
  const connection = byServer.get(serverKey(flow.protocol, flow.from, flow.to))
  return connection === undefined ? strayReply(skb, flow) : handleResponse(skb, connection, hook)
}

/** With nat_icmp_send a real server is told that its connection is not known any more. */
function strayReply(skb: IpSkb, { protocol, from }: Flow): NfVerdict {
  const { ns } = skb
  if (sysctl(ns, 'net.ipv4.vs.nat_icmp_send', 0) === 0 || !isRealServer(ns, protocol, from)) return ACCEPT
  const { payload } = skb.packet
  if (payload.kind === 'tcp' && (payload.flags & TCP_FLAG.rst) !== 0) return ACCEPT
  if (payload.kind === 'sctp' && payload.chunk.kind === 'abort') return ACCEPT
  return refuse(skb, 'IPVS: no connection for this answer of a real server')
}

/** ip_vs_has_real_service. */
function isRealServer(ns: Netns, protocol: number, { ip, port }: Endpoint): boolean {
  for (const { config, destinations } of ns.netfilterState.ipvs.services.values())
    if (protocolNumber(config) === protocol)
      for (const { address, port: own, forward } of destinations)
        if (own === port && forward === 'masquerade' && sameEnd(address, ip)) return true
  return false
}

const protocolNumber = ({ protocol }: ServiceState['config']): number =>
  protocol === 'TCP' ? PROTOCOL.tcp : protocol === 'UDP' ? PROTOCOL.udp : PROTOCOL.sctp

const sameEnd = (x: Endpoint['ip'], y: Endpoint['ip']): boolean =>
  x.d === y.d && x.c === y.c && x.b === y.b && x.a === y.a && x.family === y.family

/** Tells the sender that there is no such port, and drops the packet. */
function refuse(skb: IpSkb, detail: string, origin?: ServiceState['config']['origin']): NfVerdict {
  const rejectedWith = skb.packet.src.family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
  skb.ns.host.kernel.record(skb, {
    kind: 'drop',
    reason: 'NETFILTER_DROP',
    detail,
    rejectedWith,
    ...(origin === undefined ? {} : { origin }),
  })
  skb.ns.host.stack.icmpError(skb, { kind: 'portUnreachable' })
  return DROP
}

function handleResponse(skb: IpSkb, connection: IpvsConnection, hook: Hook): NfVerdict {
  const before = skb.packet
  const tuple = tupleOf(before)
  if (tuple === undefined) return ACCEPT
  const { virtual } = connection
  skb.packet = withTuple(before, { ...tuple, src: virtual.ip, srcKey: virtual.port }, 'src')
  skb.ns.host.kernel.record(skb, { kind: 'nat.rewrite', which: 'src', hook, undo: true, before, after: skb.packet })
  if (!routeReplyAgain(skb, hook)) return DROP
  countPacket(skb, connection, 'out')
  movedBy(skb, connection, 'output')
  skb.ipvs = true
  if (connection.usesConntrack) alterReply(skb, connection, 'fromServer')
  else untrack(skb)
  return ACCEPT
}

/**
 * ip_vs_route_me_harder: an answer that leaves is routed as one that the machine itself sends from the virtual address
 * (snat_reroute, on by default). A bridged one keeps its port whatever this finds.
 */
function routeReplyAgain(skb: IpSkb, hook: Hook): boolean {
  if (hook === 'input' || isBridged(skb) || skb.dst?.type === 'local') return true
  if (sysctl(skb.ns, 'net.ipv4.vs.snat_reroute', 1) === 0) return true
  const { dst, src } = skb.packet
  const again = routeOutput(skb.ns, { dst, src, mark: skb.mark })
  if (again.kind === 'ok') {
    skb.dst = again.route
    return true
  }
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'IP_OUTNOROUTES', detail: again.detail })
  return false
}

/** ip_vs_in: a client's packet for a virtual server. LOCAL_IN and LOCAL_OUT. */
export function directRequest(skb: IpSkb, hook: Hook): NfVerdict {
  if (skb.ipvs) return ACCEPT
  expireConnections(skb.ns)
  const error = errorToServer(skb, hook)
  if (error !== undefined) return error
  const flow = flowOf(skb.packet)
  if (flow === undefined) return ACCEPT
  const found = knownConnection(skb, flow)
  if (found === 'drop') return DROP
  if (found !== undefined) return pass(skb, found, { hook, by: 'known' })
  return openConnection(skb, flow, hook)
}

/** ip_vs_forward_icmp: errors about answers that are only passing by. */
export function directForwardedError(skb: IpSkb, hook: Hook): NfVerdict {
  if (skb.ipvs) return ACCEPT
  expireConnections(skb.ns)
  return errorToServer(skb, hook) ?? ACCEPT
}

/**
 * The connection of a packet, if it may go on with it. A SYN on one that is over, or whose destination shall get no
 * more, begins anew (conn_reuse_mode, expire_nodest_conn); where an old conntrack entry is in the way it is dropped
 * once, and the client's second SYN finds the way free.
 */
function knownConnection(skb: IpSkb, flow: Flow): IpvsConnection | 'drop' | undefined {
  const { ns } = skb
  const connection = ns.netfilterState.ipvs.byClient.get(clientKey(flow.protocol, flow.from, flow.to))
  if (connection === undefined) return undefined
  const expiresNodest = sysctl(ns, 'net.ipv4.vs.expire_nodest_conn', 0) !== 0
  if (isNew(skb.packet) && connection.control === undefined) {
    const reuse = sysctl(ns, 'net.ipv4.vs.conn_reuse_mode', 1)
    const over = expiresNodest && connection.destination.weight === 0
    if (over || (reuse !== 0 && isExpectedNew(connection, reuse))) return expireNow(skb, connection)
  }
  if (connection.destination.available) return connection
  if (expiresNodest) return expireNow(skb, connection)
  drop(skb, 'IPVS: the real server of this connection is gone')
  return 'drop'
}

/** is_new_conn: a TCP SYN, an SCTP INIT. */
function isNew({ payload }: IpPacket): boolean {
  if (payload.kind === 'tcp') return (payload.flags & TCP_FLAG.syn) !== 0
  return payload.kind === 'sctp' && payload.chunk.kind === 'init'
}

/** is_new_conn_expected. */
function isExpectedNew({ state, noOutput, protocol }: IpvsConnection, reuse: number): boolean {
  if (protocol === PROTOCOL.tcp) return state === 'TIME_WAIT' || ((reuse & 2) !== 0 && state === 'FIN_WAIT' && noOutput)
  return protocol === PROTOCOL.sctp && state === 'CLOSED'
}

function expireNow(skb: IpSkb, connection: IpvsConnection): 'drop' | undefined {
  const entry = skb.ct?.entry
  const old = connection.usesConntrack && entry !== undefined && isConfirmed(entry)
  if (!old) connection.usesConntrack = false
  endConnection(skb.ns, connection)
  if (!old) return undefined
  drop(
    skb,
    `IPVS: the connection before had the same ports; its conntrack entry ends now, and the next ${skb.packet.payload.kind === 'tcp' ? 'SYN' : 'packet'} begins anew`,
  )
  return 'drop'
}

function drop(skb: IpSkb, detail: string): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'NETFILTER_DROP', detail })
}

/** ip_vs_try_to_schedule with the protocols' conn_schedule: what may begin a connection, to a service that is there. */
function openConnection(skb: IpSkb, flow: Flow, hook: Hook): NfVerdict {
  if (!mayOpen(skb)) return ACCEPT
  const { protocol, from: client, to: virtual } = flow
  const service = findService(skb.ns, protocol, virtual)
  if (service === undefined) return ACCEPT
  if (isLocalAnswer(skb, flow, hook)) return ACCEPT
  const opening: Opening = { protocol, client, virtual }
  const scheduled = schedule(skb, service, opening)
  switch (scheduled.kind) {
    case 'made':
      return pass(skb, scheduled.connection, { hook, by: scheduled.by })
    case 'nowhere':
      return refuse(skb, 'IPVS: the virtual server has no real server for a new connection', service.config.origin)
    case 'unmatched':
      return ACCEPT
  }
}

function mayOpen(skb: IpSkb): boolean {
  const { payload } = skb.packet
  switch (payload.kind) {
    case 'tcp': {
      if ((payload.flags & TCP_FLAG.rst) !== 0) return false
      return (payload.flags & TCP_FLAG.syn) !== 0 || sysctl(skb.ns, 'net.ipv4.vs.sloppy_tcp', 0) !== 0
    }
    case 'sctp':
      return (
        payload.chunk.kind === 'init' ||
        (sysctl(skb.ns, 'net.ipv4.vs.sloppy_sctp', 0) !== 0 && payload.chunk.kind !== 'abort')
      )
    default:
      return true
  }
}

/** "Do not schedule replies from local real server": a packet of this machine that answers a known client. */
function isLocalAnswer(skb: IpSkb, { protocol, from, to }: Flow, hook: Hook): boolean {
  if (hook !== 'output' && skb.dev.type.kind !== 'loopback') return false
  return skb.ns.netfilterState.ipvs.byClient.has(clientKey(protocol, to, from))
}

function pass(
  skb: IpSkb,
  connection: IpvsConnection,
  { hook, by }: { readonly hook: Hook; readonly by: 'known' | 'scheduler' | 'template' },
): NfVerdict {
  const { service, destination, real } = connection
  countPacket(skb, connection, 'in')
  movedBy(skb, connection, 'input')
  connection.inPackets++
  const { protocol, address, port, scheduler } = service.config
  skb.ns.host.kernel.record(skb, {
    kind: 'ipvs.connection',
    by,
    service: { protocol, address, port, scheduler },
    destination: { address: real.ip, port: real.port, forward: destination.forward },
    state: connection.state,
    origin: destination.origin,
  })
  const verdict = transmit(skb, connection, hook)
  // A service of one packet each keeps no connection (IP_VS_CONN_F_ONE_PACKET).
  if (service.config.onePacket === true && connection.protocol === PROTOCOL.udp) endConnection(skb.ns, connection)
  return verdict
}
