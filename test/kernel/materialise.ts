import { type LinkOp, type Op, ROOT_NETNS } from '../../linux/op.ts'
import { formatMac, type Mac } from '../../packet/mac.ts'
import { type NetnsBatches, netnsBatches } from '../../render/batches.ts'
import { quote, vethLine } from '../../render/commands.ts'
import { namesOfHosts } from '../../render/netns-name.ts'
import { type KernelLab, type LabMachine, netnsOf, type Place } from './lab.ts'

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
}

type BuildTool = 'ip' | 'bridge' | 'sysctl' | 'ipset' | 'iptables' | 'ip6tables' | 'install'

/** A file given to a tool, in a namespace of the lab or (null) in the one that `up.sh` runs in. */
export interface BuildStep {
  readonly tool: BuildTool
  readonly netns: string | null
  readonly file: string
}

type Card = Extract<LinkOp, { kind: 'link.add' }> & { readonly netns: string; readonly host: string }

/**
 * Writes a lab for `ip`, `bridge`, `sysctl`, `ipset` and `iptables-restore`. Each machine's namespace becomes a real
 * one, each segment a switch in a namespace of its own. (A cable alone would carry frames for other MACs to a card that
 * a real one filters out.)
 */
export function materialise(lab: KernelLab): Materialised {
  const cards = lab.hosts.flatMap(({ name, ops }) => ops.filter(isCard).map((op): Card => ({ ...op, host: name })))
  const segments = new Map<string, Card[]>()
  for (const card of cards) {
    const segment = segmentOf(card)
    segments.set(segment, [...(segments.get(segment) ?? []), card])
  }
  const nameOf = namesOfHosts([
    ...lab.hosts.map(({ name, ops }) => ({ name, netns: netnsOf(ops) })),
    ...[...segments.keys()].map((segment) => ({ name: switchHost(segment), netns: [ROOT_NETNS] })),
  ])
  const real = (host: string, netns: string): string => nameOf(host, netns) ?? ''

  const places = new Map<string, Place>()
  for (const { name, ops } of lab.hosts)
    for (const netns of netnsOf(ops)) places.set(real(name, netns), { host: name, netns })
  const switches = [...segments.keys()].map((segment) => real(switchHost(segment), ROOT_NETNS))

  const links: string[] = []
  const sets = new Map<string, NetnsBatches>()
  const ipv6 = lab.hosts.some(({ ops }) => ops.some(speaksIpv6))
  for (const [segment, plugged] of segments) sets.set(real(switchHost(segment), ROOT_NETNS), switchBatches(plugged))
  for (const [segment, plugged] of segments)
    for (const [port, card] of plugged.entries())
      links.push(
        switchPortLine(card, real(card.host, card.netns), { port, netns: real(switchHost(segment), ROOT_NETNS) }),
      )
  for (const { name, ops } of lab.hosts) {
    for (const op of ops)
      if (op.kind === 'link.add' && op.type.kind === 'veth')
        links.push(vethLine(op, real(name, op.netns), real(name, op.type.peer.netns)))
    for (const netns of netnsOf(ops))
      sets.set(
        real(name, netns),
        machineBatches(
          ops.filter((op) => op.netns === netns),
          ipv6,
        ),
      )
  }
  const { written, steps } = files(sets, links, places)
  return { files: written, steps, places, switches, ipv6 }
}

const isCard = (op: Op): op is Op & Extract<LinkOp, { kind: 'link.add' }> =>
  op.kind === 'link.add' && op.type.kind === 'physical'

const segmentOf = (card: Card): string => (card.type.kind === 'physical' ? card.type.segment : '')

/** No machine has a slash in its name. */
const switchHost = (segment: string): string => `switch/${segment}`

function speaksIpv6(op: Op): boolean {
  if (op.kind === 'addr.add') return op.address.ip.family === 6
  if (op.kind === 'route.replace') return op.route.destination.address.family === 6
  return false
}

/** The far end of a switch port takes whatever a card can send. */
const SWITCH_MTU = 65535

function switchPortLine(card: Card, netns: string, at: { readonly port: number; readonly netns: string }): string {
  // The segment's own MACs are never seen: nothing in it speaks.
  const mac = (0x1e0000000000 + at.port + 1) as Mac
  const peer = { netns: '', name: `port${at.port + 1}`, mac, mtu: SWITCH_MTU }
  return vethLine({ ...card, type: { kind: 'veth', peer } }, netns, at.netns)
}

/** Reports of multicast groups come at once, not within a second, so that they are over before a probe. */
const EARLY_REPORTS = ['all', 'default'].flatMap((which) => [
  `net.ipv4.conf.${which}.igmpv2_unsolicited_report_interval=1`,
  `net.ipv4.conf.${which}.igmpv3_unsolicited_report_interval=1`,
])

const NO_IPV6 = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']

/** IPv6 without what a machine says by itself: duplicate detection, router solicitations, and late MLD reports. */
const QUIET_IPV6 = ['all', 'default'].flatMap((which) => [
  `net.ipv6.conf.${which}.accept_dad=0`,
  `net.ipv6.conf.${which}.dad_transmits=0`,
  `net.ipv6.conf.${which}.router_solicitations=0`,
  `net.ipv6.conf.${which}.accept_ra=0`,
  `net.ipv6.conf.${which}.mldv1_unsolicited_report_interval=1`,
  `net.ipv6.conf.${which}.mldv2_unsolicited_report_interval=1`,
])

/**
 * A switch that knows every card from the start, as the model's fabric does, and sends nothing to a card that is for
 * another; it looks into nothing and says nothing.
 */
