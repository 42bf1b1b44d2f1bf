import type { Cluster } from '../cluster/cluster.ts'
import type { Service } from '../cluster/objects.ts'
import { type Ip, ipKey } from '../packet/ip.ts'

const indexes = new WeakMap<Cluster, ReadonlyMap<string | number, readonly Service[]>>()

/** The Services that rules send from an address, in the order of the cluster. */
export function servicesAt(cluster: Cluster, address: Ip): readonly Service[] {
  let index = indexes.get(cluster)
  if (index === undefined) {
    index = indexServices(cluster)
    indexes.set(cluster, index)
  }
  return index.get(ipKey(address)) ?? []
}

function indexServices({ services }: Cluster): ReadonlyMap<string | number, readonly Service[]> {
  const index = new Map<string | number, Service[]>()
  const add = (address: Ip, service: Service): void => {
    const key = ipKey(address)
    const known = index.get(key)
    if (known === undefined) index.set(key, [service])
    else if (!known.includes(service)) known.push(service)
  }
  for (const service of services) {
    for (const address of service.clusterIPs) add(address, service)
    for (const address of service.externalIPs) add(address, service)
    for (const { ip } of service.loadBalancerIngress) if (ip !== undefined) add(ip, service)
  }
  return index
}
