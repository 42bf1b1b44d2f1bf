import type { Cluster } from '../cluster/cluster.ts'
import type { Lab, LabNode } from '../cluster/lab.ts'
import { type Capabilities, chainKey, type HostFacts, USUAL_CAPABILITIES } from '../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../linux/op.ts'
import type { Origin } from '../linux/origin.ts'
import { formatIp, type Ip } from '../packet/ip.ts'
import { type InterfaceAddress, lastIp, networkOf, prefix } from '../packet/prefix.ts'
import { type EntryRoute, entryReason, entryRoute } from './entry-route.ts'
import { BEYOND, BEYOND_MAC, INTERNET, type Underlay, type UnderlayMachine } from './underlay.ts'

/** The bare machine, as its operator sets it up before Kubernetes is installed: cards, addresses, routes, sysctls. */
export function machineOps(
  machine: UnderlayMachine,
  { cluster, underlay, entry }: { cluster: Cluster; underlay: Underlay; entry?: EntryRoute | undefined },
): Op[] {
  const lab = cluster.lab.nodes?.[machine.name] ?? {}
  const ops: Op[] = []
  const add = (body: OpBody, reason: string): void => {
    ops.push({ ...body, netns: ROOT_NETNS, origin: { ...MACHINE, reason } })
  }
  add({ kind: 'link.set', name: 'lo', up: true }, 'loopback')
  for (const [key, value] of sysctlsOf(machine, lab)) add({ kind: 'sysctl.set', key, value }, 'sysctl')
  for (const card of machine.cards) {
    const type = { kind: 'physical', segment: card.segment } as const
    add({ kind: 'link.add', name: card.name, mac: card.mac, mtu: card.mtu, type }, `network card on ${card.segment}`)
    add({ kind: 'link.set', name: card.name, up: !machine.down }, 'network card')
    for (const address of card.addresses)
      add({ kind: 'addr.add', link: card.name, address, ...broadcastOf(address) }, 'address of the machine')
  }
  addRoutes(machine, underlay, add)
  if (entry !== undefined) for (const route of entryRoute(machine, underlay, entry)) add(route, entryReason(entry))
  if (lab.forwardPolicy !== undefined)
    for (const family of [4, 6] as const)
      add(
        { kind: 'chain.policy', family, table: 'filter', chain: 'FORWARD', policy: lab.forwardPolicy },
        'policy of the machine',
      )
  for (const [path, text] of filesOf(machine, lab)) add({ kind: 'file.write', path, text }, 'file of the machine')
  return ops
}

const MACHINE: Origin = { by: 'the machine' }

/** kubeadm asks for ip_forward=1; br_netfilter is loaded with its default of 1. Routers forward, outside hosts do not. */
function sysctlsOf(machine: UnderlayMachine, lab: LabNode): ReadonlyMap<string, string> {
  const sysctls = new Map<string, string>()
  if (machine.kind !== 'outside') {
    sysctls.set('net.ipv4.ip_forward', '1')
    sysctls.set('net.ipv6.conf.all.forwarding', '1')
  }
  for (const [key, value] of Object.entries(lab.sysctls ?? {})) sysctls.set(key, String(value))
  return sysctls
}

function addRoutes(machine: UnderlayMachine, underlay: Underlay, add: (body: OpBody, reason: string) => void): void {
  const outside = machine.cards.find((card) => card.segment === INTERNET)
  if (machine.kind === 'router' && outside !== undefined) {
    add({ kind: 'neigh.replace', link: outside.name, ip: BEYOND, mac: BEYOND_MAC }, 'the way outside')
    for (const other of underlay.machines.values()) {
      if (other.kind !== 'outside') continue
      for (const card of other.cards)
        for (const { ip } of card.segment === INTERNET ? card.addresses : [])
          add(
            {
              kind: 'route.replace',
              route: {
                type: 'unicast',
                destination: networkOf(ip, ip.family === 4 ? 32 : 128),
                dev: outside.name,
                scope: 'link',
                protocol: 'static',
              },
            },
            `${other.name} is outside`,
          )
    }
    add(defaultRoute(BEYOND, outside.name, true), 'everything else is outside')
    return
  }
  const [card] = machine.cards
  for (const gateway of machine.gateways)
    if (card !== undefined)
      add(defaultRoute(gateway, card.name, outside !== undefined), `default gateway ${formatIp(gateway)}`)
}

