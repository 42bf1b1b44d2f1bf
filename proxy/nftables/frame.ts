import type { NftBase, NftObject } from '../../linux/netfilter/nftables/object.ts'
import type { Origin } from '../../linux/origin.ts'
import type { Hook } from '../../linux/step.ts'
import type { NftCommand } from './command.ts'
import {
  CLUSTER_IPS,
  CLUSTER_IPS_CHECK,
  FIREWALL_CHECK,
  FIREWALL_IPS,
  HAIRPIN_CONNECTIONS,
  MARK_FOR_MASQUERADE,
  MASQUERADING,
  NO_ENDPOINT_NODEPORTS,
  NO_ENDPOINT_SERVICES,
  NODEPORT_ENDPOINTS_CHECK,
  NODEPORT_IPS,
  REJECT_CHAIN,
  SERVICE_ENDPOINTS_CHECK,
  SERVICE_IPS,
  SERVICE_NODEPORTS,
  SERVICES,
} from './names.ts'
import type { SyncSetup } from './sync-setup.ts'

interface BaseChain {
  readonly name: string
  readonly base: NftBase
}

const base = (name: string, type: 'filter' | 'nat', hook: Hook, priority: number): BaseChain => ({
  name,
  base: { type, hook, priority },
})

const NAT_CHAINS: readonly BaseChain[] = [
  base('nat-prerouting', 'nat', 'prerouting', -100),
  base('nat-output', 'nat', 'output', -100),
  base('nat-postrouting', 'nat', 'postrouting', 100),
]

/** Since 1.33: source ranges are looked at before DNAT, everything else after it. */
const BASE_CHAINS: readonly BaseChain[] = [
  base('filter-prerouting-pre-dnat', 'filter', 'prerouting', -110),
  base('filter-output-pre-dnat', 'filter', 'output', -110),
  base('filter-input', 'filter', 'input', 0),
  base('filter-forward', 'filter', 'forward', 0),
  base('filter-output', 'filter', 'output', 0),
  ...NAT_CHAINS,
]

/** Until 1.32: all filtering stood before DNAT, but for addresses that nobody has on the way out. */
const EARLY_BASE_CHAINS: readonly BaseChain[] = [
  base('filter-prerouting', 'filter', 'prerouting', -110),
  base('filter-input', 'filter', 'input', -110),
  base('filter-forward', 'filter', 'forward', -110),
  base('filter-output', 'filter', 'output', -110),
  base('filter-output-post-dnat', 'filter', 'output', -90),
  ...NAT_CHAINS,
]

interface Jump {
  readonly from: string
  readonly to: string
  readonly onlyNew: boolean
}

const jump = (to: string, from: string, onlyNew: boolean): Jump => ({ from, to, onlyNew })

/** In the order in which they are written, which makes the chains that they lead to. */
function jumps(early: boolean): readonly Jump[] {
  return [
    jump(NODEPORT_ENDPOINTS_CHECK, 'filter-input', true),
    jump(SERVICE_ENDPOINTS_CHECK, 'filter-input', true),
    jump(SERVICE_ENDPOINTS_CHECK, 'filter-forward', true),
    jump(SERVICE_ENDPOINTS_CHECK, 'filter-output', true),
    jump(FIREWALL_CHECK, early ? 'filter-prerouting' : 'filter-prerouting-pre-dnat', true),
    jump(FIREWALL_CHECK, early ? 'filter-output' : 'filter-output-pre-dnat', true),
    jump(SERVICES, 'nat-output', false),
    jump(SERVICES, 'nat-prerouting', false),
    jump(MASQUERADING, 'nat-postrouting', false),
    jump(CLUSTER_IPS_CHECK, 'filter-forward', true),
    jump(CLUSTER_IPS_CHECK, early ? 'filter-output-post-dnat' : 'filter-output', true),
  ]
}

/** Takes commands down, each with the reason why it is given. */
interface Writer {
  readonly setup: SyncSetup
  readonly commands: NftCommand[]
}

/**
 * What a full sync writes before the services: the table, base chains, and what all services share
 * (pkg/proxy/nftables/proxier.go setupNFTables). `first`: base chains of an earlier kube-proxy are replaced.
 */
export function frameCommands(setup: SyncSetup, { first }: { readonly first: boolean }): readonly NftCommand[] {
  const writer: Writer = { setup, commands: [] }
  const early = setup.features.nftFiltersBeforeDNAT
  add(writer, { kind: 'table', comment: 'rules for kube-proxy' }, 'holds everything that kube-proxy writes')
  writeBaseChains(writer, early ? EARLY_BASE_CHAINS : BASE_CHAINS, first)
  writeJumps(writer, jumps(early))
  if (setup.features.nftMarksInPlace) writeHairpinSet(writer)
  writeMasquerading(writer)
  writeClusterIPsCheck(writer)
  writeNodePortIPs(writer)
  writeEndpointsCheck(writer)
  writeFirewall(writer)
  writeDispatch(writer)
  return writer.commands
}

