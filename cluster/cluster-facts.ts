import { compareIp, type Ip, parseIp } from '../packet/ip.ts'
import { contains, formatPrefix, maskIp, type Prefix, parsePrefix, prefix } from '../packet/prefix.ts'
import type { ClusterFacts } from './cluster.ts'
import { detectCni } from './detect-cni.ts'
import { isList, isObject, type Json, type JsonObject, member } from './input/json-value.ts'
import { parseYaml, plainValue } from './input/yaml-tree.ts'
import type { Lab } from './lab.ts'
import type { ConfigMap, KubeNode, OtherObject, Pod, ServiceCIDR, Workload } from './objects.ts'
import type { Assumption } from './source.ts'

/** The newest Kubernetes that is modelled; assumed where nothing says the version. */
export const NEWEST_KUBERNETES = 'v1.36.3'
const DEFAULT_DNS_DOMAIN = 'cluster.local'
/** kubeadm's default service subnet. */
const DEFAULT_SERVICE_CIDR = '10.96.0.0/12'
const DEFAULT_POD_CIDR = '10.244.0.0/16'
/** What the documents of kubeadm and flannel use for the second family. */
const DEFAULT_SERVICE_CIDR6 = 'fd00:10:96::/112'
const DEFAULT_POD_CIDR6 = 'fd00:10:244::/56'

export interface FactSources {
  readonly lab: Lab
  readonly nodes: readonly KubeNode[]
  readonly configMaps: readonly ConfigMap[]
  readonly serviceCIDRs: readonly ServiceCIDR[]
  readonly workloads: readonly Workload[]
  readonly others: readonly OtherObject[]
  /** What `kubectl version` said. */
  readonly serverVersion: string | undefined
  /** ClusterIPs of Service kube-system/kube-dns. */
  readonly dnsServiceIPs: readonly Ip[]
  /** ClusterIPs of Service default/kubernetes, and of all Services. */
  readonly apiServiceIPs?: readonly Ip[]
  readonly clusterIPs?: readonly Ip[]
  /** A manifest of a Service that only a cluster of both families takes. */
  readonly dualStack?: { readonly namespace: string; readonly name: string } | undefined
  /** Pods of the control plane tell by their arguments what it was told. */
  readonly pods?: readonly Pick<Pod, 'meta' | 'spec'>[]
}

/** What the objects tell about the cluster as a whole; what they do not tell is assumed and said. */
export function clusterFacts(sources: FactSources, assume: (assumption: Assumption) => void): ClusterFacts {
  const { lab } = sources
  const kubeadm = configOf(sources, { name: 'kubeadm-config', key: 'ClusterConfiguration' })
  const kubelet = kubeletConfigOf(sources)
  const networking = objectMember(kubeadm, 'networking')
  return {
    kubernetesVersion:
      lab.versions?.kubernetes ??
      newestKubelet(sources.nodes) ??
      sources.serverVersion ??
      (textMember(kubeadm, 'kubernetesVersion') || assumedVersion(assume)),
    dnsDomain:
      lab.dnsDomain ??
      (textMember(kubelet, 'clusterDomain') || textMember(networking, 'dnsDomain') || assumedDomain(assume)),
    podCIDRs:
      firstOf([
        () => prefixesOf(lab.podCIDRs ?? []),
        () => prefixesOf(textMember(networking, 'podSubnet').split(',')),
        () => flannelNetworks(sources),
        () => calicoPools(sources),
        () =>
          prefixesOf(
            textMember(configOf(sources, { name: 'kube-proxy', key: 'config.conf' }), 'clusterCIDR').split(','),
          ),
        () => prefixesOf(flagOf(sources, 'kube-controller-manager', '--cluster-cidr').split(',')),
      ]) ?? assumedPodCIDRs(sources, assume),
    serviceCIDRs:
      firstOf([
        () => prefixesOf(lab.serviceCIDRs ?? []),
        () => sources.serviceCIDRs.find(({ meta }) => meta.name === 'kubernetes')?.cidrs ?? [],
        () => sources.serviceCIDRs.flatMap(({ cidrs }) => cidrs),
        () => prefixesOf(textMember(networking, 'serviceSubnet').split(',')),
        () => prefixesOf(flagOf(sources, 'kube-apiserver', '--service-cluster-ip-range').split(',')),
        () => prefixesOf(flagOf(sources, 'kube-controller-manager', '--service-cluster-ip-range').split(',')),
      ]) ?? assumedServiceCIDRs(sources, assume),
    clusterDNS: firstOf([() => addressesOf(listMember(kubelet, 'clusterDNS')), () => sources.dnsServiceIPs]) ?? [],
    cni: detectCni(sources),
    ...resolvConfOf(kubelet),
  }
}

