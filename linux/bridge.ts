import { BROADCAST_MAC, isGroupMac } from '../packet/mac.ts'
import { bridgeForwardHook, bridgePostRouting, bridgePreRouting } from './br-netfilter.ts'
import { isRunning } from './carrier.ts'
import { fitsDevice } from './forwardable.ts'
import type { Link } from './netns.ts'
import { cloneSkb, type Skb } from './skb.ts'

/** The Ethernet bridge without STP or VLANs, after Linux net/bridge/br_input.c, br_forward.c and br_device.c. */

const SECOND = 1_000_000_000

/** br_handle_frame: a frame came in by a port. */
export function bridgeReceive(skb: Skb): void {
  const port = skb.dev
  const bridge = bridgeOf(port)
  if (bridge === undefined || !bridge.up) return drop(skb, 'BRIDGE_INGRESS_STP_STATE', `bridge ${port.master} is down`)
  if (bridgePreRouting(skb, bridge)) handleFrame(skb, bridge)
}

function bridgeOf(port: Link): Link | undefined {
  return port.master === undefined ? undefined : port.ns.links.get(port.master)
}

/** br_handle_frame_finish: learn, then forward, flood or pass up. */
function handleFrame(skb: Skb, bridge: Link): void {
  const port = skb.dev
  const { mac } = skb
  if (mac === undefined) return
  if (port.port.learning) learn(skb, bridge, port)
  if (isGroupMac(mac.dst)) {
    flood(cloneSkb(skb), bridge, port)
    return passUp(skb, bridge, 'flood')
  }
  if (mac.dst === bridge.mac || isOwnPort(bridge, mac.dst)) return passUp(skb, bridge, 'local')
  const out = lookupFdb(bridge, mac.dst)
  if (out === undefined) return flood(skb, bridge, port)
  if (!shouldDeliver(out, port)) {
    recordForward(skb, bridge, { inPort: port.name, decision: 'unicast', outPorts: [out.name] })
    return drop(skb, 'BRIDGE_NO_EGRESS_PORT', `the frame would go back out of ${out.name}, and its hairpin is off`)
  }
  recordForward(skb, bridge, { inPort: port.name, decision: 'unicast', outPorts: [out.name] })
  forward(skb, bridge, out)
}

/** The MAC of a port is the bridge's too (a local fdb entry). */
const isOwnPort = (bridge: Link, mac: number): boolean =>
  bridge.ports.some((name) => bridge.ns.links.get(name)?.mac === mac)

/** br_fdb_update. */
function learn(skb: Skb, bridge: Link, port: Link): void {
  const src = skb.mac?.src
  if (src === undefined || isGroupMac(src) || src === bridge.mac || isOwnPort(bridge, src)) return
  const now = bridge.ns.host.kernel.now()
  const known = bridge.fdb.learned.get(src)
  if (known === undefined || known.port !== port.name)
    bridge.ns.host.kernel.record(skb, { kind: 'bridge.learn', bridge: bridge.name, mac: src, port: port.name })
  bridge.fdb.learned.set(src, { port: port.name, at: now })
}

function lookupFdb(bridge: Link, mac: number): Link | undefined {
  const fixed = bridge.fdb.permanent.get(mac as never)?.port
  if (fixed !== undefined) return bridge.ns.links.get(fixed)
  const learned = bridge.fdb.learned.get(mac as never)
  if (learned === undefined) return undefined
  const ageing = bridge.type.kind === 'bridge' ? bridge.type.ageing : 0
  if (bridge.ns.host.kernel.now() - learned.at > ageing * SECOND) return undefined
  return bridge.ns.links.get(learned.port)
}

/** A port without carrier does not forward (br_port_carrier_check). */
const shouldDeliver = (out: Link, from: Link | undefined): boolean =>
  isRunning(out) && (out !== from || out.port.hairpin)

/** br_flood: every port but the one it came by (unless that is a hairpin), the newest port first. */
function flood(skb: Skb, bridge: Link, from: Link | undefined): void {
  const group = skb.mac !== undefined && isGroupMac(skb.mac.dst)
  const outs: Link[] = []
  for (const name of bridge.ports) {
    const out = bridge.ns.links.get(name)
    if (out !== undefined && shouldDeliver(out, from) && (group || out.port.flood)) outs.push(out)
  }
  recordForward(skb, bridge, {
    inPort: from?.name,
    decision: 'flood',
    outPorts: outs.map((out) => out.name),
  })
  for (const out of outs) forward(cloneSkb(skb), bridge, out)
}

/** __br_forward, then br_dev_queue_push_xmit. */
function forward(skb: Skb, bridge: Link, out: Link): void {
  const bridged = skb.dev !== bridge
  skb.dev = out
  if (bridged && !bridgeForwardHook(skb, bridge, out)) return
  for (const part of bridgePostRouting(skb, bridge, out)) {
    if (!fitsDevice(part, out)) {
      const detail = `the frame is larger than the MTU ${out.mtu} of port ${out.name}; a bridge sends no ICMP`
      drop(part, 'PKT_TOO_BIG', detail)
      continue
    }
    part.bridge = undefined
    part.dev = out
    out.ns.host.stack.xmit(part)
  }
}

/** br_pass_frame_up: the bridge's own address; from here it looks as if it came in by the bridge device. */
function passUp(skb: Skb, bridge: Link, why: 'local' | 'flood'): void {
  if (why === 'local') recordForward(skb, bridge, { inPort: skb.dev.name, decision: 'local', outPorts: [] })
  skb.dev = bridge
  bridge.ns.host.stack.receive(skb)
}

/** br_dev_xmit: the machine itself sends out of the bridge. */
export function bridgeXmit(skb: Skb): void {
  const bridge = skb.dev
  const { mac } = skb
  if (mac === undefined) return
  if (skb.bridge !== undefined && skb.bridge.bridgedDnat !== undefined) {
    // br_netfilter put the packet here only to have its new destination's MAC found; it goes on as a bridged frame.
    skb.mac = { src: skb.bridge.bridgedDnat, dst: mac.dst }
    skb.bridge.bridgedDnat = undefined
    skb.dev = skb.bridge.physIn
    return handleFrame(skb, bridge)
  }
  if (mac.dst === BROADCAST_MAC || isGroupMac(mac.dst)) return flood(skb, bridge, undefined)
  const out = lookupFdb(bridge, mac.dst)
  if (out === undefined) return flood(skb, bridge, undefined)
  recordForward(skb, bridge, { inPort: undefined, decision: 'unicast', outPorts: [out.name] })
  if (!shouldDeliver(out, undefined)) return drop(skb, 'BRIDGE_NO_EGRESS_PORT', `port ${out.name} is down`)
  forward(skb, bridge, out)
}

function recordForward(
  skb: Skb,
  bridge: Link,
  what: { inPort: string | undefined; decision: 'unicast' | 'flood' | 'local'; outPorts: readonly string[] },
): void {
  bridge.ns.host.kernel.record(skb, { kind: 'bridge.forward', bridge: bridge.name, origin: bridge.origin, ...what })
}

function drop(
  skb: Skb,
  reason: 'BRIDGE_NO_EGRESS_PORT' | 'BRIDGE_INGRESS_STP_STATE' | 'PKT_TOO_BIG',
  detail: string,
): void {
  skb.ns.host.kernel.record(skb, { kind: 'drop', reason, detail })
}
