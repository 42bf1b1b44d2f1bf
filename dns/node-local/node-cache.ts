import type { Cluster } from '../../cluster/cluster.ts'
import type { Container, KubeNode, Pod } from '../../cluster/objects.ts'
import { formatIp, type Ip, parseIp } from '../../packet/ip.ts'

/** NodeLocal DNSCache: the program node-cache of kubernetes/dns (cmd/node-cache), a CoreDNS beside every pod of a node. */

/** How node-cache is started. */
export interface NodeCacheFlags {
  /** -localip: the addresses it listens at. */
  readonly localIps: readonly Ip[]
  /** -localport and -health-port. */
  readonly port: number
  readonly healthPort: number
  /** -interfacename. */
  readonly interfaceName: string
  readonly setupInterface: boolean
  readonly setupIptables: boolean
  readonly setupEbtables: boolean
  /** -upstreamsvc: the Service that stands for the cluster's DNS; its variables are read. */
  readonly upstreamService: string
  /** -conf: where the Corefile is written that CoreDNS reads. */
  readonly corefile: string
}

const DEFAULTS: NodeCacheFlags = {
  localIps: [],
  port: 53,
  healthPort: 8080,
  interfaceName: 'nodelocaldns',
  setupInterface: true,
  setupIptables: true,
  setupEbtables: false,
  upstreamService: 'kube-dns-upstream',
  corefile: '/etc/coredns/Corefile',
}

export interface NodeCache {
  readonly pod: Pod
  readonly flags: NodeCacheFlags
}

const isNodeCacheContainer = ({ image, command }: Container): boolean =>
  /(^|\/)k8s-dns-node-cache(:|@|$)/.test(image) || command.some((word) => /(^|\/)node-cache$/.test(word))

/** Whether a pod runs node-cache, by its image. */
export const isNodeCache = (pod: Pod): boolean => pod.spec.hostNetwork && pod.spec.containers.some(isNodeCacheContainer)

/** Ports that its CoreDNS serves itself. */
export const NODE_CACHE_PORTS = [53]

/** The node-cache of a node; undefined where none runs. */
export function nodeCacheOf(cluster: Cluster, node: KubeNode): NodeCache | undefined {
  const pods = cluster.index.podsOnNode.get(node.meta.name) ?? []
  const pod = pods.find((one) => isNodeCache(one) && one.phase === 'Running')
  const container = pod?.spec.containers.find(isNodeCacheContainer)
  return pod && container && { pod, flags: parseNodeCacheFlags([...container.command.slice(1), ...container.args]) }
}

/** Go's flag package: one or two dashes, `=value` or the next word; a bare boolean is true. */
export function parseNodeCacheFlags(words: readonly string[]): NodeCacheFlags {
  const given = new Map<string, string>()
  for (let i = 0; i < words.length; i++) {
    const match = /^--?([a-z-]+)(?:=(.*))?$/s.exec(words[i] ?? '')
    if (!match) continue
    const name = match[1] ?? ''
    const next = words[i + 1]
    if (match[2] !== undefined) given.set(name, match[2])
    else if (/^setup/.test(name) || name === 'skipteardown' || next === undefined) given.set(name, 'true')
    else {
      given.set(name, next)
      i++
    }
  }
  const flag = (name: string, otherwise: boolean) =>
    given.has(name) ? /^(1|t|true)$/i.test(given.get(name) ?? '') : otherwise
  const number = (name: string, otherwise: number) => Number(given.get(name) ?? otherwise) || otherwise
  return {
    localIps: (given.get('localip') ?? '').split(',').flatMap((text) => {
      const address = parseIp(text.trim())
      return address.ok ? [address.value] : []
    }),
    port: number('localport', DEFAULTS.port),
    healthPort: number('health-port', DEFAULTS.healthPort),
    interfaceName: given.get('interfacename') ?? DEFAULTS.interfaceName,
    setupInterface: flag('setupinterface', DEFAULTS.setupInterface),
    setupIptables: flag('setupiptables', DEFAULTS.setupIptables),
    setupEbtables: flag('setupebtables', DEFAULTS.setupEbtables),
    upstreamService: given.get('upstreamsvc') ?? DEFAULTS.upstreamService,
    corefile: given.get('conf') ?? DEFAULTS.corefile,
  }
}

/** The base that is mounted: ConfigMap `node-local-dns` of the pod's namespace; undefined where it is not there. */
export const baseCorefile = (cluster: Cluster, { pod }: NodeCache): string | undefined =>
  cluster.index.configMap.get(`${pod.meta.namespace}/node-local-dns`)?.data.Corefile

/**
 * The Corefile that node-cache writes from its base (updateCorefile of cmd/node-cache/app/configmap.go): the upstream
 * Service's address, its own addresses, and the node's resolv.conf, unless ConfigMap `kube-dns` names other upstreams.
 */
export function nodeCacheCorefile(cluster: Cluster, cache: NodeCache): string | undefined {
  const base = baseCorefile(cluster, cache)
  if (base === undefined) return undefined
  const { namespace } = cache.pod.meta
  const local = cache.flags.localIps.map(formatIp).join(' ')
  const settings = cluster.index.configMap.get(`${namespace}/kube-dns`)?.data ?? {}
  const upstreams = listIn(settings.upstreamNameservers)
  const service = cluster.services.find(
    ({ meta }) => meta.name === cache.flags.upstreamService && meta.namespace === namespace,
  )
  const [clusterDns] = service?.clusterIPs ?? []
  const text = base
    .replaceAll('__PILLAR__UPSTREAM__SERVERS__', upstreams.length > 0 ? upstreams.join(' ') : '/etc/resolv.conf')
    // What a nil net.IP prints.
    .replaceAll('__PILLAR__CLUSTER__DNS__', clusterDns ? formatIp(clusterDns) : '<nil>')
    .replaceAll('__PILLAR__LOCAL__DNS__', local)
    .replaceAll('__PILLAR__DNS__SERVER__', '')
  return text + stubDomains(settings.stubDomains, { port: cache.flags.port, local })
}

/** stubDomainBlock; node-cache goes through a Go map, here the domains stand in order. */
function stubDomains(
  text: string | undefined,
  { port, local }: { readonly port: number; readonly local: string },
): string {
  const domains = objectIn(text)
  return Object.keys(domains)
    .sort()
    .map((domain) => {
      const servers = domains[domain]
      const list = Array.isArray(servers) ? servers.join(' ') : ''
      return `\n${domain}:${port} {\n    errors\n    cache 30\n    bind ${local}\n    forward . ${list}\n}\n`
    })
    .join('')
}

function parsedJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return undefined
  }
}

function listIn(text: string | undefined): readonly string[] {
  const value = parsedJson(text)
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

function objectIn(text: string | undefined): Readonly<Record<string, unknown>> {
  const value = parsedJson(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
