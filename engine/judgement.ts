import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { Assumption, Diagnostic } from '../cluster/source.ts'
import type { Refusal } from '../cni/plugin.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { enforcerOf, otherPolicies } from '../netpol/enforcer.ts'
import { formatIp, type Ip, ipKey, sameIp } from '../packet/ip.ts'
import { contains } from '../packet/prefix.ts'
import type { Built, Unmodelled } from './build.ts'
import type { Exchange } from './conversation.ts'
import { policiesOf } from './policies-of.ts'
import type { PolicyView } from './policy-view.ts'
import type { Probe } from './probe.ts'
import { servicesAt } from './service-addresses.ts'
import type { Disposition, Trace } from './trace.ts'
import { type Why, whyOf } from './why.ts'

/** What is to be said about an exchange beside its packets: policies, what is not modelled, what was assumed. */
export interface Judgement {
  readonly disposition: Disposition
  readonly policies: readonly PolicyView[]
  /** Entries that the pod network wanted on a machine of the way, and that are not there. */
  readonly refusals: readonly Refusal[]
  readonly why: readonly Why[]
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * A walked answer stands only if everything it rests on is modelled. A Service in an unknown proxy mode, a pod network
 * that is not computed, a policy whose enforcer is not: each turns the verdict into insufficientInfo, by name.
 */
export function judge(built: Built, probe: Probe, exchange: Exchange): Judgement {
  const policies = policiesOf(built.cluster, exchange)
  const unknown =
    firstUnknown(built, probe, exchange, policies) ?? hostPort(built.cluster, exchange) ?? unknownAnswer(exchange)
  return {
    disposition: unknown ?? exchange.disposition,
    policies,
    refusals: refusalsOnTheWay(built, exchange),
    why: unknown === undefined ? whyOf(built.cluster, exchange) : [],
    assumptions: [
      ...noPolicies(built.cluster, probe, exchange),
      ...relevantAssumptions(built, exchange),
      ...sctpModule(probe),
    ],
    diagnostics: built.diagnostics,
  }
}

function firstUnknown(
  built: Built,
  probe: Probe,
  exchange: Exchange,
  policies: readonly PolicyView[],
): Disposition | undefined {
  for (const part of built.notModelled) if (concerns(part, built.cluster, probe, exchange)) return missing(part)
  const policy = policies.find((view) => view.enforced === 'notModelled')
  if (policy === undefined) return undefined
  return {
    kind: 'insufficientInfo',
    detail: `${policy.policy} (${policy.direction} of ${policy.pod}) is enforced by ${policy.enforcer}, which is not modelled`,
  }
}

/** hostPorts are not modelled: a refusal at a node's address and a port that a pod claims there proves nothing. */
function hostPort(cluster: Cluster, { request }: Exchange): Disposition | undefined {
  if (request?.disposition.kind !== 'noListener') return undefined
  const { dst, payload } = request.sent
  if (!('dstPort' in payload)) return undefined
  const node = cluster.nodes.find((candidate) => candidate.internalIPs.some((ip) => sameIp(ip, dst)))
  const pods = node === undefined ? [] : (cluster.index.podsOnNode.get(node.meta.name) ?? [])
  const claiming = pods.find(
    (pod) =>
      !pod.spec.hostNetwork &&
      pod.spec.containers.some((container) => container.ports.some((port) => port.hostPort === payload.dstPort)),
  )
  if (claiming === undefined) return undefined
  return {
    kind: 'insufficientInfo',
    detail: `not modelled: hostPort ${payload.dstPort} of pod ${keyOf(claiming.meta)}`,
  }
}

/** A name that did not resolve because the answer lies where the input describes nothing. */
function unknownAnswer({ outcome, packets, unknowns }: Exchange): Disposition | undefined {
  if (outcome.kind === 'connected' || outcome.kind === 'answered' || outcome.kind === 'resolved') return undefined
  const [unknown] = unknowns
  if (unknown !== undefined) return { kind: 'insufficientInfo', detail: `${unknown.what}: ${unknown.detail}` }
  if (outcome.kind !== 'notResolved') return undefined
  const left = packets.find(
    (trace) =>
      trace.disposition.kind === 'leftCluster' && 'dstPort' in trace.sent.payload && trace.sent.payload.dstPort === 53,
  )
  if (left === undefined) return undefined
  return {
    kind: 'insufficientInfo',
    detail: `the name is asked of ${formatIp(left.sent.dst)}, outside the input: give its records in spec.upstreamDNS of a Lab document`,
  }
}

const missing = ({ what, missing: why, evidence }: Unmodelled): Disposition => ({
  kind: 'insufficientInfo',
  detail: `not modelled: ${what} (${why}); seen in ${evidence}`,
})

/** kube-proxy matters where a packet is sent to a Service address; the pod network wherever a pod takes part. */
function concerns(part: Unmodelled, cluster: Cluster, probe: Probe, { packets }: Exchange): boolean {
  if (part.part === 'proxy') {
    if (packets.some((trace) => isServiceAddress(cluster, trace.sent.dst))) return true
    return probe.target.ip !== undefined && isServiceAddress(cluster, probe.target.ip)
  }
  return meetsPod(cluster, probe, packets)
}

/** Whether a pod sends or is sent to, if only after a Service's address has been translated. */
const meetsPod = ({ index }: Cluster, probe: Probe, packets: readonly Trace[]): boolean =>
  probe.from.netns !== ROOT_NETNS ||
  packets.some(({ hops }) =>
    hops.some(
      ({ netns, steps }) =>
        netns !== ROOT_NETNS ||
        steps.some((step) => step.kind === 'route.lookup' && index.podByIp.has(ipKey(step.destination))),
    ),
  )

/** Where policies would be enforced and the input has none, it may be that nobody collected them. */
function noPolicies(cluster: Cluster, probe: Probe, { packets }: Exchange): readonly Assumption[] {
  const enforcer = enforcerOf(cluster)
  if (enforcer.kind === 'none' || cluster.networkPolicies.length + otherPolicies(cluster).length > 0) return []
  if (!meetsPod(cluster, probe, packets)) return []
  return [
    {
      code: 'no-policies',
      text: `there are no network policies: the input holds none, and ${enforcer.words} would enforce them`,
      set: 'NetworkPolicy objects in the input',
      collect: 'kubectl get networkpolicies -A -o yaml',
    },
  ]
}

/** No API object tells what a kernel can; without the module a socket cannot be had, and packets are for nobody. */
const sctpModule = ({ kind }: Probe): readonly Assumption[] =>
  kind === 'associate'
    ? [{ code: 'sctp-module', text: 'every kernel on the way has SCTP (module sctp)', collect: 'lsmod | grep sctp' }]
    : []

const isServiceAddress = (cluster: Cluster, address: Ip): boolean => servicesAt(cluster, address).length > 0

/** A missing route matters to the packets that it would have carried, on the machine that lacks it. */
function refusalsOnTheWay(built: Built, { request, reply }: Exchange): readonly Refusal[] {
  const found: Refusal[] = []
  for (const trace of [request, reply])
    for (const hop of trace?.hops ?? []) {
      if (!built.cluster.index.node.has(hop.host)) continue
      const looked = hop.steps.flatMap((step) => (step.kind === 'route.lookup' ? [step.destination] : []))
      for (const refusal of built.refusals(hop.host))
        if (!found.includes(refusal) && looked.some((address) => contains(refusal.destination, address)))
          found.push(refusal)
    }
  return found
}

/** The assumptions about machines, pods and Services that the packets met, and those about the whole cluster; once each. */
function relevantAssumptions(built: Built, { packets }: Exchange): readonly Assumption[] {
  const met = objectsMet(built.cluster, packets)
  return onceEach(built).filter(
    ({ object }) => object === undefined || met.has(object) || !/^(Node|Pod|Service) /.test(object),
  )
}

const distinct = new WeakMap<Built, readonly Assumption[]>()

function onceEach(built: Built): readonly Assumption[] {
  const known = distinct.get(built)
  if (known !== undefined) return known
  const byText = new Map<string, Assumption>()
  for (const assumption of built.assumptions) {
    const key = `${assumption.code} ${assumption.text}`
    if (!byText.has(key)) byText.set(key, assumption)
  }
  const assumptions = [...byText.values()]
  distinct.set(built, assumptions)
  return assumptions
}

function objectsMet(cluster: Cluster, packets: readonly Trace[]): ReadonlySet<string> {
  const met = new Set<string>()
  for (const { sent, hops } of packets) {
    for (const service of servicesAt(cluster, sent.dst)) met.add(`Service ${keyOf(service.meta)}`)
    for (const { host, netns } of hops) met.add(netns === ROOT_NETNS ? `Node ${host}` : `Pod ${netns}`)
  }
  return met
}
