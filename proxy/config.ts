import type { Cluster } from '../cluster/cluster.ts'
import { type Assumption, type Diagnostic, formatLocation, type SourceLocation } from '../cluster/source.ts'
import { isSchedulerName } from '../linux/ipvs/scheduler/registry.ts'
import { type Ip, parseIp } from '../packet/ip.ts'
import { formatPrefix, type Prefix, parsePrefix } from '../packet/prefix.ts'
import {
  type ConfigurationDocument,
  flagAt,
  integerAt,
  isTree,
  type KnownFields,
  openDocument,
  overlay,
  report,
  reportUnknownFields,
  secondsAt,
  type Tree,
  textAt,
  textsAt,
} from './configuration-document.ts'
import { PROXY_MODE_NAMES } from './proxy-mode.ts'
import { proxyFeatures } from './versions.ts'

/** kube-proxy's configuration after defaulting (kubeproxy.config.k8s.io/v1alpha1). One for the whole cluster. */
export interface KubeProxyConfig {
  /** `iptables`, `nftables`, `ipvs`, `userspace`, or what the configuration says instead. */
  readonly mode: string
  /** kube-proxy's release: `v1.36.3`. */
  readonly version: string
  readonly bindAddress: Ip | undefined
  readonly detectLocal: DetectLocal
  readonly masqueradeAll: boolean
  /** Bit of the packet mark that says "masquerade me"; 0 to 31. */
  readonly masqueradeBit: number
  /** iptables mode and IPv4 only. */
  readonly localhostNodePorts: boolean
  /** `primary`: the node's own address in each family. */
  readonly nodePortAddresses: 'all' | 'primary' | readonly Prefix[]
  readonly conntrack: ConntrackConfig
  readonly ipvs: IpvsConfig
  readonly featureGates: Readonly<Record<string, boolean>>
  /** Where it was read: `kube-proxy.yaml:3`. */
  readonly source: string | undefined
}

