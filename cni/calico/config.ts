import type { Cluster } from '../../cluster/cluster.ts'
import type { Container, KubeNode, OtherObject, Workload } from '../../cluster/objects.ts'
import type { Assumption, Diagnostic } from '../../cluster/source.ts'
import { type Family, type Ip, parseIp } from '../../packet/ip.ts'
import { type GoObject, goBoolean, goNumber, goString, isObject } from '../go-json.ts'
import { hostPortDiagnostics } from '../host-port.ts'
import { describe } from '../origin.ts'
import type { CniConfigured, NotModelled } from '../plugin.ts'
import { formatVersion, imageVersion, parseVersion, type Version } from '../version.ts'
import { type Block, blocksOf } from './block.ts'
import { type Pool, poolsOf } from './pool.ts'
import { NEWEST } from './versions.ts'

/** Calico without encapsulation, as all nodes see it. */
export interface CalicoConfig {
  readonly version: Version
  readonly pools: readonly Pool[]
  readonly blocks: readonly Block[]
  readonly nodes: readonly CalicoNode[]
  /** `cali` unless FELIX_INTERFACEPREFIX says otherwise. */
  readonly interfacePrefix: string
  /** Undefined: from the node's cards. */
  readonly vethMtu: number | undefined
  /** BIRD runs and all nodes are each other's peers. */
  readonly mesh: boolean
  /** False where this calico is not modelled: its routes and rules are left out rather than guessed. */
  readonly computed: boolean
}

/** A node that takes part, with the addresses its BGP sessions use. */
export interface CalicoNode {
  readonly node: KubeNode
  readonly addresses: Readonly<Record<Family, Ip | undefined>>
  readonly asNumber: number
}

const DEFAULT_AS = 64512

export function configureCalico(cluster: Cluster): CniConfigured<CalicoConfig> {
  const calicoNode = containerOf(cluster)
  const { pools, diagnostics } = poolsOf(cluster, calicoNode)
  const chosen = withLabMode(cluster, pools)
  const blocks = blocksOf(cluster, chosen)
  const bgp = specOf(resource(cluster, 'BGPConfiguration', 'default'))
  const { nodes, assumed } = nodesOf(cluster, goNumber(bgp, 'asNumber') ?? DEFAULT_AS)
  const { version, assumptions } = versionOf(cluster, calicoNode)
  const known = {
    version,
    pools: chosen,
    blocks: blocks.blocks,
    nodes,
    interfacePrefix: envOf(calicoNode, 'FELIX_INTERFACEPREFIX') ?? 'cali',
    vethMtu: vethMtuOf(cluster),
    mesh: goBoolean(bgp, 'nodeToNodeMeshEnabled') ?? true,
  }
  const notModelled = missing(cluster, chosen, calicoNode)
  const config: CalicoConfig = { ...known, computed: notModelled === undefined }
  return {
    config,
    assumptions: [
      ...assumptions,
      ...blocks.assumptions,
      ...assumed,
      ...(config.mesh && config.computed ? [ESTABLISHED] : []),
    ],
    diagnostics: [...diagnostics, ...unusual(cluster), ...hostPortDiagnostics(cluster)],
    ...(notModelled === undefined ? {} : { notModelled }),
  }
}

const ESTABLISHED: Assumption = {
  code: 'calico-bgp-established',
  text: 'the BGP sessions between all nodes are established',
  set: 'faults in a Lab document: { kind: nodeDown, node: NODE }',
  collect: 'calicoctl node status',
}

