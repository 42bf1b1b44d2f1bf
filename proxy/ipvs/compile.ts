import type { Cluster } from '../../cluster/cluster.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import type { HostFacts } from '../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import type { Mac } from '../../packet/mac.ts'
import { hostPrefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { conntrackOps } from '../conntrack-sysctls.ts'
import { familiesOf } from '../iptables/compile.ts'
import { nameHash } from '../name-hash.ts'
import { endpointOrigin, proxyOrigin } from '../origin.ts'
import type { ProxyMode } from '../proxy-mode.ts'
import { ipvsSetup } from './ipvs-setup.ts'
import { chainsOf, ipvsRules, jumpsOf } from './rules.ts'
import { SET_NAMES, setName, setType } from './sets.ts'
import { type IpvsSync, ipvsSync } from './sync.ts'

/** kube-proxy in ipvs mode (pkg/proxy/ipvs/proxier.go). */
export const ipvsMode: ProxyMode = { name: 'ipvs', compile: compileIpvsMode }

/** The device that carries every service address. It stays down: local routes are there all the same. */
export const DUMMY_DEVICE = 'kube-ipvs0'

function compileIpvsMode(cluster: Cluster, node: KubeNode, config: KubeProxyConfig, facts: HostFacts): Op[] {
  const syncs = familiesOf(facts).map((family) => ipvsSync(cluster, node, ipvsSetup(node, family, { config, facts })))
  const dummy = op(
    {
      kind: 'link.add',
      name: DUMMY_DEVICE,
      mac: macOf(node.meta.name),
      mtu: 1500,
      type: { kind: 'dummy' },
    },
    proxyOrigin(config, 'carries the addresses of Services, so that packets to them come in'),
  )
  return [...conntrackOps(config), ...startOps(config), dummy, ...syncs.flatMap(syncOps)]
}

/** A random one in reality (eth_hw_addr_random); here it follows from the node's name. */
function macOf(node: string): Mac {
  let mac = 0
  for (const letter of nameHash(`${node} ${DUMMY_DEVICE}`, 10)) mac = (mac * 32 + letter.charCodeAt(0)) % 2 ** 40
  return (0x02 * 2 ** 40 + mac) as Mac
}

/** NewProxier: the kernel settings that the mode needs, and the timeouts of the configuration. */
function startOps(config: KubeProxyConfig): readonly Op[] {
  const { strictARP, tcpTimeout, tcpFinTimeout, udpTimeout } = config.ipvs
  const set = (key: string, value: string, reason: string) =>
    op({ kind: 'sysctl.set', key, value }, proxyOrigin(config, reason))
  return [
    set(
      'net.ipv4.vs.conntrack',
      '1',
      'connections of virtual servers are masqueraded by iptables, which needs conntrack',
    ),
    set('net.ipv4.vs.expire_nodest_conn', '1', 'connections to endpoints that are gone end with their next packet'),
    set('net.ipv4.vs.expire_quiescent_template', '1', 'session affinity does not hold to an endpoint that shuts down'),
    set('net.ipv4.ip_forward', '1', 'virtual servers forward'),
    ...(strictARP
      ? [
          set('net.ipv4.conf.all.arp_ignore', '1', 'strictARP: only the interface that has an address answers for it'),
          set('net.ipv4.conf.all.arp_announce', '2', 'strictARP: ARP requests name an address of their interface'),
        ]
      : []),
    ...(tcpTimeout > 0 || tcpFinTimeout > 0 || udpTimeout > 0
      ? [
          op(
            { kind: 'ipvs.timeouts', tcp: tcpTimeout, tcpFin: tcpFinTimeout, udp: udpTimeout },
            proxyOrigin(config, 'ipvs section of its configuration'),
          ),
        ]
      : []),
  ]
}

/** In the order of syncProxyRules: chains and jumps, sets, servers with their addresses, set members, rules. */
function syncOps(sync: IpvsSync): readonly Op[] {
  const { setup, features } = sync
  const { family, config } = setup
  const chain = proxyOrigin(config, 'a chain that all Services share')
  const jump = proxyOrigin(config, 'leads into the chains of kube-proxy')
  const set = proxyOrigin(config, 'a set that rules ask')
  return [
    ...chainsOf(features).map(({ table, chain: name }) => op({ kind: 'chain.new', family, table, chain: name }, chain)),
    ...jumpsOf(features).map(({ table, chain: from, args }) =>
      op({ kind: 'rule.insert', family, table, chain: from, args }, jump),
    ),
    ...setsOf(sync).map((name) =>
      op({ kind: 'set.new', set: setName(name, family), type: setType(name, family) }, set),
    ),
    ...sync.servers.flatMap(serverOps),
    ...sync.bound.map(({ ip, origin }) => op({ kind: 'addr.add', link: DUMMY_DEVICE, address: addressOf(ip) }, origin)),
    ...setsOf(sync).flatMap((name) =>
      (sync.entries.get(name) ?? []).map(({ text, origin }) =>
        op({ kind: 'set.add', set: setName(name, family), entry: text }, origin),
      ),
    ),
    ...ipvsRules(sync).map(({ table, chain: name, args, origin }) =>
      op({ kind: 'rule.append', family, table, chain: name, args }, origin),
    ),
  ]
}

const setsOf = ({ features }: IpvsSync) => SET_NAMES.filter((name) => name !== 'KUBE-IPVS-IPS' || features.ipvsFilter)

function addressOf(ip: Parameters<typeof hostPrefix>[0]) {
  return { ip, length: hostPrefix(ip).length }
}

/** Endpoints come from a Go set in random order; here they are in the order of their texts. */
function serverOps({ spec, origin, port, endpoints }: IpvsSync['servers'][number]): readonly Op[] {
  const { protocol, address, port: number } = spec
  return [
    op({ kind: 'ipvs.service', service: spec }, origin),
    ...endpoints.map((endpoint) =>
      op(
        {
          kind: 'ipvs.destination',
          service: { protocol, address, port: number },
          destination: { address: endpoint.ip, port: endpoint.port, forward: 'masquerade', weight: 1 },
        },
        endpointOrigin(port, endpoint),
      ),
    ),
  ]
}

const op = (body: OpBody, origin: Origin): Op => ({ ...body, netns: ROOT_NETNS, origin })
