import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { type NetnsBatches, netnsBatches } from '../batches.ts'
import { vethLine } from '../commands.ts'
import { namesOfHosts } from '../netns-name.ts'
import { birdConfigs, withoutLearnt } from './bird-conf.ts'
import { blockedText, type Card, cableLine, isCard, segmentOf, switchBatches } from './cable-switch.ts'
import { downScript } from './down-script.ts'
import { enterScript } from './enter-script.ts'
import { type LabMachine, netnsOf, type Place } from './lab-machine.ts'
import { serverProgram } from './server-program.ts'
import { type Started, startedIn } from './started.ts'
import { EARLY_REPORTS, NO_IPV6, QUIET_IPV6 } from './stillness.ts'
import { tunForwarder } from './tun-forwarder.ts'
import { upScript } from './up-script.ts'

/** A lab as plain text files, ready to be run by `up.sh`, and what its namespaces are called. */
export interface Materialised {
  /** Path in the directory -> text. */
  readonly files: ReadonlyMap<string, string>
  /** What `up.sh` does, in order. */
  readonly steps: readonly BuildStep[]
  /** Namespaces of the lab's machines by their real names. */
  readonly places: ReadonlyMap<string, Place>
  /** The namespaces of switches: part of the cables, not of any machine. */
  readonly switches: readonly string[]
  /** IPv6 is switched off where no address or route of the lab speaks it. */
  readonly ipv6: boolean
  /** Programs that the lab starts and that have no stand-in here. */
  readonly notRun: readonly (Place & { readonly program: string; readonly name: string })[]
}

export type BuildTool = 'ip' | 'bridge' | 'sysctl' | 'ipset' | 'iptables' | 'ip6tables' | 'nft' | 'ipvs'

/** A file given to a tool, in a namespace of the lab or (null) in the one that `up.sh` runs in. */
export interface BuildStep {
  readonly tool: BuildTool
  readonly netns: string | null
  readonly file: string
}

export interface MaterialiseOptions {
  /** Stands before the name of every namespace. */
  readonly prefix?: string
  /** UDP ports that a segment drops, by its name. */
  readonly blockedUdpPorts?: ReadonlyMap<string, readonly number[]>
  /** Pods that share their machine's namespace, and where their files are. */
  readonly guests?: readonly Guest[]
  /** Routes that BIRD tells the nodes: as they will be in the end, or left to BIRD itself, which is run on each node. */
  readonly bgp?: 'routes' | 'bird'
}

export interface Guest {
  readonly host: string
  readonly name: string
  /** Its root among the machine's files: `/var/lib/kubelet/pods/UID`. */
  readonly root: string
}

/**
 * Writes a lab for `ip`, `bridge`, `sysctl`, `ipset`, `nft`, `ipvsadm` and `iptables-restore`. Each machine's namespace becomes a
 * real one, each segment a switch in a namespace of its own.
 */
export function materialise(given: readonly LabMachine[], options: MaterialiseOptions = {}): Materialised {
  const hosts = options.bgp === 'bird' ? withoutLearnt(given) : given
  const cards = hosts.flatMap(({ name, ops }) => ops.filter(isCard).map((op): Card => ({ ...op, host: name })))
  const segments = new Map<string, Card[]>()
  for (const card of cards) {
    const segment = segmentOf(card)
    segments.set(segment, [...(segments.get(segment) ?? []), card])
  }
  const prefix = options.prefix ?? ''
  const nameOf = namesOfHosts([
    ...hosts.map(({ name, ops }) => ({ name: `${prefix}${name}`, netns: netnsOf(ops) })),
    ...[...segments.keys()].map((segment) => ({ name: switchHost(prefix, segment), netns: [ROOT_NETNS] })),
  ])
  const real = (host: string, netns: string): string => nameOf(`${prefix}${host}`, netns) ?? ''
  const realSwitch = (segment: string): string => nameOf(switchHost(prefix, segment), ROOT_NETNS) ?? ''

  const places = new Map<string, Place>()
  for (const { name, ops } of hosts)
    for (const netns of netnsOf(ops)) places.set(real(name, netns), { host: name, netns })
  const switches = [...segments.keys()].map(realSwitch)

  const links: string[] = []
  const sets = new Map<string, NetnsBatches>()
  const ipv6 = hosts.some(({ ops }) => ops.some(speaksIpv6))
  for (const [segment, plugged] of segments) {
    const nft = blockedText(options.blockedUdpPorts?.get(segment) ?? [])
    sets.set(realSwitch(segment), { ...switchBatches(plugged), nft })
    for (const [port, card] of plugged.entries())
      links.push(cableLine(card, real(card.host, card.netns), { port, netns: realSwitch(segment) }))
  }
  const started: Started[] = []
  for (const { name, ops } of hosts) {
    for (const op of ops)
      if (op.kind === 'link.add' && op.type.kind === 'veth')
        links.push(vethLine(op, real(name, op.netns), real(name, op.type.peer.netns)))
    for (const netns of netnsOf(ops)) {
      const own = ops.filter((op) => op.netns === netns)
      sets.set(real(name, netns), machineBatches(own, ipv6))
      started.push(startedIn(own, { host: name, netns }, real(name, netns)))
    }
  }
  const { written, steps } = files(sets, { links, places, guests: options.guests ?? [] })
  const birds = new Map<string, string>()
  if (options.bgp === 'bird') for (const [host, text] of birdConfigs(given)) birds.set(real(host, ROOT_NETNS), text)
  writePrograms(written, { steps, started, names: [...sets.keys()].sort(), birds })
  return { files: written, steps, places, switches, ipv6, notRun: started.flatMap((one) => one.notRun) }
}