function firstOf<T>(sources: readonly (() => readonly T[])[]): readonly T[] | undefined {
  for (const source of sources) {
    const found = source()
    if (found.length > 0) return found
  }
  return undefined
}

/** A YAML document inside a ConfigMap of kube-system; an empty object where there is none. */
function configOf(sources: FactSources, of: { name: string; key: string }): JsonObject {
  const map = sources.configMaps.find(({ meta }) => meta.namespace === 'kube-system' && meta.name === of.name)
  const text = map === undefined || !Object.hasOwn(map.data, of.key) ? '' : (map.data[of.key] ?? '')
  const [document] = parseYaml(text).documents
  const value = document === undefined ? null : plainValue(document)
  return isObject(value) ? value : {}
}

/** kubeadm named it kubelet-config-1.NN before v1.24. */
function kubeletConfigOf(sources: FactSources): JsonObject {
  const map = sources.configMaps.find(
    ({ meta }) => meta.namespace === 'kube-system' && /^kubelet-config(-1\.\d+)?$/.test(meta.name),
  )
  return map === undefined ? {} : configOf(sources, { name: map.meta.name, key: 'kubelet' })
}

/** `resolvConf` of a KubeletConfiguration, where it says one. */
function resolvConfOf(kubelet: JsonObject): { readonly kubeletResolvConf?: string } {
  const path = member(kubelet, 'resolvConf')
  return typeof path === 'string' ? { kubeletResolvConf: path } : {}
}

const textMember = (object: JsonObject, key: string): string => {
  const value = member(object, key)
  return typeof value === 'string' ? value : ''
}
const objectMember = (object: JsonObject, key: string): JsonObject => {
  const value = member(object, key)
  return isObject(value) ? value : {}
}
const listMember = (object: JsonObject, key: string): readonly Json[] => {
  const value = member(object, key)
  return isList(value) ? value : []
}

/** The right ones of some texts; the objects' own readers have told about wrong ones. */
const prefixesOf = (texts: readonly string[]): Prefix[] =>
  texts.flatMap((text) => {
    const result = parsePrefix(text.trim(), 'mask')
    return result.ok ? [result.value] : []
  })

const addressesOf = (texts: readonly Json[]): Ip[] =>
  texts.flatMap((text) => {
    const result = typeof text === 'string' ? parseIp(text) : undefined
    return result?.ok ? [result.value] : []
  })

function newestKubelet(nodes: readonly KubeNode[]): string | undefined {
  const versions = nodes.flatMap(({ kubeletVersion }) => kubeletVersion ?? [])
  return versions.sort((x, y) => compareVersions(y, x))[0]
}

