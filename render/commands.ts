import { match } from 'ts-pattern'
import type { AddrOp, FdbOp, IptablesOp, LinkOp, NeighOp, Op, Route, RuleOp } from '../linux/op.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import { formatMac } from '../packet/mac.ts'
import { formatPrefix, type InterfaceAddress, type Prefix } from '../packet/prefix.ts'
import { ipvsLine } from './ipvsadm-save.ts'
import type { NetnsName } from './netns-name.ts'
import { nftLines } from './nft-command.ts'

/**
 * An op as the commands a person would type on that machine: `ip`, `bridge`, `iptables`, `ipset`, `sysctl`. What no
 * command can do (plug in a card, start one of our own programs) is a line that begins with `#`.
 */
export function opCommands(op: Op, name: NetnsName): readonly string[] {
  const netns = name(op.netns)
  const ip = netns === undefined ? 'ip' : `ip -n ${quote(netns)}`
  const bridge = netns === undefined ? 'bridge' : `bridge -n ${quote(netns)}`
  const exec = netns === undefined ? '' : `ip netns exec ${quote(netns)} `
  return match(op)
    .with({ kind: 'netns.add' }, () => (netns === undefined ? [] : [`ip netns add ${quote(netns)}`]))
    .with({ kind: 'link.add' }, (link) => linkAddCommands(link, op.netns, name))
    .with({ kind: 'link.set' }, (link) => [`${ip} ${linkSetLine(link)}`])
    .with({ kind: 'addr.add' }, (addr) => [`${ip} ${addrLine(addr)}`])
    .with({ kind: 'route.replace' }, ({ route }) => [`${ip} ${routeLine(route)}`])
    .with({ kind: 'rule.add' }, (rule) => [`${ip} ${ruleLine(rule)}`])
    .with({ kind: 'neigh.replace' }, (neigh) => [`${ip} ${neighLine(neigh)}`])
    .with({ kind: 'bridge.port' }, (port) => [`${bridge} ${bridgePortLine(port)}`])
    .with({ kind: 'fdb.append' }, (fdb) => [`${bridge} ${fdbLine(fdb)}`])
    .with(
      { kind: 'chain.new' },
      { kind: 'chain.policy' },
      { kind: 'rule.append' },
      { kind: 'rule.insert' },
      { kind: 'rules.block' },
      (rules) => iptablesCommands(rules).map((line) => `${exec}${line}`),
    )
    .with({ kind: 'set.new' }, ({ set, type }) => [`${exec}ipset create ${set} ${type}`])
    .with({ kind: 'set.add' }, ({ set, entry }) => [`${exec}ipset add ${set} ${entry}`])
    .with({ kind: 'ipvs.service' }, { kind: 'ipvs.destination' }, { kind: 'ipvs.timeouts' }, (ipvs) => [
      `${exec}ipvsadm ${ipvsLine(ipvs)}`,
    ])
    .with({ kind: 'nft.add' }, { kind: 'nft.flush' }, { kind: 'nft.delete' }, { kind: 'nft.block' }, (nft) =>
      nftLines(nft).map((line) => `${exec}nft ${quote(line)}`),
    )
    .with({ kind: 'sysctl.set' }, ({ key, value }) => [`${exec}sysctl -w ${quote(`${key}=${value}`)}`])
    .with({ kind: 'file.write' }, ({ path, text }) => fileCommands(filePath(netns, path), text))
    .with({ kind: 'process.start' }, (process) => [
      `# in ${netns ?? 'this namespace'}: ${[process.name, process.program, ...argumentsOf(process.args)].join(' ')}`,
    ])
    .exhaustive()
}

type LinkAdd = Extract<LinkOp, { kind: 'link.add' }>

function linkAddCommands(link: LinkAdd, netns: string, name: NetnsName): readonly string[] {
  const here = name(netns)
  const ip = here === undefined ? 'ip' : `ip -n ${quote(here)}`
  const type = link.type
  if (type.kind === 'physical')
    return [
      `# ${link.name} is a network card on ${type.segment}`,
      `${ip} link set dev ${link.name} address ${formatMac(link.mac)} mtu ${link.mtu}`,
    ]
  if (type.kind === 'veth') {
    const there = name(type.peer.netns)
    // The pair is made from the shell's own namespace where one end is in it: a peer can be put into a named
    // namespace, but the shell's own has no name.
    if (there === undefined && here !== undefined)
      return linkAddCommands(
        { ...type.peer, kind: 'link.add', type: { kind: 'veth', peer: { ...link, netns } } },
        type.peer.netns,
        name,
      )
    return [`${ip} ${vethLine(link, undefined, there)}`]
  }
  if (type.kind === 'tun') return [`${ip} ${linkAddLine(link)}`, `${ip} link set dev ${link.name} mtu ${link.mtu}`]
  return [`${ip} ${linkAddLine(link)}`]
}

