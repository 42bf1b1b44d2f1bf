import type { Cluster } from '../../cluster/cluster.ts'
import type { NftElement, NftElementLine, NftOwn } from '../../linux/netfilter/nftables/object.ts'
import { LONGEST_COMMENT } from '../../linux/netfilter/nftables/object.ts'
import { unchangedBetween } from '../service-changes.ts'
import { isSeenOtherwise } from '../viewpoint.ts'
import type { NftCommand } from './command.ts'
import { frameCommands } from './frame.ts'
import {
  CLUSTER_IPS,
  FIREWALL_IPS,
  HAIRPIN_CONNECTIONS,
  NO_ENDPOINT_NODEPORTS,
  NO_ENDPOINT_SERVICES,
  SERVICE_IPS,
  SERVICE_NODEPORTS,
} from './names.ts'
import type { ServiceBlock } from './service-block.ts'
import type { NftSync } from './sync.ts'

/** One sync: what it tells nft, and what kube-proxy knows afterwards. */
export interface SyncedTable {
  readonly cluster: Cluster
  readonly sync: NftSync
  readonly commands: readonly NftCommand[]
  /** By set or map, elements with their values; '' in a set. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Chains of service ports that are in the table, also those that are empty and wait to be deleted. */
  readonly chains: ReadonlySet<string>
  readonly affinitySets: ReadonlySet<string>
  /** What had nft refuse the transaction; the table is as it was. */
  readonly refused: RefusedLine | undefined
}

/** The sets and maps that kube-proxy keeps a copy of, and what it calls each. */
const CONTAINERS: readonly (readonly [name: string, of: 'set' | 'map'])[] = [
  [CLUSTER_IPS, 'set'],
  [SERVICE_IPS, 'map'],
  [FIREWALL_IPS, 'map'],
  [NO_ENDPOINT_SERVICES, 'map'],
  [NO_ENDPOINT_NODEPORTS, 'map'],
  [SERVICE_NODEPORTS, 'map'],
  [HAIRPIN_CONNECTIONS, 'set'],
]

/**
 * One transaction of kube-proxy (pkg/proxy/nftables/proxier.go syncProxyRules): everything at first, afterwards only
 * what changed. Chains of services that are gone are emptied at once; kube-proxy deletes them in a sync that comes at
 * least a second later, which is not written here.
 */
export function syncTable(cluster: Cluster, sync: NftSync, before?: SyncedTable): SyncedTable {
  const { setup, services } = sync
  const partial =
    before !== undefined &&
    before.refused === undefined &&
    setup.features.nftPartialSync &&
    !isSeenOtherwise(before.sync.node, sync.node, setup.features)
  const flushes = !partial && setup.features.nftFlushesMaps
  const isUnchanged = partial ? unchangedBetween(known(before), known({ cluster, sync })) : () => false
  const writer: Writer = {
    sync,
    commands: partial ? [] : [...frameCommands(setup, { first: before === undefined })],
    elements: new Map(CONTAINERS.map(([name]) => [name, new Map(flushes ? [] : before?.elements.get(name))])),
    used: new Set(),
  }
  if (flushes) flushContainers(writer)
  const chains = new Set<string>()
  const affinitySets = new Set<string>()
  for (const service of services) {
    const own = service.own()
    for (const { name } of own.chains) chains.add(name)
    for (const { name } of own.sets) affinitySets.add(name)
    for (const element of service.elements) ensureElement(writer, element)
    if (!isUnchanged(service.port)) writeService(writer, service.origin, own)
  }
  const reason = 'no Service uses it any more'
  for (const name of before?.chains ?? [])
    if (!chains.has(name)) {
      push(writer, { kind: 'nft.flush', object: { kind: 'chain', name } }, reason)
      chains.add(name)
    }
  for (const name of before?.affinitySets ?? [])
    if (!affinitySets.has(name)) push(writer, { kind: 'nft.delete', object: { kind: 'set', name } }, reason)
  removeUnused(writer, reason)
  const refused = refusedLine(sync)
  const written =
    refused === undefined
      ? { elements: writer.elements, chains, affinitySets }
      : {
          elements: before?.elements ?? new Map(),
          chains: before?.chains ?? new Set(),
          affinitySets: before?.affinitySets ?? new Set(),
        }
  return { cluster, sync, commands: writer.commands, ...written, refused }
}

