import type { Cluster } from '../cluster/cluster.ts'
import type { Pod } from '../cluster/objects.ts'
import { podNetns } from '../cni/pod-netns.ts'
import type { NetnsConfig } from '../linux/host-config.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import type { Program, SocketAddress } from '../linux/process.ts'
import { type Ip, isLinkLocal, isLoopback, sameIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import type { Built } from './build.ts'
import { runningPods } from './compile-node.ts'
import { isCoreDns } from './coredns-pods.ts'
import { ProgramRoom, type RoomHooks, type Seat } from './program-room.ts'
import { readSource } from './question.ts'

/** The cluster's DNS in a room: CoreDNS where its Service leads, and the resolvers outside that the Lab describes. */
export interface DnsRoom {
  readonly room: ProgramRoom
  /** The CoreDNS that answers; undefined where the cluster has none that runs. */
  readonly coredns: Seat | undefined
}

export interface DnsRoomOptions extends RoomHooks {
  /** Resolvers outside that nobody described are left to `outside` (a real one), not to one that says it is not known. */
  readonly realUpstream?: boolean
  /** Takes the place of the cluster's CoreDNS, which it is given. */
  readonly insteadOf?: (coredns: Program) => Program
  /** Nobody reads what servers note; what others note is told. */
  readonly quietServers?: boolean
}

export function dnsRoom(built: Built, options: DnsRoomOptions = {}): DnsRoom {
  const room = new ProgramRoom(options)
  for (const machine of built.underlay.machines.values()) {
    if (built.cluster.index.node.has(machine.name)) continue
    const own = machine.cards.flatMap((card) => card.addresses.map(({ ip }) => ip))
    const config = built.blueprint.hosts.get(machine.name)?.().netns.get(ROOT_NETNS)
    seatPrograms({ built, room, host: machine.name, own, reachedAt: own }, config, (program) =>
      options.realUpstream === true ? program === 'upstream-dns' : program !== 'listener',
    )
  }
  const pod = answeringCoreDns(built.cluster)
  if (pod === undefined) return { room, coredns: undefined }
  const config = built.blueprint.hosts.get(pod.spec.nodeName)?.().netns.get(podNetns(pod))
  const own = pod.spec.hostNetwork ? pod.hostIPs : pod.ips
  const place = { built, room, host: pod.spec.nodeName, own, reachedAt: [...own, ...leadingTo(built.cluster, pod)] }
  const [coredns] = seatPrograms(place, config, (program) => program === 'coredns', options)
  return { room, coredns }
}

/** Whom the clients of the room seem to be, and where they ask: a pod or node at its resolver's address. */
export function dnsAsker(
  built: Built,
  coredns: Seat,
  { from, namespace }: { readonly from?: string; readonly namespace?: string },
): Parsed<{ readonly asker: Ip; readonly server: SocketAddress }> {
  const own = coredns.view.reachedAt
  const source = from === undefined ? undefined : readSource(built, from, namespace)
  if (source?.ok === false) return source
  const netns = source?.value ?? { host: coredns.view.host, netns: ROOT_NETNS }
  const config = built.blueprint.hosts.get(netns.host)?.().netns.get(netns.netns)
  for (const asker of config === undefined ? [] : ownAddresses(config)) {
    const ip = isLinkLocal(asker) ? undefined : own.find(({ family }) => family === asker.family)
    if (ip !== undefined) return parsed({ asker, server: { ip, port: 53 } })
  }
  return refused(`${from ?? netns.host} has no address of a family that CoreDNS has`)
}

/** The addresses that a program in the namespace finds there, loopback aside. */
export const ownAddresses = ({ links }: NetnsConfig): readonly Ip[] =>
  links.flatMap((link) => link.addresses.map(({ ip }) => ip)).filter((ip) => !isLoopback(ip))

interface Place {
  readonly built: Built
  readonly room: ProgramRoom
  readonly host: string
  readonly own: readonly Ip[]
  readonly reachedAt: readonly Ip[]
}

function seatPrograms(
  { built, room, host, own, reachedAt }: Place,
  config: NetnsConfig | undefined,
  wanted: (program: string) => boolean,
  { insteadOf = (program) => program, note, quietServers = note === undefined }: DnsRoomOptions = {},
): readonly Seat[] {
  if (config === undefined) return []
  return config.processes.flatMap(({ program: name, args }) => {
    const program = wanted(name) ? built.blueprint.program(name, args) : undefined
    if (program === undefined) return []
    const told = quietServers ? { ...args, notes: 'unwanted' } : args
    const view = { host, netns: config.name, args: told, files: config.files, addresses: own, reachedAt }
    return [room.seat(insteadOf(program), view)]
  })
}

/** The first CoreDNS pod that runs and is ready; of several that are not, the first. */
export function answeringCoreDns(cluster: Cluster): Pod | undefined {
  const running = cluster.nodes.flatMap((node) => runningPods(cluster, node)).filter(isCoreDns)
  return running.find((pod) => pod.ready) ?? running[0]
}

/** Cluster addresses of the Services that have the pod behind them. */
function leadingTo({ services, index }: Cluster, pod: Pod): readonly Ip[] {
  return services
    .filter((service) => {
      const slices = index.slicesOfService.get(`${service.meta.namespace}/${service.meta.name}`) ?? []
      return slices.some(({ endpoints }) =>
        endpoints.some((endpoint) => endpoint.addresses.some((address) => pod.ips.some((own) => sameIp(own, address)))),
      )
    })
    .flatMap((service) => service.clusterIPs)
}
