import { withObjects } from '../cluster/changed.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConfigMap, Container, KubeNode, Meta, Pod, Service } from '../cluster/objects.ts'
import { nodeCacheOf } from '../dns/node-local/node-cache.ts'
import { formatIp, type Ip, ip, sameIp } from '../packet/ip.ts'

/** The link-local address that the project's own manifest gives NodeLocal DNSCache (kubernetes/dns, nodelocaldns.yaml). */
const LINK_LOCAL = ip('169.254.20.10')
const UPSTREAM = 'kube-dns-upstream'

/**
 * The same cluster with NodeLocal DNSCache on one node, as its manifest sets it up where kube-proxy writes rules: it
 * takes the address of the cluster's DNS, so pods need not change. Undefined where it is there already, or where no
 * Service of the cluster's DNS is known.
 */
export function withNodeLocalDns(cluster: Cluster, node: KubeNode): Cluster | undefined {
  const dns = dnsService(cluster)
  if (dns === undefined || nodeCacheOf(cluster, node) !== undefined) return undefined
  const { namespace } = dns.meta
  const upstream: Service = {
    ...dns,
    meta: { ...dns.meta, name: UPSTREAM },
    clusterIPs: dns.clusterIPs.map((own) => freeAddress(cluster, own)),
  }
  const slices = cluster.index.slicesOfService.get(`${namespace}/${dns.meta.name}`) ?? []
  const endpointSlices = slices.map((slice) => ({
    ...slice,
    meta: { ...slice.meta, name: `${UPSTREAM}-${slice.meta.name}` },
    serviceName: UPSTREAM,
  }))
  const local = [...dns.clusterIPs.filter(({ family }) => family === 4).map(() => LINK_LOCAL), ...dns.clusterIPs]
  const configMap: ConfigMap = {
    kind: 'ConfigMap',
    assumed: true,
    meta: madeMeta(dns.meta, 'node-local-dns'),
    data: { Corefile: corefile(cluster.facts.dnsDomain, local.map(formatIp).join(' ')) },
  }
  const pods = [cachePod(dns.meta, node, local)]
  return withObjects(cluster, { services: [upstream], endpointSlices, configMaps: [configMap], pods })
}

/** The Service whose address kubelets write into resolv.conf. */
export function dnsService({ facts, services }: Cluster): Service | undefined {
  const [first] = facts.clusterDNS
  return first && services.find(({ clusterIPs }) => clusterIPs.some((own) => sameIp(own, first)))
}

/** The next address above that no Service has. */
function freeAddress({ services }: Cluster, from: Ip): Ip {
  const taken = services.flatMap(({ clusterIPs }) => clusterIPs)
  let free: Ip = { ...from, d: from.d + 1 }
  while (taken.some((own) => sameIp(own, free))) free = { ...free, d: free.d + 1 }
  return free
}

const madeMeta = (like: Meta, name: string): Meta => ({
  name,
  namespace: like.namespace,
  labels: { 'k8s-app': 'node-local-dns' },
  annotations: {},
})

const corefile = (domain: string, local: string): string =>
  [domain, 'in-addr.arpa', 'ip6.arpa']
    .map(
      (zone) => `${zone}:53 {
    errors
    cache {
        success 9984 30
        denial 9984 5
    }
    bind ${local}
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
}
`,
    )
    .concat(`.:53 {
    errors
    cache 30
    bind ${local}
    forward . __PILLAR__UPSTREAM__SERVERS__
}
`)
    .join('')

function cachePod(like: Meta, node: KubeNode, local: readonly Ip[]): Pod {
  const container: Container = {
    name: 'node-cache',
    image: 'registry.k8s.io/dns/k8s-dns-node-cache',
    command: [],
    args: ['-localip', local.map(formatIp).join(','), '-upstreamsvc', UPSTREAM],
    ports: [],
    env: [],
    hasReadinessProbe: false,
    sidecar: false,
  }
  return {
    kind: 'Pod',
    assumed: true,
    meta: madeMeta(like, `node-local-dns-${node.meta.name}`),
    phase: 'Running',
    ready: true,
    ips: node.internalIPs,
    hostIPs: node.internalIPs,
    spec: {
      nodeName: node.meta.name,
      nodeSelector: {},
      tolerations: [],
      hostNetwork: true,
      containers: [container],
      initContainers: [],
      restartPolicy: 'Always',
      dnsPolicy: 'Default',
      dnsConfig: { nameservers: [], searches: [], options: [] },
      hostAliases: [],
      hostname: '',
      subdomain: '',
      setHostnameAsFQDN: false,
      enableServiceLinks: false,
      serviceAccountName: '',
    },
  }
}