/**
 * `link add` of a veth pair, for `ip` and `ip -batch`. A namespace is named where the end is not in the one that
 * the command runs in.
 */
export function vethLine(link: LinkAdd, netns: string | undefined, peerNetns: string | undefined): string {
  if (link.type.kind !== 'veth') throw new Error(`${link.name} is not a veth`)
  const { peer } = link.type
  const end = (one: { name: string; mac: LinkAdd['mac']; mtu: number }, where: string | undefined) =>
    words(one.name, 'address', formatMac(one.mac), 'mtu', one.mtu, where === undefined ? '' : `netns ${quote(where)}`)
  return words('link add', end(link, netns), 'type veth peer name', end(peer, peerNetns))
}

/** `link add` of a device that stands in one namespace. */
export function linkAddLine(link: LinkAdd): string {
  const head = words('link add', link.name, 'address', formatMac(link.mac), 'mtu', link.mtu, 'type')
  return match(link.type)
    .with({ kind: 'bridge' }, ({ ageing }) => words(head, 'bridge ageing_time', ageing * USER_HZ))
    .with({ kind: 'vxlan' }, (vxlan) =>
      words(
        head,
        `vxlan id ${vxlan.vni} dstport ${vxlan.port} local ${formatIp(vxlan.local)} dev ${vxlan.dev}`,
        vxlan.learning ? 'learning' : 'nolearning',
        vxlan.dontFragment ? 'df set' : '',
        vxlan.udpChecksum ? '' : 'noudpcsum',
      ),
    )
    .with({ kind: 'dummy' }, () => words(head, 'dummy'))
    .with({ kind: 'tun' }, () => `tuntap add dev ${link.name} mode tun`)
    .with({ kind: 'physical' }, { kind: 'veth' }, ({ kind }) => {
      throw new Error(`${link.name}: a ${kind} link is not made in one namespace`)
    })
    .exhaustive()
}

/** The unit of `ageing_time`: hundredths of a second on every architecture that iproute2 knows. */
const USER_HZ = 100

export function linkSetLine(link: Extract<LinkOp, { kind: 'link.set' }>): string {
  return words(
    'link set dev',
    link.name,
    link.mac === undefined ? '' : `address ${formatMac(link.mac)}`,
    link.mtu === undefined ? '' : `mtu ${link.mtu}`,
    link.master === undefined ? '' : `master ${link.master}`,
    link.up === undefined ? '' : link.up ? 'up' : 'down',
  )
}

export function bridgePortLine(port: Extract<LinkOp, { kind: 'bridge.port' }>): string {
  const flag = (name: string, value: boolean | undefined) =>
    value === undefined ? '' : `${name} ${value ? 'on' : 'off'}`
  return words(
    'link set dev',
    port.name,
    flag('hairpin', port.hairpin),
    flag('learning', port.learning),
    flag('flood', port.flood),
  )
}

export function addrLine(addr: AddrOp): string {
  return words(
    'addr add',
    formatInterfaceAddress(addr.address),
    addr.broadcast === undefined ? '' : `brd ${formatIp(addr.broadcast)}`,
    addr.scope === undefined ? '' : `scope ${addr.scope}`,
    'dev',
    addr.link,
    addr.noPrefixRoute === true ? 'noprefixroute' : '',
  )
}

export function routeLine(route: Route): string {
  const family = route.destination.address.family
  return words(
    'route replace',
    route.type === 'unicast' ? '' : route.type,
    destinationText(route.destination),
    route.via === undefined ? '' : `via ${viaText(route.via, family)}`,
    route.dev === undefined ? '' : `dev ${route.dev}`,
    route.onlink === true ? 'onlink' : '',
    route.src === undefined ? '' : `src ${formatIp(route.src)}`,
    route.metric === undefined ? '' : `metric ${route.metric}`,
    route.protocol === 'boot' ? '' : `proto ${route.protocol}`,
    route.scope === undefined ? '' : `scope ${route.scope}`,
    route.mtu === undefined ? '' : `mtu ${route.mtu}`,
    route.table === undefined || route.table === 'main' ? '' : `table ${route.table}`,
  )
}

