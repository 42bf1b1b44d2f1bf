import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { Service } from '../../cluster/objects.ts'
import { formatIp, type Ip } from '../../packet/ip.ts'

/**
 * Lines of /etc/hosts that stand in for the cluster's DNS server, which is not run: each Service under the names that a
 * search list finds it by from a namespace. A name means one address only, and nothing is said of other names.
 */
export function standInHosts(cluster: Cluster, namespace: string): string {
  const lines = cluster.services.flatMap((service) => {
    const names = namesOf(service, namespace, cluster.facts.dnsDomain)
    return addressesOf(cluster, service).map((ip) => `${formatIp(ip)}\t${names.join(' ')}\n`)
  })
  return lines.length === 0 ? '' : `# In place of cluster DNS, which is not run here:\n${lines.join('')}`
}

function namesOf({ meta }: Service, namespace: string, domain: string): readonly string[] {
  const { name, namespace: own } = meta
  const all = [`${name}.${own}.svc.${domain}`, `${name}.${own}.svc`, `${name}.${own}`]
  return own === namespace ? [...all, name] : all
}

/** The ClusterIPs, or of a headless Service the first ready endpoint of each family. */
function addressesOf(cluster: Cluster, service: Service): readonly Ip[] {
  if (service.type === 'ExternalName') return []
  if (!service.headless) return service.clusterIPs
  const ready = (cluster.index.slicesOfService.get(keyOf(service.meta)) ?? []).flatMap((slice) =>
    slice.endpoints.filter((endpoint) => endpoint.ready !== false).flatMap((endpoint) => endpoint.addresses),
  )
  return ([4, 6] as const).flatMap((family) => ready.filter((ip) => ip.family === family).slice(0, 1))
}
