import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesTable } from '../../linux/op.ts'
import { formatIp } from '../../packet/ip.ts'
import { proxyOrigin } from '../origin.ts'
import type { ProxyFeatures } from '../versions.ts'
import { SETS, type SetName, setName } from './sets.ts'
import type { IpvsSync } from './sync.ts'

/** The chains and rules of kube-proxy's ipvs mode: few, and the same however many Services there are (writeIptablesRules). */

const SERVICES = 'KUBE-SERVICES'
const POSTROUTING = 'KUBE-POSTROUTING'
const NODE_PORT = 'KUBE-NODE-PORT'
const LOAD_BALANCER = 'KUBE-LOAD-BALANCER'
const MARK_MASQ = 'KUBE-MARK-MASQ'
const FORWARD = 'KUBE-FORWARD'
const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL'
const SOURCE_RANGES_FIREWALL = 'KUBE-SOURCE-RANGES-FIREWALL'
const IPVS_FILTER = 'KUBE-IPVS-FILTER'
const IPVS_OUT_FILTER = 'KUBE-IPVS-OUT-FILTER'
/** Until 1.24, in nat: what it drops is only marked for kubelet's KUBE-FIREWALL in filter. */
const FIREWALL = 'KUBE-FIREWALL'
const MARK_DROP = 'KUBE-MARK-DROP'

export interface ChainAt {
  readonly table: IptablesTable
  readonly chain: string
}

/** iptablesChains, iptablesEnsureChains. */
export function chainsOf(features: ProxyFeatures): readonly ChainAt[] {
  const nat = [SERVICES, POSTROUTING, ...(features.marksDrops ? [FIREWALL] : []), NODE_PORT, LOAD_BALANCER, MARK_MASQ]
  const filter = [
    FORWARD,
    NODE_PORT,
    ...(features.marksDrops ? [] : [PROXY_FIREWALL, SOURCE_RANGES_FIREWALL]),
    ...(features.ipvsFilter ? [IPVS_FILTER] : []),
    ...(features.ipvsOutFilter ? [IPVS_OUT_FILTER] : []),
  ]
  return [
    ...nat.map((chain) => ({ table: 'nat', chain }) as const),
    ...filter.map((chain) => ({ table: 'filter', chain }) as const),
    ...(features.marksDrops ? [{ table: 'nat', chain: MARK_DROP } as const] : []),
  ]
}

export interface JumpAt extends ChainAt {
  readonly to: string
  readonly args: string
}

/** iptablesJumpChain, in the order they are made: each goes to the top of its chain. */
export function jumpsOf(features: ProxyFeatures): readonly JumpAt[] {
  const jump = (table: IptablesTable, chain: string, to: string, comment: string): JumpAt => ({
    table,
    chain,
    to,
    args: `-m comment --comment "${comment}" -j ${to}`,
  })
  return [
    jump('nat', 'OUTPUT', SERVICES, 'kubernetes service portals'),
    jump('nat', 'PREROUTING', SERVICES, 'kubernetes service portals'),
    jump('nat', 'POSTROUTING', POSTROUTING, 'kubernetes postrouting rules'),
    jump('filter', 'FORWARD', FORWARD, 'kubernetes forwarding rules'),
    jump('filter', 'INPUT', NODE_PORT, 'kubernetes health check rules'),
    ...(features.marksDrops
      ? []
      : [
          jump('filter', 'INPUT', PROXY_FIREWALL, 'kube-proxy firewall rules'),
          jump('filter', 'FORWARD', PROXY_FIREWALL, 'kube-proxy firewall rules'),
        ]),
    ...(features.ipvsFilter ? [jump('filter', 'INPUT', IPVS_FILTER, 'kubernetes ipvs access filter')] : []),
    ...(features.ipvsOutFilter ? [jump('filter', 'OUTPUT', IPVS_OUT_FILTER, 'kubernetes ipvs access filter')] : []),
  ]
}

interface Writing {
  readonly sync: IpvsSync
  readonly lines: RuleLine[]
}

/** In the order in which they are written: nat and filter each in their own. */
export function ipvsRules(sync: IpvsSync): readonly RuleLine[] {
  const writing: Writing = { sync, lines: [] }
  writeSetRules(writing)
  writeClusterIPRules(writing)
  writeExternalIPRules(writing)
  writeEndOfServices(writing)
  writeFilter(writing)
  writeMasquerading(writing)
  return writing.lines
}

function write({ sync, lines }: Writing, at: ChainAt, args: string, reason: string): void {
  lines.push({ ...at, args, origin: proxyOrigin(sync.setup.config, reason) })
}

const nat = (chain: string): ChainAt => ({ table: 'nat', chain })
const filter = (chain: string): ChainAt => ({ table: 'filter', chain })

const isEmpty = ({ sync }: Writing, set: SetName): boolean => (sync.entries.get(set)?.length ?? 0) === 0

