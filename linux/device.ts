import { BROADCAST_MAC, isGroupMac } from '../packet/mac.ts'
import { arpReceive } from './arp.ts'
import { bridgeReceive, bridgeXmit } from './bridge.ts'
import { isRunning } from './carrier.ts'
import { fitsDevice, sizeOf } from './forwardable.ts'
import { gsoSegments } from './gso.ts'
import { ipReceive } from './ip-input.ts'
import { type Link, MAX_XMIT_RECURSION } from './netns.ts'
import { deliverToTun } from './run-process.ts'
import { isIp, type PacketType, type Skb, seenOn } from './skb.ts'
import { vxlanXmit } from './vxlan.ts'

/** Devices, after Linux net/core/dev.c and drivers/net/{loopback,veth,tun}.c. */

/** dev_queue_xmit: the packet leaves by `skb.dev`; a capture on the device sees it here. */
export function devQueueXmit(skb: Skb): void {
  const { bottomHalves } = skb.ns.host.kernel
  bottomHalves?.disable()
  for (const segment of gsoSegments(skb)) transmit(segment)
  bottomHalves?.enable()
}

function transmit(skb: Skb): void {
  const { dev } = skb
  const { kernel } = skb.ns.host
  if (!dev.up) return drop(skb, `${dev.name} is down`)
  if (!isRunning(dev)) return drop(skb, `${dev.name} has no carrier`)
  const { xmit } = skb.ns.host
  if (xmit.recursion > MAX_XMIT_RECURSION.device && !hasQueue(dev))
    return kernel.record(skb, { kind: 'drop', reason: 'RECURSION_LIMIT', detail: `dead loop on ${dev.name}` })
  kernel.record(skb, { kind: 'link.tx', link: dev.name, frame: seenOn(skb) })
  xmit.recursion++
  hardStartXmit(skb)
  xmit.recursion--
}

const hasQueue = ({ type }: Link): boolean => type.kind === 'physical' || type.kind === 'tun'

/** dev_hard_start_xmit: the driver takes it. */
function hardStartXmit(skb: Skb): void {
  const { dev } = skb
  const { kernel } = skb.ns.host
  switch (dev.type.kind) {
    case 'loopback':
      return kernel.emit({ kind: 'backlog', skb })
    case 'veth':
      return vethXmit(skb)
    case 'bridge':
      return bridgeXmit(skb)
    case 'vxlan':
      return vxlanXmit(skb)
    case 'tun':
      return deliverToTun(skb)
    case 'dummy':
      // dummy_xmit: counted and gone.
      return
    case 'physical': {
      const frame = seenOn(skb)
      if ('payload' in frame && !('kind' in frame))
        kernel.emit({ kind: 'wire', link: dev, frame, id: skb.id, flowHash: skb.flowHash })
      return
    }
    default: {
      const never: never = dev.type
      return never
    }
  }
}

function drop(skb: Skb, detail: string): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason: 'DEV_READY', detail })
}

/** veth_xmit: over to the other end, unless that is down or its MTU is smaller (is_skb_forwardable). */
function vethXmit(skb: Skb): void {
  const { dev } = skb
  if (dev.type.kind !== 'veth') return
  const peer = skb.ns.host.netns.get(dev.type.peer.netns)?.links.get(dev.type.peer.name)
  if (peer === undefined || !peer.up) return drop(skb, `the other end of ${dev.name} is down`)
  if (!fitsDevice(skb, peer))
    return drop(
      skb,
      `${sizeOf(skb)} octets are more than the MTU ${peer.mtu} of ${peer.name}, the other end of ${dev.name}; links send no ICMP`,
    )
  const crossing = peer.ns !== skb.ns
  skb.ns.host.kernel.emit({
    kind: 'backlog',
    skb: {
      ...skb,
      ns: peer.ns,
      dev: peer,
      mark: crossing ? 0 : skb.mark,
      ct: undefined,
      dst: undefined,
      bridge: undefined,
      socket: crossing ? undefined : skb.socket,
      mayCut: !crossing && skb.mayCut,
      fragMaxSize: 0,
      fragSizes: [],
      ipvs: !crossing && skb.ipvs,
    },
  })
}

/** __netif_receive_skb_core: a packet has come in by `skb.dev`. */
export function netifReceive(skb: Skb): void {
  const { dev } = skb
  if (!dev.up) return drop(skb, `${dev.name} is down`)
  skb.ns.host.kernel.record(skb, { kind: 'link.rx', link: dev.name, frame: seenOn(skb) })
  if (dev.master !== undefined) return bridgeReceive(skb)
  protocolReceive(skb, packetTypeOf(skb))
}

/** eth_type_trans: for whom the frame is. */
export function packetTypeOf(skb: Skb): PacketType {
  const dst = skb.mac?.dst
  if (dst === undefined || skb.dev.type.kind === 'loopback') return 'host'
  if (dst === skb.dev.mac) return 'host'
  if (dst === BROADCAST_MAC) return 'broadcast'
  return isGroupMac(dst) ? 'multicast' : 'otherhost'
}

/** Hands the packet to its protocol. */
export function protocolReceive(skb: Skb, type: PacketType): void {
  if (isIp(skb)) return ipReceive(skb, type)
  if (skb.packet.kind === 'arp') return arpReceive(skb as Skb & { packet: typeof skb.packet }, type)
  skb.ns.host.kernel.record(skb, {
    kind: 'drop',
    reason: 'UNHANDLED_PROTO',
    detail: `nobody takes ethertype 0x${(skb.packet.kind === 'other' ? skb.packet.etherType : 0).toString(16)}`,
  })
}