/** `default` alone means IPv4 to ip(8); the other family is told by its digits. */
function destinationText(destination: Prefix): string {
  if (destination.length > 0) return formatPrefix(destination)
  return destination.address.family === 4 ? 'default' : '::/0'
}

const viaText = (via: Ip, family: 4 | 6): string =>
  via.family === family ? formatIp(via) : `inet${via.family === 6 ? '6' : ''} ${formatIp(via)}`

export function ruleLine(rule: RuleOp): string {
  return words(
    rule.family === 6 ? '-6 rule add' : 'rule add',
    rule.from === undefined ? 'from all' : `from ${formatPrefix(rule.from)}`,
    rule.to === undefined ? '' : `to ${formatPrefix(rule.to)}`,
    rule.fwmark === undefined ? '' : `fwmark ${hex(rule.fwmark.value)}/${hex(rule.fwmark.mask)}`,
    rule.iif === undefined ? '' : `iif ${rule.iif}`,
    `lookup ${rule.table}`,
    `priority ${rule.priority}`,
  )
}

export function neighLine(neigh: NeighOp): string {
  return `neigh replace ${formatIp(neigh.ip)} lladdr ${formatMac(neigh.mac)} dev ${neigh.link} nud permanent`
}

export function fdbLine(fdb: FdbOp): string {
  const where = fdb.dst === undefined ? 'master static' : `dst ${formatIp(fdb.dst)} self permanent`
  return `fdb append ${formatMac(fdb.mac)} dev ${fdb.link} ${where}`
}

function iptablesCommands(op: IptablesOp): readonly string[] {
  const tool = op.family === 4 ? 'iptables' : 'ip6tables'
  return match(op)
    .with({ kind: 'chain.new' }, ({ table, chain }) => [`${tool} -t ${table} -N ${chain}`])
    .with({ kind: 'chain.policy' }, ({ table, chain, policy }) => [`${tool} -t ${table} -P ${chain} ${policy}`])
    .with({ kind: 'rule.append' }, ({ table, chain, args }) => [`${tool} -t ${table} -A ${chain} ${args}`])
    .with({ kind: 'rule.insert' }, ({ table, chain, args }) => [`${tool} -t ${table} -I ${chain} ${args}`])
    .with({ kind: 'rules.block' }, ({ block }) => {
      const own = block.chains()
      return [
        ...own.map(({ table, chain }) => `${tool} -t ${table} -N ${chain}`),
        ...own.flatMap(({ rules }) => rules.map((rule) => `${tool} -t ${rule.table} -A ${rule.chain} ${rule.args}`)),
        ...block.dispatch.map((rule) => `${tool} -t ${rule.table} -A ${rule.chain} ${rule.args}`),
      ]
    })
    .exhaustive()
}

/** ip-netns(8) shows a namespace the files of /etc/netns/NAME as its /etc. */
function filePath(netns: string | undefined, path: string): string {
  if (netns === undefined || !path.startsWith('/etc/')) return path
  return `/etc/netns/${netns}/${path.slice('/etc/'.length)}`
}

function fileCommands(path: string, text: string): readonly string[] {
  const folder = path.slice(0, path.lastIndexOf('/'))
  let end = 'EOF'
  while (text.split('\n').includes(end)) end += '_'
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  return [`mkdir -p ${quote(folder)}`, `cat > ${quote(path)} << '${end}'\n${body}\n${end}`]
}

const argumentsOf = (args: Readonly<Record<string, string>>): string[] =>
  Object.keys(args)
    .sort()
    .map((name) => quote(`${name}=${args[name]}`))

/** `10.244.1.1/24`: an address with its host bits. */
const formatInterfaceAddress = ({ ip, length }: InterfaceAddress): string => `${formatIp(ip)}/${length}`

const hex = (value: number): string => `0x${value.toString(16)}`

const words = (...parts: readonly (string | number)[]): string => parts.filter((part) => part !== '').join(' ')

/** A word as sh(1) takes it: quoted where it holds anything but plain characters. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
