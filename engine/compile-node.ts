import type { Cluster } from '../cluster/cluster.ts'
import type { KubeNode, Pod } from '../cluster/objects.ts'
import type { CniPlugin } from '../cni/plugin.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { compileNodeCache } from '../dns/node-local/compile.ts'
import { isNodeCache, NODE_CACHE_PORTS } from '../dns/node-local/node-cache.ts'
import { compilePodFiles } from '../dns/pod/files.ts'
import type { HostFacts } from '../linux/host-facts.ts'
import type { Op } from '../linux/op.ts'
import type { KubeProxyConfig } from '../proxy/config.ts'
import { kubeletOps } from '../proxy/kubelet.ts'
import type { ProxyMode, ProxySite } from '../proxy/proxy-mode.ts'
import { COREDNS_PORTS, coreDnsOps, isCoreDns } from './coredns-pods.ts'
import type { EntryRoute } from './entry-route.ts'
import { machineListeners, podListeners } from './listening.ts'
import { factsAfter, machineFacts, machineOps } from './machine-ops.ts'
import type { Underlay, UnderlayMachine } from './underlay.ts'

/** What the compilers of a cluster's nodes are given. The same for all nodes. */
export interface NodeCompilers {
  readonly cluster: Cluster
  readonly underlay: Underlay
  readonly entry?: EntryRoute | undefined
  readonly cni: { readonly plugin: CniPlugin; readonly config: unknown } | undefined
  readonly proxy: { readonly mode: ProxyMode; readonly config: KubeProxyConfig } | undefined
}

interface Site extends NodeCompilers {
  readonly machine: UnderlayMachine
  readonly node: KubeNode
}

const KUBE_PROXY = 'kube-proxy'

/**
 * The order in which a node comes up. It matters where one program appends rules and another inserts them: kube-proxy
 * inserts its jumps, so it stands before flannel's whenever it started.
 */
const ORDER: readonly { readonly name: string; readonly compile: (site: Site, facts: HostFacts) => readonly Op[] }[] = [
  { name: 'kubelet', compile: ({ cluster }, facts) => kubeletOps(cluster.facts.kubernetesVersion, facts) },
  {
    name: 'pod network',
    compile: ({ cni, cluster, node }, facts) =>
      cni === undefined ? [] : cni.plugin.compile(cluster, node, cni.config, facts),
  },
  {
    name: 'pods',
    compile: ({ cluster, node }, facts) =>
      runningPods(cluster, node).flatMap((pod) =>
        compilePodFiles(cluster, pod, { netns: podNetns(pod), nodeFiles: facts.files }),
      ),
  },
  {
    name: KUBE_PROXY,
    compile: ({ proxy, cluster, node }, facts) =>
      proxy === undefined ? [] : proxy.mode.compile(cluster, node, proxy.config, facts),
  },
  { name: 'node-local DNS', compile: ({ cluster, node }) => compileNodeCache(cluster, node) },
  {
    name: 'containers',
    compile: ({ cluster, node, machine }) => [
      ...runningPods(cluster, node).flatMap((pod) =>
        isCoreDns(pod)
          ? [...coreDnsOps(cluster, pod), ...podListeners(cluster, pod, COREDNS_PORTS)]
          : podListeners(cluster, pod, isNodeCache(pod) ? NODE_CACHE_PORTS : []),
      ),
      ...machineListeners(cluster, machine, node),
    ],
  },
]

/** Everything that stands on a machine when it is up: a node of the cluster, a router, an outside host. */
export function compileMachine(compilers: NodeCompilers, machine: UnderlayMachine): readonly Op[] {
  return compileUntil(compilers, machine, undefined).ops
}

/** The machine as kube-proxy finds it when it starts; undefined where none runs. */
export function proxySite(compilers: NodeCompilers, machine: UnderlayMachine): ProxySite | undefined {
  const { cluster, proxy } = compilers
  const node = cluster.index.node.get(machine.name)
  if (node === undefined || proxy === undefined) return undefined
  return { cluster, node, config: proxy.config, facts: compileUntil(compilers, machine, KUBE_PROXY).facts }
}

/** Everything up to one program of the order, and what it finds there. */
function compileUntil(
  compilers: NodeCompilers,
  machine: UnderlayMachine,
  last: string | undefined,
): { readonly ops: readonly Op[]; readonly facts: HostFacts } {
  const { cluster } = compilers
  const ops: Op[] = machineOps(machine, compilers)
  const node = cluster.index.node.get(machine.name)
  let facts = machineFacts(machine, cluster, ops)
  if (node === undefined) return { ops: [...ops, ...machineListeners(cluster, machine, undefined)], facts }
  const site: Site = { ...compilers, machine, node }
  for (const { name, compile } of ORDER) {
    if (name === last) break
    const made = compile(site, facts)
    // One by one: a call takes no 200,000 arguments.
    for (const op of made) ops.push(op)
    facts = factsAfter(facts, made)
  }
  return { ops, facts }
}

/** Pods whose processes run on the node: those that have an address, or the node's. */
export function runningPods(cluster: Cluster, node: KubeNode): readonly Pod[] {
  const pods = cluster.index.podsOnNode.get(node.meta.name) ?? []
  return pods.filter(
    (pod) => (pod.spec.hostNetwork || pod.ips.length > 0) && pod.phase !== 'Succeeded' && pod.phase !== 'Failed',
  )
}
