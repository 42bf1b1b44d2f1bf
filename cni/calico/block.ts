import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode, OtherObject, Pod } from '../../cluster/objects.ts'
import type { Assumption } from '../../cluster/source.ts'
import { ipKey } from '../../packet/ip.ts'
import { comparePrefix, networkOf, type Prefix, parsePrefix, samePrefix } from '../../packet/prefix.ts'
import { goString, isObject } from '../go-json.ts'
import { isFinished } from '../pod-netns.ts'
import { type Pool, poolOf } from './pool.ts'

/** A block of addresses that a node announces as one route. */
export interface Block {
  readonly cidr: Prefix
  readonly node: string
  /** The object that says so; undefined: concluded from the addresses of pods. */
  readonly object: OtherObject | undefined
}

export interface Blocks {
  /** By node, then address. */
  readonly blocks: readonly Block[]
  readonly assumptions: readonly Assumption[]
}

/**
 * Which blocks are whose: for a node of which the Lab says it, that; else what confirmed BlockAffinity resources say,
 * else IPAMBlock ones; a cluster without any shows them only by the addresses of its pods, rounded down to blocks.
 */
export function blocksOf(cluster: Cluster, pools: readonly Pool[]): Blocks {
  const given = labBlocks(cluster)
  const isGiven = new Set(given.map(({ node }) => node))
  const others = hasResources(cluster) ? resourceBlocks(cluster) : podBlocks(cluster, pools)
  const rest = others.filter(({ node, cidr }) => !isGiven.has(node) && !given.some((one) => samePrefix(one.cidr, cidr)))
  const assumptions = rest.length === 0 || hasResources(cluster) ? [] : [CONCLUDED]
  return { blocks: sorted([...given, ...rest]), assumptions }
}

const CONCLUDED: Assumption = {
  code: 'calico-blocks',
  text: 'a calico block belongs to the node on which most pods have an address of it',
  set: 'spec.nodes.NODE.calicoBlocks in a Lab document',
  collect: 'kubectl get blockaffinities.crd.projectcalico.org -o yaml',
}

const labBlocks = (cluster: Cluster): readonly Block[] =>
  Object.entries(cluster.lab.nodes ?? {}).flatMap(([node, lab]) =>
    (lab.calicoBlocks ?? []).flatMap((text) => {
      const cidr = parsePrefix(text)
      return cidr.ok ? [{ cidr: cidr.value, node, object: undefined }] : []
    }),
  )

const hasResources = (cluster: Cluster): boolean =>
  cluster.others.some(({ objectKind }) => objectKind === 'BlockAffinity' || objectKind === 'IPAMBlock')

/** BIRD announces confirmed affinities only (confd templates, v3.28.4); an IPAMBlock says `host:NODE`. */
function resourceBlocks(cluster: Cluster): readonly Block[] {
  const affinities = cluster.others.flatMap((object) => {
    if (object.objectKind !== 'BlockAffinity' || !isObject(object.spec)) return []
    if (goString(object.spec, 'state') !== 'confirmed' || goString(object.spec, 'deleted') === 'true') return []
    return blockOf(object, goString(object.spec, 'node'))
  })
  if (cluster.others.some(({ objectKind }) => objectKind === 'BlockAffinity')) return affinities
  return cluster.others.flatMap((object) => {
    if (object.objectKind !== 'IPAMBlock' || !isObject(object.spec)) return []
    const affinity = goString(object.spec, 'affinity')
    return affinity?.startsWith('host:') === true ? blockOf(object, affinity.slice('host:'.length)) : []
  })
}

function blockOf(object: OtherObject, node: string | undefined): readonly Block[] {
  const cidr = isObject(object.spec) ? parsePrefix(goString(object.spec, 'cidr') ?? '') : undefined
  return cidr?.ok === true && node !== undefined ? [{ cidr: cidr.value, node, object }] : []
}

function podBlocks(cluster: Cluster, pools: readonly Pool[]): readonly Block[] {
  const tally = new Map<string, { readonly cidr: Prefix; readonly nodes: Map<string, number> }>()
  for (const pod of cluster.pods) {
    if (pod.spec.hostNetwork || isFinished(pod)) continue
    for (const ip of pod.ips) {
      const pool = poolOf(pools, ip)
      if (pool === undefined) continue
      const cidr = networkOf(ip, pool.blockSize)
      const key = `${ipKey(cidr.address)}/${cidr.length}`
      const entry = tally.get(key) ?? { cidr, nodes: new Map<string, number>() }
      entry.nodes.set(pod.spec.nodeName, (entry.nodes.get(pod.spec.nodeName) ?? 0) + 1)
      tally.set(key, entry)
    }
  }
  return [...tally.values()].map(({ cidr, nodes }) => ({ cidr, node: mostPods(nodes), object: undefined }))
}

/** The node with the most pods, the first by name of equals. */
function mostPods(nodes: ReadonlyMap<string, number>): string {
  const [first] = [...nodes].sort(([x, m], [y, n]) => n - m || (x < y ? -1 : 1))
  return first?.[0] ?? ''
}

const sorted = (blocks: readonly Block[]): readonly Block[] =>
  [...blocks].sort((x, y) => (x.node < y.node ? -1 : x.node > y.node ? 1 : comparePrefix(x.cidr, y.cidr)))

/** The addresses of a node's pods that its own blocks do not hold: borrowed, and announced one by one. */
export function borrowed(
  pods: readonly Pod[],
  own: readonly Block[],
): readonly { readonly pod: Pod; readonly cidr: Prefix }[] {
  return pods.flatMap((pod) =>
    pod.ips.flatMap((ip) => {
      if (own.some(({ cidr }) => samePrefix(networkOf(ip, cidr.length), cidr))) return []
      return [{ pod, cidr: { address: ip, length: ip.family === 4 ? 32 : 128 } }]
    }),
  )
}

export const blocksOfNode = (blocks: readonly Block[], node: KubeNode): readonly Block[] =>
  blocks.filter((block) => block.node === node.meta.name)
