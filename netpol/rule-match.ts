import type { Cluster } from '../cluster/cluster.ts'
import type {
  LabelSelector,
  Labels,
  NetworkPolicy,
  Pod,
  PolicyPeer,
  PolicyPort,
  PolicyRule,
} from '../cluster/objects.ts'
import { selectorMatches } from '../cluster/selector.ts'
import { contains } from '../packet/prefix.ts'
import type { Party } from './party.ts'

/** What policies filter by besides addresses; `other` is a protocol that no policy port can name (ICMP). */
export interface Flow {
  readonly from: Party
  readonly to: Party
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'other'
  /** Destination port after Service translation; 0 for `other`. */
  readonly port: number
}

/** A rule allows a flow if any of its peers and any of its ports match; an absent list matches everything. */
export function ruleMatches(
  cluster: Cluster,
  policy: NetworkPolicy,
  rule: PolicyRule,
  flow: Flow & { readonly peer: Party },
): boolean {
  const peers = rule.peers.length === 0 || rule.peers.some((peer) => peerMatches(cluster, policy, peer, flow.peer))
  return peers && (rule.ports.length === 0 || rule.ports.some((port) => portMatches(port, flow)))
}

/** A peer without any of its three fields cannot be stored; a broken input may hold one, and it matches nobody. */
function peerMatches(cluster: Cluster, policy: NetworkPolicy, peer: PolicyPeer, party: Party): boolean {
  if (peer.ipBlock !== undefined) {
    const { cidr, except } = peer.ipBlock
    return contains(cidr, party.ip) && !except.some((hole) => contains(hole, party.ip))
  }
  if (peer.podSelector === undefined && peer.namespaceSelector === undefined) return false
  if (party.kind !== 'pod') return false
  const { namespace, labels } = party.pod.meta
  const inNamespace =
    peer.namespaceSelector === undefined
      ? namespace === policy.meta.namespace
      : selectorMatches(peer.namespaceSelector, namespaceLabels(cluster, namespace))
  return inNamespace && (peer.podSelector === undefined || selectorMatches(peer.podSelector, labels))
}

/** The API server puts this label on every namespace (KEP-2161). */
const NAME_LABEL = 'kubernetes.io/metadata.name'

const namespaceLabels = (cluster: Cluster, name: string): Labels => ({
  ...cluster.index.namespace.get(name)?.meta.labels,
  [NAME_LABEL]: name,
})

function portMatches(port: PolicyPort, { protocol, port: number, to }: Flow): boolean {
  if (port.protocol !== protocol) return false
  switch (typeof port.port) {
    case 'undefined':
      return true
    case 'number':
      return port.endPort === undefined ? number === port.port : number >= port.port && number <= port.endPort
    default:
      return to.kind === 'pod' && hasNamedPort(to.pod, port.port, flowPort(protocol, number))
  }
}

interface WirePort {
  readonly protocol: Flow['protocol']
  readonly number: number
}

const flowPort = (protocol: Flow['protocol'], number: number): WirePort => ({ protocol, number })

/** A name is looked up in the destination pod; containers and sidecars count, and so does the protocol. */
function hasNamedPort(pod: Pod, name: string, { protocol, number }: WirePort): boolean {
  const containers = [...pod.spec.containers, ...pod.spec.initContainers.filter(({ sidecar }) => sidecar)]
  return containers.some(({ ports }) =>
    ports.some((one) => one.name === name && one.protocol === protocol && one.containerPort === number),
  )
}

export const selects = (selector: LabelSelector, pod: Pod): boolean => selectorMatches(selector, pod.meta.labels)
