import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { type Op, ROOT_NETNS, type Route } from '../../linux/op.ts'
import { type Family, formatIp, type Ip, parseIp } from '../../packet/ip.ts'
import { bitsOf, contains, formatPrefix, networkOf, type Prefix, samePrefix } from '../../packet/prefix.ts'
import { originOf } from '../origin.ts'
import type { Refusal } from '../plugin.ts'
import { networkedPods } from '../pod-netns.ts'
import { blocksOfNode, borrowed } from './block.ts'
import type { CalicoConfig, CalicoNode } from './config.ts'
import { IPV6_DEFAULT_METRIC } from './endpoint.ts'
import { poolOf } from './pool.ts'

/** What BIRD leaves in a node's kernel: its own blocks as blackholes, what the others announce as routes to them. */
export function bgpOps(cluster: Cluster, here: Here): Op[] {
  if (calicoNodeOf(here) === undefined) return []
  return [...ownBlockOps(here), ...peersOf(cluster, here).flatMap((peer) => peerOps(cluster, here, peer))]
}

export interface Here {
  readonly node: KubeNode
  readonly config: CalicoConfig
  readonly facts: HostFacts
}

const calicoNodeOf = ({ node, config }: Here): CalicoNode | undefined =>
  config.nodes.find((one) => one.node.meta.name === node.meta.name)

/** Packets for an address of the block that no pod has end here; a block of one address has no such route. */
function ownBlockOps({ node, config }: Here): Op[] {
  return blocksOfNode(config.blocks, node)
    .filter(({ cidr }) => cidr.length < bitsOf(cidr.address.family))
    .map((block) => ({
      kind: 'route.replace',
      route: { type: 'blackhole', destination: block.cidr, protocol: 'bird', ...metricOf(block.cidr) },
      netns: ROOT_NETNS,
      origin: originOf(
        'BIRD',
        `block ${formatPrefix(block.cidr)} of Node ${node.meta.name}`,
        block.object,
        'addresses of the block that no pod has',
      ),
    }))
}

function peersOf(cluster: Cluster, here: Here): readonly CalicoNode[] {
  const own = calicoNodeOf(here)
  return here.config.mesh ? here.config.nodes.filter((peer) => peer !== own && !isDown(cluster, peer.node)) : []
}

const isDown = (cluster: Cluster, node: KubeNode): boolean =>
  (cluster.lab.faults ?? []).some((fault) => fault.kind === 'nodeDown' && fault.node === node.meta.name)

function peerOps(cluster: Cluster, here: Here, peer: CalicoNode): Op[] {
  return announcements(cluster, here.config, peer).flatMap((destination): Op[] => {
    if (isOwn(cluster, here, destination)) return []
    const hop = nextHop(cluster, here, peer, destination.address.family)
    if (hop.kind !== 'found') return []
    const route: Route = {
      type: 'unicast',
      destination,
      via: hop.via,
      dev: hop.dev,
      protocol: 'bird',
      ...metricOf(destination),
    }
    return [
      {
        kind: 'route.replace',
        route,
        netns: ROOT_NETNS,
        origin: originOf(
          'BIRD',
          `${formatPrefix(destination)} announced by Node ${peer.node.meta.name}`,
          peer.node,
          hop.reason,
        ),
      },
    ]
  })
}

/**
 * What a node announces (export filter of the confd templates, v3.28.4): its blocks whole, pods with an address
 * outside them one by one, each only inside a pool that may be announced.
 */
function announcements(cluster: Cluster, config: CalicoConfig, { node }: CalicoNode): readonly Prefix[] {
  const own = blocksOfNode(config.blocks, node)
  const single = borrowed(networkedPods(cluster, node), own).map(({ cidr }) => cidr)
  const all = [...own.map(({ cidr }) => cidr), ...single]
  return all.filter((cidr) => poolOf(config.pools, cidr.address)?.disableBgpExport === false)
}

