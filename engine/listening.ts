import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { LabListener } from '../cluster/lab.ts'
import type { KubeNode, Pod, Protocol } from '../cluster/objects.ts'
import { podNetns } from '../cni/pod-netns.ts'
import { UPSTREAM_BEHAVE_PATH, UPSTREAM_ZONE_PATH } from '../dns/upstream.ts'
import { type Op, ROOT_NETNS } from '../linux/op.ts'
import type { Origin } from '../linux/origin.ts'
import { type Ip, ipKey, parseIp } from '../packet/ip.ts'
import { CLIENT } from './client.ts'
import { hasResolvedStub, RESOLVED_STUB } from './machine-ops.ts'
import type { UnderlayMachine } from './underlay.ts'

/**
 * What listens where. The input tells only intentions: container ports, and ports that EndpointSlices send to. Each of
 * them is taken to be served; a Lab document's `listeners` says more, or that nobody answers.
 */

interface ServedPort {
  readonly port: number
  readonly protocol: Protocol
}

/** The ports that slices send to, by address. Computed once for a cluster. */
const byCluster = new WeakMap<Cluster, ReadonlyMap<string | number, readonly ServedPort[]>>()

function endpointPorts(cluster: Cluster): ReadonlyMap<string | number, readonly ServedPort[]> {
  const known = byCluster.get(cluster)
  if (known !== undefined) return known
  const found = new Map<string | number, ServedPort[]>()
  for (const slice of cluster.endpointSlices)
    for (const endpoint of slice.endpoints)
      for (const address of endpoint.addresses) {
        const list = found.get(ipKey(address)) ?? []
        found.set(ipKey(address), list)
        for (const { port, protocol } of slice.ports) if (port !== undefined) list.push({ port, protocol })
      }
  byCluster.set(cluster, found)
  return found
}

/** Listeners of a pod, in its network namespace. `taken` are the ports that its modelled programs serve themselves. */
export function podListeners(cluster: Cluster, pod: Pod, taken: readonly number[]): Op[] {
  const key = keyOf(pod.meta)
  if ((cluster.lab.faults ?? []).some((fault) => fault.kind === 'serverDown' && fault.pod === key)) return []
  const containers = [...pod.spec.containers, ...pod.spec.initContainers.filter((container) => container.sidecar)]
  const ports: ServedPort[] = containers.flatMap((container) =>
    container.ports.map(({ containerPort, protocol }) => ({ port: containerPort, protocol })),
  )
  for (const ip of pod.spec.hostNetwork ? [] : pod.ips) ports.push(...(endpointPorts(cluster).get(ipKey(ip)) ?? []))
  const said = (cluster.lab.listeners ?? []).filter((listener) => listener.pod === key)
  const origin: Origin = {
    by: 'container',
    for: `Pod ${key}`,
    reason: 'containerPorts and the ports its Services send to',
  }
  return listenOps({ netns: podNetns(pod), name: pod.meta.name, ports, said, taken, origin })
}

/** Listeners of a machine's own address: what slices send to that is neither a pod's nor described otherwise. */
export function machineListeners(cluster: Cluster, machine: UnderlayMachine, node: KubeNode | undefined): Op[] {
  const own: readonly Ip[] = machine.cards.flatMap((card) => card.addresses.map((address) => address.ip))
  const ports = own.flatMap((ip) => endpointPorts(cluster).get(ipKey(ip)) ?? [])
  const said = (cluster.lab.listeners ?? []).filter((listener) => listener.host === machine.name)
  const taken = node === undefined ? [] : hostNetworkPorts(cluster, node)
  const dns = resolverOps(cluster, machine, own)
  const origin: Origin = { by: 'the machine', reason: 'endpoints that slices send to at its address' }
  const served = dns.length > 0 ? [...taken, 53] : taken
  return [
    ...dns,
    ...stubOps(cluster, machine),
    ...listenOps({ netns: ROOT_NETNS, name: machine.name, ports, said, taken: served, origin }),
  ]
}

