import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode, Pod } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Op } from '../../linux/op.ts'
import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import type { Prefix } from '../../packet/prefix.ts'
import { bridgeOps } from '../bridge/bridge.ts'
import type { BridgeConf } from '../bridge/bridge-conf.ts'
import { hostLocalOps } from '../bridge/host-local.ts'
import type { CniPlugin, Refusal } from '../plugin.ts'
import { networkedPods, podNetnsOps } from '../pod-netns.ts'
import { ENCAP_OVERHEAD, type FlannelBackend, parseBackend } from './backend.ts'
import { configureFlannel, type FlannelConfig } from './config.ts'
import { type ExtIface, extIfaceOf } from './ext-iface.ts'
import { behindNat, hostGwOps, hostGwRefusals } from './host-gw.ts'
import type { Lease } from './lease.ts'
import { backendTypeOf, flanneldDown, leaseOfNode } from './peers.ts'
import { forwardOps, masqueradeOps } from './rules.ts'
import { subnetEnvOp } from './subnet-env.ts'
import { udpOps } from './udp.ts'
import { vxlanDeviceOps, vxlanPeerOps, vxlanRefusals } from './vxlan.ts'

/** flannel: flanneld on every node, its CNI plugin, which delegates to bridge and host-local. */
export const flannel: CniPlugin<FlannelConfig> = {
  name: 'flannel',
  configure: configureFlannel,
  compile: compileFlannel,
  refusals: flannelRefusals,
}

/** flanneld first (device, rules, subnet.env, then a lease of each peer), then the pods. */
function compileFlannel(cluster: Cluster, node: KubeNode, config: FlannelConfig, facts: HostFacts): Op[] {
  const start = startOf(config, node, facts)
  // Without subnet.env no pod gets a network; its sandbox has lo alone.
  if (!start.ok) return networkedPods(cluster, node).flatMap(podNetnsOps)
  const { lease, backend, iface } = start.value
  const mtu = podMtu(backend, iface)
  const down = flanneldDown(cluster, node)
  return [
    ...(backend.kind === 'udp' && !down ? udpOps(config, backend, lease, iface) : []),
    ...(backend.kind === 'vxlan' ? lease.families.flatMap((own) => vxlanDeviceOps(config, backend, own, iface)) : []),
    ...lease.families.flatMap((own) => masqueradeOps(config, own, facts)),
    ...lease.families.flatMap((own) => forwardOps(config, own)),
    subnetEnvOp(config, lease, mtu),
    ...lease.families.flatMap(({ family }) => {
      if (backend.kind === 'vxlan') return vxlanPeerOps(cluster, config, { node, lease, backend, facts }, family)
      return backend.kind === 'host-gw' ? hostGwOps(cluster, config, { node, lease, iface }, family) : []
    }),
    ...podOps(cluster, node, config, { lease, mtu }),
  ]
}

function flannelRefusals(
  cluster: Cluster,
  node: KubeNode,
  config: FlannelConfig,
  facts: HostFacts,
): readonly Refusal[] {
  if (!config.computed) return []
  const start = startOf(config, node, facts)
  if (!start.ok) return config.networks.map((network) => notStarted(node, network, start.reason))
  const { lease, backend, iface } = start.value
  if (backend.kind === 'udp' && flanneldDown(cluster, node))
    return config.networks.map((network) => notStarted(node, network, 'a fault in the Lab document: it is down'))
  return lease.families.flatMap(({ family }) => {
    if (backend.kind === 'vxlan') return vxlanRefusals(cluster, config, { node, lease, backend, facts }, family)
    return backend.kind === 'host-gw' ? hostGwRefusals(cluster, config, { node, lease, iface }, family) : []
  })
}

const notStarted = (node: KubeNode, network: Prefix, reason: string): Refusal => ({
  node: node.meta.name,
  destination: network,
  command: 'flanneld --kube-subnet-mgr',
  answer: reason,
  reason: `flanneld does not run on ${node.meta.name}: ${reason}`,
  peer: node.meta.name,
})

interface Start {
  readonly lease: Lease
  readonly backend: FlannelBackend
  readonly iface: ExtIface
}

/** What flanneld finds on a node when it starts, or why it does not start. */
function startOf(config: FlannelConfig, node: KubeNode, facts: HostFacts): Parsed<Start> {
  if (!config.computed) return refused('what it does there is not modelled')
  const lease = leaseOfNode(config, node)
  if (lease === undefined) return refused('it has no lease: see the warnings about the Node')
  const iface = extIfaceOf(config.args, facts)
  if (iface === undefined) return refused('Failed to find any valid interface to use')
  const type = backendTypeOf(config, lease)
  const backend = type === config.backend.kind ? config.backend : otherBackend(type)
  if (backend === undefined) return refused(`its backend ${type} is not modelled`)
  if (backend.kind === 'host-gw' && behindNat(lease, iface))
    return refused(
      "your PublicIP differs from interface IP, meaning that probably you're on a NAT, which is not supported by host-gw backend",
    )
  return parsed({ lease, backend, iface })
}

/** A node still on another backend than the configured one: its settings are gone, its defaults are not. */
function otherBackend(type: string): FlannelBackend | undefined {
  const backend = parseBackend(type, {})
  return backend.ok ? backend.value : undefined
}

const podMtu = (backend: FlannelBackend, iface: ExtIface): number =>
  (backend.kind === 'vxlan' ? (backend.mtu ?? iface.mtu) : iface.mtu) - ENCAP_OVERHEAD[backend.kind]

function podOps(
  cluster: Cluster,
  node: KubeNode,
  config: FlannelConfig,
  given: { readonly lease: Lease; readonly mtu: number },
): Op[] {
  const conf = bridgeConfOf(config, given.lease, given.mtu)
  const pods: readonly Pod[] = networkedPods(cluster, node)
  return [...bridgeOps(node, pods, conf), ...hostLocalOps(pods, conf)]
}

/** What the flannel CNI plugin makes of subnet.env and cni-conf.json for the bridge plugin. */
export function bridgeConfOf(config: FlannelConfig, lease: Lease, mtu: number): BridgeConf {
  const { cni } = config
  return {
    network: cni.name,
    bridge: cni.bridge,
    mtu: cni.mtu ?? mtu,
    hairpinMode: cni.hairpinMode,
    isDefaultGateway: cni.isDefaultGateway,
    ipMasq: cni.ipMasq ?? !config.args.ipMasq,
    subnets: lease.families.map(({ subnet }) => subnet),
    routes: config.networks,
  }
}
