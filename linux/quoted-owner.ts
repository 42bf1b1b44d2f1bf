import { ICMP4, type Icmp, type IpPacket, type Transport, type Udp } from '../packet/packet.ts'
import { echoSocket } from './echo-socket.ts'
import type { Netns } from './netns.ts'
import { quotedAssociation } from './sctp-error.ts'
import { lookupSocket } from './socket.ts'
import { quotedConnection } from './tcp-error.ts'
import { hasVxlanOn } from './vxlan.ts'

/**
 * Whether the packet that an ICMP message quotes is one that its protocol still knows. Only then news of its way, a
 * path MTU or a redirect, is believed (tcp_v4_err, __udp4_lib_err, icmp_err and their like in IPv6).
 */
export function isKnown(ns: Netns, quoted: IpPacket, transport: Transport): boolean {
  switch (transport.kind) {
    case 'tcp': {
      const state = quotedConnection(ns, quoted, transport)?.tcp.state
      return state !== undefined && state !== 'synReceived'
    }
    case 'sctp':
      return quotedAssociation(ns, quoted, transport) !== undefined
    case 'udp':
      return isUdpKnown(ns, quoted, transport)
    case 'icmp':
      // icmpv6_err believes whatever is about ICMPv6.
      return quoted.src.family === 6 || isEchoKnown(ns, transport)
    default:
      return false
  }
}

function isUdpKnown(ns: Netns, quoted: IpPacket, { srcPort, dstPort }: Udp): boolean {
  const local = { ip: quoted.src, port: srcPort }
  const socket = lookupSocket(ns, 'udp', { local, remote: { ip: quoted.dst, port: dstPort } })
  return socket !== undefined || hasVxlanOn(ns, dstPort, quoted.src.family)
}

/** Echo replies are the kernel's own, requests a socket's. */
function isEchoKnown(ns: Netns, { type, body }: Icmp): boolean {
  if (type === ICMP4.echoReply) return true
  return type === ICMP4.echoRequest && body.kind === 'echo' && echoSocket(ns, body.id, 4) !== undefined
}

/** Whether a system call on the connection is under way, during which redirects are not looked at. */
export function isBusy(ns: Netns, quoted: IpPacket, transport: Transport): boolean {
  if (transport.kind === 'sctp') return quotedAssociation(ns, quoted, transport)?.backlog !== undefined
  return transport.kind === 'tcp' && quotedConnection(ns, quoted, transport)?.backlog !== undefined
}