/** systemd-resolved's stub, where the machine's own file names it: what it answers is not modelled. */
function stubOps(cluster: Cluster, machine: UnderlayMachine): Op[] {
  if (!hasResolvedStub(cluster.lab.nodes?.[machine.name]?.resolvConf ?? '')) return []
  const origin: Origin = { by: 'systemd-resolved', reason: 'the stub that /etc/resolv.conf names' }
  const args = { at: RESOLVED_STUB }
  return [{ kind: 'process.start', netns: ROOT_NETNS, name: 'stub', program: 'unknown-resolver', args, origin }]
}

/** The Lab's resolver at one of these addresses; at a gateway that nobody described, one whose answers are not known. */
function resolverOps(cluster: Cluster, machine: UnderlayMachine, own: readonly Ip[]): Op[] {
  const described = (cluster.lab.upstreamDNS ?? []).find((server) => {
    const address = parseIp(server.ip)
    return address.ok && own.some((ip) => ipKey(ip) === ipKey(address.value))
  })
  const place = { netns: ROOT_NETNS, origin: { by: 'Lab', for: `upstreamDNS of ${machine.name}` } } as const
  if (described === undefined) {
    if (machine.kind !== 'router') return []
    return [{ ...place, kind: 'process.start', name: 'resolver', program: 'unknown-resolver', args: {} }]
  }
  const behave = Object.entries(described.behave ?? {}).map(([name, behaviour]) => `${name} ${behaviour}\n`)
  return [
    {
      ...place,
      kind: 'file.write',
      path: UPSTREAM_ZONE_PATH,
      text: (described.records ?? []).map((line) => `${line}\n`).join(''),
    },
    { ...place, kind: 'file.write', path: UPSTREAM_BEHAVE_PATH, text: behave.join('') },
    {
      ...place,
      kind: 'process.start',
      name: 'resolver',
      program: 'upstream-dns',
      args: { delayMs: String(described.delayMs ?? 0) },
    },
  ]
}

function hostNetworkPorts(cluster: Cluster, node: KubeNode): readonly number[] {
  const pods = cluster.index.podsOnNode.get(node.meta.name) ?? []
  return pods
    .filter((pod) => pod.spec.hostNetwork)
    .flatMap((pod) => pod.spec.containers.flatMap((container) => container.ports.map((port) => port.containerPort)))
}

interface Listening {
  readonly netns: string
  readonly name: string
  readonly ports: readonly ServedPort[]
  readonly said: readonly LabListener[]
  readonly taken: readonly number[]
  readonly origin: Origin
}

function listenOps({ netns, name, ports, said, taken, origin }: Listening): Op[] {
  const silentOrShut = new Map(
    said.map((listener) => [`${listener.protocol ?? 'TCP'} ${listener.port}`, listener.answers ?? 'echo']),
  )
  const all = [
    ...ports,
    ...said.map((listener) => ({ port: listener.port, protocol: listener.protocol ?? ('TCP' as const) })),
  ]
  const chosen = (protocol: Protocol, silent: boolean): string =>
    [
      ...new Set(
        all
          .filter((served) => served.protocol === protocol && !taken.includes(served.port))
          .map((served) => served.port),
      ),
    ]
      .filter((port) => {
        const answers = silentOrShut.get(`${protocol} ${port}`)
        return answers !== 'none' && (answers === 'silent') === silent
      })
      .sort((x, y) => x - y)
      .join(',')
  const start = (suffix: string, silent: boolean): Op[] => {
    const tcp = chosen('TCP', silent)
    const udp = chosen('UDP', silent)
    const sctp = chosen('SCTP', silent)
    if (tcp === '' && udp === '' && sctp === '') return []
    const args = { name, tcp, udp, ...(sctp === '' ? {} : { sctp }), ...(silent ? { answers: 'silent' } : {}) }
    // A pod may be called as the program that asks.
    const process = `${name === CLIENT ? `${name} (server)` : name}${suffix}`
    return [{ kind: 'process.start', netns, name: process, program: 'listener', args, origin }]
  }
  return [...start('', false), ...start(' (silent)', true)]
}
