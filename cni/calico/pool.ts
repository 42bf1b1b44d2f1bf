import type { Cluster } from '../../cluster/cluster.ts'
import type { Container, OtherObject } from '../../cluster/objects.ts'
import type { Diagnostic } from '../../cluster/source.ts'
import type { Ip } from '../../packet/ip.ts'
import { contains, type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { goBoolean, goField, goNumber, goObject, goString, isObject } from '../go-json.ts'
import { describe } from '../origin.ts'

export type EncapMode = 'Never' | 'Always' | 'CrossSubnet'

/** An IP pool: where pods get addresses from, and how packets between them travel. */
export interface Pool {
  readonly name: string
  readonly cidr: Prefix
  /** Length of the blocks that nodes get: 26, or 122 in IPv6. */
  readonly blockSize: number
  readonly ipip: EncapMode
  readonly vxlan: EncapMode
  readonly natOutgoing: boolean
  readonly disableBgpExport: boolean
  readonly evidence: string
}

export interface Pools {
  readonly pools: readonly Pool[]
  readonly diagnostics: readonly Diagnostic[]
}

export const DEFAULT_BLOCK_SIZE = { 4: 26, 6: 122 } as const

export const poolOf = (pools: readonly Pool[], ip: Ip): Pool | undefined =>
  pools.find((pool) => contains(pool.cidr, ip))

/**
 * The pools: IPPool resources; without any, what calico-node or the operator would make of their settings at the
 * first start; the Lab's `cni` says how packets travel over all that.
 */
export function poolsOf(cluster: Cluster, calicoNode: Container | undefined): Pools {
  const diagnostics: Diagnostic[] = []
  const resources = cluster.others.filter(({ objectKind }) => objectKind === 'IPPool')
  const read = resources.flatMap((resource) => {
    const pool = readPool(resource)
    if (typeof pool !== 'string') return [pool]
    diagnostics.push({
      severity: 'error',
      code: 'calico-ippool',
      message: `IPPool ${resource.meta.name}: ${pool}`,
      ...(resource.at === undefined ? {} : { at: resource.at }),
    })
    return []
  })
  if (read.length > 0) return { pools: read, diagnostics }
  const made = installationPools(cluster)
  return { pools: made.length > 0 ? made : environmentPools(cluster, calicoNode), diagnostics }
}

function readPool(resource: OtherObject): Pool | string {
  const { spec } = resource
  if (!isObject(spec)) return 'it has no spec'
  const cidr = parsePrefix(goString(spec, 'cidr') ?? '')
  if (!cidr.ok) return `cidr: ${cidr.reason}`
  return {
    name: resource.meta.name,
    cidr: cidr.value,
    blockSize: goNumber(spec, 'blockSize') ?? DEFAULT_BLOCK_SIZE[cidr.value.address.family],
    ipip: modeOf(goString(spec, 'ipipMode')),
    vxlan: modeOf(goString(spec, 'vxlanMode')),
    natOutgoing: goBoolean(spec, 'natOutgoing') ?? false,
    disableBgpExport: goBoolean(spec, 'disableBGPExport') ?? false,
    evidence: describe(resource),
  }
}

const modeOf = (text: string | undefined): EncapMode => (text === 'Always' || text === 'CrossSubnet' ? text : 'Never')

/** `spec.calicoNetwork.ipPools` of the operator's Installation; its default encapsulation is IPIP. */
function installationPools(cluster: Cluster): readonly Pool[] {
  return cluster.others
    .filter(({ objectKind }) => objectKind === 'Installation')
    .flatMap((installation): readonly Pool[] => {
      const network = isObject(installation.spec) ? goObject(installation.spec, 'calicoNetwork') : undefined
      const list = network === undefined ? undefined : goField(network, 'ipPools')
      return (Array.isArray(list) ? list : []).filter(isObject).flatMap((entry): readonly Pool[] => {
        const cidr = parsePrefix(goString(entry, 'cidr') ?? '')
        if (!cidr.ok) return []
        const family = cidr.value.address.family
        const encapsulation = goString(entry, 'encapsulation') ?? (family === 4 ? 'IPIP' : 'None')
        return [
          {
            name: goString(entry, 'name') ?? `default-ipv${family}-ippool`,
            cidr: cidr.value,
            blockSize: goNumber(entry, 'blockSize') ?? DEFAULT_BLOCK_SIZE[family],
            ipip: ENCAPSULATION[encapsulation]?.ipip ?? 'Never',
            vxlan: ENCAPSULATION[encapsulation]?.vxlan ?? 'Never',
            natOutgoing: goString(entry, 'natOutgoing') !== 'Disabled',
            disableBgpExport: goBoolean(entry, 'disableBGPExport') ?? false,
            evidence: describe(installation),
          },
        ]
      })
    })
}

const ENCAPSULATION: Readonly<Record<string, { readonly ipip: EncapMode; readonly vxlan: EncapMode }>> = {
  IPIP: { ipip: 'Always', vxlan: 'Never' },
  IPIPCrossSubnet: { ipip: 'CrossSubnet', vxlan: 'Never' },
  VXLAN: { ipip: 'Never', vxlan: 'Always' },
  VXLANCrossSubnet: { ipip: 'Never', vxlan: 'CrossSubnet' },
  None: { ipip: 'Never', vxlan: 'Never' },
}

/** The pool that calico-node makes at its first start from CALICO_IPV4POOL_* (node/pkg/lifecycle/startup). */
function environmentPools(cluster: Cluster, calicoNode: Container | undefined): readonly Pool[] {
  if (calicoNode === undefined) return []
  const env = (name: string) => calicoNode.env.find((entry) => entry.name === name)?.value
  const written = env('CALICO_IPV4POOL_CIDR')
  const given = written === undefined ? undefined : parsePrefix(written)
  const cidr = given?.ok === true ? given.value : cluster.facts.podCIDRs.find(({ address }) => address.family === 4)
  if (cidr === undefined) return []
  return [
    {
      name: 'default-ipv4-ippool',
      cidr,
      blockSize: Number(env('CALICO_IPV4POOL_BLOCK_SIZE') ?? DEFAULT_BLOCK_SIZE[4]),
      ipip: modeOf(env('CALICO_IPV4POOL_IPIP')),
      vxlan: modeOf(env('CALICO_IPV4POOL_VXLAN')),
      natOutgoing: env('CALICO_IPV4POOL_NAT_OUTGOING') !== 'false',
      disableBgpExport: env('CALICO_IPV4POOL_DISABLE_BGP_EXPORT') === 'true',
      evidence: 'the environment of DaemonSet calico-node',
    },
  ]
}