export type DetectLocal =
  | { readonly kind: 'none' }
  | { readonly kind: 'clusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly kind: 'nodeCIDR' }
  | { readonly kind: 'bridgeInterface'; readonly bridge: string }
  | { readonly kind: 'interfaceNamePrefix'; readonly prefix: string }

/** Seconds; 0 leaves the kernel's value alone. */
export interface ConntrackConfig {
  readonly tcpEstablishedTimeout: number
  readonly tcpCloseWaitTimeout: number
  readonly udpTimeout: number
  readonly udpStreamTimeout: number
  readonly tcpBeLiberal: boolean
}

export interface IpvsConfig {
  readonly scheduler: string
  readonly strictARP: boolean
  readonly excludeCIDRs: readonly Prefix[]
  /** Seconds; 0 leaves the kernel's value alone. */
  readonly tcpTimeout: number
  readonly tcpFinTimeout: number
  readonly udpTimeout: number
}

/** What a cluster says about its kube-proxy. */
export interface ReadKubeProxyConfig {
  readonly config: KubeProxyConfig
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Where clusters keep it: kubeadm and kind; EKS. */
const CONFIG_MAPS = [
  { key: 'kube-system/kube-proxy', file: 'config.conf' },
  { key: 'kube-system/kube-proxy-config', file: 'config' },
] as const

/**
 * The configuration as the cluster's ConfigMap has it, with `spec.proxy` of a Lab document on top (same field names),
 * and `given` on top of both.
 */
export function readKubeProxyConfig(cluster: Cluster, given: { readonly mode?: string } = {}): ReadKubeProxyConfig {
  const found = configMapText(cluster)
  const document =
    found === undefined
      ? { tree: {}, name: 'The kube-proxy configuration', at: undefined, problems: [] }
      : openDocument(found.text, { name: `ConfigMap ${found.key}`, at: found.at })
  reportUnknownFields(document, KNOWN_FIELDS)
  const lab = withLab(document, cluster.lab.proxy ?? {}, given)
  const assumed = found === undefined && textAt(lab, 'clusterCIDR') === undefined ? cluster.facts.podCIDRs : []
  return {
    config: configOf(lab, {
      version: cluster.facts.kubernetesVersion,
      podCIDRs: assumed,
      modeIsGiven: given.mode !== undefined,
    }),
    assumptions: found === undefined ? [configAssumption(lab, assumed)] : [],
    diagnostics: document.problems,
  }
}

/** Answers with the same list of problems, so that what is wrong on top is told too. */
function withLab(document: ConfigurationDocument, proxy: Tree, given: Tree): ConfigurationDocument {
  if (Object.keys(proxy).length === 0) return { ...document, tree: overlay(document.tree, given) }
  reportUnknownFields({ ...document, tree: proxy, name: LAB_NAME, at: undefined }, KNOWN_FIELDS)
  const name = `${document.name} with ${LAB_NAME}`
  return { ...document, name, tree: overlay(overlay(document.tree, proxy), given) }
}

const LAB_NAME = 'spec.proxy of the Lab document'

function configMapText(cluster: Cluster) {
  for (const { key, file } of CONFIG_MAPS) {
    const map = cluster.index.configMap.get(key)
    const text = map?.data[file]
    if (map !== undefined && text !== undefined) return { key, text, at: map.at as SourceLocation | undefined }
  }
  return undefined
}

function configAssumption(document: ConfigurationDocument, podCIDRs: readonly Prefix[]): Assumption {
  const mode = textAt(document, 'mode') ?? DEFAULT_MODE
  const pods = podCIDRs.length === 0 ? '' : ` and clusterCIDR ${podCIDRs.map(formatPrefix).join(',')}`
  return {
    code: 'kube-proxy-config',
    text: `kube-proxy runs on every node in ${mode} mode with its default settings${pods}`,
    object: 'ConfigMap kube-system/kube-proxy',
    set: 'spec.proxy in a Lab document (fields of KubeProxyConfiguration)',
    collect: 'kubectl -n kube-system get configmap kube-proxy -o yaml',
  }
}

const DEFAULT_MODE = 'iptables'
const DEFAULT_MASQUERADE_BIT = 14
const DAY = 86_400
const HOUR = 3_600

/**
 * Reads the fields and fills in the defaults (pkg/proxy/apis/config/v1alpha1/defaults.go, cmd/kube-proxy/app).
 * `podCIDRs` stand in for a clusterCIDR that nobody wrote.
 */
export function configOf(
  document: ConfigurationDocument,
  known: {
    readonly version: string
    readonly podCIDRs: readonly Prefix[]
    /** Somebody asks for the mode, whatever the cluster says: what is wrong with it is not the cluster's fault. */
    readonly modeIsGiven?: boolean
  },
): KubeProxyConfig {
  const mode = modeOf(document)
  // nftables mode has settings of its own; the other modes share the section named iptables.
  const section = mode === 'nftables' ? 'nftables' : 'iptables'
  if (mode === 'userspace' && !proxyFeatures(known.version).hasUserspaceMode)
    reportRemovedMode(document, known.version, known.modeIsGiven === true)
  const scheduler = textAt(document, 'ipvs.scheduler') ?? ''
  reportUnknownScheduler(document, mode, scheduler)
  return {
    mode,
    version: known.version,
    bindAddress: bindAddressOf(document),
    detectLocal: detectLocalOf(document, known.podCIDRs),
    masqueradeAll: flagAt(document, `${section}.masqueradeAll`) ?? false,
    masqueradeBit: integerAt(document, `${section}.masqueradeBit`, [0, 31]) ?? DEFAULT_MASQUERADE_BIT,
    localhostNodePorts: flagAt(document, 'iptables.localhostNodePorts') ?? true,
    nodePortAddresses: nodePortAddressesOf(document, mode),
    conntrack: {
      tcpEstablishedTimeout: secondsAt(document, 'conntrack.tcpEstablishedTimeout') ?? DAY,
      tcpCloseWaitTimeout: secondsAt(document, 'conntrack.tcpCloseWaitTimeout') ?? HOUR,
      udpTimeout: secondsAt(document, 'conntrack.udpTimeout') ?? 0,
      udpStreamTimeout: secondsAt(document, 'conntrack.udpStreamTimeout') ?? 0,
      tcpBeLiberal: flagAt(document, 'conntrack.tcpBeLiberal') ?? false,
    },
    ipvs: {
      scheduler: scheduler === '' ? 'rr' : scheduler,
      strictARP: flagAt(document, 'ipvs.strictARP') ?? false,
      excludeCIDRs: prefixes(document, 'ipvs.excludeCIDRs', textsAt(document, 'ipvs.excludeCIDRs')),
      tcpTimeout: secondsAt(document, 'ipvs.tcpTimeout') ?? 0,
      tcpFinTimeout: secondsAt(document, 'ipvs.tcpFinTimeout') ?? 0,
      udpTimeout: secondsAt(document, 'ipvs.udpTimeout') ?? 0,
    },
    featureGates: featureGatesOf(document.tree),
    source: document.at === undefined ? undefined : formatLocation(document.at),
  }
}

function modeOf(document: ConfigurationDocument): string {
  const mode = textAt(document, 'mode') ?? DEFAULT_MODE
  if (!PROXY_MODE_NAMES.some((name) => name === mode)) {
    const meant = PROXY_MODE_NAMES.find((name) => name === mode.toLowerCase())
    report(document, `has mode: "${mode}", which kube-proxy does not have on Linux`, meant && `did you mean ${meant}?`)
  }
  return mode
}

/** What is asked for all the same is shown as the last release that had it did it. */
function reportRemovedMode(document: ConfigurationDocument, version: string, isGiven: boolean): void {
  const suggestion = 'what follows is what kube-proxy 1.25 would do'
  if (isGiven)
    document.problems.push({
      severity: 'warning',
      code: 'kube-proxy-mode-removed',
      message: `kube-proxy ${version} has no mode userspace: it was removed in 1.26`,
      suggestion,
    })
  else
    report(
      document,
      `has mode: "userspace", which kube-proxy ${version} does not have: it was removed in 1.26`,
      suggestion,
    )
}

/** kube-proxy tries the scheduler before it starts (CanUseIPVSProxier). */
function reportUnknownScheduler(document: ConfigurationDocument, mode: string, scheduler: string): void {
  if (mode === 'ipvs' && scheduler !== '' && !isSchedulerName(scheduler))
    report(
      document,
      `has ipvs.scheduler: "${scheduler}", which the kernel does not have, so that kube-proxy would not start`,
      'what follows is what it would do with rr',
    )
}

function bindAddressOf(document: ConfigurationDocument): Ip | undefined {
  const text = textAt(document, 'bindAddress')
  if (text === undefined) return undefined
  const ip = parseIp(text)
  if (ip.ok) return ip.value
  report(document, `has bindAddress: ${ip.reason}`)
  return undefined
}

function detectLocalOf(document: ConfigurationDocument, podCIDRs: readonly Prefix[]): DetectLocal {
  const mode = textAt(document, 'detectLocalMode') ?? 'ClusterCIDR'
  switch (mode) {
    case 'ClusterCIDR':
      return clusterCIDR(document, podCIDRs)
    case 'NodeCIDR':
      return { kind: 'nodeCIDR' }
    case 'BridgeInterface': {
      const bridge = textAt(document, 'detectLocal.bridgeInterface')
      if (bridge !== undefined) return { kind: 'bridgeInterface', bridge }
      report(document, 'has detectLocalMode: BridgeInterface but no detectLocal.bridgeInterface')
      return { kind: 'none' }
    }
    case 'InterfaceNamePrefix': {
      const prefix = textAt(document, 'detectLocal.interfaceNamePrefix')
      if (prefix !== undefined) return { kind: 'interfaceNamePrefix', prefix }
      report(document, 'has detectLocalMode: InterfaceNamePrefix but no detectLocal.interfaceNamePrefix')
      return { kind: 'none' }
    }
    default:
      report(document, `has detectLocalMode: "${mode}", which kube-proxy does not know`)
      return clusterCIDR(document, podCIDRs)
  }
}

function clusterCIDR(document: ConfigurationDocument, podCIDRs: readonly Prefix[]): DetectLocal {
  const texts = textAt(document, 'clusterCIDR')?.split(',') ?? []
  const cidrs = prefixes(document, 'clusterCIDR', texts)
  const all = [...cidrs, ...podCIDRs]
  return all.length === 0 ? { kind: 'none' } : { kind: 'clusterCIDR', cidrs: all }
}

/** nftables mode serves the node's primary address only, the others every address. */
function nodePortAddressesOf(document: ConfigurationDocument, mode: string): KubeProxyConfig['nodePortAddresses'] {
  const texts = textsAt(document, 'nodePortAddresses')
  if (texts.length === 0) return mode === 'nftables' ? 'primary' : 'all'
  if (texts.length === 1 && texts[0] === 'primary') return 'primary'
  return prefixes(document, 'nodePortAddresses', texts)
}

function prefixes(document: ConfigurationDocument, path: string, texts: readonly string[]): readonly Prefix[] {
  return texts.flatMap((text) => {
    const prefix = parsePrefix(text.trim(), 'mask')
    if (prefix.ok) return [prefix.value]
    report(document, `has ${path}: ${prefix.reason}`)
    return []
  })
}

function featureGatesOf(tree: Tree): Readonly<Record<string, boolean>> {
  const gates = isTree(tree.featureGates) ? Object.entries(tree.featureGates) : []
  return Object.fromEntries(gates.flatMap(([name, on]) => (typeof on === 'boolean' ? [[name, on]] : [])))
}

const PERIODS = { syncPeriod: true, minSyncPeriod: true } as const

/** k8s.io/kube-proxy/config/v1alpha1 types.go. */
const KNOWN_FIELDS: KnownFields = {
  apiVersion: true,
  kind: true,
  featureGates: true,
  clientConnection: true,
  logging: true,
  hostnameOverride: true,
  bindAddress: true,
  healthzBindAddress: true,
  metricsBindAddress: true,
  bindAddressHardFail: true,
  enableProfiling: true,
  showHiddenMetricsForVersion: true,
  mode: true,
  iptables: {
    masqueradeBit: true,
    masqueradeAll: true,
    localhostNodePorts: true,
    snatNodeInternalIP: true,
    ...PERIODS,
  },
  ipvs: {
    scheduler: true,
    excludeCIDRs: true,
    strictARP: true,
    tcpTimeout: true,
    tcpFinTimeout: true,
    udpTimeout: true,
    ...PERIODS,
  },
  nftables: { masqueradeBit: true, masqueradeAll: true, ...PERIODS },
  winkernel: true,
  detectLocalMode: true,
  detectLocal: { bridgeInterface: true, interfaceNamePrefix: true },
  clusterCIDR: true,
  nodePortAddresses: true,
  oomScoreAdj: true,
  conntrack: {
    maxPerCore: true,
    min: true,
    tcpEstablishedTimeout: true,
    tcpCloseWaitTimeout: true,
    tcpBeLiberal: true,
    udpTimeout: true,
    udpStreamTimeout: true,
  },
  configSyncPeriod: true,
  portRange: true,
  windowsRunAsService: true,
  // Until 1.2x; still found in old ConfigMaps.
  udpIdleTimeout: true,
  resourceContainer: true,
}