/** No machine has a slash in its name. */
const switchHost = (prefix: string, segment: string): string => `${prefix}switch/${segment}`

function speaksIpv6(op: Op): boolean {
  if (op.kind === 'addr.add') return op.address.ip.family === 6
  if (op.kind === 'route.replace') return op.route.destination.address.family === 6
  return false
}

function machineBatches(ops: readonly Op[], ipv6: boolean): NetnsBatches {
  const own = netnsBatches(ops)
  const loopback = ops.some((op) => op.kind === 'link.set' && op.name === 'lo') ? [] : ['link set dev lo up']
  return {
    ...own,
    sysctl: [
      ...EARLY_REPORTS,
      ...(ipv6 ? QUIET_IPV6 : NO_IPV6),
      ...own.sysctl.filter((line) => ipv6 || !line.startsWith('net.ipv6.')),
    ],
    ip: [...loopback, ...own.ip],
  }
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')

/** The order of the steps: namespaces, settings, pairs, then each namespace's own links, routes and rules. */
function files(
  sets: ReadonlyMap<string, NetnsBatches>,
  around: {
    readonly links: readonly string[]
    readonly places: ReadonlyMap<string, Place>
    readonly guests: readonly Guest[]
  },
): { readonly written: Map<string, string>; readonly steps: readonly BuildStep[] } {
  const written = new Map<string, string>()
  const names = [...sets.keys()].sort()
  written.set('netns.batch', lines(names.map((name) => `netns add ${name}`)))
  written.set('links.batch', lines(around.links))
  written.set('places.txt', placesText(around.places, around.guests))
  const steps: BuildStep[] = [{ tool: 'ip', netns: null, file: 'netns.batch' }]
  const step = (netns: string, tool: BuildTool, kind: string, body: string) => {
    if (body === '') return
    written.set(`${netns}.${kind}`, body)
    steps.push({ tool, netns, file: `${netns}.${kind}` })
  }
  for (const name of names) step(name, 'sysctl', 'sysctl', lines(sets.get(name)?.sysctl ?? []))
  steps.push({ tool: 'ip', netns: null, file: 'links.batch' })
  for (const name of names) step(name, 'ip', 'ip', lines(sets.get(name)?.ip ?? []))
  for (const [name, set] of [...sets].sort(([x], [y]) => (x < y ? -1 : 1))) {
    step(name, 'sysctl', 'link.sysctl', lines(set.linkSysctl))
    step(name, 'bridge', 'bridge', lines(set.bridge))
    step(name, 'ipset', 'ipset', lines(set.ipset))
    step(name, 'iptables', 'iptables', set.iptables)
    step(name, 'ip6tables', 'ip6tables', set.ip6tables)
    step(name, 'nft', 'nft', set.nft)
    step(name, 'ipvs', 'ipvs', lines(set.ipvs ?? []))
    for (const { path, text } of set.files) written.set(`files/${name}${path}`, text)
  }
  return { written, steps }
}

/** `NAMESPACE HOST INSIDE FILES`, separated by tabs: what enter.sh looks up. */
function placesText(places: ReadonlyMap<string, Place>, guests: readonly Guest[]): string {
  const own = [...places].map(([name, { host, netns }]) => [name, host, netns, `files/${name}/etc`])
  const shared = guests.flatMap((guest) => {
    const name = [...places].find(([, { host, netns }]) => host === guest.host && netns === ROOT_NETNS)?.[0]
    return name === undefined ? [] : [[name, guest.host, guest.name, `files/${name}${guest.root}/etc`]]
  })
  return lines([...own, ...shared].map((words) => words.join('\t')))
}

function writePrograms(
  written: Map<string, string>,
  made: {
    readonly steps: readonly BuildStep[]
    readonly started: readonly Started[]
    readonly names: readonly string[]
    readonly birds: ReadonlyMap<string, string>
  },
): void {
  const servers = made.started.flatMap((one) => one.servers)
  const forwarders = made.started.flatMap((one) => one.forwarders)
  if (servers.length > 0) {
    written.set('servers.json', `[\n${servers.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`)
    written.set('servers.py', serverProgram)
  }
  if (forwarders.length > 0) written.set('flanneld-udp.py', tunForwarder)
  for (const [name, text] of made.birds) written.set(`${name}.bird.conf`, text)
  const programs = { servers: servers.length > 0, forwarders, birds: [...made.birds.keys()] }
  written.set('up.sh', upScript({ steps: made.steps, names: made.names, ...programs }))
  written.set('down.sh', downScript)
  written.set('enter.sh', enterScript)
}