function add(writer: Writer, object: NftObject, reason: string): void {
  writer.commands.push({ kind: 'nft.add', object: said(writer, object), origin: writer.setup.origin(reason) })
}

/** Comments of rules and elements are written by every release. */
function said({ setup }: Writer, object: NftObject): NftObject {
  if (setup.features.nftObjectComments || object.kind === 'element' || !('comment' in object)) return object
  const { comment: _, ...silent } = object
  return silent
}

function rule(writer: Writer, at: readonly [chain: string, rule: string], reason: string): void {
  add(writer, { kind: 'rule', chain: at[0], rule: at[1] }, reason)
}

function withOrigin(writer: Writer, command: Pick<NftCommand, 'kind' | 'object'>, reason: string): void {
  const origin: Origin = writer.setup.origin(reason)
  writer.commands.push({ ...command, origin } as NftCommand)
}

function writeBaseChains(writer: Writer, chains: readonly BaseChain[], first: boolean): void {
  const reason = 'a hook at which kube-proxy sees packets'
  if (first)
    for (const { name } of chains) {
      add(writer, { kind: 'chain', name }, reason)
      withOrigin(writer, { kind: 'nft.delete', object: { kind: 'chain', name } }, reason)
    }
  for (const { name, base } of chains) {
    add(writer, { kind: 'chain', name, base }, reason)
    withOrigin(writer, { kind: 'nft.flush', object: { kind: 'chain', name } }, reason)
  }
}

/** A chain is emptied where it is first named. */
function writeJumps(writer: Writer, all: readonly Jump[]): void {
  const made = new Set<string>()
  const ensure = (name: string): void => {
    if (made.has(name)) return
    made.add(name)
    emptyChain(writer, { kind: 'chain', name }, 'a chain that all Services share')
  }
  for (const { from, to, onlyNew } of all) {
    ensure(to)
    rule(writer, [from, `${onlyNew ? 'ct state new ' : ''}jump ${to}`], 'leads into the chains of kube-proxy')
  }
  if (!writer.setup.features.nftMarksInPlace) ensure(MARK_FOR_MASQUERADE)
}

function emptyChain(writer: Writer, chain: Extract<NftObject, { kind: 'chain' }>, reason: string): void {
  add(writer, chain, reason)
  withOrigin(writer, { kind: 'nft.flush', object: { kind: 'chain', name: chain.name } }, reason)
}

const toService = (ip: string): string => `${ip} daddr . meta l4proto . th dport`
const tuple = (address: string): string => `${address} . inet_proto . inet_service`

function writeHairpinSet(writer: Writer): void {
  const { address } = writer.setup
  add(
    writer,
    {
      kind: 'set',
      name: HAIRPIN_CONNECTIONS,
      type: `${address} . ${tuple(address)}`,
      comment: 'service hairpin connections',
    },
    'a pod that reaches itself through a Service must see another source than itself',
  )
}

/** The mark is taken off again, so that a packet that passes the stack twice is not masqueraded twice. */
function writeMasquerading(writer: Writer): void {
  const { mark, ip, features } = writer.setup
  const why = `packets with mark ${mark} are masqueraded`
  if (!features.nftMarksInPlace) {
    rule(writer, [MARK_FOR_MASQUERADE, `mark set mark or ${mark}`], why)
    rule(writer, [MASQUERADING, `mark and ${mark} == 0 return`], why)
    rule(writer, [MASQUERADING, `mark set mark xor ${mark}`], why)
    rule(writer, [MASQUERADING, 'masquerade fully-random'], why)
    return
  }
  rule(writer, [MASQUERADING, `mark and ${mark} != 0 mark set mark xor ${mark} masquerade fully-random`], why)
  rule(
    writer,
    [MASQUERADING, `ct status dnat ${ip} saddr . ${toService(ip)} @${HAIRPIN_CONNECTIONS} masquerade fully-random`],
    'a pod that reaches itself through a Service must see another source than itself',
  )
}

function writeClusterIPsCheck(writer: Writer): void {
  const { ip, address, serviceCIDRs } = writer.setup
  add(
    writer,
    { kind: 'set', name: CLUSTER_IPS, type: address, comment: 'Active ClusterIPs' },
    'the addresses of Services',
  )
  rule(
    writer,
    [CLUSTER_IPS_CHECK, `${ip} daddr @${CLUSTER_IPS} reject comment "Reject traffic to invalid ports of ClusterIPs"`],
    'what is sent to a ClusterIP and was not translated is for a port that the Service does not have',
  )
  if (serviceCIDRs.length > 0)
    rule(
      writer,
      [
        CLUSTER_IPS_CHECK,
        `${ip} daddr { ${serviceCIDRs.join(',')} } drop comment "Drop traffic to unallocated ClusterIPs"`,
      ],
      'an address of the Service range that no Service has',
    )
}

