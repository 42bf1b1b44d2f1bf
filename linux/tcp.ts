import { formatIp } from '../packet/ip.ts'
import { appended } from '../packet/octets.ts'
import { TCP_FLAG } from '../packet/packet.ts'
import type { Netns } from './netns.ts'
import type { SocketAddress } from './process.ts'
import { routeOutput } from './route.ts'
import { ephemeralPort, failCall, removeSocket, type Socket } from './socket.ts'
import { initialWindow, newControl, seqAdd } from './tcp-control.ts'
import { NO_DATA } from './tcp-data.ts'
import { pushQueue, startRetransmitTimer } from './tcp-output.ts'
import { advertisedMss, drawIsn, drawTimestamp, scaleOf, sendSyn } from './tcp-syn.ts'

/** What programs call on TCP sockets (RFC 9293), after Linux net/ipv4/tcp.c and tcp_ipv4.c. */

const { syn: SYN } = TCP_FLAG

export function tcpListen(socket: Socket): void {
  socket.tcp = newControl('listen', 536)
}

/** tcp_v4_connect, tcp_v6_connect: sends the SYN. */
export function tcpConnect(ns: Netns, socket: Socket, to: SocketAddress, cause?: number): void {
  const route = routeOutput(ns, { dst: to.ip, src: socket.local.ip })
  if (route.kind !== 'ok') return failCall(ns, socket, route.errno)
  const flow = `tcp ${formatIp(to.ip)}:${to.port}`
  if (socket.local.port === 0) socket.local.port = ephemeralPort(ns, socket, flow)
  socket.local.ip = route.source
  socket.remote = to
  const control = newControl('synSent', advertisedMss(ns, route, to.ip))
  socket.tcp = control
  const entry = `${flow} from ${socket.local.port}`
  control.sndUna = drawIsn(ns, entry)
  control.sndNxt = seqAdd(control.sndUna, 1)
  control.timestamps = { offset: drawTimestamp(ns, entry), recent: 0 }
  control.windowScale = { mine: scaleOf(ns), peers: 0 }
  control.rcvWnd = initialWindow(control.advMss)
  startRetransmitTimer(ns, socket)
  sendSyn(ns, socket, SYN, cause)
}

/** Writes to the connection. */
export function tcpSend(ns: Netns, socket: Socket, bytes: Uint8Array, cause?: number): void {
  const { tcp } = socket
  if (tcp === undefined || tcp.finQueued) return
  tcp.sendQueue = appended(tcp.sendQueue, bytes)
  pushQueue(ns, socket, cause)
}

export function tcpClose(ns: Netns, socket: Socket, cause?: number): void {
  const { tcp } = socket
  if (tcp === undefined || tcp.state === 'listen' || tcp.state === 'synSent') return removeSocket(ns, socket)
  tcp.finQueued = true
  pushQueue(ns, socket, cause)
}

/** tcp_recvmsg: everything that waits to be read. */
export function tcpRead(socket: Socket): Uint8Array {
  const bytes = socket.tcp?.unread ?? NO_DATA
  if (socket.tcp !== undefined) socket.tcp.unread = NO_DATA
  return bytes
}
