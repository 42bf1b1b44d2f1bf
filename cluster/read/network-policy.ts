import { containsPrefix, type Prefix } from '../../packet/prefix.ts'
import { isList, isObject, type Json, member } from '../input/json-value.ts'
import type { LabelExpression, LabelSelector, NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule } from '../objects.ts'
import { labelValueRule, qualifiedNameRule, refuseLabels } from './labels.ts'
import { readMeta } from './meta.ts'
import { portNameRule, refuseText } from './names.ts'
import {
  child,
  children,
  has,
  integer,
  listPlace,
  note,
  oneOf,
  type Place,
  refuse,
  refusePort,
  specCidr,
  text,
  textMap,
  texts,
} from './place.ts'

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
  if (given.length > 2)
    refuse(spec, 'policyTypes', {
      code: 'too-many',
      text: `Invalid value: ${JSON.stringify(given)}: may not specify more than two policyTypes`,
    })
  return given.flatMap((type, i) => {
    if (type === 'Ingress' || type === 'Egress') return [type]
    const text = `Unsupported value: "${type}": supported values: "Ingress", "Egress"`
    if (given.length <= 2) refuse(listPlace(spec, 'policyTypes'), i, { code: 'value-unknown', text })
    return []
  })
}

function ruleOf(rule: Place, peers: 'from' | 'to'): PolicyRule {
  return {
    peers: [...children(rule, peers).map(peerOf), ...broken(rule, peers).map(() => NOBODY)],
    ports: [...children(rule, 'ports').map(portOf), ...broken(rule, 'ports').map(() => NO_PORTS)],
  }
}

/** Elements that are no objects: `children` leaves them out, but an empty list would mean everybody and every port. */
function broken(rule: Place, key: string): readonly unknown[] {
  const value = member(rule.value, key)
  if (isList(value)) return value.filter((element) => element !== null && !isObject(element))
  return has(rule, key) ? [value] : []
}

const NOBODY: PolicyPeer = {}

/** No packet has it: what a wrong port stands for, so that it does not open all ports. */
const NO_PORT = 0
const NO_PORTS: PolicyPort = { protocol: 'TCP', port: NO_PORT, endPort: undefined }

function peerOf(peer: Place): PolicyPeer {
  const block = has(peer, 'ipBlock') ? ipBlockOf(child(peer, 'ipBlock')) : undefined
  const selects = has(peer, 'podSelector') || has(peer, 'namespaceSelector')
  if (!selects && !has(peer, 'ipBlock'))
    refuse(peer, undefined, { code: 'required', text: 'Required value: must specify a peer' })
  if (selects && has(peer, 'ipBlock')) {
    const why = 'Forbidden: may not specify both ipBlock and another peer'
    refuse(peer, undefined, { code: 'forbidden', text: why })
  }
  return {
    ...(has(peer, 'podSelector') ? { podSelector: readLabelSelector(child(peer, 'podSelector')) } : {}),
    ...(has(peer, 'namespaceSelector')
      ? { namespaceSelector: readLabelSelector(child(peer, 'namespaceSelector')) }
      : {}),
    ...(block === undefined ? {} : { ipBlock: block }),
  }
}

/** A wrong block leaves a peer that is nobody, never one that is everybody. */
function ipBlockOf(block: Place): { cidr: Prefix; except: Prefix[] } | undefined {
  if (text(block, 'cidr') === '') {
    refuse(block, 'cidr', { code: 'required', text: 'Required value' })
    return undefined
  }
  const cidr = specCidr(block, 'cidr', text(block, 'cidr'))
  if (cidr === undefined) return undefined
  const list = listPlace(block, 'except')
  const except = texts(block, 'except').flatMap((written, i) => {
    const range = specCidr(list, i, written)
    if (range !== undefined && (!containsPrefix(cidr, range) || range.length === cidr.length)) {
      const why = `Invalid value: "${written}": must be a strict subset of \`cidr\``
      refuse(list, i, { code: 'ip-block-except', text: why })
    }
    return range ?? []
  })
  return { cidr, except }
}

function portOf(entry: Place): PolicyPort {
  const given = member(entry.value, 'port')
  if (typeof given === 'number') refusePort(entry, 'port', given)
  else if (typeof given === 'string') refuseText(entry, 'port', { written: given, rule: portNameRule })
  else if (has(entry, 'port')) note(entry, 'port', { code: 'field-type', text: 'is neither a number nor a name' })
  const endPort = has(entry, 'endPort') ? integer(entry, 'endPort', NO_PORT) : undefined
  if (endPort !== undefined) refuseEndPort(entry, given, endPort)
  return {
    protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP', optional: true }),
    port: typeof given === 'number' || typeof given === 'string' ? given : has(entry, 'port') ? NO_PORT : undefined,
    endPort,
  }
}

function refuseEndPort(entry: Place, port: Json | undefined, endPort: number): void {
  const wrong = (why: string) =>
    refuse(entry, 'endPort', { code: 'end-port', text: `Invalid value: ${endPort}: ${why}` })
  if (port === undefined || port === null) wrong('may not be specified when `port` is not specified')
  else if (typeof port !== 'number') wrong('may not be specified when `port` is non-numeric')
  else {
    // The API server prints the other number.
    if (endPort < port)
      refuse(entry, 'endPort', {
        code: 'end-port',
        text: `Invalid value: ${port}: must be greater than or equal to \`port\``,
      })
    refusePort(entry, 'endPort', endPort)
  }
}

/** Reads `matchLabels` and `matchExpressions`. An unknown operator leaves an expression that matches nothing. */
export function readLabelSelector(selector: Place): LabelSelector {
  refuseLabels(selector, 'matchLabels')
  return {
    matchLabels: textMap(selector, 'matchLabels'),
    matchExpressions: children(selector, 'matchExpressions').map(expressionOf),
  }
}

function expressionOf(expression: Place): LabelExpression {
  const key = text(expression, 'key')
  const written = text(expression, 'operator')
  const operator = OPERATORS.find((one) => one === written)
  const values = texts(expression, 'values')
  refuseText(expression, 'key', { written: key, rule: qualifiedNameRule })
  for (const [i, value] of values.entries())
    refuseText(listPlace(expression, 'values'), i, { written: value, rule: labelValueRule })
  if (operator === undefined) {
    refuse(expression, 'operator', {
      code: 'value-unknown',
      text: `Invalid value: "${written}": not a valid selector operator`,
    })
    return { key, operator: 'In', values: [] }
  }
  const needsValues = operator === 'In' || operator === 'NotIn'
  if (needsValues && values.length === 0) {
    const why = "Required value: must be specified when `operator` is 'In' or 'NotIn'"
    refuse(expression, 'values', { code: 'required', text: why })
  }
  if (!needsValues && values.length > 0) {
    const why = "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
    refuse(expression, 'values', { code: 'forbidden', text: why })
  }
  return { key, operator, values }
}
