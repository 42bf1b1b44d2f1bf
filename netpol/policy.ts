import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { NetworkPolicy, Pod } from '../cluster/objects.ts'
import { sameIp } from '../packet/ip.ts'
import { isOwnNode, type Party } from './party.ts'
import { type Flow, ruleMatches, selects } from './rule-match.ts'

/**
 * NetworkPolicy (networking.k8s.io/v1) as the API defines it, whoever enforces it: per pod and direction, a union of
 * rules, and both ends must allow. Asked about a new connection after Service translation; answers are let through by
 * connection tracking, not by policy.
 */

export type Direction = 'ingress' | 'egress'

export interface Evaluation {
  readonly ingress: DirectionVerdict
  readonly egress: DirectionVerdict
  /** Both directions allow. */
  readonly allowed: boolean
  /** The API leaves this open, so enforcers differ: ICMP and other protocols under rules with ports. */
  readonly undefinedBySpec: boolean
}

export interface DirectionVerdict {
  readonly direction: Direction
  /** The pod whose policies are asked; undefined where that end is no pod. */
  readonly pod: Pod | undefined
  /** Whether any policy isolates the pod in this direction. */
  readonly isolated: boolean
  readonly allowed: boolean
  /** The policies that isolate it, by name. */
  readonly selecting: readonly NetworkPolicy[]
  /** The first rule that allows the flow: 0-based index within `ingress` or `egress` of its policy. */
  readonly by?: { readonly policy: NetworkPolicy; readonly rule: number }
  /** Why policies have no say although they select the pod. */
  readonly exempt?: 'self' | 'ownNode'
}

/** The policies that isolate a pod in a direction. Pods on the host network are not subject to any. */
export function policiesSelecting(cluster: Cluster, pod: Pod, direction: Direction): readonly NetworkPolicy[] {
  if (pod.spec.hostNetwork) return []
  const type = direction === 'ingress' ? 'Ingress' : 'Egress'
  const policies = cluster.index.policiesOfNamespace.get(pod.meta.namespace) ?? []
  return policies.filter((policy) => policy.policyTypes.includes(type) && selects(policy.podSelector, pod))
}

export function evaluate(cluster: Cluster, flow: Flow): Evaluation {
  const ingress = verdict(cluster, flow, 'ingress')
  const egress = verdict(cluster, flow, 'egress')
  const rulesSay = (one: DirectionVerdict) => one.isolated && one.exempt === undefined
  return {
    ingress,
    egress,
    allowed: ingress.allowed && egress.allowed,
    undefinedBySpec:
      flow.protocol === 'other' && [ingress, egress].some((one) => rulesSay(one) && dependsOnPorts(cluster, flow, one)),
  }
}

function verdict(cluster: Cluster, flow: Flow, direction: Direction): DirectionVerdict {
  const [subject, peer] = direction === 'ingress' ? [flow.to, flow.from] : [flow.from, flow.to]
  if (subject.kind !== 'pod') return { direction, pod: undefined, isolated: false, allowed: true, selecting: [] }
  const { pod } = subject
  const selecting = policiesSelecting(cluster, pod, direction)
  const base = { direction, pod, isolated: selecting.length > 0, selecting }
  if (selecting.length === 0) return { ...base, allowed: true }
  const exempt = exemption(cluster, pod, subject, peer)
  if (exempt !== undefined) return { ...base, allowed: true, exempt }
  const by = firstRule(cluster, selecting, direction, { ...flow, peer })
  return by === undefined ? { ...base, allowed: false } : { ...base, allowed: true, by }
}

/** A pod reaches its own address without leaving its namespace, and its node may always talk with it. */
function exemption(cluster: Cluster, pod: Pod, subject: Party, peer: Party): DirectionVerdict['exempt'] {
  if (sameIp(subject.ip, peer.ip)) return 'self'
  return isOwnNode(cluster, pod, peer) ? 'ownNode' : undefined
}

function firstRule(
  cluster: Cluster,
  policies: readonly NetworkPolicy[],
  direction: Direction,
  flow: Flow & { readonly peer: Party },
): DirectionVerdict['by'] {
  for (const policy of policies)
    for (const [rule, one] of policy[direction].entries())
      if (ruleMatches(cluster, policy, one, flow)) return { policy, rule }
  return undefined
}

/** Whether a rule with ports would have matched but for them. */
function dependsOnPorts(cluster: Cluster, flow: Flow, { direction, selecting, by }: DirectionVerdict): boolean {
  if (by !== undefined) return false
  const peer = direction === 'ingress' ? flow.from : flow.to
  return selecting.some((policy) =>
    policy[direction].some(
      (rule) => rule.ports.length > 0 && ruleMatches(cluster, policy, { ...rule, ports: [] }, { ...flow, peer }),
    ),
  )
}

/** One sentence: `default/db is isolated (db-allow) and no rule allows default/client on TCP/6379`. */
export function describeVerdict(flow: Flow, verdict: DirectionVerdict): string {
  const { pod, direction, selecting, by, exempt } = verdict
  if (pod === undefined) return `policies have no say about the ${direction} of an address outside the pod network`
  const key = keyOf(pod.meta)
  if (selecting.length === 0) return `no policy selects ${key} for ${direction}`
  const names = selecting.map(({ meta }) => meta.name).join(', ')
  if (exempt === 'self') return `${key} talks to itself, whatever ${names} says`
  if (exempt === 'ownNode') return `the node of ${key} may always talk with it, whatever ${names} says`
  if (by !== undefined) return `${direction} rule ${by.rule + 1} of ${by.policy.meta.name} allows it`
  const peer = direction === 'ingress' ? flow.from : flow.to
  const who = peer.kind === 'pod' ? keyOf(peer.pod.meta) : 'this address'
  const what = flow.protocol === 'other' ? 'this protocol' : `${flow.protocol}/${flow.port}`
  return `${key} is isolated for ${direction} (${names}) and no rule allows ${who} on ${what}`
}
