import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { Assumption, Diagnostic } from '../../cluster/source.ts'
import { type Family, type Ip, parseIp } from '../../packet/ip.ts'
import { type Mac, parseMac } from '../../packet/mac.ts'
import { containsPrefix, formatPrefix, type Prefix } from '../../packet/prefix.ts'
import { goString, parseGoObject } from '../go-json.ts'
import { deterministicMac } from '../mac.ts'

/** What one node tells the others: its pod subnets, where it is reached, and its VTEP (pkg/subnet/kube/kube.go). */
export interface Lease {
  readonly node: KubeNode
  /** As the node's annotation says, or undefined where it says nothing. */
  readonly backendType: string | undefined
  /** One per enabled family that the node has. */
  readonly families: readonly FamilyLease[]
}

export interface FamilyLease {
  readonly family: Family
  readonly subnet: Prefix
  /** Where peers send to. */
  readonly publicIp: Ip
  readonly vtepMac: Mac
}

export interface Leases {
  /** By node name. */
  readonly leases: readonly Lease[]
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
}

const DEFAULT_ANNOTATION_PREFIX = 'flannel.alpha.coreos.com'

/**
 * The leases of all nodes. Where flannel has annotated nodes, only annotated ones take part, as for flannel itself;
 * where it has annotated none (manifests, a lab), every node takes part as it would once flanneld has started.
 */
export function leasesOf(
  cluster: Cluster,
  networks: readonly Prefix[],
  options: { readonly vtep: string; readonly vtep6: string; readonly annotationPrefix?: string | undefined },
): Leases {
  const prefix = options.annotationPrefix ?? DEFAULT_ANNOTATION_PREFIX
  const managed = (node: KubeNode) => node.meta.annotations[`${prefix}/kube-subnet-manager`] === 'true'
  const anyManaged = cluster.nodes.some(managed)
  const leases: Lease[] = []
  const assumptions: Assumption[] = []
  const diagnostics: Diagnostic[] = []
  for (const node of cluster.nodes) {
    if (anyManaged && !managed(node)) {
      diagnostics.push(unmanaged(node, prefix))
      continue
    }
    const made = leaseOf(node, networks, { ...options, prefix })
    diagnostics.push(...made.diagnostics)
    assumptions.push(...made.assumptions)
    if (made.lease !== undefined) leases.push(made.lease)
  }
  return { leases, assumptions, diagnostics }
}

function leaseOf(
  node: KubeNode,
  networks: readonly Prefix[],
  names: { readonly vtep: string; readonly vtep6: string; readonly prefix: string },
): {
  readonly lease?: Lease
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
} {
  const diagnostics: Diagnostic[] = []
  const assumptions: Assumption[] = []
  const families: FamilyLease[] = []
  for (const network of networks) {
    const family = network.address.family
    const subnet = node.podCIDRs.find((cidr) => cidr.address.family === family)
    if (subnet === undefined) {
      diagnostics.push(
        problem(
          node,
          'flannel-no-podcidr',
          `node "${node.meta.name}" pod cidr not assigned: flanneld does not start there`,
        ),
      )
      continue
    }
    if (!containsPrefix(network, subnet)) {
      diagnostics.push(
        problem(
          node,
          'flannel-podcidr-outside-network',
          `subnet "${formatPrefix(network)}" specified in the flannel net config doesn't contain "${formatPrefix(subnet)}" PodCIDR of the "${node.meta.name}" node: flanneld does not start there`,
        ),
      )
      continue
    }
    const publicIp = publicIpOf(node, names.prefix, family)
    if (publicIp === undefined) {
      diagnostics.push(
        problem(
          node,
          'flannel-no-address',
          `Node ${node.meta.name} has no IPv${family} address that flannel could publish`,
        ),
      )
      continue
    }
    const mac = annotatedMac(node, names.prefix, family)
    const device = family === 4 ? names.vtep : names.vtep6
    if (mac === undefined && node.meta.annotations[`${names.prefix}/backend-data`] === undefined)
      assumptions.push(assumedMac(node, device))
    families.push({ family, subnet, publicIp, vtepMac: mac ?? deterministicMac('vtep', node.meta.name, device) })
  }
  if (families.length === 0) return { assumptions, diagnostics }
  const backendType = node.meta.annotations[`${names.prefix}/backend-type`]
  return { lease: { node, backendType, families }, assumptions, diagnostics }
}

/** The address flannel publishes: told by its annotation, forced by the user's, else the node's own. */
function publicIpOf(node: KubeNode, prefix: string, family: Family): Ip | undefined {
  const suffix = family === 4 ? '' : 'v6'
  for (const name of [`public-ip${suffix}-overwrite`, `node-public-ip${suffix}`, `public-ip${suffix}`]) {
    const written = node.meta.annotations[`${prefix}/${name}`]
    const ip = written === undefined ? undefined : parseIp(written)
    if (ip?.ok === true && ip.value.family === family) return ip.value
  }
  return node.internalIPs.find((ip) => ip.family === family)
}

function annotatedMac(node: KubeNode, prefix: string, family: Family): Mac | undefined {
  const written = node.meta.annotations[`${prefix}/${family === 4 ? 'backend-data' : 'backend-v6-data'}`]
  const data = written === undefined ? undefined : parseGoObject(written)
  const text = data?.ok === true ? goString(data.value, 'VtepMAC') : undefined
  const mac = text === undefined ? undefined : parseMac(text)
  return mac?.ok === true ? mac.value : undefined
}

const assumedMac = (node: KubeNode, device: string): Assumption => ({
  code: 'flannel-vtep-mac',
  text: `${device} of ${node.meta.name} has a MAC address made from its name`,
  object: `Node ${node.meta.name}`,
  set: `the annotation ${DEFAULT_ANNOTATION_PREFIX}/backend-data of the Node`,
  collect: `kubectl get node ${node.meta.name} -o yaml`,
})

const unmanaged = (node: KubeNode, prefix: string): Diagnostic =>
  problem(
    node,
    'flannel-node-not-annotated',
    `Node ${node.meta.name} has no ${prefix} annotations while others have: no flanneld runs there and its peers ignore it`,
  )

function problem(node: KubeNode, code: string, message: string): Diagnostic {
  return { severity: 'warning', code, message, ...(node.at === undefined ? {} : { at: node.at }) }
}
