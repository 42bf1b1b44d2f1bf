import { formatIp, type Ip, ipKey, parseIp } from '../../packet/ip.ts'
import { contains, formatPrefix, maskIp, type Prefix, parsePrefix, samePrefix } from '../../packet/prefix.ts'
import {
  type BlockPool,
  blockAddresses,
  blockAllocator,
  defaultBlockSize,
  ordinalIn,
} from '../allocate/calico-block.ts'
import { hostLocalAddresses } from '../allocate/host-local.ts'
import { isFinished } from '../build-index.ts'
import type { AddressBlock, DetectedCni } from '../cluster.ts'
import { isObject, type Json, type JsonObject, member } from '../input/json-value.ts'
import type { Lab } from '../lab.ts'
import type { KubeNode, OtherObject, Pod } from '../objects.ts'
import { byName, byText } from '../order.ts'
import type { Filling } from './filling.ts'
import type { Ongoing } from './ongoing.ts'
import type { PlacedPod } from './workload-pods.ts'

export interface AddressSources {
  readonly pods: readonly PlacedPod[]
  readonly nodes: readonly KubeNode[]
  readonly others: readonly OtherObject[]
  readonly lab: Lab
  readonly cni: DetectedCni
  readonly podCIDRs: readonly Prefix[]
  readonly ongoing?: Ongoing | undefined
}

/** Gives each pod that runs without an address the one that the CNI's IPAM would, in order of name on each node. */
export function completeAddresses(
  sources: AddressSources,
  filling: Filling,
): { pods: readonly Pod[]; blocks: readonly AddressBlock[] } {
  const taken = new Set<number | string>()
  // A finished pod's address counts too: IPAM goes on behind it before it comes back to it.
  for (const { pod } of sources.pods) for (const ip of pod.ips) taken.add(ipKey(ip))
  for (const ip of sources.ongoing?.used ?? []) taken.add(ipKey(ip))
  const isTaken = (ip: Ip): boolean => taken.has(ipKey(ip))
  const ipam = usesBlocks(sources) ? calicoIpam(sources, isTaken) : hostLocalIpam(sources, isTaken)
  const pods = [...sources.pods]
    .sort((x, y) => byName(x.pod, y.pod))
    .map(({ pod, open }) => {
      const ips = open ? ipam.next(pod.spec.nodeName) : pod.ips
      for (const ip of ips) taken.add(ipKey(ip))
      const done = { ...pod, ips }
      if (open && ips.length === 0) filling.diagnose(noAddress(done))
      if (pod.assumed) assumePod(done, filling)
      return done
    })
  return { pods, blocks: ipam.blocks() }
}

interface Ipam {
  readonly next: (node: string) => readonly Ip[]
  readonly blocks: () => readonly AddressBlock[]
}

function noAddress(pod: Pod) {
  const name = `Pod ${pod.meta.namespace}/${pod.meta.name}`
  return {
    severity: 'error' as const,
    code: 'pod-address-exhausted',
    message: `${name}: no IP addresses available in range set of ${pod.spec.nodeName}`,
    object: name,
    ...(pod.at === undefined ? {} : { at: pod.at }),
  }
}

function assumePod(pod: Pod, filling: Filling): void {
  const { namespace, name } = pod.meta
  const address = pod.ips.length === 0 ? 'without an address' : `with address ${pod.ips.map(formatIp).join(' and ')}`
  filling.assume({
    code: 'pod',
    text: `${namespace}/${name} runs ready on ${pod.spec.nodeName || 'no node'} ${address}`,
    object: `Pod ${namespace}/${name}`,
    set: 'spec.nodeName and status of a Pod in the input',
    collect: `kubectl get pods -n ${namespace} -o yaml`,
  })
}

/** flannel, kindnet and everything else that hands the node's podCIDR to host-local. */
function hostLocalIpam({ nodes, lab }: AddressSources, isTaken: (ip: Ip) => boolean): Ipam {
  const open = new Map<string, Generator<Ip>[]>()
  for (const node of nodes) {
    const from = lab.nodes?.[node.meta.name]?.nextOrdinal
    open.set(
      node.meta.name,
      node.podCIDRs.map((range) => hostLocalAddresses(range, { from, isTaken })),
    )
  }
  return {
    next: (node) => (open.get(node) ?? []).flatMap((range) => range.next().value ?? []),
    blocks: () => [],
  }
}

