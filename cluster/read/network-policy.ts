import { type Prefix, parsePrefix } from '../../packet/prefix.ts'
import { member } from '../input/json-value.ts'
import type { LabelSelector, NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule } from '../objects.ts'
import { readMeta } from './meta.ts'
import { child, children, has, integer, note, oneOf, type Place, prefixes, text, textMap, texts } from './place.ts'

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const
const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

/** Reads a NetworkPolicy (networking.k8s.io/v1). Egress is implied by `egress` rules, as the API server defaults it. */
export function readNetworkPolicy(root: Place): Omit<NetworkPolicy, 'kind' | 'at' | 'assumed'> {
  const spec = child(root, 'spec')
  const egress = children(spec, 'egress').map((rule) => ruleOf(rule, 'to'))
  return {
    meta: readMeta(root, 'namespaced'),
    podSelector: readLabelSelector(child(spec, 'podSelector')),
    policyTypes: policyTypesOf(spec, egress.length > 0),
    ingress: children(spec, 'ingress').map((rule) => ruleOf(rule, 'from')),
    egress,
  }
}

function policyTypesOf(spec: Place, hasEgress: boolean): NetworkPolicy['policyTypes'] {
  const given = texts(spec, 'policyTypes')
  if (given.length === 0) return hasEgress ? ['Ingress', 'Egress'] : ['Ingress']
  return given.flatMap((type) => {
    if (type === 'Ingress' || type === 'Egress') return [type]
    note(spec, 'policyTypes', { code: 'value-unknown', text: `"${type}" is not one of Ingress, Egress` })
    return []
  })
}

const ruleOf = (rule: Place, peers: 'from' | 'to'): PolicyRule => ({
  peers: children(rule, peers).map(peerOf),
  ports: children(rule, 'ports').map(portOf),
})

function peerOf(peer: Place): PolicyPeer {
  const block = has(peer, 'ipBlock') ? ipBlockOf(child(peer, 'ipBlock')) : undefined
  return {
    ...(has(peer, 'podSelector') ? { podSelector: readLabelSelector(child(peer, 'podSelector')) } : {}),
    ...(has(peer, 'namespaceSelector')
      ? { namespaceSelector: readLabelSelector(child(peer, 'namespaceSelector')) }
      : {}),
    ...(block === undefined ? {} : { ipBlock: block }),
  }
}

function ipBlockOf(block: Place): { cidr: Prefix; except: Prefix[] } | undefined {
  const result = parsePrefix(text(block, 'cidr'), 'mask')
  if (result.ok) return { cidr: result.value, except: prefixes(block, 'except') }
  note(block, 'cidr', { code: 'cidr-invalid', text: result.reason })
  return undefined
}

function portOf(entry: Place): PolicyPort {
  const given = member(entry.value, 'port')
  return {
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
    port: typeof given === 'number' || typeof given === 'string' ? given : undefined,
    endPort: has(entry, 'endPort') ? integer(entry, 'endPort', 0) : undefined,
  }
}

/** Reads `matchLabels` and `matchExpressions`. An unknown operator leaves an expression that matches nothing. */
export function readLabelSelector(selector: Place): LabelSelector {
  return {
    matchLabels: textMap(selector, 'matchLabels'),
    matchExpressions: children(selector, 'matchExpressions').map((expression) => ({
      key: text(expression, 'key'),
      operator: oneOf(expression, 'operator', { values: OPERATORS, absent: 'In' }),
      values: texts(expression, 'values'),
    })),
  }
}