/** Order of `v1.36.3`-like texts by their numbers. */
export function compareVersions(x: string, y: string): number {
  const [a, b] = [numbersOf(x), numbersOf(y)]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const numbersOf = (version: string): number[] => (version.match(/\d+/g) ?? []).slice(0, 3).map(Number)

/** `Network` and `IPv6Network` of flannel's net-conf.json; its keys are read in any case, as Go's json does. */
function flannelNetworks({ configMaps }: FactSources): Prefix[] {
  for (const { meta, data } of configMaps) {
    if (!['kube-flannel-cfg', 'canal-config'].includes(meta.name)) continue
    const [document] = parseYaml(data['net-conf.json'] ?? '').documents
    const value = document === undefined ? null : plainValue(document)
    if (!isObject(value)) continue
    const byLower = new Map(Object.entries(value).map(([key, entry]) => [key.toLowerCase(), entry]))
    const texts = ['network', 'ipv6network'].flatMap((key) => {
      const entry = byLower.get(key)
      return typeof entry === 'string' ? [entry] : []
    })
    return prefixesOf(texts)
  }
  return []
}

function calicoPools({ others }: FactSources): Prefix[] {
  const pools = others.filter(
    ({ objectKind, apiVersion }) => objectKind === 'IPPool' && apiVersion.includes('projectcalico.org'),
  )
  const texts = pools.flatMap(({ spec }) => {
    const cidr = isObject(spec as Json) ? member(spec as JsonObject, 'cidr') : undefined
    return typeof cidr === 'string' ? [cidr] : []
  })
  return prefixesOf(texts).sort((x, y) => compareIp(x.address, y.address))
}

function assumedVersion(assume: (assumption: Assumption) => void): string {
  assume({
    code: 'kubernetes-version',
    text: `Kubernetes is ${NEWEST_KUBERNETES}`,
    set: 'spec.versions.kubernetes in a Lab document',
    collect: 'kubectl get nodes -o yaml',
  })
  return NEWEST_KUBERNETES
}

function assumedDomain(assume: (assumption: Assumption) => void): string {
  assume({
    code: 'dns-domain',
    text: `the cluster domain is ${DEFAULT_DNS_DOMAIN}`,
    set: 'spec.dnsDomain in a Lab document',
    collect: 'kubectl get cm -n kube-system kubeadm-config kubelet-config -o yaml',
  })
  return DEFAULT_DNS_DOMAIN
}

/** Where nodes have podCIDRs, nothing needs the range that they came from. */
function assumedPodCIDRs({ nodes, dualStack }: FactSources, assume: (assumption: Assumption) => void): Prefix[] {
  const known = nodes.some((node) => node.podCIDRs.length > 0)
  const found = [prefix(DEFAULT_POD_CIDR), ...(dualStack === undefined ? [] : [prefix(DEFAULT_POD_CIDR6)])]
  assume({
    code: 'pod-cidr',
    text: `the pod network is ${found.map(formatPrefix).join(' and ')}${becauseOf(dualStack)}`,
    set: 'spec.podCIDRs in a Lab document',
    collect: `kubectl get cm -n kube-system kubeadm-config -o yaml${known ? '' : ' and kubectl get nodes -o yaml'}`,
  })
  return found
}

const becauseOf = (service: FactSources['dualStack']): string =>
  service === undefined
    ? ''
    : `, since Service ${service.namespace}/${service.name} asks for a cluster of both families`

/**
 * Where Services have addresses already, the range is around them: Service default/kubernetes has its first one
 * (pkg/controlplane), and a range is seldom smaller than a /16, or /112 of IPv6.
 */
function assumedServiceCIDRs(
  { apiServiceIPs = [], clusterIPs = [], dualStack }: FactSources,
  assume: (assumption: Assumption) => void,
): Prefix[] {
  const found = ([4, 6] as const).flatMap((family): Prefix[] => {
    const standard = prefix(family === 4 ? DEFAULT_SERVICE_CIDR : DEFAULT_SERVICE_CIDR6)
    const known = clusterIPs.filter((ip) => ip.family === family)
    const first = apiServiceIPs.find((ip) => ip.family === family) ?? known[0]
    if (first === undefined) return family === 4 || dualStack !== undefined ? [standard] : []
    return [known.every((ip) => contains(standard, ip)) ? standard : rangeAround(first, known)]
  })
  assume({
    code: 'service-cidr',
    text: `Services have addresses of ${found.map(formatPrefix).join(' and ')}${becauseOf(dualStack)}`,
    set: 'spec.serviceCIDRs in a Lab document',
    collect: 'kubectl get servicecidrs -o yaml, or kubectl get cm -n kube-system kubeadm-config -o yaml',
  })
  return found
}

function rangeAround(first: Ip, others: readonly Ip[]): Prefix {
  let length = first.family === 4 ? 16 : 112
  while (length > 0 && !others.every((ip) => contains({ address: maskIp(first, length), length }, ip))) length--
  return { address: maskIp(first, length), length }
}

/** An argument of a static pod of the control plane: `--name=value`. */
function flagOf({ pods = [] }: FactSources, component: string, flag: string): string {
  for (const { meta, spec } of pods) {
    if (meta.namespace !== 'kube-system' || meta.labels.component !== component) continue
    const words = spec.containers.flatMap(({ command, args }) => [...command, ...args])
    const found = words.find((word) => word.startsWith(`${flag}=`))
    if (found !== undefined) return found.slice(flag.length + 1)
  }
  return ''
}