/** The first thing calico is told to do that is not computed here. */
function missing(cluster: Cluster, pools: readonly Pool[], calicoNode: Container | undefined): NotModelled | undefined {
  for (const pool of pools) {
    const encap = pool.ipip !== 'Never' ? `IPIP (${pool.ipip})` : pool.vxlan !== 'Never' ? `VXLAN (${pool.vxlan})` : ''
    if (encap !== '')
      return {
        what: `calico with ${encap} encapsulation`,
        missing: `the ${pool.ipip !== 'Never' ? 'tunl0' : 'vxlan.calico'} device and the routes over it`,
        evidence: pool.evidence,
      }
  }
  if (pools.length === 0)
    return {
      what: 'calico whose IP pools are not known',
      missing: 'how packets travel between nodes: ask `kubectl get ippools.crd.projectcalico.org -o yaml`',
      evidence: 'no IPPool, no Installation and no environment of calico-node in the input',
    }
  const backend = backendOf(cluster, calicoNode)
  if (backend !== 'bird')
    return {
      what: `calico with networking backend ${backend}`,
      missing: 'who makes the routes between nodes',
      evidence: 'ConfigMap kube-system/calico-config',
    }
  return missingInResources(cluster)
}

function missingInResources(cluster: Cluster): NotModelled | undefined {
  const felix = resource(cluster, 'FelixConfiguration', 'default')
  const spec = specOf(felix)
  const evidence = felix === undefined ? '' : describe(felix)
  if (goBoolean(spec, 'bpfEnabled') === true)
    return { what: "calico's eBPF data plane", missing: 'its programs', evidence }
  if (goString(spec, 'nftablesMode') === 'Enabled')
    return { what: 'calico in nftables mode', missing: 'its nftables rules', evidence }
  for (const [setting, what] of [
    ['natOutgoingAddress', 'a natOutgoingAddress'],
    ['natPortRange', 'a natPortRange'],
    ['deviceRouteSourceAddress', 'a deviceRouteSourceAddress'],
  ] as const)
    if (goString(spec, setting) !== undefined)
      return { what: `calico with ${what}`, missing: `FelixConfiguration ${setting}`, evidence }
  const reflector = cluster.nodes.find(
    ({ meta }) => meta.annotations['projectcalico.org/RouteReflectorClusterID'] !== undefined,
  )
  if (reflector !== undefined)
    return { what: 'calico with route reflectors', missing: 'routes by way of them', evidence: describe(reflector) }
  const bgp = resource(cluster, 'BGPConfiguration', 'default')
  const peer = cluster.others.find(({ objectKind }) => objectKind === 'BGPPeer')
  if (goBoolean(specOf(bgp), 'nodeToNodeMeshEnabled') === false && peer !== undefined)
    return {
      what: 'calico with BGP peers instead of the mesh',
      missing: 'routes by way of them',
      evidence: describe(peer),
    }
  return undefined
}

/** Settings that change a packet's way in places that the walk does not rest on. */
const unusual = (cluster: Cluster): readonly Diagnostic[] =>
  cluster.others
    .filter(({ objectKind }) => objectKind === 'BGPPeer' || objectKind === 'BGPFilter')
    .map((object) => ({
      severity: 'warning',
      code: 'calico-bgp-peer',
      message: `${describe(object)} is not modelled: routes learned by it, and what routers outside learn, are left out`,
      ...(object.at === undefined ? {} : { at: object.at }),
    }))

/** The Lab's `cni: { name: calico, backend: bgp }` takes encapsulation away; another backend is asked for by name. */
function withLabMode(cluster: Cluster, pools: readonly Pool[]): readonly Pool[] {
  const backend = goString(cluster.lab.cni ?? {}, 'backend')
  if (backend === undefined) return pools
  const mode = {
    ipip: backend === 'ipip' ? 'Always' : 'Never',
    vxlan: backend === 'vxlan' ? 'Always' : 'Never',
    evidence: 'the Lab document',
  } as const
  if (pools.length > 0) return pools.map((pool) => ({ ...pool, ...mode }))
  return cluster.facts.podCIDRs.map((cidr) => ({
    name: `default-ipv${cidr.address.family}-ippool`,
    cidr,
    blockSize: cidr.address.family === 4 ? 26 : 122,
    natOutgoing: cidr.address.family === 4,
    disableBgpExport: false,
    ...mode,
  }))
}

