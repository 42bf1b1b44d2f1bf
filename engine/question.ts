import { keyOf } from '../cluster/cluster.ts'
import { type EndpointName, type PortName, parseEndpointName } from '../cluster/endpoint-name.ts'
import { findOne, findPod } from '../cluster/find-object.ts'
import type { Pod, Protocol, Service, ServicePortSpec } from '../cluster/objects.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { podRoot } from '../dns/pod/files.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { formatIp, type Ip, ipKey, parseIp, sameIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import type { Built } from './build.ts'
import { describePeer, httpGet } from './client.ts'
import type { Probe, ProbeKind, ProbeSource, ProbeTarget } from './probe.ts'

/** A question as people ask it. */
export interface Question {
  readonly from: string
  readonly to: string
  /** Of names without one; `default` unless said. */
  readonly namespace?: string
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'sctp'
  readonly ttl?: number
  /** The port that the client sends from. */
  readonly sourcePort?: number
}

/** Turns a question into a probe, or says what is wrong with it. */
export function readQuestion(built: Built, question: Question): Parsed<Probe> {
  const source = readSource(built, question.from, question.namespace)
  if (!source.ok) return source
  const to = parseEndpointName(question.to)
  if (!to.ok) return refused(`--to: ${to.reason}`)
  const target = findTarget(built, to.value, question)
  if (!target.ok) return refused(`--to ${question.to}: ${target.reason}`)
  const { kind, payload, ...where } = target.value
  return parsed({
    kind,
    from: source.value,
    target: where,
    payload,
    ...(question.ttl === undefined ? {} : { ttl: question.ttl }),
    ...(question.sourcePort === undefined || kind === 'ping' ? {} : { sourcePort: question.sourcePort }),
  })
}

// ------------------------------------------------------------------------------------------------ from

/** Who sends: a pod, a node, an outside host or an address of one. */
export function readSource(built: Built, from: string, namespace = 'default'): Parsed<ProbeSource> {
  const name = parseEndpointName(from)
  if (!name.ok) return refused(`--from: ${name.reason}`)
  const source = findSource(built, name.value, namespace)
  return source.ok ? source : refused(`--from ${from}: ${source.reason}`)
}

function findSource(built: Built, name: EndpointName, namespace: string): Parsed<ProbeSource> {
  const { cluster } = built
  switch (name.kind) {
    case 'object': {
      const wanted = { namespace: name.namespace, name: name.name, fallback: namespace }
      if (name.object === 'node' || name.object === 'ext') return machineSource(built, name.name)
      if (name.object === 'svc' || name.object === 'ing')
        return refused('a packet starts at a pod, a node or an outside host (ext/NAME)')
      const pod = findPod(cluster, name.object, wanted)
      return pod.ok ? podSource(pod.value) : pod
    }
    case 'name': {
      const pod = findPod(cluster, 'pod', { namespace: undefined, name: name.name, fallback: namespace })
      if (pod.ok) return podSource(pod.value)
      return built.underlay.machines.has(name.name) ? machineSource(built, name.name) : pod
    }
    case 'address': {
      const pod = cluster.index.podByIp.get(ipKey(name.ip))
      if (pod !== undefined) return podSource(pod)
      const machine = machineOf(built, name.ip)
      return machine === undefined
        ? refused(`no pod, node or outside host has ${formatIp(name.ip)}`)
        : machineSource(built, machine)
    }
    case 'url':
      return refused('a packet starts at a pod, a node or an outside host, not at a URL')
  }
}

function podSource(pod: Pod): Parsed<ProbeSource> {
  const key = keyOf(pod.meta)
  if (pod.spec.nodeName === '') return refused(`pod ${key} is on no node yet, so it cannot send`)
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed')
    return refused(`pod ${key} has finished (${pod.phase}): it has no network any more`)
  if (!pod.spec.hostNetwork && pod.ips.length === 0) return refused(`pod ${key} has no address yet, so it cannot send`)
  return parsed({ host: pod.spec.nodeName, netns: podNetns(pod), label: `pod ${key}`, root: podRoot(pod) })
}

function machineSource(built: Built, name: string): Parsed<ProbeSource> {
  if (built.underlay.machines.has(name)) return parsed({ host: name, netns: ROOT_NETNS, label: name, root: '' })
  const known = [...built.underlay.machines.values()].map(
    (machine) => `${machine.kind === 'node' ? 'node' : 'ext'}/${machine.name}`,
  )
  return refused(`there is no machine ${name}; known are ${known.join(', ')}`)
}

function machineOf(built: Built, address: Ip): string | undefined {
  for (const machine of built.underlay.machines.values())
    for (const card of machine.cards) if (card.addresses.some((own) => sameIp(own.ip, address))) return machine.name
  return undefined
}

// ------------------------------------------------------------------------------------------------ to

type Aim = ProbeTarget & { readonly kind: ProbeKind; readonly payload: string }

/** What a datagram or an echo request carries. */
const GREETING = 'podwalk'

function findTarget(built: Built, name: EndpointName, question: Question): Parsed<Aim> {
  switch (name.kind) {
    case 'url':
      return urlTarget(name)
    case 'address':
      return aimAt({ ip: name.ip, label: formatIp(name.ip) }, choosePort(name.port, undefined, question))
    case 'name':
      return aimAt({ name: name.name, label: name.name }, choosePort(name.port, undefined, question))
    case 'object':
      return objectTarget(built, name, question)
  }
}

function urlTarget({ host, port, path, scheme }: Extract<EndpointName, { kind: 'url' }>): Parsed<Aim> {
  const label = `${scheme}://${host}${(scheme === 'http' ? 80 : 443) === port ? '' : `:${port}`}${path === '/' ? '' : path}`
  const address = parseIp(host)
  const where = address.ok ? { ip: address.value } : { name: host }
  if (scheme === 'https') return parsed({ ...where, port, label, kind: 'connect', payload: '' })
  return parsed({ ...where, port, label, kind: 'request', payload: httpGet(host, path) })
}

function objectTarget(built: Built, name: Extract<EndpointName, { kind: 'object' }>, question: Question): Parsed<Aim> {
  const { cluster } = built
  const wanted = { namespace: name.namespace, name: name.name, fallback: question.namespace ?? 'default' }
  switch (name.object) {
    case 'svc': {
      const service = findOne('svc', cluster.services, wanted)
      return service.ok ? serviceTarget(service.value, name.port, question) : service
    }
    case 'node': {
      const node = findOne('node', cluster.nodes, wanted)
      if (!node.ok) return node
      const [ip] = node.value.internalIPs
      if (ip === undefined) return refused('the node has no InternalIP')
      return aimAt({ ip, label: `node ${name.name}` }, choosePort(name.port, undefined, question))
    }
    case 'ext': {
      const machine = built.underlay.machines.get(name.name)
      const ip = machine?.cards[0]?.addresses[0]?.ip
      if (ip === undefined) return refused(`there is no outside host ${name.name} in the Lab`)
      return aimAt({ ip, label: name.name }, choosePort(name.port, undefined, question))
    }
    case 'ing':
      return refused('Ingress is not walked yet: name the controller’s Service, or a URL')
    default: {
      const pod = findPod(cluster, name.object, wanted)
      return pod.ok ? podTarget(pod.value, name.port, question) : pod
    }
  }
}

function podTarget(pod: Pod, port: PortName | undefined, question: Question): Parsed<Aim> {
  const [ip] = pod.spec.hostNetwork ? pod.hostIPs : pod.ips
  if (ip === undefined) return refused(`pod ${keyOf(pod.meta)} has no address yet`)
  const ports = pod.spec.containers.flatMap((container) => container.ports)
  const named =
    port === undefined || typeof port.port === 'number'
      ? undefined
      : ports.find((candidate) => candidate.name === port.port)
  if (port !== undefined && typeof port.port === 'string' && named === undefined)
    return refused(
      `pod ${keyOf(pod.meta)} has no port named ${port.port}; it has ${ports.map((p) => `${p.name || '-'} ${p.containerPort}/${p.protocol}`).join(', ') || 'none'}`,
    )
  const chosen = named ?? (port === undefined ? ports[0] : undefined)
  const usual = chosen === undefined ? undefined : { port: chosen.containerPort, protocol: chosen.protocol }
  return aimAt({ ip, label: `pod ${keyOf(pod.meta)}` }, choosePort(port, usual, question))
}

function serviceTarget(service: Service, port: PortName | undefined, question: Question): Parsed<Aim> {
  const key = keyOf(service.meta)
  if (service.type === 'ExternalName')
    return refused(
      `Service ${key} is a name only (ExternalName ${service.externalName}): ask for the name ${service.meta.name}.${service.meta.namespace}`,
    )
  if (service.headless)
    return refused(
      `Service ${key} is headless, it has no address of its own: ask for the name ${service.meta.name}.${service.meta.namespace}, or one of its pods`,
    )
  const [ip] = service.clusterIPs
  if (ip === undefined) return refused(`Service ${key} has no clusterIP`)
  if (question.protocol === 'icmp') return aimAt({ ip, label: `svc ${key}` }, parsed(undefined))
  const found = findServicePort(service, port)
  if (!found.ok) return found
  return aimAt({ ip, label: `svc ${key}` }, choosePort(port, found.value, question))
}

export function findServicePort(
  service: Service,
  wanted: PortName | undefined,
): Parsed<{ port: number; protocol: Protocol } | undefined> {
  const offered = service.ports
    .map((port) => `${port.name === '' ? '' : `${port.name} `}${port.port}/${port.protocol}`)
    .join(', ')
  const matches = (port: ServicePortSpec): boolean =>
    wanted === undefined ||
    ((port.port === wanted.port || port.name === wanted.port) &&
      (wanted.protocol === undefined || wanted.protocol === port.protocol))
  const found = service.ports.filter(matches)
  const [first] = found
  if (first !== undefined) return parsed({ port: first.port, protocol: first.protocol })
  // A number that the Service does not offer may be asked for: the answer shows what becomes of it.
  if (wanted !== undefined && typeof wanted.port === 'number') return parsed(undefined)
  return refused(`Service ${keyOf(service.meta)} has no port ${wanted?.port ?? ''}; it has ${offered || 'none'}`)
}

export type ChosenPort = { readonly port: number; readonly protocol: Protocol } | undefined

/** The port and protocol that are meant; undefined: ping. */
export function choosePort(said: PortName | undefined, usual: ChosenPort, question: Question): Parsed<ChosenPort> {
  if (question.protocol === 'icmp') return parsed(undefined)
  if (said !== undefined && typeof said.port === 'string' && usual === undefined)
    return refused(`only a Service or a pod has a port named ${said.port}`)
  const port = said === undefined || typeof said.port === 'string' ? usual?.port : said.port
  const asked = question.protocol?.toUpperCase() as Protocol | undefined
  const protocol = said?.protocol ?? asked ?? usual?.protocol ?? 'TCP'
  if (port === undefined)
    return question.protocol === undefined ? parsed(undefined) : refused('a port is missing: NAME:PORT')
  return parsed({ port, protocol })
}

function aimAt(
  where: { readonly ip?: Ip; readonly name?: string; readonly label: string },
  chosen: Parsed<ChosenPort>,
): Parsed<Aim> {
  if (!chosen.ok) return chosen
  if (chosen.value === undefined) return parsed({ ...where, port: 0, kind: 'ping', payload: GREETING.padEnd(56, '.') })
  const { port, protocol } = chosen.value
  const address = where.ip === undefined ? `${where.label}:${port}` : describePeer({ ip: where.ip, port })
  const label = where.ip === undefined || where.label === formatIp(where.ip) ? address : `${where.label}:${port}`
  return parsed({
    ...where,
    label: `${label}${protocol === 'TCP' ? '' : `/${protocol.toLowerCase()}`}`,
    port,
    kind: KINDS[protocol],
    payload: GREETING,
  })
}

const KINDS: Readonly<Record<Protocol, ProbeKind>> = { TCP: 'connect', UDP: 'datagram', SCTP: 'associate' }
