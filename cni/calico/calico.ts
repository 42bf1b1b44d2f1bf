import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import type { Op } from '../../linux/op.ts'
import type { CniPlugin } from '../plugin.ts'
import { networkedPods } from '../pod-netns.ts'
import { bgpOps, bgpRefusals } from './bgp.ts'
import { type CalicoConfig, configureCalico } from './config.ts'
import { endpointOps } from './endpoint.ts'
import { autoMtu } from './mtu.ts'
import { natOps } from './nat.ts'
import { calicoTraits } from './versions.ts'

/** Calico without encapsulation: the CNI plugin, felix's NAT, and BIRD in a full mesh. Policy is netpol/'s. */
export const calico: CniPlugin<CalicoConfig> = {
  name: 'calico',
  configure: configureCalico,
  compile: compileCalico,
  refusals: (cluster, node, config, facts) => (config.computed ? bgpRefusals(cluster, { node, config, facts }) : []),
}

function compileCalico(cluster: Cluster, node: KubeNode, config: CalicoConfig, facts: HostFacts): Op[] {
  const settings = {
    interfacePrefix: config.interfacePrefix,
    mtu: config.vethMtu ?? autoMtu(facts),
    metric: calicoTraits(config.version).podRouteMetric,
  }
  const endpoints = networkedPods(cluster, node).flatMap((pod) => endpointOps(pod, settings))
  if (!config.computed) return endpoints
  return [...natOps(config, facts), ...endpoints, ...bgpOps(cluster, { node, config, facts })]
}
