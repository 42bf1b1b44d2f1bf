import type { Cluster } from '../../cluster/cluster.ts'
import { keyOf } from '../../cluster/cluster.ts'
import type { Lab } from '../../cluster/lab.ts'
import type { ConfigMap, Container, KubeNode, OtherObject, Pod, Workload } from '../../cluster/objects.ts'
import { type HostFacts, USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../../packet/prefix.ts'

/** Clusters written down by hand for tests: only what a pod network reads. */
export interface Sketch {
  readonly nodes: readonly KubeNode[]
  readonly pods?: readonly Pod[]
  readonly configMaps?: readonly ConfigMap[]
  readonly workloads?: readonly Workload[]
  readonly others?: readonly OtherObject[]
  readonly lab?: Lab
  readonly podCIDRs?: readonly string[]
}

export function clusterOf(sketch: Sketch): Cluster {
  const pods = sketch.pods ?? []
  const byNode = new Map(
    sketch.nodes.map(({ meta }) => [meta.name, pods.filter((pod) => pod.spec.nodeName === meta.name)]),
  )
  const byKey = <T extends { readonly meta: KubeNode['meta'] }>(list: readonly T[]) =>
    new Map(list.map((object) => [keyOf(object.meta), object]))
  return {
    nodes: sketch.nodes,
    namespaces: [],
    pods,
    services: [],
    endpointSlices: [],
    endpoints: [],
    configMaps: sketch.configMaps ?? [],
    networkPolicies: [],
    workloads: sketch.workloads ?? [],
    serviceCIDRs: [],
    others: sketch.others ?? [],
    lab: sketch.lab ?? {},
    facts: {
      kubernetesVersion: 'v1.36.3',
      dnsDomain: 'cluster.local',
      podCIDRs: (sketch.podCIDRs ?? ['10.244.0.0/16']).map(prefix),
      serviceCIDRs: [prefix('10.96.0.0/12')],
      clusterDNS: [ip('10.96.0.10')],
      cni: { name: 'flannel', evidence: 'test', confidence: 'given' },
    },
    index: {
      node: byKey(sketch.nodes),
      namespace: new Map(),
      pod: byKey(pods),
      service: new Map(),
      configMap: byKey(sketch.configMaps ?? []),
      podsOnNode: byNode,
      podByIp: new Map(),
      slicesOfService: new Map(),
      policiesOfNamespace: new Map(),
    },
    assumptions: [],
    inventory: { read: {}, skipped: {} },
  }
}

const meta = (name: string, namespace = '') => ({ name, namespace, labels: {}, annotations: {} })

export function nodeOf(
  name: string,
  ips: readonly string[],
  podCIDRs: readonly string[],
  annotations: Readonly<Record<string, string>> = {},
): KubeNode {
  return {
    kind: 'Node',
    meta: { ...meta(name), annotations },
    assumed: false,
    podCIDRs: podCIDRs.map(prefix),
    internalIPs: ips.map(ip),
    externalIPs: [],
    hostname: name,
    taints: [],
    unschedulable: false,
    ready: true,
  }
}

export function podOf(name: string, nodeName: string, ips: readonly string[], changes: Partial<Pod> = {}): Pod {
  return {
    kind: 'Pod',
    meta: meta(name, 'default'),
    assumed: false,
    phase: 'Running',
    ready: true,
    ips: ips.map(ip),
    hostIPs: [],
    spec: {
      nodeName,
      nodeSelector: {},
      tolerations: [],
      hostNetwork: false,
      containers: [],
      initContainers: [],
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      dnsConfig: { nameservers: [], searches: [], options: [] },
      hostAliases: [],
      hostname: '',
      subdomain: '',
      setHostnameAsFQDN: false,
      enableServiceLinks: true,
      serviceAccountName: 'default',
    },
    ...changes,
  }
}

export const configMapOf = (namespace: string, name: string, data: Readonly<Record<string, string>>): ConfigMap => ({
  kind: 'ConfigMap',
  meta: meta(name, namespace),
  assumed: false,
  data,
})

export const otherOf = (objectKind: string, name: string, spec: unknown): OtherObject => ({
  kind: 'Other',
  apiVersion: 'crd.projectcalico.org/v1',
  objectKind,
  meta: meta(name),
  assumed: false,
  spec,
})

export function daemonSetOf(name: string, container: Partial<Container>): Workload {
  const { spec } = podOf('', '', [])
  const whole: Container = {
    name: 'main',
    image: '',
    command: [],
    args: [],
    ports: [],
    env: [],
    hasReadinessProbe: false,
    sidecar: false,
    ...container,
  }
  return {
    kind: 'DaemonSet',
    meta: meta(name, 'kube-system'),
    assumed: false,
    replicas: 0,
    selector: { matchLabels: {}, matchExpressions: [] },
    template: { labels: {}, annotations: {}, spec: { ...spec, hostNetwork: true, containers: [whole] } },
    serviceName: '',
    ordinalsStart: 0,
  }
}

/** A machine with one card, MTU 1500, and a default route over it. */
export const factsOf = (hostname: string, addresses: readonly string[], name = 'ens33'): HostFacts => ({
  hostname,
  interfaces: [
    {
      name,
      mac: mac('52:54:00:00:00:01'),
      mtu: 1500,
      addresses: addresses.map((address) => must(parseInterfaceAddress(address))),
    },
  ],
  defaultInterface: name,
  capabilities: USUAL_CAPABILITIES,
  files: new Map(),
})