/** Where nodes carry calico's annotations only those take part; where none does, each would once calico runs. */
function nodesOf(
  cluster: Cluster,
  asNumber: number,
): { readonly nodes: readonly CalicoNode[]; readonly assumed: readonly Assumption[] } {
  const annotation = (node: KubeNode, family: Family) => node.meta.annotations[`projectcalico.org/IPv${family}Address`]
  const annotated = cluster.nodes.some((node) => annotation(node, 4) !== undefined || annotation(node, 6) !== undefined)
  const addressOf = (node: KubeNode, family: Family): Ip | undefined => {
    if (!annotated) return node.internalIPs.find((ip) => ip.family === family)
    const ip = parseIp((annotation(node, family) ?? '').split('/')[0] ?? '')
    return ip.ok ? ip.value : undefined
  }
  const nodes = cluster.nodes.flatMap((node): readonly CalicoNode[] => {
    const addresses = { 4: addressOf(node, 4), 6: addressOf(node, 6) }
    if (addresses[4] === undefined && addresses[6] === undefined) return []
    const own = Number(node.meta.annotations['projectcalico.org/ASNumber'] ?? asNumber)
    return [{ node, addresses, asNumber: own }]
  })
  const assumed: Assumption = {
    code: 'calico-node-address',
    text: 'calico uses the InternalIP of every node',
    set: 'the annotation projectcalico.org/IPv4Address of the Node',
    collect: 'kubectl get nodes -o yaml',
  }
  return { nodes, assumed: annotated ? [] : [assumed] }
}

function versionOf(
  cluster: Cluster,
  calicoNode: Container | undefined,
): { readonly version: Version; readonly assumptions: readonly Assumption[] } {
  const given = cluster.lab.versions?.calico
  const version =
    (given === undefined ? undefined : parseVersion(given)) ?? (calicoNode && imageVersion(calicoNode.image))
  if (version !== undefined) return { version, assumptions: [] }
  const assumption: Assumption = {
    code: 'calico-version',
    text: `calico is ${formatVersion(NEWEST)}`,
    set: 'versions.calico in a Lab document',
    collect: 'kubectl get daemonset -n kube-system calico-node -o yaml',
  }
  return { version: NEWEST, assumptions: [assumption] }
}

function containerOf(cluster: Cluster): Container | undefined {
  const isCalicoNode = (container: Container) => container.name === 'calico-node'
  const daemonSet = cluster.workloads.find(
    (workload: Workload) => workload.kind === 'DaemonSet' && workload.meta.name === 'calico-node',
  )
  const inDaemonSet = daemonSet?.template.spec.containers.find(isCalicoNode)
  return inDaemonSet ?? cluster.pods.flatMap(({ spec }) => spec.containers).find(isCalicoNode)
}

const envOf = (container: Container | undefined, name: string): string | undefined =>
  container?.env.find((entry) => entry.name === name)?.value

function backendOf(cluster: Cluster, calicoNode: Container | undefined): string {
  const data = cluster.index.configMap.get('kube-system/calico-config')?.data
  return envOf(calicoNode, 'CALICO_NETWORKING_BACKEND') ?? data?.calico_backend ?? 'bird'
}

/** calico-config `veth_mtu`; 0 lets calico find it out. */
function vethMtuOf(cluster: Cluster): number | undefined {
  const written = Number(cluster.index.configMap.get('kube-system/calico-config')?.data.veth_mtu ?? '0')
  return Number.isInteger(written) && written > 0 ? written : undefined
}

const resource = (cluster: Cluster, kind: string, name: string): OtherObject | undefined =>
  cluster.others.find((object) => object.objectKind === kind && object.meta.name === name)

const specOf = (object: OtherObject | undefined): GoObject => (isObject(object?.spec) ? object.spec : {})