/** Calico's own IPAM; canal and `usePodCidr` installations use host-local. */
const usesBlocks = ({ cni }: AddressSources): boolean => cni.name === 'calico'

function calicoIpam(sources: AddressSources, isTaken: (ip: Ip) => boolean): Ipam {
  const known = sources.ongoing?.blocks ?? knownBlocks(sources)
  const pools = poolsOf(sources)
  const allocators = pools.map((pool) =>
    blockAllocator(
      pool,
      known.map(({ block }) => block),
    ),
  )
  const made: AddressBlock[] = []
  const tunnels = sources.nodes.flatMap(tunnelAddresses)
  const tunnelKeys = new Set(tunnels.map(ipKey))
  const isUsed = (ip: Ip): boolean => isTaken(ip) || tunnelKeys.has(ipKey(ip))
  const blocksOf = (node: string, pool: BlockPool): Prefix[] =>
    [...known, ...made]
      .filter((owned) => owned.node === node && contains(pool.cidr, owned.block.address))
      .map(({ block }) => block)

  const fromBlock = (node: string, block: Prefix, place: number): Ip | undefined => {
    const next = sources.lab.nodes?.[node]?.nextOrdinal
    // The tunnel address of an encapsulated pool is the first of the node's first block.
    const tunnel =
      place === 0 && isEncapsulated(sources, block) && !tunnels.some((ip) => ip.family === block.address.family) ? 1 : 0
    const from = next ?? Math.max(lastOrdinal(sources, block) + 1, tunnel)
    const ip = blockAddresses(block, { from, isTaken: isUsed }).next().value
    return ip ?? blockAddresses(block, { from: tunnel, isTaken: isUsed }).next().value ?? undefined
  }
  const ofPool = (node: string, i: number): Ip[] => {
    const pool = pools[i]
    if (pool === undefined) return []
    const owned = blocksOf(node, pool)
    for (const [place, block] of owned.entries()) {
      const ip = fromBlock(node, block, place)
      if (ip !== undefined) return [ip]
    }
    const block = allocators[i]?.claim(node)
    if (block === undefined) return []
    made.push({ node, block, assumed: true })
    const ip = fromBlock(node, block, owned.length)
    return ip === undefined ? [] : [ip]
  }
  // One address of each family, from the first pool that has one.
  const next = (node: string): Ip[] =>
    ([4, 6] as const).flatMap((family) => {
      for (const [i, pool] of pools.entries()) {
        if (pool.cidr.address.family !== family) continue
        const found = ofPool(node, i)
        if (found.length > 0) return found
      }
      return []
    })
  // A node without a pod has its first block all the same where the tunnel needs an address.
  for (const node of sources.nodes)
    for (const [i, pool] of pools.entries())
      if (blocksOf(node.meta.name, pool).length === 0 && isEncapsulated(sources, pool.cidr)) {
        const block = allocators[i]?.claim(node.meta.name)
        if (block !== undefined) made.push({ node: node.meta.name, block, assumed: true })
      }
  return {
    next,
    blocks: () =>
      [...known, ...made].sort(
        (x, y) => byText(x.node, y.node) || byText(formatPrefix(x.block), formatPrefix(y.block)),
      ),
  }
}

/** Where calico gives out the next address of a block that is in use: behind the last one. */
function lastOrdinal({ pods }: AddressSources, block: Prefix): number {
  const ordinals = pods.flatMap(({ pod }) =>
    pod.ips.filter((ip) => contains(block, ip)).map((ip) => ordinalIn(block, ip)),
  )
  return Math.max(-1, ...ordinals)
}

const specOf = (object: OtherObject): JsonObject => (isObject(object.spec as Json) ? (object.spec as JsonObject) : {})
const textMember = (object: JsonObject, key: string): string => {
  const value = member(object, key)
  return typeof value === 'string' ? value : ''
}

