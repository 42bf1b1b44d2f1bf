import { formatIp, type Ip, ipKey } from '../../packet/ip.ts'
import type { Prefix } from '../../packet/prefix.ts'
import { clusterIpFor, dnsServiceIp, kubernetesServiceIp } from '../allocate/cluster-ip.ts'
import { nodePortFor } from '../allocate/node-port.ts'
import type { IpFamily, Service, ServicePortSpec } from '../objects.ts'
import { byName } from '../order.ts'
import type { Filling } from './filling.ts'

export const familyOfIp = (ip: { readonly family: 4 | 6 }): IpFamily => (ip.family === 4 ? 'IPv4' : 'IPv6')

/**
 * Gives Services the addresses and node ports that they lack, as the API server would have on creation. Those that are
 * written are never given to another.
 */
export function completeServiceAddresses(
  services: readonly Service[],
  ranges: readonly Prefix[],
  filling: Filling,
): Service[] {
  const ips = new Set(services.flatMap(({ clusterIPs }) => clusterIPs.map(ipKey)))
  const ports = new Set(
    services.flatMap(({ ports, healthCheckNodePort }) => [
      ...ports.map(({ nodePort }) => nodePort),
      healthCheckNodePort,
    ]),
  )
  // The first address of each range is default/kubernetes's, given or not; the tenth waits for kube-dns.
  for (const range of ranges) ips.add(ipKey(kubernetesServiceIp(range))).add(ipKey(dnsServiceIp(range)))
  const pick = (service: Service, family: IpFamily): Ip | undefined => {
    const range = ranges.find(({ address }) => familyOfIp(address) === family)
    if (range === undefined) return undefined
    const special = reservedFor(service, range)
    const ip = special ?? clusterIpFor(range, { name: nameOf(service), isTaken: (ip) => ips.has(ipKey(ip)) })
    if (ip !== undefined) ips.add(ipKey(ip))
    return ip
  }
  const pickPort = (name: string): number => {
    const port = nodePortFor(name, (candidate) => ports.has(candidate)) ?? 0
    ports.add(port)
    return port
  }
  return [...services].sort(byName).map((service) => {
    // What an API server printed without an address has none.
    if (service.meta.uid !== undefined) return service
    const done = { ...service, ...addressesFor(service, pick), ...portsFor(service, pickPort) }
    return same(service, done) ? service : said(done, filling)
  })
}

const nameOf = ({ meta }: Service): string => `${meta.namespace}/${meta.name}`

function reservedFor({ meta }: Service, range: Prefix): Ip | undefined {
  if (meta.namespace === 'default' && meta.name === 'kubernetes') return kubernetesServiceIp(range)
  if (meta.namespace === 'kube-system' && meta.name === 'kube-dns') return dnsServiceIp(range)
  return undefined
}

function addressesFor(
  service: Service,
  pick: (service: Service, family: IpFamily) => Ip | undefined,
): Pick<Service, 'clusterIPs'> {
  if (service.headless || service.type === 'ExternalName') return { clusterIPs: service.clusterIPs }
  const clusterIPs = service.ipFamilies.flatMap((family) => {
    const given = service.clusterIPs.find((ip) => familyOfIp(ip) === family)
    return given ?? pick(service, family) ?? []
  })
  return { clusterIPs }
}

/** Ports of one number over two protocols get one nodePort, as the API server does. */
function portsFor(service: Service, pick: (name: string) => number): Pick<Service, 'ports' | 'healthCheckNodePort'> {
  const wanted =
    service.type === 'NodePort' || (service.type === 'LoadBalancer' && service.allocateLoadBalancerNodePorts)
  const byNumber = new Map(
    service.ports.filter(({ nodePort }) => nodePort !== 0).map(({ port, nodePort }) => [port, nodePort]),
  )
  const ports = service.ports.map((port): ServicePortSpec => {
    if (!wanted || port.nodePort !== 0) return port
    const nodePort = byNumber.get(port.port) ?? pick(`${nameOf(service)}/${port.port}`)
    byNumber.set(port.port, nodePort)
    return { ...port, nodePort }
  })
  const health =
    service.type === 'LoadBalancer' && service.externalTrafficPolicy === 'Local' && service.healthCheckNodePort === 0
  return { ports, healthCheckNodePort: health ? pick(`${nameOf(service)}/health`) : service.healthCheckNodePort }
}

const same = (x: Service, y: Service): boolean =>
  x.clusterIPs.length === y.clusterIPs.length &&
  x.healthCheckNodePort === y.healthCheckNodePort &&
  x.ports.every((port, i) => port.nodePort === y.ports[i]?.nodePort)

function said(service: Service, filling: Filling): Service {
  const nodePorts = service.ports.flatMap(({ nodePort }) => (nodePort === 0 ? [] : [nodePort]))
  const parts = [
    ...(service.clusterIPs.length === 0 ? [] : [`clusterIP ${service.clusterIPs.map(formatIp).join(' and ')}`]),
    ...(nodePorts.length === 0 ? [] : [`nodePort ${nodePorts.join(', ')}`]),
  ]
  const { namespace, name } = service.meta
  filling.assume({
    code: 'service-address',
    text: `${namespace}/${name} has ${parts.join(' and ')}`,
    object: `Service ${namespace}/${name}`,
    set: 'spec.clusterIP and spec.ports[].nodePort of the Service',
    collect: `kubectl get svc -n ${namespace} ${name} -o yaml`,
  })
  return { ...service, assumed: true }
}
