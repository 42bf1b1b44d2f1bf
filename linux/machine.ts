import { ipKey } from '../packet/ip.ts'
import type { Frame } from '../packet/packet.ts'
import { devQueueXmit, netifReceive } from './device.ts'
import type { MachineEvent } from './event.ts'
import type { HostConfig, LinkConfig, NetnsConfig, PermanentNeighbor } from './host-config.ts'
import { icmpError } from './icmp.ts'
import { ipLocalOut, sendOn } from './ip-output.ts'
import { type Neighbor, neighborTimer } from './neighbor.ts'
import { newNetfilterState } from './netfilter/netfilter.ts'
import type { Host, Kernel, Link, Netns, Stack } from './netns.ts'
import type { Program } from './process.ts'
import { fragmentTimer } from './reassembly.ts'
import { processTimer, startProcess, wakeProcess } from './run-process.ts'
import { sctpTimer } from './sctp-timeout.ts'
import { newSkb } from './skb.ts'
import { newSocketTable } from './socket.ts'
import { sendReset } from './tcp-output.ts'
import { tcpTimer } from './tcp-timer.ts'

/** One Linux machine: switched on from its configuration, then driven by events. */

const STACK: Stack = {
  xmit: devQueueXmit,
  receive: netifReceive,
  localOut: (skb) => void ipLocalOut(skb),
  icmpError,
  sendOn,
  tcpReset: (skb) => sendReset(skb, 'REJECT'),
}

/** A machine with nothing learned yet. Its programs are not started (see `startPrograms`). */
export function boot(config: HostConfig, kernel: Kernel): Host {
  const netns = new Map<string, Netns>()
  const host: Host = {
    name: config.name,
    capabilities: config.capabilities,
    netns,
    kernel,
    stack: STACK,
    xmit: { recursion: 0 },
  }
  for (const space of config.netns.values()) netns.set(space.name, bootNetns(host, space))
  return host
}

/** A namespace with nothing learned yet. */
export function bootNetns(host: Host, config: NetnsConfig): Netns {
  const links = new Map<string, Link>()
  const ns: Netns = {
    host,
    name: config.name,
    links,
    fib: config.fib,
    sysctls: config.sysctls,
    files: config.files,
    netfilter: config.netfilter,
    netfilterState: newNetfilterState(),
    state: {
      neighbors: new Map(),
      sockets: newSocketTable(),
      processes: new Map(),
      ipIds: new Map(),
      flowPorts: new Map(),
      flowLabels: new Map(),
      fragments: new Map(),
      pathMtus: new Map(),
      redirects: new Map(),
      sendingIcmp: new Set(),
      peers: new Map(),
    },
  }
  for (const link of config.links) links.set(link.name, bootLink(ns, link))
  for (const neighbor of config.neighbors) {
    const permanent = permanentNeighbor(ns, neighbor)
    if (permanent !== undefined) ns.state.neighbors.set(`${neighbor.link}|${ipKey(neighbor.ip)}`, permanent)
  }
  return ns
}

/** A neighbour that was set by hand; undefined: there is no such device. */
export function permanentNeighbor(ns: Netns, { link: name, ip, mac, origin }: PermanentNeighbor): Neighbor | undefined {
  const link = ns.links.get(name)
  if (link === undefined) return undefined
  return {
    link,
    ip,
    state: 'permanent',
    mac,
    headerCached: false,
    waiting: [],
    probes: 0,
    turn: 0,
    confirmedAt: 0,
    origin,
  }
}

/** Every field by name: a spread with a new field would give each link a shape of its own, and machines boot in every run. */
export function bootLink(ns: Netns, link: LinkConfig): Link {
  const { name, index, mac, mtu, up, type, master, port, ports, addresses, conf, fdb, origin } = link
  const learning = { permanent: fdb, learned: new Map() }
  return { ns, name, index, mac, mtu, up, type, master, port, ports, addresses, conf, fdb: learning, origin }
}

/**
 * Starts the programs that the configuration names for a namespace. `find` knows them; an unknown one is answered with
 * its name.
 */
export function startPrograms(
  ns: Netns,
  { processes }: NetnsConfig,
  find: (program: string, args: Readonly<Record<string, string>>) => Program | undefined,
): readonly string[] {
  const unknown: string[] = []
  for (const { name, program, args } of processes) {
    const found = find(program, args)
    if (found === undefined) unknown.push(program)
    else startProcess(ns, name, found, args)
  }
  return unknown
}

/** Does what an event says. What follows from it comes out of the kernel's `record`, `note` and `emit`. */
export function handle(event: Exclude<MachineEvent, { kind: 'wire' }>): void {
  switch (event.kind) {
    case 'backlog':
      return netifReceive(event.skb)
    case 'wake':
      return wakeProcess(event.ns, event.process, event.event, event.cause)
    case 'timer': {
      const { timer, ns } = event
      switch (timer.kind) {
        case 'neighbor':
          return neighborTimer(ns, timer.link, timer.ip, timer.turn)
        case 'tcp':
          return tcpTimer(ns, timer.socket, timer.what, timer.turn)
        case 'sctp':
          return sctpTimer(ns, timer.socket, timer.what, timer.turn)
        case 'fragments':
          return fragmentTimer(ns, timer)
        case 'process':
          return processTimer(ns, timer.process, timer.id, timer.turn)
      }
    }
  }
}

/** A frame arrives by a cable at a network card. A cable that is a pair of virtual cards keeps the sender's hash. */
export function arrive(
  link: Link,
  frame: Frame,
  { id, flowHash }: { id: number; flowHash?: string | undefined },
): void {
  const skb = newSkb(link, frame.payload, id)
  skb.flowHash = flowHash
  skb.mac = { src: frame.src, dst: frame.dst }
  netifReceive(skb)
}