const matchSet = ({ sync }: Writing, set: SetName, sides: string): string =>
  `-m set --match-set ${setName(set, sync.setup.family)} ${sides}`

const aboutSet = (set: SetName): string => `-m comment --comment "${SETS[set].comment}"`

interface SetRule {
  readonly set: SetName
  readonly at: ChainAt
  readonly to: string
  readonly sides: string
  readonly protocol?: string
}

const NODE_PORT_RULES: readonly SetRule[] = (['TCP', 'UDP'] as const).flatMap((protocol) => [
  nodePortRule(`KUBE-NODE-PORT-LOCAL-${protocol}`, 'RETURN', protocol),
  nodePortRule(`KUBE-NODE-PORT-${protocol}`, MARK_MASQ, protocol),
])

function nodePortRule(set: SetName, to: string, protocol: string): SetRule {
  const sides = protocol === 'SCTP' ? 'dst,dst' : 'dst'
  return { set, at: { table: 'nat', chain: NODE_PORT }, to, sides, protocol: protocol.toLowerCase() }
}

/** ipsetWithIptablesChain. */
function setRules(features: ProxyFeatures): readonly SetRule[] {
  const sources = (at: ChainAt): readonly SetRule[] => [
    { set: 'KUBE-LOAD-BALANCER-SOURCE-CIDR', at, to: 'RETURN', sides: 'dst,dst,src' },
    { set: 'KUBE-LOAD-BALANCER-SOURCE-IP', at, to: 'RETURN', sides: 'dst,dst,src' },
  ]
  const firewall = (at: ChainAt, to: string): SetRule => ({ set: 'KUBE-LOAD-BALANCER-FW', at, to, sides: 'dst,dst' })
  const sctp = [
    nodePortRule('KUBE-NODE-PORT-LOCAL-SCTP-HASH', 'RETURN', 'SCTP'),
    nodePortRule('KUBE-NODE-PORT-SCTP-HASH', MARK_MASQ, 'SCTP'),
  ]
  return [
    { set: 'KUBE-LOOP-BACK', at: nat(POSTROUTING), to: 'MASQUERADE', sides: 'dst,dst,src' },
    { set: 'KUBE-LOAD-BALANCER', at: nat(SERVICES), to: LOAD_BALANCER, sides: 'dst,dst' },
    ...(features.marksDrops ? [firewall(nat(LOAD_BALANCER), FIREWALL), ...sources(nat(FIREWALL))] : []),
    { set: 'KUBE-LOAD-BALANCER-LOCAL', at: nat(LOAD_BALANCER), to: 'RETURN', sides: 'dst,dst' },
    ...NODE_PORT_RULES,
    ...(features.marksSctpBeforeLocal ? sctp.toReversed() : sctp),
    ...(features.marksDrops
      ? []
      : [firewall(filter(PROXY_FIREWALL), SOURCE_RANGES_FIREWALL), ...sources(filter(SOURCE_RANGES_FIREWALL))]),
  ]
}

const WHY: Readonly<Partial<Record<SetName, string>>> = {
  'KUBE-LOOP-BACK': 'a pod that reaches itself through a Service must see another source than itself',
  'KUBE-LOAD-BALANCER': 'load balancer addresses',
  'KUBE-LOAD-BALANCER-LOCAL': 'with externalTrafficPolicy Local the client keeps its address',
  'KUBE-LOAD-BALANCER-FW': 'load balancers with loadBalancerSourceRanges',
  'KUBE-LOAD-BALANCER-SOURCE-CIDR': 'clients in loadBalancerSourceRanges',
  'KUBE-LOAD-BALANCER-SOURCE-IP': 'a node in loadBalancerSourceRanges reaches the address from that address',
}

function writeSetRules(writing: Writing): void {
  const { family } = writing.sync.setup
  const { features } = writing.sync
  if (features.ipvsFilter)
    write(
      writing,
      nat(SERVICES),
      `-s ${family === 4 ? '127.0.0.0/8' : '::1/128'} -j RETURN`,
      'what the machine says to itself is no service traffic',
    )
  for (const { set, at, to, sides, protocol } of setRules(features)) {
    if (isEmpty(writing, set)) continue
    const head = protocol === undefined ? '' : `-p ${protocol} `
    const args = `${head}${aboutSet(set)} ${matchSet(writing, set, sides)} -j ${to}`
    write(writing, at, args, WHY[set] ?? 'node ports')
  }
}

function writeClusterIPRules(writing: Writing): void {
  if (isEmpty(writing, 'KUBE-CLUSTER-IP')) return
  const { masqueradeAll, local } = writing.sync.setup
  const about = aboutSet('KUBE-CLUSTER-IP')
  const match = (sides: string) => `${about} ${matchSet(writing, 'KUBE-CLUSTER-IP', sides)}`
  const [args, reason] = masqueradeAll
    ? [match('dst,dst'), 'masqueradeAll']
    : local === undefined
      ? [match('src,dst'), 'the node reaches a ClusterIP from that ClusterIP, which is its own']
      : [`${match('dst,dst')} ${local.not}`, 'clients that are no pods may have been routed to any node']
  write(writing, nat(SERVICES), `${args} -j ${MARK_MASQ}`, reason)
}

