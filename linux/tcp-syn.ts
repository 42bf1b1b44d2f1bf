import type { Ip } from '../packet/ip.ts'
import type { Tcp, TcpOption } from '../packet/packet.ts'
import { type Netns, sysctl } from './netns.ts'
import { type OutputRoute, routeMtu } from './route.ts'
import type { Socket } from './socket.ts'
import { findOption, type TcpControl, windowScaleFor } from './tcp-control.ts'
import { sendSegment, timestampOption } from './tcp-output.ts'

/** What a SYN offers and takes up, after Linux net/ipv4/tcp_input.c and tcp_output.c. */

export function sendSyn(ns: Netns, socket: Socket, flags: number, cause: number | undefined): void {
  const { tcp } = socket
  if (tcp === undefined) return
  const options: TcpOption[] = [{ kind: 'mss', mss: tcp.advMss }]
  const { timestamps, windowScale } = tcp
  options.push({ kind: 'sackPermitted' })
  if (timestamps !== undefined) options.push(timestampOption(ns, timestamps))
  if (windowScale !== undefined) options.push({ kind: 'nop' }, { kind: 'windowScale', shift: windowScale.mine })
  sendSegment(ns, socket, { flags, seq: tcp.sndUna, options, window: Math.min(tcp.rcvWnd, 65535), cause })
}

/** The segment size we announce: what fits the route's MTU. */
export function advertisedMss(ns: Netns, route: Extract<OutputRoute, { kind: 'ok' }>, to: Ip): number {
  const mtu = routeMtu(ns, route.route, to)
  return to.family === 4 ? Math.min(mtu, 65535) - 40 : mtu - 60
}

export const scaleOf = (ns: Netns): number => windowScaleFor(sysctl(ns, 'net.ipv4.tcp_rmem', 6291456))

export const drawIsn = (ns: Netns, entry: string): number =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'tcp-isn', entry }, 0x100000000)

export const drawTimestamp = (ns: Netns, entry: string): number =>
  ns.host.kernel.draw({ host: ns.host.name, netns: ns.name, purpose: 'tcp-timestamp', entry }, 0x100000000)

/** Takes up what the peer's SYN offered (tcp_parse_options). */
export function negotiate(ns: Netns, control: TcpControl, segment: Tcp, entry: string): void {
  const mss = findOption(segment.options, 'mss')?.mss ?? 536
  const scale = findOption(segment.options, 'windowScale')
  const stamps = findOption(segment.options, 'timestamps')
  control.sackPermitted = findOption(segment.options, 'sackPermitted') !== undefined
  control.windowScale = scale === undefined ? undefined : { mine: scaleOf(ns), peers: scale.shift }
  if (stamps === undefined) control.timestamps = undefined
  else control.timestamps = { offset: control.timestamps?.offset ?? drawTimestamp(ns, entry), recent: stamps.value }
  control.mss = Math.min(control.advMss, mss) - (control.timestamps === undefined ? 0 : 12)
}
