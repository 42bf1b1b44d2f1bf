import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load as parse } from 'js-yaml'
import type { Cluster, Loaded } from '../../cluster/cluster.ts'
import type { SourceFile } from '../../cluster/input/item.ts'
import { load } from '../../cluster/load.ts'

export const RECORDED = ['textbook', 'textbook-calico', 'shop', 'dualstack', 'dead-node'] as const

const fileAt = (folder: string, name: string): SourceFile => ({ name, bytes: readFileSync(join(folder, name)) })

/** One file of a recorded cluster. */
export const loadFile = (folder: string, name: string): Loaded => load([fileAt(folder, name)])

/** All files of a folder. */
export const loadFolder = (folder: string): Loaded => load(readdirSync(folder).map((name) => fileAt(folder, name)))

/** The cluster as text, without the places where its objects stood and the kinds that were counted. */
export const clusterText = (cluster: Cluster): string =>
  JSON.stringify({ ...cluster, inventory: undefined, index: undefined }, (key, value) =>
    key === 'at' ? undefined : value,
  )

/** What the recording was told about the machines: `cluster.yaml`. */
interface Machines {
  readonly podCIDR: string
  readonly serviceCIDR: string
  readonly network: { readonly cni: string; readonly backend?: string; readonly vxlanMode?: string }
  readonly nodes: readonly {
    readonly name: string
    readonly ip: string
    readonly ip6?: string
    readonly controlPlane?: boolean
    readonly cordoned?: boolean
    readonly podCIDRs?: readonly string[]
    readonly labels?: Readonly<Record<string, string>>
    readonly taints?: readonly unknown[]
    readonly blocks?: readonly string[]
  }[]
}

/** What every machine of the recordings had to give. */
const ALLOCATABLE = { cpu: '4', memory: '8042792Ki', pods: '110' }

const CONTROL_PLANE = 'node-role.kubernetes.io/control-plane'

/** The manifests of a recorded cluster, with its machines as Node manifests and a Lab. */
export function loadManifests(folder: string): Loaded {
  const machines = parse(readFileSync(join(folder, 'cluster.yaml'), 'utf8')) as Machines
  const nodes = machines.nodes.map((node) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: node.name, labels: { ...(node.controlPlane ? { [CONTROL_PLANE]: '' } : {}), ...node.labels } },
    spec: {
      ...(node.podCIDRs === undefined ? {} : { podCIDRs: node.podCIDRs }),
      unschedulable: node.cordoned === true,
      taints: [...(node.controlPlane ? [{ key: CONTROL_PLANE, effect: 'NoSchedule' }] : []), ...(node.taints ?? [])],
    },
    status: {
      allocatable: ALLOCATABLE,
      addresses: [node.ip, node.ip6].flatMap((address) =>
        address === undefined ? [] : [{ type: 'InternalIP', address }],
      ),
    },
  }))
  const { cni, backend, vxlanMode } = machines.network
  const lab = {
    apiVersion: 'podwalk/v1alpha1',
    kind: 'Lab',
    spec: {
      podCIDRs: machines.podCIDR.split(','),
      serviceCIDRs: machines.serviceCIDR.split(','),
      cni: { name: cni, backend: backend ?? (vxlanMode === 'CrossSubnet' ? 'vxlan' : 'bgp') },
      nodes: Object.fromEntries(
        machines.nodes.map(({ name, blocks }) => [name, blocks === undefined ? {} : { calicoBlocks: blocks }]),
      ),
    },
  }
  const manifests = readdirSync(join(folder, 'manifests')).map((name) => fileAt(join(folder, 'manifests'), name))
  const made = { name: 'machines.json', bytes: new TextEncoder().encode(JSON.stringify([...nodes, lab])) }
  return load([made, ...manifests], {})
}