/** NetworkManager's metric of a wired card in IPv4; the kernel's in IPv6. */
const DEFAULT_ROUTE_METRIC = { 4: 100, 6: 1024 } as const

/** `brd +`: the subnet's last address; none in IPv6 and for /31 and /32. */
function broadcastOf({ ip, length }: InterfaceAddress): { readonly broadcast?: Ip } {
  return ip.family === 4 && length < 31 ? { broadcast: lastIp({ address: ip, length }) } : {}
}

function defaultRoute(via: Ip, dev: string, onlink: boolean): OpBody {
  const destination = prefix(via.family === 4 ? '0.0.0.0/0' : '::/0')
  return {
    kind: 'route.replace',
    route: {
      type: 'unicast',
      destination,
      via,
      dev,
      protocol: 'static',
      metric: DEFAULT_ROUTE_METRIC[via.family],
      ...(onlink ? { onlink } : {}),
    },
  }
}

/** Where systemd-resolved listens for the programs of its machine. */
export const RESOLVED_STUB = '127.0.0.53'

export const hasResolvedStub = (resolvConf: string): boolean => /^\s*nameserver\s+127\.0\.0\.53\b/m.test(resolvConf)

/** Where it keeps the servers that it asks itself. */
const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf'

/** The files that a machine has of its own. */
export function filesOf(machine: UnderlayMachine, lab: LabNode): ReadonlyMap<string, string> {
  const own = machine.cards.flatMap((card) => card.addresses.map((address) => formatIp(address.ip)))
  const resolvers =
    machine.gateways.length > 0 ? machine.gateways.slice(0, 1).map((gateway) => `nameserver ${formatIp(gateway)}`) : []
  const resolvConf = lab.resolvConf ?? resolvers.join('\n')
  const stub: readonly (readonly [string, string])[] = hasResolvedStub(resolvConf)
    ? [[RESOLVED_CONF, resolvers.map((line) => `${line}\n`).join('')]]
    : []
  return new Map([
    ...stub,
    ['/etc/resolv.conf', resolvConf === '' || resolvConf.endsWith('\n') ? resolvConf : `${resolvConf}\n`],
    ['/etc/hostname', `${machine.name}\n`],
    [
      '/etc/hosts',
      `127.0.0.1\tlocalhost\n::1\tlocalhost\n${own.map((address) => `${address}\t${machine.name}\n`).join('')}`,
    ],
    ['/etc/nsswitch.conf', 'hosts: files dns\n'],
  ])
}

/** The machine as the first compiler finds it. */
export function machineFacts(machine: UnderlayMachine, cluster: Cluster, ops: readonly Op[]): HostFacts {
  const files = new Map<string, string>()
  for (const op of ops) if (op.kind === 'file.write') files.set(op.path, op.text)
  return {
    hostname: machine.name,
    interfaces: machine.cards.map(({ name, mac, mtu, addresses }) => ({ name, mac, mtu, addresses })),
    defaultInterface: machine.gateways.length > 0 ? machine.cards[0]?.name : undefined,
    gateways: machine.gateways,
    capabilities: capabilitiesOf(cluster.lab, machine.name),
    files,
  }
}

/** What the machine's kernel can do, as the Lab has it. */
export function capabilitiesOf({ nodes, faults = [] }: Lab, machine: string): Capabilities {
  const race = faults.find((fault) => fault.kind === 'conntrackRace' && fault.node === machine)
  const racing = race?.kind === 'conntrackRace' ? { conntrackRace: race.clash ?? 'dropped' } : {}
  return { ...USUAL_CAPABILITIES, ...nodes?.[machine]?.capabilities, ...racing }
}

/** The facts after more ops: links and addresses that a compiler has made in the root namespace. */
export function factsAfter(facts: HostFacts, ops: readonly Op[]): HostFacts {
  const interfaces = [...facts.interfaces]
  const chains = new Set(facts.chains)
  for (const op of ops) {
    if (op.netns !== ROOT_NETNS) continue
    if (op.kind === 'chain.new') chains.add(chainKey(op.family, op.table, op.chain))
    if (op.kind === 'link.add') interfaces.push({ name: op.name, mac: op.mac, mtu: op.mtu, addresses: [] })
    if (op.kind === 'addr.add') {
      const at = interfaces.findIndex((link) => link.name === op.link)
      const link = interfaces[at]
      if (link !== undefined) interfaces[at] = { ...link, addresses: [...link.addresses, op.address] }
    }
  }
  return { ...facts, interfaces, chains }
}
