import type { Op, OpBody } from '../../../linux/op.ts'
import type { LabMachine, Place } from '../lab.ts'
import type { UdpForwarder } from '../scenario.ts'
import {
  addr,
  bridge,
  card,
  chain,
  fdb,
  hairpin,
  inNetns,
  inRoot,
  neigh,
  policy,
  port,
  route,
  rules,
  sysctl,
  tun,
  up,
  veth,
  vxlan,
} from './words.ts'

/** A node as flannel and the bridge plugin set it up; pods `a` (.2) and `b` (.3). Nodes are numbered from 1. */
export interface FlannelNode {
  readonly number: number
  /** All nodes of the lab by number, this one too. */
  readonly peers: readonly number[]
  readonly backend: 'vxlan' | 'host-gw' | 'udp'
  readonly bridgeNetfilter?: 0 | 1
  readonly hairpin?: boolean
  /** Rules of kube-proxy for these services; `undefined`: no rule at all on the machine. */
  readonly services?: readonly Service[]
  readonly more?: readonly OpBody[]
}

export interface Service {
  readonly name: string
  readonly ip: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly endpoints: readonly string[]
  readonly nodePort?: number
}

const MTU = { vxlan: 1450, 'host-gw': 1500, udp: 1472 } as const
const POD_NETWORK = '10.244.0.0/16'

export const nodeIp = (number: number): string => `192.168.40.18${number}`
export const podIp = (node: number, pod: 'a' | 'b'): string => `10.244.${node}.${pod === 'a' ? 2 : 3}`
export const pod = (node: number, name: 'a' | 'b'): Place => ({ host: `node${node}`, netns: name })
export const machine = (node: number): Place => ({ host: `node${node}`, netns: 'root' })

const hex = (number: number): string => number.toString(16).padStart(2, '0')
export const vtepMac = (node: number): string => `1e:57:a2:00:00:${hex(node)}`

export function flannelNode(node: FlannelNode): LabMachine {
  const { number, backend } = node
  const mtu = MTU[backend]
  const others = node.peers.filter((peer) => peer !== number)
  const podOps = (name: 'a' | 'b', last: number): Op[] => [
    ...inNetns(name, { kind: 'netns.add' }),
    ...inRoot(
      veth(`veth-${name}`, `0e:58:0a:f4:${hex(number)}:${hex(last)}`, {
        netns: name,
        name: 'eth0',
        mac: `0a:58:0a:f4:${hex(number)}:${hex(last)}`,
        mtu,
      }),
      port(`veth-${name}`, 'cni0'),
      up(`veth-${name}`),
      ...(node.hairpin === true ? [hairpin(`veth-${name}`)] : []),
    ),
    ...inNetns(
      name,
      up('lo'),
      up('eth0'),
      addr('eth0', `10.244.${number}.${last}/24`, `10.244.${number}.255`),
      route('0.0.0.0/0', { via: `10.244.${number}.1`, dev: 'eth0' }),
      route(POD_NETWORK, { via: `10.244.${number}.1`, dev: 'eth0' }),
    ),
  ]
  return {
    name: `node${number}`,
    ops: [
      ...inRoot(
        up('lo'),
        card('ens33', `52:54:c0:a8:28:${hex(0xb0 + number)}`, 'rack1'),
        addr('ens33', `${nodeIp(number)}/24`, '192.168.40.255'),
        up('ens33'),
        sysctl('net.ipv4.ip_forward', 1),
        sysctl('net.bridge.bridge-nf-call-iptables', node.bridgeNetfilter ?? 1),
        ...backendOps(node, others),
        bridge('cni0', `12:58:0a:f4:${hex(number)}:01`, mtu),
        addr('cni0', `10.244.${number}.1/24`, `10.244.${number}.255`),
        up('cni0'),
      ),
      ...podOps('a', 2),
      ...podOps('b', 3),
      ...(node.services === undefined ? [] : inRoot(...nodeRules(number, node.services))),
      ...inRoot(...(node.more ?? [])),
    ],
  }
}

function backendOps({ number, backend }: FlannelNode, others: readonly number[]): OpBody[] {
  switch (backend) {
    case 'vxlan':
      return [
        vxlan('flannel.1', vtepMac(number), { local: nodeIp(number), dev: 'ens33' }),
        addr('flannel.1', `10.244.${number}.0/32`),
        up('flannel.1'),
        ...others.flatMap((peer) => [
          neigh('flannel.1', `10.244.${peer}.0`, vtepMac(peer)),
          fdb('flannel.1', vtepMac(peer), nodeIp(peer)),
          route(`10.244.${peer}.0/24`, { via: `10.244.${peer}.0`, dev: 'flannel.1', onlink: true }),
        ]),
      ]
    case 'host-gw':
      return others.map((peer) => route(`10.244.${peer}.0/24`, { via: nodeIp(peer), dev: 'ens33' }))
    case 'udp':
      return [
        tun('flannel0', MTU.udp),
        addr('flannel0', `10.244.${number}.0/32`),
        up('flannel0'),
        route(POD_NETWORK, { dev: 'flannel0' }),
      ]
  }
}