function writeExternalIPRules(writing: Writing): void {
  for (const set of ['KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL'] as const) {
    if (isEmpty(writing, set)) continue
    const match = `${aboutSet(set)} ${matchSet(writing, set, 'dst,dst')}`
    const why = 'external addresses'
    if (set === 'KUBE-EXTERNAL-IP') write(writing, nat(SERVICES), `${match} -j ${MARK_MASQ}`, why)
    const fromOutside = '-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL'
    write(writing, nat(SERVICES), `${match} ${fromOutside} -j ACCEPT`, why)
    write(writing, nat(SERVICES), `${match} -m addrtype --dst-type LOCAL -j ACCEPT`, why)
  }
}

/** The accepting rules must stay the last: they end the chain for what virtual servers deal with. */
function writeEndOfServices(writing: Writing): void {
  const { features } = writing.sync
  write(writing, nat(SERVICES), `-m addrtype --dst-type LOCAL -j ${NODE_PORT}`, 'addresses that serve nodePorts')
  write(writing, nat(LOAD_BALANCER), `-j ${MARK_MASQ}`, 'load balancer traffic may be sent to another node')
  if (features.marksDrops) write(writing, nat(FIREWALL), `-j ${MARK_DROP}`, 'clients outside loadBalancerSourceRanges')
  for (const set of ['KUBE-CLUSTER-IP', 'KUBE-LOAD-BALANCER'] as const)
    if (!isEmpty(writing, set))
      write(writing, nat(SERVICES), `${matchSet(writing, set, 'dst,dst')} -j ACCEPT`, 'a virtual server takes it')
}

function writeFilter(writing: Writing): void {
  const { features, setup, barredFromNode } = writing.sync
  if (!features.marksDrops)
    write(writing, filter(SOURCE_RANGES_FIREWALL), '-j DROP', 'clients outside loadBalancerSourceRanges')
  if (features.ipvsOutFilter)
    for (const { server, origin } of barredFromNode) {
      const ip = formatIp(server.address)
      const match = `-s ${ip} -m ipvs --vaddr ${ip} --vproto ${server.protocol.toLowerCase()} --vport ${server.port}`
      writing.lines.push({ ...filter(IPVS_OUT_FILTER), args: `${match} -j DROP`, origin })
    }
  const { mark } = setup
  write(
    writing,
    filter(FORWARD),
    `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
    'service traffic to be masqueraded passes whatever the policy of FORWARD is',
  )
  for (const comment of features.forwardComments)
    write(
      writing,
      filter(FORWARD),
      `-m comment --comment "${comment}" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      'what follows an accepted packet is accepted',
    )
  if (features.healthCheckRule)
    write(
      writing,
      filter(NODE_PORT),
      `${aboutSet('KUBE-HEALTH-CHECK-NODE-PORT')} ${matchSet(writing, 'KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT`,
      'probes of load balancers',
    )
  if (features.ipvsFilter) writeIpvsFilter(writing)
}

/** Other ports of a service address are refused, as no address but of this machine would be there otherwise. */
function writeIpvsFilter(writing: Writing): void {
  const let_ = (set: SetName, sides: string) =>
    write(writing, filter(IPVS_FILTER), `${matchSet(writing, set, sides)} -j RETURN`, 'ports that Services have')
  let_('KUBE-LOAD-BALANCER', 'dst,dst')
  let_('KUBE-CLUSTER-IP', 'dst,dst')
  let_('KUBE-EXTERNAL-IP', 'dst,dst')
  if (writing.sync.features.ipvsOutFilter) let_('KUBE-EXTERNAL-IP-LOCAL', 'dst,dst')
  let_('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')
  write(
    writing,
    filter(IPVS_FILTER),
    `-m conntrack --ctstate NEW ${matchSet(writing, 'KUBE-IPVS-IPS', 'dst')} -j REJECT`,
    "the node's own ports must not answer on service addresses",
  )
}

function writeMasquerading(writing: Writing): void {
  const { mark, facts } = writing.sync.setup
  const why = `packets with mark ${mark} are masqueraded`
  const randomFully = facts.capabilities.randomFully ? ' --random-fully' : ''
  write(writing, nat(POSTROUTING), `-m mark ! --mark ${mark}/${mark} -j RETURN`, why)
  write(writing, nat(POSTROUTING), `-j MARK --xor-mark ${mark}`, why)
  write(
    writing,
    nat(POSTROUTING),
    `-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE${randomFully}`,
    why,
  )
  write(writing, nat(MARK_MASQ), `-j MARK --or-mark ${mark}`, why)
}