/** A route to a pod of this very node, or the very blackhole of its block, stays. */
function isOwn(cluster: Cluster, { node, config }: Here, destination: Prefix): boolean {
  if (blocksOfNode(config.blocks, node).some(({ cidr }) => samePrefix(cidr, destination))) return true
  const single = destination.length === bitsOf(destination.address.family)
  return single && networkedPods(cluster, node).some((pod) => pod.ips.some((ip) => contains(destination, ip)))
}

type NextHop =
  | { readonly kind: 'found'; readonly via: Ip; readonly dev: string; readonly reason?: string }
  | { readonly kind: 'none'; readonly reason: string }

/**
 * The BGP next hop, resolved recursively (`gateway recursive`): the peer itself where it is on a link of the node,
 * else the gateway of the route to it. That the gateway knows the pods' addresses is not BIRD's concern.
 */
function nextHop(cluster: Cluster, here: Here, peer: CalicoNode, family: Family): NextHop {
  const to = peer.addresses[family]
  const own = calicoNodeOf(here)
  if (to === undefined) return { kind: 'none', reason: `it has no IPv${family} address in calico` }
  if (own?.addresses[family] === undefined)
    return { kind: 'none', reason: `${here.node.meta.name} has no IPv${family} address in calico` }
  const link = here.facts.interfaces.find(({ addresses }) =>
    addresses.some(({ ip, length }) => contains(networkOf(ip, length), to)),
  )
  if (link !== undefined) return { kind: 'found', via: to, dev: link.name }
  // Sessions between nodes of different AS are direct eBGP and never come up across a router.
  if (own.asNumber !== peer.asNumber)
    return { kind: 'none', reason: `its AS is ${peer.asNumber}, not ${own.asNumber}, and a router is between them` }
  const via = gatewayOf(cluster, here, family)
  const dev = here.facts.defaultInterface
  if (via === undefined || dev === undefined) return { kind: 'none', reason: `no route leads to ${formatIp(to)}` }
  return {
    kind: 'found',
    via,
    dev,
    reason: `the next hop ${formatIp(to)} is behind the gateway, which must know the pods itself`,
  }
}

function gatewayOf(cluster: Cluster, { node, facts }: Here, family: Family): Ip | undefined {
  const known = facts.gateways?.find((gateway) => gateway.family === family)
  if (known !== undefined) return known
  const written = cluster.lab.nodes?.[node.meta.name]?.gateway
  const given = written === undefined ? undefined : parseIp(written)
  return given?.ok === true && given.value.family === family ? given.value : undefined
}

/** What peers announce and this node has no route for. */
export function bgpRefusals(cluster: Cluster, here: Here): readonly Refusal[] {
  if (calicoNodeOf(here) === undefined)
    return here.config.pools.map((pool) =>
      refusal(here, pool.cidr, `${here.node.meta.name} has no address in calico: BIRD does not start`),
    )
  return here.config.nodes.flatMap((peer) =>
    announcements(cluster, here.config, peer).flatMap((destination) => {
      if (peer.node.meta.name === here.node.meta.name) return []
      const why = whyNoRoute(cluster, here, peer, destination)
      return why === undefined ? [] : [{ ...refusal(here, destination, why), peer: peer.node.meta.name }]
    }),
  )
}

function whyNoRoute(cluster: Cluster, here: Here, peer: CalicoNode, destination: Prefix): string | undefined {
  if (!here.config.mesh) return 'the node-to-node mesh is switched off and no BGPPeer takes its place'
  if (isDown(cluster, peer.node)) return `${peer.node.meta.name} is down (a fault in the Lab document)`
  const hop = nextHop(cluster, here, peer, destination.address.family)
  return hop.kind === 'none' ? `${peer.node.meta.name}: ${hop.reason}` : undefined
}

const refusal = ({ node }: Here, destination: Prefix, reason: string): Refusal => ({
  node: node.meta.name,
  destination,
  command: `ip route add ${formatPrefix(destination)} proto bird`,
  answer: 'never given',
  reason,
  peer: node.meta.name,
})

const metricOf = (destination: Prefix) => (destination.address.family === 6 ? { metric: IPV6_DEFAULT_METRIC } : {})