/** flanneld of a node in udp mode. */
export const forwarder = (number: number, peers: readonly number[]): UdpForwarder => ({
  ...machine(number),
  program: 'flannel-udp',
  device: 'flannel0',
  tunIp: `10.244.${number}.0`,
  ip: nodeIp(number),
  port: 8285,
  routes: peers.filter((peer) => peer !== number).map((peer) => ({ prefix: `10.244.${peer}.0/24`, via: nodeIp(peer) })),
})

/** The rules that kube-proxy and flanneld keep on a node, cut down to what a packet can meet here. */
function nodeRules(number: number, services: readonly Service[]): OpBody[] {
  const nat = (...lines: readonly string[]) => rules(4, 'nat', ...lines)
  const filter = (...lines: readonly string[]) => rules(4, 'filter', ...lines)
  const own = `10.244.${number}.0/24`
  return [
    ...['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ', 'FLANNEL-POSTRTG'].map((name) =>
      chain(4, 'nat', name),
    ),
    ...['KUBE-SERVICES', 'KUBE-FORWARD', 'FLANNEL-FWD'].map((name) => chain(4, 'filter', name)),
    policy(4, 'filter', 'FORWARD', 'DROP'),
    ...nat(
      '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
      '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
      '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
      '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
      '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
      '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
      ...services.flatMap(dispatchLines),
      '-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
      '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
      `-A FLANNEL-POSTRTG -s ${own} -d ${POD_NETWORK} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG -s ${POD_NETWORK} -d ${own} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG ! -s ${POD_NETWORK} -d ${own} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG -s ${POD_NETWORK} ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
      `-A FLANNEL-POSTRTG ! -s ${POD_NETWORK} -d ${POD_NETWORK} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
    ),
    ...services.flatMap(serviceChains),
    ...filter(
      '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
      '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
      '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT',
      '-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ...services.filter(({ endpoints }) => endpoints.length === 0).map(rejectLine),
      `-A FLANNEL-FWD -s ${POD_NETWORK} -j ACCEPT`,
      `-A FLANNEL-FWD -d ${POD_NETWORK} -j ACCEPT`,
    ),
  ]
}

function dispatchLines(service: Service): string[] {
  if (service.endpoints.length === 0) return []
  const to = `-p ${service.protocol} -m ${service.protocol}`
  const portal = `-A KUBE-SERVICES -d ${service.ip}/32 ${to} --dport ${service.port} -j KUBE-SVC-${service.name}`
  if (service.nodePort === undefined) return [portal]
  return [portal, `-A KUBE-NODEPORTS ${to} --dport ${service.nodePort} -j KUBE-EXT-${service.name}`]
}

function serviceChains(service: Service): OpBody[] {
  const { name, protocol, endpoints } = service
  if (endpoints.length === 0) return []
  const svc = `KUBE-SVC-${name}`
  const ext = `KUBE-EXT-${name}`
  const sep = (index: number) => `KUBE-SEP-${name}-${index}`
  const share = (index: number) => {
    const left = endpoints.length - index
    return left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `
  }
  return [
    chain(4, 'nat', svc),
    chain(4, 'nat', ext),
    ...endpoints.map((_, index) => chain(4, 'nat', sep(index))),
    ...rules(
      4,
      'nat',
      `-A ${ext} -j KUBE-MARK-MASQ`,
      `-A ${ext} -j ${svc}`,
      `-A ${svc} ! -s ${POD_NETWORK} -d ${service.ip}/32 -p ${protocol} -m ${protocol} --dport ${service.port} -j KUBE-MARK-MASQ`,
      ...endpoints.map((_, index) => `-A ${svc} ${share(index)}-j ${sep(index)}`),
      ...endpoints.flatMap((endpoint, index) => [
        `-A ${sep(index)} -s ${endpoint.split(':')[0]}/32 -j KUBE-MARK-MASQ`,
        `-A ${sep(index)} -p ${protocol} -m ${protocol} -j DNAT --to-destination ${endpoint}`,
      ]),
    ),
  ]
}

const rejectLine = ({ ip, protocol, port }: Service): string =>
  `-A KUBE-SERVICES -d ${ip}/32 -p ${protocol} -m ${protocol} --dport ${port} -j REJECT --reject-with icmp-port-unreachable`

/** A machine on the nodes' segment that is not a node: the way out, or a client. */
export function outsideHost(): LabMachine {
  return {
    name: 'outside',
    ops: inRoot(
      up('lo'),
      card('eth0', '52:54:c0:a8:28:02', 'rack1'),
      addr('eth0', '192.168.40.2/24', '192.168.40.255'),
      up('eth0'),
    ),
  }
}