function writeNodePortIPs(writer: Writer): void {
  const { address, nodePortIPs } = writer.setup
  const reason = 'addresses that serve nodePorts'
  const object = { kind: 'set', name: NODEPORT_IPS } as const
  add(writer, { ...object, type: address, comment: 'IPs that accept NodePort traffic' }, reason)
  withOrigin(writer, { kind: nodePortIPs === 'all' ? 'nft.delete' : 'nft.flush', object }, reason)
  if (nodePortIPs === 'all') return
  for (const key of nodePortIPs) add(writer, { kind: 'element', of: 'set', set: NODEPORT_IPS, key }, reason)
}

/** There are no nodePorts on localhost. */
function noLocalhost({ family, ip }: SyncSetup): string {
  return family === 4 ? `${ip} daddr != 127.0.0.0/8` : `${ip} daddr != ::1`
}

function writeEndpointsCheck(writer: Writer): void {
  const { ip, address, nodePortIPs } = writer.setup
  const why = 'Services that have no endpoints'
  const map = { kind: 'map', value: 'verdict' } as const
  add(
    writer,
    {
      ...map,
      name: NO_ENDPOINT_SERVICES,
      type: tuple(address),
      comment: 'vmap to drop or reject packets to services with no endpoints',
    },
    why,
  )
  add(
    writer,
    {
      ...map,
      name: NO_ENDPOINT_NODEPORTS,
      type: 'inet_proto . inet_service',
      comment: 'vmap to drop or reject packets to service nodeports with no endpoints',
    },
    why,
  )
  const helper = `helper for @${NO_ENDPOINT_SERVICES} / @${NO_ENDPOINT_NODEPORTS}`
  emptyChain(writer, { kind: 'chain', name: REJECT_CHAIN, comment: helper }, why)
  rule(writer, [REJECT_CHAIN, 'reject'], why)
  rule(writer, [SERVICE_ENDPOINTS_CHECK, `${toService(ip)} vmap @${NO_ENDPOINT_SERVICES}`], why)
  const served = nodePortIPs === 'all' ? noLocalhost(writer.setup) : `${ip} daddr @${NODEPORT_IPS}`
  rule(writer, [NODEPORT_ENDPOINTS_CHECK, `${served} meta l4proto . th dport vmap @${NO_ENDPOINT_NODEPORTS}`], why)
}

function writeFirewall(writer: Writer): void {
  const { ip, address } = writer.setup
  const why = 'Services with loadBalancerSourceRanges'
  add(
    writer,
    {
      kind: 'map',
      name: FIREWALL_IPS,
      type: tuple(address),
      value: 'verdict',
      comment: 'destinations that are subject to LoadBalancerSourceRanges',
    },
    why,
  )
  rule(writer, [FIREWALL_CHECK, `${toService(ip)} vmap @${FIREWALL_IPS}`], why)
}

function writeDispatch(writer: Writer): void {
  const { ip, address, nodePortIPs } = writer.setup
  const why = 'what is sent to a Service goes to its chain'
  add(
    writer,
    {
      kind: 'map',
      name: SERVICE_IPS,
      type: tuple(address),
      value: 'verdict',
      comment: 'ClusterIP, ExternalIP and LoadBalancer IP traffic',
    },
    why,
  )
  add(
    writer,
    {
      kind: 'map',
      name: SERVICE_NODEPORTS,
      type: 'inet_proto . inet_service',
      value: 'verdict',
      comment: 'NodePort traffic',
    },
    why,
  )
  if (writer.setup.features.nftMarksInPlace) writeClusterIPMasquerade(writer)
  rule(writer, [SERVICES, `${toService(ip)} vmap @${SERVICE_IPS}`], why)
  const served =
    nodePortIPs === 'all' ? `fib daddr type local ${noLocalhost(writer.setup)}` : `${ip} daddr @${NODEPORT_IPS}`
  rule(writer, [SERVICES, `${served} meta l4proto . th dport vmap @${SERVICE_NODEPORTS}`], why)
}

/** Off-cluster clients may route the service range to any node; the answer must come back through it. */
function writeClusterIPMasquerade(writer: Writer): void {
  const { ip, mark, masqueradeAll, local } = writer.setup
  const toClusterIP = `${ip} daddr @${CLUSTER_IPS}`
  if (masqueradeAll)
    rule(
      writer,
      [SERVICES, `${toClusterIP} mark set mark or ${mark} comment "masquerade all clusterIP traffic"`],
      'masqueradeAll is set',
    )
  else if (local !== undefined)
    rule(
      writer,
      [
        SERVICES,
        `${toClusterIP} ${local.not} mark set mark or ${mark} comment "masquerade clusterIP traffic from outside cluster"`,
      ],
      'a client outside the cluster must be answered through this node',
    )
}