/** The pools that pods get addresses from: IPPool objects, or the pod network. */
function poolsOf({ others, podCIDRs }: AddressSources): BlockPool[] {
  const written = calico(others, 'IPPool').flatMap(({ spec }): BlockPool[] => {
    const cidr = parsePrefix(textMember(spec, 'cidr'), 'mask')
    if (!cidr.ok || member(spec, 'disabled') === true) return []
    const size = member(spec, 'blockSize')
    return [
      { cidr: cidr.value, blockSize: typeof size === 'number' ? size : defaultBlockSize(cidr.value.address.family) },
    ]
  })
  if (written.length > 0) return written
  return podCIDRs.map((cidr) => ({ cidr, blockSize: defaultBlockSize(cidr.address.family) }))
}

const calico = (others: readonly OtherObject[], kind: string): { spec: JsonObject; object: OtherObject }[] =>
  others
    .filter(({ objectKind, apiVersion }) => objectKind === kind && apiVersion.includes('projectcalico.org/'))
    .map((object) => ({ spec: specOf(object), object }))

/** Whether the pool around a range uses IPIP or VXLAN, by its IPPool or by the Lab. */
function isEncapsulated({ others, lab }: AddressSources, range: Prefix): boolean {
  const pools = calico(others, 'IPPool')
  const pool = pools.find(({ spec }) => {
    const cidr = parsePrefix(textMember(spec, 'cidr'), 'mask')
    return cidr.ok && contains(cidr.value, range.address)
  })
  if (pool === undefined) return ['ipip', 'vxlan'].includes((lab.cni?.backend ?? '').toLowerCase())
  const isOn = (mode: string) => mode !== '' && mode !== 'Never'
  return isOn(textMember(pool.spec, 'ipipMode')) || isOn(textMember(pool.spec, 'vxlanMode'))
}

const TUNNEL_ANNOTATIONS = ['IPv4IPIPTunnelAddr', 'IPv4VXLANTunnelAddr', 'IPv6VXLANTunnelAddr']

/** The tunnel addresses that calico noted on a Node. */
const tunnelAddresses = (node: KubeNode): Ip[] =>
  TUNNEL_ANNOTATIONS.flatMap((name) => {
    const text = node.meta.annotations[`projectcalico.org/${name}`]
    const result = text === undefined ? undefined : parseIp(text)
    return result?.ok ? [result.value] : []
  })

/**
 * The blocks that the input tells: the Lab's, IPAMBlocks, BlockAffinities; else those around the addresses that pods
 * and tunnels of a node have.
 */
function knownBlocks(sources: AddressSources): AddressBlock[] {
  const { others, lab, nodes, pods } = sources
  const found: AddressBlock[] = []
  const add = (node: string, text: string, assumed: boolean) => {
    const block = parsePrefix(text, 'mask')
    if (!block.ok || found.some((known) => samePrefix(known.block, block.value))) return
    found.push({ node, block: block.value, assumed })
  }
  for (const node of Object.keys(lab.nodes ?? {}).sort(byText))
    for (const text of lab.nodes?.[node]?.calicoBlocks ?? []) add(node, text, false)
  for (const { spec } of calico(others, 'IPAMBlock')) {
    const host = /^host:(.+)$/.exec(textMember(spec, 'affinity'))?.[1]
    if (host !== undefined) add(host, textMember(spec, 'cidr'), false)
  }
  for (const { spec } of calico(others, 'BlockAffinity'))
    if (textMember(spec, 'deleted') !== 'true') add(textMember(spec, 'node'), textMember(spec, 'cidr'), false)
  if (found.length > 0) return found
  const infer = (node: string, ip: Ip) => {
    const pool = poolsOf(sources).find(({ cidr }) => contains(cidr, ip))
    if (pool !== undefined)
      add(node, formatPrefix({ address: maskIp(ip, pool.blockSize), length: pool.blockSize }), true)
  }
  for (const node of nodes) for (const ip of tunnelAddresses(node)) infer(node.meta.name, ip)
  for (const { pod } of [...pods].sort((x, y) => byName(x.pod, y.pod)))
    if (!pod.spec.hostNetwork && !isFinished(pod)) for (const ip of pod.ips) infer(pod.spec.nodeName, ip)
  return found
}
