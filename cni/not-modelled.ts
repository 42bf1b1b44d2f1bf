import type { DetectedCni } from '../cluster/cluster.ts'
import type { NotModelled } from './plugin.ts'
import { cniPlugins } from './registry.ts'

/** Pod networks that are recognised, and what a walk through them would need. */
const RECOGNISED: Readonly<Record<string, string>> = {
  canal: "flannel's routes together with calico's interfaces and policy",
  kindnet: 'its point-to-point interfaces, routes between nodes and masquerade rules',
  'aws-vpc-cni': 'the routing rules and tables of each network interface',
  'kube-router': 'its bridge, BGP routes and IPVS tables',
  cilium: 'its eBPF programs',
  weave: 'its own data path',
  antrea: 'its Open vSwitch flows',
  'ovn-kubernetes': 'its Open vSwitch flows',
  kubenet: "cbr0 and the cloud's routes",
}

/** What is missing for a detected pod network; undefined where there is a compiler for it. */
export function cniNotModelled(cni: DetectedCni): NotModelled | undefined {
  if (Object.hasOwn(cniPlugins, cni.name)) return undefined
  const missing = Object.hasOwn(RECOGNISED, cni.name) ? RECOGNISED[cni.name] : undefined
  if (missing !== undefined) return { what: cni.name, missing, evidence: cni.evidence }
  if (cni.name === 'unknown')
    return {
      what: 'a pod network that could not be told',
      missing: 'which one it is: say it as `cni: { name: flannel, backend: vxlan }` in a Lab document',
      evidence: cni.evidence,
    }
  return { what: cni.name, missing: `known are ${Object.keys(cniPlugins).join(', ')}`, evidence: cni.evidence }
}
