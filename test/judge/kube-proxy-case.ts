import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { ZERO_MAC } from '../../packet/mac.ts'
import { must } from '../../packet/parsed.ts'
import { type Prefix, parseInterfaceAddress, parsePrefix } from '../../packet/prefix.ts'
import type { DetectLocal, KubeProxyConfig } from '../../proxy/config.ts'

/** A case recorded from the real kube-proxy: `cases/kube-proxy/README.md`. */
export interface KubeProxyCase {
  readonly kubeProxyVersion: string
  readonly config: CaseConfig
  readonly objects: readonly CaseObject[]
  readonly expected: Readonly<Record<string, string>>
  readonly steps?: readonly CaseStep[]
}

export interface CaseStep {
  readonly apply: readonly { readonly op: 'add' | 'update' | 'delete'; readonly object: CaseObject }[]
  readonly expected: Readonly<Record<string, string>>
}

export interface CaseObject {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

export interface CaseConfig {
  readonly mode: string
  readonly nodeName: string
  readonly ipFamilies: readonly ('IPv4' | 'IPv6')[]
  readonly detectLocal: {
    readonly mode: string
    readonly clusterCIDRs?: readonly string[]
    readonly bridgeInterface?: string
    readonly interfaceNamePrefix?: string
  }
  readonly masqueradeAll: boolean
  readonly masqueradeBit: number
  readonly localhostNodePorts: boolean
  readonly nodePortAddresses: readonly string[] | null
  readonly conntrackTCPBeLiberal: boolean
  readonly interfaces: readonly { readonly name: string; readonly addresses: readonly string[] }[]
  readonly nfacct: boolean
  readonly randomFully: boolean
  /** Of ipvs mode; `''` is the default. */
  readonly scheduler?: string
}

export function caseConfig(recorded: KubeProxyCase): KubeProxyConfig {
  const { config } = recorded
  return {
    mode: config.mode,
    version: recorded.kubeProxyVersion,
    bindAddress: undefined,
    detectLocal: detectLocal(config.detectLocal),
    masqueradeAll: config.masqueradeAll,
    masqueradeBit: config.masqueradeBit,
    localhostNodePorts: config.localhostNodePorts,
    nodePortAddresses: nodePortAddresses(config),
    conntrack: {
      tcpEstablishedTimeout: 0,
      tcpCloseWaitTimeout: 0,
      udpTimeout: 0,
      udpStreamTimeout: 0,
      tcpBeLiberal: false,
    },
    ipvs: {
      scheduler: config.scheduler ?? '',
      strictARP: false,
      excludeCIDRs: [],
      tcpTimeout: 0,
      tcpFinTimeout: 0,
      udpTimeout: 0,
    },
    featureGates: {},
    source: undefined,
  }
}

function detectLocal(given: CaseConfig['detectLocal']): DetectLocal {
  switch (given.mode) {
    case 'ClusterCIDR':
      return { kind: 'clusterCIDR', cidrs: (given.clusterCIDRs ?? []).map(anyPrefix) }
    case 'NodeCIDR':
      return { kind: 'nodeCIDR' }
    case 'BridgeInterface':
      return { kind: 'bridgeInterface', bridge: given.bridgeInterface ?? '' }
    case 'InterfaceNamePrefix':
      return { kind: 'interfaceNamePrefix', prefix: given.interfaceNamePrefix ?? '' }
    case '':
      return { kind: 'none' }
    default:
      throw new Error(`detectLocal mode ${given.mode}`)
  }
}

function nodePortAddresses({ mode, nodePortAddresses: given }: CaseConfig): KubeProxyConfig['nodePortAddresses'] {
  if (given === null || given.length === 0) return mode === 'nftables' ? 'primary' : 'all'
  return given.length === 1 && given[0] === 'primary' ? 'primary' : given.map(anyPrefix)
}

const anyPrefix = (text: string): Prefix => must(parsePrefix(text, 'mask'))

/** The machine of the case; MAC addresses and MTUs show in no rule. */
export function caseFacts(config: CaseConfig): HostFacts {
  return {
    hostname: config.nodeName,
    interfaces: config.interfaces.map(({ name, addresses }) => ({
      name,
      mac: ZERO_MAC,
      mtu: 1500,
      addresses: addresses.map((address) => must(parseInterfaceAddress(address))),
    })),
    defaultInterface: config.interfaces[0]?.name,
    capabilities: {
      ipv6: config.ipFamilies.includes('IPv6'),
      nfacct: config.nfacct,
      randomFully: config.randomFully,
      conntrackTcpBeLiberal: config.conntrackTCPBeLiberal,
    },
    files: new Map(),
  }
}

/** The node of the case; a case may leave its Node object out. */
export function caseNode(nodes: readonly KubeNode[], name: string): KubeNode {
  return (
    nodes.find((node) => node.meta.name === name) ?? {
      kind: 'Node',
      meta: { namespace: '', name, labels: {}, annotations: {} },
      assumed: true,
      podCIDRs: [],
      internalIPs: [],
      externalIPs: [],
      hostname: name,
      taints: [],
      unschedulable: false,
      ready: true,
    }
  )
}

/** The objects after a step. */
export function applyStep(objects: readonly CaseObject[], step: CaseStep): readonly CaseObject[] {
  return step.apply.reduce<readonly CaseObject[]>((now, { op, object }) => {
    const others = now.filter((other) => !isSame(other, object))
    return op === 'delete' ? others : [...others, object]
  }, objects)
}

const isSame = (x: CaseObject, y: CaseObject): boolean =>
  x.kind === y.kind && x.metadata.name === y.metadata.name && x.metadata.namespace === y.metadata.namespace