const known = ({ cluster, sync }: Pick<SyncedTable, 'cluster' | 'sync'>) => ({
  cluster,
  family: sync.setup.family,
  ports: sync.services.map(({ port }) => port),
})

interface Writer {
  readonly sync: NftSync
  readonly commands: NftCommand[]
  readonly elements: ReadonlyMap<string, Map<string, string>>
  /** `SET KEY` of what was asked for in this sync. */
  readonly used: Set<string>
}

function push(writer: Writer, command: Pick<NftCommand, 'kind' | 'object'>, reason: string): void {
  writer.commands.push({ ...command, origin: writer.sync.setup.origin(reason) } as NftCommand)
}

function flushContainers(writer: Writer): void {
  for (const [name, kind] of CONTAINERS)
    if (name !== HAIRPIN_CONNECTIONS || writer.sync.setup.features.nftMarksInPlace)
      push(writer, { kind: 'nft.flush', object: { kind, name } }, 'is filled anew')
}

/** An element that is there with another value is taken out first. */
function ensureElement(writer: Writer, line: NftElementLine): void {
  const { origin, ...element } = line
  const { set, key } = element
  const there = writer.elements.get(set)
  const value = element.value ?? ''
  writer.used.add(`${set} ${key}`)
  const old = there?.get(key)
  // Without a partial sync there is no copy to look into: each port writes the ClusterIP anew.
  if (old === value && writer.sync.setup.features.nftPartialSync) return
  if (old !== undefined && old !== value) writer.commands.push(deletion(element, origin))
  writer.commands.push({ kind: 'nft.add', object: { kind: 'element', ...element }, origin })
  there?.set(key, value)
}

const deletion = (
  { of, set, key }: Pick<NftElement, 'of' | 'set' | 'key'>,
  origin: NftCommand['origin'],
): NftCommand => ({
  kind: 'nft.delete',
  object: { kind: 'element', of, set, key },
  origin,
})

function writeService({ commands }: Writer, origin: ServiceBlock['origin'], { sets, chains }: NftOwn): void {
  for (const { name } of chains) {
    commands.push({ kind: 'nft.add', object: { kind: 'chain', name }, origin })
    commands.push({ kind: 'nft.flush', object: { kind: 'chain', name }, origin })
  }
  for (const { origin: by, ...set } of sets) commands.push({ kind: 'nft.add', object: set, origin: by })
  for (const { name, rules } of chains)
    for (const { rule, origin: by } of rules)
      commands.push({ kind: 'nft.add', object: { kind: 'rule', chain: name, rule }, origin: by })
}

function removeUnused(writer: Writer, reason: string): void {
  for (const [set, of] of CONTAINERS) {
    const there = writer.elements.get(set)
    for (const key of there?.keys() ?? []) {
      if (writer.used.has(`${set} ${key}`)) continue
      writer.commands.push(deletion({ of, set, key }, writer.sync.setup.origin(reason)))
      there?.delete(key)
    }
  }
}

/** What nft does not take: one such line makes the whole transaction fail, so that no Service of the node is updated. */
export type RefusedLine = NftCommand & { readonly kind: 'nft.add' }

/** The first line that nft refuses: an element whose comment is too long, or a rule that asks for no single device. */
export function refusedLine(sync: NftSync): RefusedLine | undefined {
  return tooLongComment(sync) ?? (sync.setup.refusedDevice ? matchOfManyDevices(sync) : undefined)
}

function tooLongComment(sync: NftSync): RefusedLine | undefined {
  for (const { elements } of sync.services)
    for (const { origin, ...element } of elements)
      if ((element.comment ?? '').length > LONGEST_COMMENT)
        return { kind: 'nft.add', object: { kind: 'element', ...element }, origin }
  return undefined
}

function matchOfManyDevices({ setup, services }: NftSync): RefusedLine | undefined {
  const words = [setup.local?.is ?? '', setup.local?.not ?? '']
  for (const service of services)
    for (const { name, rules } of service.own().chains)
      for (const { rule, origin } of rules)
        if (words.some((word) => rule.includes(word)))
          return { kind: 'nft.add', object: { kind: 'rule', chain: name, rule }, origin }
  return undefined
}
