import type { Op } from '../../../linux/op.ts'
import type { Listener, Scenario } from '../scenario.ts'
import { flannelNode, forwarder, outsideHost, pod, type Service } from './flannel.ts'
import type { RecipeBase } from './recipe.ts'
import { route } from './words.ts'

/** Nodes on one segment as flannel sets them up, with services by iptables cut down to a few rules, and a host outside. */
export interface FlannelRecipe extends RecipeBase {
  readonly kind: 'flannel'
  readonly mode: 'vxlan' | 'host-gw' | 'udp'
  readonly nodes: number
  readonly bridgeNetfilter: 0 | 1
  readonly hairpin: boolean
  /** Undefined: no rule at all. */
  readonly services: readonly Service[] | undefined
  readonly defaultRoute: boolean
  /** Undefined: what fits the tunnel. */
  readonly podMtu: number | undefined
}

/** Ports that every pod of a recipe listens on. */
export const POD_TCP = 8080
export const POD_UDP = 5353

export function buildFlannel(recipe: FlannelRecipe): Pick<Scenario, 'lab' | 'standing'> {
  const peers = Array.from({ length: recipe.nodes }, (_, i) => i + 1)
  const { bridgeNetfilter, hairpin, services, podMtu } = recipe
  const hosts = peers.map((number) => {
    const way = recipe.defaultRoute ? [route('0.0.0.0/0', { via: '192.168.40.2', dev: 'ens33' })] : []
    const node = flannelNode({
      number,
      peers,
      backend: recipe.mode,
      bridgeNetfilter,
      hairpin,
      more: way,
      ...(services === undefined ? {} : { services }),
    })
    return podMtu === undefined ? node : { ...node, ops: node.ops.map((op) => withMtu(op, podMtu)) }
  })
  const listeners = peers.flatMap((number) =>
    (['a', 'b'] as const).flatMap((name): Listener[] => [
      { ...pod(number, name), program: 'listen', protocol: 'tcp', family: 4, port: POD_TCP },
      { ...pod(number, name), program: 'listen', protocol: 'udp', family: 4, port: POD_UDP },
    ]),
  )
  const forwarders = recipe.mode === 'udp' ? peers.map((number) => forwarder(number, peers)) : []
  return { lab: { hosts: [...hosts, outsideHost()] }, standing: [...listeners, ...forwarders] }
}

/** All links of the pods' side take another MTU. */
function withMtu(op: Op, mtu: number): Op {
  if (op.kind !== 'link.add') return op
  if (op.type.kind === 'veth') return { ...op, mtu, type: { ...op.type, peer: { ...op.type.peer, mtu } } }
  return op.type.kind === 'bridge' ? { ...op, mtu } : op
}
