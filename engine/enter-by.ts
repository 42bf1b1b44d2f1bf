import { parseEndpointName } from '../cluster/endpoint-name.ts'
import { findOne } from '../cluster/find-object.ts'
import type { KubeNode, Service } from '../cluster/objects.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { type Built, build } from './build.ts'
import { describePeer } from './client.ts'
import type { Probe, ProbeTarget } from './probe.ts'
import { findServicePort, type Question, readQuestion } from './question.ts'

/** A question whose packets enter the cluster at a node of the asker's choice. */
export interface Entered {
  readonly node: string
  /** The cluster with the route that leads there, where the address alone does not. */
  readonly built: Built
  readonly probe: Probe
}

/**
 * The same question, entering at `node`. A load balancer's address and an external IP are routed to that node, a
 * NodePort is asked of its own address, and anything else is routed there too.
 */
export function enterBy(built: Built, question: Question, node: KubeNode): Parsed<Entered> {
  const asked = readQuestion(built, question)
  if (!asked.ok) return asked
  const probe = asked.value
  const { target } = probe
  if (target.ip === undefined)
    return refused(
      `--via: ${question.to} is a name, and its lookup decides where packets go: give a Service or an address`,
    )
  const name = node.meta.name
  const service = serviceOf(built, question)
  const door = service === undefined ? { address: target.ip } : doorOf(service, target.ip, question)
  if (door.nodePort !== undefined) {
    const { family } = target.ip
    const own = node.internalIPs.find((ip) => ip.family === family)
    if (own === undefined) return refused(`--via ${name}: the node has no IPv${family} InternalIP`)
    const aim = { ...target, ip: own, port: door.nodePort }
    return parsed({ node: name, built, probe: { ...probe, target: { ...aim, label: labelOf(target, aim) } } })
  }
  if (built.underlay.machines.get(probe.from.host)?.kind === 'node')
    return refused(
      `--via ${name}: ${probe.from.label} is on a node, whose own rules take ${formatIp(door.address)}; only a NodePort can be asked of another node`,
    )
  const aim = { ...target, ip: door.address }
  return parsed({
    node: name,
    built: build(built.cluster, { ...built.options, entry: { address: door.address, node: name } }),
    probe: { ...probe, target: { ...aim, label: labelOf(target, aim) } },
  })
}

const labelOf = ({ label }: ProbeTarget, { ip, port }: { readonly ip: Ip; readonly port: number }): string => {
  const address = port === 0 ? formatIp(ip) : describePeer({ ip, port })
  return label.includes(address) ? label : `${label} (${address})`
}

function serviceOf({ cluster }: Built, { to, namespace }: Question): Service | undefined {
  const name = parseEndpointName(to)
  if (!name.ok || name.value.kind !== 'object' || name.value.object !== 'svc') return undefined
  const wanted = { namespace: name.value.namespace, name: name.value.name, fallback: namespace ?? 'default' }
  const found = findOne('svc', cluster.services, wanted)
  return found.ok ? found.value : undefined
}

interface Door {
  readonly address: Ip
  /** Asked for on the node's own address instead. */
  readonly nodePort?: number
}

/** The way that clients outside are meant to take: the load balancer's address, the NodePort, an external IP, in this order. */
function doorOf(service: Service, address: Ip, question: Question): Door {
  const balanced = service.loadBalancerIngress.find(
    ({ ip, ipMode }) => ip?.family === address.family && ipMode === 'VIP',
  )
  if (balanced?.ip !== undefined) return { address: balanced.ip }
  const port = parseEndpointName(question.to)
  const wanted = port.ok && port.value.kind === 'object' ? port.value.port : undefined
  const found = findServicePort(service, wanted)
  const nodePort = found.ok && found.value !== undefined ? nodePortOf(service, found.value) : undefined
  if (nodePort !== undefined) return { address, nodePort }
  const external = service.externalIPs.find((ip) => ip.family === address.family)
  return { address: external ?? address }
}

function nodePortOf(
  service: Service,
  chosen: { readonly port: number; readonly protocol: string },
): number | undefined {
  const found = service.ports.find((port) => port.port === chosen.port && port.protocol === chosen.protocol)
  return found === undefined || found.nodePort === 0 ? undefined : found.nodePort
}

/** The nodes that a `--via` names; all of them for `all`. */
export function entryNodes({ cluster }: Built, via: string): Parsed<readonly KubeNode[]> {
  if (via === 'all') return parsed(cluster.nodes)
  const name = via.startsWith('node/') ? via.slice('node/'.length) : via
  const node = cluster.index.node.get(name)
  if (node !== undefined) return parsed([node])
  return refused(
    `--via: there is no node ${name}; known are ${cluster.nodes.map(({ meta }) => meta.name).join(', ')}, or all`,
  )
}
