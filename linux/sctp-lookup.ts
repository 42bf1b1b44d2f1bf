import { sameIp } from '../packet/ip.ts'
import type { InitChunk } from '../packet/sctp-chunk.ts'
import { addressOf, readParameters } from '../packet/sctp-parameter.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import type { SctpAssociation, SctpListener } from './sctp-association.ts'
import type { Socket } from './socket.ts'

/** Whom a packet is for, after Linux net/sctp/input.c. */

export type AssociatedSocket = Socket & { sctp: SctpAssociation }
export type ListeningSocket = Socket & { sctp: SctpListener }

interface Ends {
  readonly local: SocketAddress
  readonly remote: SocketAddress
}

/** __sctp_lookup_association: by the ports, an address of the peer and one of ours. */
export function findAssociation(ns: Netns, { local, remote }: Ends): AssociatedSocket | undefined {
  for (const socket of ns.state.sockets.sockets.values()) {
    const { sctp } = socket
    if (sctp === undefined || sctp.state === 'listen') continue
    if (socket.local.port !== local.port || socket.remote?.port !== remote.port) continue
    if (!sctp.peers.some((ip) => sameIp(ip, remote.ip)) || !sctp.bound.some((ip) => sameIp(ip, local.ip))) continue
    return socket as AssociatedSocket
  }
  return undefined
}

/** __sctp_rcv_init_lookup: an INIT or INIT ACK from an address nobody knows may tell one that somebody does. */
export function findByToldAddress(ns: Netns, ends: Ends, init: InitChunk): AssociatedSocket | undefined {
  for (const parameter of readParameters(init.parameters)) {
    const ip = addressOf(parameter)
    const found =
      ip === undefined ? undefined : findAssociation(ns, { local: ends.local, remote: { ip, port: ends.remote.port } })
    if (found !== undefined) return found
  }
  return undefined
}

/** __sctp_rcv_lookup_endpoint: a socket that listens; one bound to the address before one that takes any. */
export function findListener(ns: Netns, { ip, port }: SocketAddress): ListeningSocket | undefined {
  let any: ListeningSocket | undefined
  for (const socket of ns.state.sockets.sockets.values()) {
    if (socket.sctp?.state !== 'listen' || socket.local.port !== port) continue
    if (socket.local.ip !== undefined && sameIp(socket.local.ip, ip)) return socket as ListeningSocket
    const takesFamily = socket.family === ip.family || (socket.family === 6 && !socket.v6only)
    if (socket.local.ip === undefined && takesFamily) any ??= socket as ListeningSocket
  }
  return any
}
