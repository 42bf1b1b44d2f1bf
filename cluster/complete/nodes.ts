import type { Ip } from '../../packet/ip.ts'
import { contains, containsPrefix, formatPrefix, type Prefix, parsePrefix, prefix } from '../../packet/prefix.ts'
import { ipAbove } from '../allocate/ip-math.ts'
import { nodeRanges } from '../allocate/node-cidr.ts'
import type { Lab } from '../lab.ts'
import type { KubeNode, Meta, PodSpec, Workload } from '../objects.ts'
import { byName, byText, inKeyOrder } from '../order.ts'
import type { Found } from '../read/object-kinds.ts'
import type { PodDraft } from '../read/pod.ts'
import type { Filling } from './filling.ts'
import { labelsOfSelection } from './node-selection.ts'

export interface NodeSources {
  readonly given: readonly KubeNode[]
  readonly pods: readonly Found<PodDraft>[]
  readonly workloads: readonly Workload[]
  readonly lab: Lab
  readonly podCIDRs: readonly Prefix[]
  /** There is something that needs a node. */
  readonly needed: boolean
}

/** Machines of a cluster that nothing describes. */
const INVENTED = ['node1', 'node2']
const DEFAULT_SEGMENT = [prefix('192.168.0.0/24'), prefix('fd00:192:168::/64')]
/** The first machine gets .11 of its segment. */
const FIRST_HOST = 11

/** The nodes of the input, and those that its pods or the Lab name; with addresses and podCIDRs where these lack. */
export function completeNodes(sources: NodeSources, filling: Filling): KubeNode[] {
  const nodes = sources.given.length > 0 ? sources.given : impliedNodes(sources, filling)
  const addressed = [...nodes].sort(byName).map((node, i) => withAddress(node, { i, sources, filling }))
  return withPodCIDRs(addressed, sources, filling)
}

function impliedNodes({ pods, workloads, lab, needed }: NodeSources, filling: Filling): KubeNode[] {
  const hostIPs = new Map<string, readonly Ip[]>()
  for (const { draft } of pods) {
    const name = draft.spec.nodeName
    if (name !== '' && (hostIPs.get(name)?.length ?? 0) === 0) hostIPs.set(name, draft.hostIPs)
  }
  const specs = [...pods.map(({ draft }) => draft.spec), ...workloads.map(({ template }) => template.spec)]
  const said = [...Object.keys(lab.nodes ?? {}), ...(lab.networks ?? []).flatMap(({ nodes }) => nodes ?? [])]
  const named = [...hostIPs.keys(), ...said, ...specs.flatMap(({ nodeSelector }) => nodeSelector[HOSTNAME] ?? [])]
  // A Lab that names machines names all of them, and so do recorded pods; a manifest names one by chance.
  const isWhole = said.length > 0 || pods.some(({ recorded, draft }) => recorded || draft.hasStatus)
  const invented = isWhole || !needed ? [] : INVENTED.slice(0, Math.max(INVENTED.length - named.length, 0))
  const names = [...new Set([...named, ...invented])].sort(byText)
  if (names.length > 0)
    filling.assume({
      code: 'nodes',
      text: `the nodes are ${names.join(', ')}`,
      set: 'Node objects in the input',
      collect: 'kubectl get nodes -o yaml',
    })
  const wanted = wantedLabels(specs)
  return names.map((name, i): KubeNode => {
    const labels = inKeyOrder({
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/os': 'linux',
      ...Object.fromEntries(wanted.map(({ key, values }) => [key, values[i % values.length] ?? ''])),
      [HOSTNAME]: name,
    })
    const meta: Meta = { namespace: '', name, labels, annotations: {} }
    return {
      kind: 'Node',
      meta,
      assumed: true,
      podCIDRs: [],
      internalIPs: hostIPs.get(name) ?? [],
      externalIPs: [],
      hostname: name,
      taints: [],
      unschedulable: false,
      ready: true,
    }
  })
}

const HOSTNAME = 'kubernetes.io/hostname'

/** Labels that pods look for on nodes: machines that nothing describes have them, so that the pods find a place. */
function wantedLabels(specs: readonly PodSpec[]): { readonly key: string; readonly values: readonly string[] }[] {
  const wanted = new Map<string, Set<string>>()
  for (const spec of specs)
    for (const [key, value] of labelsOfSelection(spec)) {
      if (key === HOSTNAME) continue
      wanted.set(key, (wanted.get(key) ?? new Set()).add(value))
    }
  return [...wanted].map(([key, values]) => ({ key, values: [...values].sort(byText) }))
}

/** An InternalIP out of the Lab's network that the node stands in, or out of a segment of our own. */
function withAddress(node: KubeNode, of: { i: number; sources: NodeSources; filling: Filling }): KubeNode {
  const { i, sources, filling } = of
  if (node.internalIPs.length > 0 || node.meta.uid !== undefined) return node
  const network =
    sources.lab.networks?.find(({ nodes }) => nodes?.includes(node.meta.name)) ?? sources.lab.networks?.[0]
  const written = [network?.cidr, network?.cidr6].flatMap((text) => {
    const result = text === undefined ? undefined : parsePrefix(text, 'mask')
    return result?.ok ? [result.value] : []
  })
  const families = new Set(sources.podCIDRs.map(({ address }) => address.family))
  const segments = written.length > 0 ? written : DEFAULT_SEGMENT.filter(({ address }) => families.has(address.family))
  const internalIPs = segments.map((segment) => ipAbove(segment.address, FIRST_HOST + i))
  filling.assume({
    code: 'node-ip',
    text: `${node.meta.name} has addresses in ${segments.map(formatPrefix).join(' and ')}`,
    object: `Node ${node.meta.name}`,
    set: 'status.addresses of the Node',
    collect: `kubectl get node ${node.meta.name} -o yaml`,
  })
  return { ...node, internalIPs, assumed: true }
}

/**
 * A podCIDR for each node that has none, in order, as the node IPAM controller would. A node that an API server printed
 * without one really has none (calico does not need it).
 */
function withPodCIDRs(nodes: readonly KubeNode[], { podCIDRs }: NodeSources, filling: Filling): KubeNode[] {
  const taken = nodes.flatMap((node) => node.podCIDRs)
  const ranges = podCIDRs.map((cidr) => nodeRanges(cidr, (range) => taken.some((other) => overlap(other, range))))
  return nodes.map((node) => {
    if (node.podCIDRs.length > 0 || node.meta.uid !== undefined) return node
    const given = ranges.flatMap((range) => {
      const next = range.next()
      return next.done ? [] : [next.value]
    })
    const name = `Node ${node.meta.name}`
    if (given.length < podCIDRs.length) {
      const message = `${name}: no podCIDR is left in ${podCIDRs.map(formatPrefix).join(', ')}`
      filling.diagnose({
        severity: 'error',
        code: 'pod-cidr-exhausted',
        message,
        object: name,
        ...(node.at && { at: node.at }),
      })
    }
    if (given.length === 0) return node
    filling.assume({
      code: 'node-pod-cidr',
      text: `${node.meta.name} has podCIDR ${given.map(formatPrefix).join(', ')}`,
      object: name,
      set: 'spec.podCIDRs of the Node',
      collect: `kubectl get node ${node.meta.name} -o yaml`,
    })
    return { ...node, podCIDRs: given, assumed: true }
  })
}

const overlap = (x: Prefix, y: Prefix): boolean => containsPrefix(x, y) || contains(y, x.address)
