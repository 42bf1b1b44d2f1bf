import type { Link } from './netns.ts'

/**
 * Whether the device is up and has somebody to talk to (netif_carrier_ok): a pair only while both ends are up, a bridge
 * while one of its ports has (br_port_state_selection). Without, the kernel takes its queue away within a second
 * (dev_deactivate), and nothing leaves any more, not even as far as a capture.
 */
export function isRunning(link: Link): boolean {
  if (!link.up) return false
  switch (link.type.kind) {
    case 'veth':
      return link.ns.host.netns.get(link.type.peer.netns)?.links.get(link.type.peer.name)?.up === true
    case 'bridge':
      return link.ports.some((name) => {
        const port = link.ns.links.get(name)
        return port !== undefined && isRunning(port)
      })
    case 'tun':
      // tun_set_iff: from when a program has it open.
      return [...link.ns.state.processes.values()].some(
        ({ tuns, exitCode }) => exitCode === undefined && [...tuns.values()].includes(link.name),
      )
    default:
      return true
  }
}
