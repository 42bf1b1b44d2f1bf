import { type Cluster, keyOf } from '../cluster/cluster.ts'
import type { NetworkPolicy } from '../cluster/objects.ts'
import { formatLocation } from '../cluster/source.ts'
import { type Enforcer, enforcerOf, otherPolicies } from '../netpol/enforcer.ts'
import { partyOf } from '../netpol/party.ts'
import { type DirectionVerdict, describeVerdict, evaluate } from '../netpol/policy.ts'
import type { Flow } from '../netpol/rule-match.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Exchange } from './conversation.ts'
import type { PolicyView } from './policy-view.ts'
import type { Trace } from './trace.ts'

/** The policies that select an end of the request or of a query, and what each says of it. */
export function policiesOf(cluster: Cluster, exchange: Exchange): readonly PolicyView[] {
  const enforcer = enforcerOf(cluster)
  const traces = [exchange.request, ...(exchange.lookup?.queries ?? []).map((query) => query.request)]
  const views = new Map<string, PolicyView>()
  for (const trace of traces) {
    if (trace === undefined) continue
    for (const view of viewsOf(cluster, trace, enforcer))
      views.set(`${view.policy} ${view.direction} ${view.pod} ${view.says}`, view)
  }
  return [...views.values()]
}

function viewsOf(cluster: Cluster, trace: Trace, enforcer: Enforcer): readonly PolicyView[] {
  const flow = flowOf(cluster, trace)
  const { ingress, egress } = evaluate(cluster, flow)
  const views = [egress, ingress].flatMap((verdict) =>
    verdict.selecting.map((policy) => viewOf(policy, { verdict, flow, enforcer })),
  )
  const betweenPods = flow.from.kind === 'pod' || flow.to.kind === 'pod'
  return betweenPods ? [...views, ...otherViews(cluster, flow, enforcer)] : views
}

interface Judged {
  readonly verdict: DirectionVerdict
  readonly flow: Flow
  readonly enforcer: Enforcer
}

const enforcedBy = (enforcer: Enforcer): Pick<PolicyView, 'enforced' | 'enforcer'> => ({
  enforced: enforcer.kind === 'none' ? 'no' : 'notModelled',
  enforcer: enforcer.words,
})

function viewOf(policy: NetworkPolicy, { verdict, flow, enforcer }: Judged): PolicyView {
  return {
    policy: `NetworkPolicy ${keyOf(policy.meta)}`,
    ...(policy.at === undefined ? {} : { source: formatLocation({ file: policy.at.file, line: policy.at.line }) }),
    direction: verdict.direction,
    pod: verdict.pod === undefined ? '' : keyOf(verdict.pod.meta),
    allows: verdict.allowed,
    says: describeVerdict(flow, verdict),
    ...enforcedBy(enforcer),
  }
}

/** Policies of other kinds are not evaluated; any of them may decide what passes between pods. */
function otherViews(cluster: Cluster, flow: Flow, enforcer: Enforcer): readonly PolicyView[] {
  const pod = flow.to.kind === 'pod' ? flow.to.pod : flow.from.kind === 'pod' ? flow.from.pod : undefined
  return otherPolicies(cluster).map((policy) => ({
    policy: `${policy.objectKind} ${keyOf(policy.meta)}`,
    ...(policy.at === undefined ? {} : { source: formatLocation({ file: policy.at.file, line: policy.at.line }) }),
    direction: flow.to.kind === 'pod' ? 'ingress' : 'egress',
    pod: pod === undefined ? '' : keyOf(pod.meta),
    allows: false,
    says: `${policy.objectKind} is not evaluated`,
    ...enforcedBy(enforcer),
  }))
}

/** The connection as policies see it: from the sender, to where Service translation sent it. */
function flowOf(cluster: Cluster, { sent, hops }: Trace): Flow {
  const translated = hops
    .flatMap((hop) => hop.steps)
    .findLast((step) => step.kind === 'nat.rewrite' && step.which === 'dst' && !step.undo)
  const to = translated?.kind === 'nat.rewrite' ? translated.after : sent
  return { from: partyOf(cluster, sent.src), to: partyOf(cluster, to.dst), ...portOf(to) }
}

function portOf({ payload }: IpPacket): Pick<Flow, 'protocol' | 'port'> {
  switch (payload.kind) {
    case 'tcp':
      return { protocol: 'TCP', port: payload.dstPort }
    case 'udp':
      return { protocol: 'UDP', port: payload.dstPort }
    case 'sctp':
      return { protocol: 'SCTP', port: payload.dstPort }
    default:
      return { protocol: 'other', port: 0 }
  }
}
