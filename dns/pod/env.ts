import type { Cluster } from '../../cluster/cluster.ts'
import type { Container, Pod, Service } from '../../cluster/objects.ts'
import { formatIp, type Ip } from '../../packet/ip.ts'
import { relaxedServiceNames } from '../versions.ts'
import { podHostname } from './hostname.ts'

export interface EnvVar {
  readonly name: string
  readonly value: string
}

/** The service whose variables every pod gets, whatever enableServiceLinks says. */
const MASTER = { namespace: 'default', name: 'kubernetes' }
/** What containerd gives a container whose image says nothing else. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The variables of services that kubelet puts into every container: getServiceEnvVarMap of kubelet_pods.go and
 * envvars.FromServices. kubelet keeps them in a Go map; here they stand by service name, as FromServices makes them.
 */
export function serviceEnv(cluster: Cluster, pod: Pod): readonly EnvVar[] {
  const kubelet = cluster.index.node.get(pod.spec.nodeName)?.kubeletVersion ?? cluster.facts.kubernetesVersion
  const services = new Map<string, Service>()
  for (const service of cluster.services) {
    const { namespace, name } = service.meta
    if (service.clusterIPs.length === 0) continue
    if (namespace === MASTER.namespace && name === MASTER.name) {
      if (!services.has(name)) services.set(name, service)
    } else if (namespace === pod.meta.namespace && pod.spec.enableServiceLinks) services.set(name, service)
  }
  const variables = new Map<string, string>()
  for (const name of [...services.keys()].sort()) {
    const service = services.get(name)
    if (service) for (const { name, value } of variablesOf(service, kubelet)) variables.set(name, value)
  }
  return [...variables].map(([name, value]) => ({ name, value }))
}

/** All variables of a container: its own, then those of services it does not set itself. */
export function containerEnv(cluster: Cluster, pod: Pod, container: Container): readonly EnvVar[] {
  const own = container.env.flatMap(({ name, value }) => (value === undefined ? [] : [{ name, value }]))
  const set = new Set(container.env.map(({ name }) => name))
  const services = serviceEnv(cluster, pod).filter(({ name }) => !set.has(name))
  const runtime = [
    { name: 'PATH', value: DEFAULT_PATH },
    { name: 'HOSTNAME', value: podHostname(cluster, pod).kernel },
  ].filter(({ name }) => !set.has(name))
  return [...runtime, ...own, ...services]
}

/** The text of /proc/PID/environ: NUL after each variable. */
export const environText = (variables: readonly EnvVar[]): string =>
  variables.map(({ name, value }) => `${name}=${value}\0`).join('')

function variablesOf(service: Service, kubelet: string): readonly EnvVar[] {
  const [ip] = service.clusterIPs
  const [first] = service.ports
  if (!ip || !first) return []
  const prefix = variableName(service.meta.name, kubelet)
  const address = formatIp(ip)
  const named = service.ports.filter((port) => port.name !== '')
  return [
    { name: `${prefix}_SERVICE_HOST`, value: address },
    { name: `${prefix}_SERVICE_PORT`, value: String(first.port) },
    ...named.map((port) => ({
      name: `${prefix}_SERVICE_PORT_${variableName(port.name, kubelet)}`,
      value: String(port.port),
    })),
    ...linkVariables(service, ip, prefix),
  ]
}

/** The variables Docker links had: makeLinkVariables. */
function linkVariables(service: Service, ip: Ip, prefix: string): readonly EnvVar[] {
  const host = ip.family === 6 ? `[${formatIp(ip)}]` : formatIp(ip)
  return service.ports.flatMap((port, i) => {
    const protocol = port.protocol.toLowerCase()
    const url = `${protocol}://${host}:${port.port}`
    const portPrefix = `${prefix}_PORT_${port.port}_${port.protocol}`
    return [
      ...(i === 0 ? [{ name: `${prefix}_PORT`, value: url }] : []),
      { name: portPrefix, value: url },
      { name: `${portPrefix}_PROTO`, value: protocol },
      { name: `${portPrefix}_PORT`, value: String(port.port) },
      { name: `${portPrefix}_ADDR`, value: formatIp(ip) },
    ]
  })
}

function variableName(name: string, kubelet: string): string {
  const upper = name.toUpperCase().replaceAll('-', '_')
  if (!relaxedServiceNames(kubelet)) return upper
  const mapped = upper.replaceAll('.', '_')
  return /^\d/.test(mapped) ? `_${mapped}` : mapped
}