function switchBatches(plugged: readonly Card[]): NetnsBatches {
  const numbers = plugged.map((_, i) => i + 1)
  return {
    sysctl: [
      ...NO_IPV6,
      'net.bridge.bridge-nf-call-iptables=0',
      'net.bridge.bridge-nf-call-ip6tables=0',
      'net.bridge.bridge-nf-call-arptables=0',
    ],
    ip: [
      `link add switch address ${formatMac(0x1e0000000000 as Mac)} mtu ${SWITCH_MTU} type bridge mcast_snooping 0`,
      'link set dev switch up',
      ...numbers.flatMap((port) => [`link set dev port${port} master switch`, `link set dev port${port} up`]),
    ],
    linkSysctl: [],
    bridge: plugged.flatMap(({ mac }, i) => [
      `link set dev port${i + 1} flood off`,
      `fdb append ${formatMac(mac)} dev port${i + 1} master static`,
    ]),
    ipset: [],
    iptables: '',
    ip6tables: '',
    files: [],
  }
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

/** `up.sh` in the order: namespaces, settings, pairs, then each namespace's own links, routes and rules. */
function files(
  sets: ReadonlyMap<string, NetnsBatches>,
  links: readonly string[],
  places: ReadonlyMap<string, Place>,
): { readonly written: Map<string, string>; readonly steps: readonly BuildStep[] } {
  const written = new Map<string, string>()
  const names = [...sets.keys()].sort()
  written.set('netns.batch', lines(names.map((name) => `netns add ${name}`)))
  written.set('links.batch', lines(links))
  written.set('names.txt', lines([...places].map(([name, { host, netns }]) => `${name} ${host} ${netns}`)))
  const steps: BuildStep[] = [{ tool: 'ip', netns: null, file: 'netns.batch' }]
  const step = (netns: string, tool: BuildTool, kind: string, body: string) => {
    if (body === '') return
    written.set(`${netns}.${kind}`, body)
    steps.push({ tool, netns, file: `${netns}.${kind}` })
  }
  for (const name of names) step(name, 'sysctl', 'sysctl', lines(sets.get(name)!.sysctl))
  steps.push({ tool: 'ip', netns: null, file: 'links.batch' })
  for (const name of names) step(name, 'ip', 'ip', lines(sets.get(name)!.ip))
  for (const name of names) {
    const set = sets.get(name)!
    step(name, 'sysctl', 'link.sysctl', lines(set.linkSysctl))
    step(name, 'bridge', 'bridge', lines(set.bridge))
    step(name, 'ipset', 'ipset', lines(set.ipset))
    step(name, 'iptables', 'iptables', set.iptables)
    step(name, 'ip6tables', 'ip6tables', set.ip6tables)
    for (const { path, text } of set.files) {
      const file = `files/${name}${path}`
      written.set(file, text)
      if (path.startsWith('/etc/')) steps.push({ tool: 'install', netns: name, file })
    }
  }
  const head = '#!/bin/bash\nset -e\ncd "$(dirname "$0")"\n'
  written.set('up.sh', `${head}IPTABLES_BACKEND=\${IPTABLES_BACKEND:-nft}\n${lines(steps.map(stepCommand))}`)
  written.set('down.sh', `${head}ip -batch - << 'EOF'\n${lines(names.map((name) => `netns del ${name}`))}EOF\n`)
  written.set('enter.sh', enterScript())
  return { written, steps }
}

/** A step as a shell command. A line that the kernel refuses (a next hop off the link) is told and left out. */
function stepCommand({ tool, netns, file }: BuildStep): string {
  if (netns === null) return `${tool} -batch ${quote(file)}`
  const inside = `nsenter --net=/run/netns/${quote(netns)}`
  switch (tool) {
    case 'ip':
    case 'bridge':
      return `${tool} -force -n ${quote(netns)} -batch ${quote(file)} || true`
    case 'sysctl':
      return `${inside} sysctl -q -p ${quote(file)}`
    case 'ipset':
      return `${inside} ipset restore < ${quote(file)}`
    case 'iptables':
    case 'ip6tables':
      return `${inside} ${tool}-$IPTABLES_BACKEND-restore < ${quote(file)}`
    case 'install':
      return `install -D -m 644 ${quote(file)} ${quote(etcFile(netns, file))}`
  }
}

/** ip-netns(8) shows a namespace the files of /etc/netns/NAME as its /etc. */
const etcFile = (netns: string, file: string): string =>
  `/etc/netns/${netns}/${file.slice(`files/${netns}/etc/`.length)}`

/** A shell in a machine or pod, by its name in the lab. */
function enterScript(): string {
  return `#!/bin/bash
# enter.sh MACHINE [NAMESPACE] [COMMAND...]: runs a command (a shell) inside; names.txt lists them
set -e
cd "$(dirname "$0")"
netns=root
host=$1
shift || { cut -d' ' -f2,3 names.txt; exit 1; }
if grep -q " $host \${1:-} *$" names.txt && [ -n "\${1:-}" ]; then netns=$1; shift; fi
name=$(awk -v h="$host" -v n="$netns" '$2 == h && $3 == n { print $1 }' names.txt)
if [ -z "$name" ]; then echo "no $netns on $host in names.txt" >&2; exit 1; fi
exec ip netns exec "$name" "\${@:-bash}"
`
}

/** Namespaces with rules: those worth tracing. */
export function tracedPlaces(hosts: readonly LabMachine[], places: ReadonlyMap<string, Place>): readonly string[] {
  const ruled = new Set(
    hosts.flatMap(({ name, ops }) =>
      ops.filter((op) => 'family' in op && op.kind !== 'rule.add').map((op) => `${name} ${op.netns}`),
    ),
  )
  return [...places].filter(([, { host, netns }]) => ruled.has(`${host} ${netns}`)).map(([name]) => name)
}
