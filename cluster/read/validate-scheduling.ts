import { labelValueRule, qualifiedNameRule, refuseLabels } from './labels.ts'
import { labelRule, type NameRule, refuseText, subdomainRule } from './names.ts'
import { readLabelSelector } from './network-policy.ts'
import { child, children, has, integer, listPlace, oneOf, type Place, refuse, text, texts } from './place.ts'

/** What the API server refuses in the part of a pod's spec that the scheduler reads (pkg/apis/core/validation). */
export function validateScheduling(spec: Place): void {
  refuseLabels(spec, 'nodeSelector')
  if (text(spec, 'nodeName') !== '')
    refuseText(spec, 'nodeName', { written: text(spec, 'nodeName'), rule: subdomainRule })
  for (const toleration of children(spec, 'tolerations')) validateToleration(toleration)
  for (const gate of children(spec, 'readinessGates'))
    refuseText(gate, 'conditionType', { written: text(gate, 'conditionType'), rule: qualifiedNameRule })
  const affinity = child(spec, 'affinity')
  validateNodeAffinity(child(affinity, 'nodeAffinity'))
  for (const side of ['podAffinity', 'podAntiAffinity']) {
    const terms = child(affinity, side)
    for (const term of children(terms, REQUIRED)) validatePodTerm(term)
    for (const weighted of children(terms, PREFERRED)) {
      refuseWeight(weighted)
      validatePodTerm(child(weighted, 'podAffinityTerm'))
    }
  }
  validateSpreading(spec)
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

/** ValidateTolerations. What is wrong with a value it says of the operator. */
function validateToleration(toleration: Place): void {
  const [key, operator, value] = [text(toleration, 'key'), text(toleration, 'operator'), text(toleration, 'value')]
  const wrong = (field: string, written: string, why: string) =>
    refuse(toleration, field, { code: 'toleration', text: `Invalid value: "${written}": ${why}` })
  if (key !== '') refuseText(toleration, 'key', { written: key, rule: qualifiedNameRule })
  else if (operator !== 'Exists')
    wrong(
      'operator',
      operator,
      'operator must be Exists when `key` is empty, which means "match all values and all keys"',
    )
  const effect = text(toleration, 'effect')
  if (has(toleration, 'tolerationSeconds') && effect !== 'NoExecute')
    wrong('effect', effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
  if (operator === 'Equal' || operator === '') {
    const problems = labelValueRule(value)
    if (problems.length > 0) wrong('operator', value, problems.join(';'))
  } else if (operator === 'Exists') {
    if (value !== '') wrong('operator', value, "value must be empty when `operator` is 'Exists'")
  } else {
    // Comparisons are behind a feature gate, and are named among the values that it would take.
    const known = operator === 'Lt' || operator === 'Gt' ? '"Equal", "Exists", "Lt", "Gt"' : '"Equal", "Exists"'
    refuse(toleration, 'operator', {
      code: 'value-unknown',
      text: `Unsupported value: "${operator}": supported values: ${known}`,
    })
  }
  oneOf(toleration, 'effect', { values: EFFECTS, absent: 'NoSchedule' })
}

function validateNodeAffinity(affinity: Place): void {
  const required = child(affinity, REQUIRED)
  const terms = children(required, 'nodeSelectorTerms')
  if (has(affinity, REQUIRED) && terms.length === 0)
    refuse(required, 'nodeSelectorTerms', {
      code: 'required',
      text: 'Required value: must have at least one node selector term',
    })
  for (const term of terms) validateNodeTerm(term, labelValueRule)
  for (const weighted of children(affinity, PREFERRED)) {
    refuseWeight(weighted)
    // A preference for a label that no node can have is harmless.
    validateNodeTerm(child(weighted, 'preference'), anyValue)
  }
}

const anyValue: NameRule = () => []

const MOST_WEIGHT = 100

function refuseWeight(weighted: Place): void {
  const weight = integer(weighted, 'weight', 0)
  if (weight < 1 || weight > MOST_WEIGHT)
    refuse(weighted, 'weight', { code: 'weight', text: `Invalid value: ${weight}: must be in the range 1-100` })
}

function validateNodeTerm(term: Place, rule: NameRule): void {
  for (const expression of children(term, 'matchExpressions')) {
    const values = texts(expression, 'values')
    refuseCount(expression, values.length)
    refuseText(expression, 'key', { written: text(expression, 'key'), rule: qualifiedNameRule })
    for (const [i, value] of values.entries()) refuseText(listPlace(expression, 'values'), i, { written: value, rule })
  }
  for (const field of children(term, 'matchFields')) validateField(field)
}

/** How many values an operator takes. */
function refuseCount(expression: Place, count: number): void {
  const operator = text(expression, 'operator')
  const wrong = (word: string, why: string) =>
    refuse(expression, 'values', { code: 'selector-values', text: `${word}: ${why}` })
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (count === 0) wrong('Required value', "must be specified when `operator` is 'In' or 'NotIn'")
      return
    case 'Exists':
    case 'DoesNotExist':
      if (count > 0) wrong('Forbidden', "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
      return
    case 'Gt':
    case 'Lt':
      if (count !== 1) wrong('Required value', "must be specified single value when `operator` is 'Lt' or 'Gt'")
      return
    default:
      refuseOperator(expression, operator)
  }
}

const refuseOperator = (expression: Place, operator: string): void =>
  refuse(expression, 'operator', {
    code: 'value-unknown',
    text: `Invalid value: "${operator}": not a valid selector operator`,
  })

/** ValidateNodeFieldSelectorRequirement: a node is known by its name alone. */
function validateField(field: Place): void {
  const operator = text(field, 'operator')
  const values = texts(field, 'values')
  if (operator !== 'In' && operator !== 'NotIn') refuseOperator(field, operator)
  else if (values.length !== 1) {
    const why = "Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
    refuse(field, 'values', { code: 'selector-values', text: why })
  }
  const key = text(field, 'key')
  if (key !== 'metadata.name')
    refuse(field, 'key', { code: 'value-unknown', text: `Invalid value: "${key}": not a valid field selector key` })
  else
    for (const [i, value] of values.entries())
      refuseText(listPlace(field, 'values'), i, { written: value, rule: subdomainRule })
}

function validatePodTerm(term: Place): void {
  for (const key of ['labelSelector', 'namespaceSelector']) if (has(term, key)) readLabelSelector(child(term, key))
  for (const [i, name] of texts(term, 'namespaces').entries())
    refuseText(listPlace(term, 'namespaces'), i, {
      written: name,
      rule: labelRule,
      shown: [...placeOf(term), 'namespace'],
    })
  for (const key of ['matchLabelKeys', 'mismatchLabelKeys']) refuseOwnKeys(term, key)
  refuseTopologyKey(term)
  refuseText(term, 'topologyKey', { written: text(term, 'topologyKey'), rule: qualifiedNameRule })
}

/** Labels of which the pod's own values are asked for, or are not to be met: only beside a selector. */
function refuseOwnKeys(term: Place, key: string): void {
  const keys = texts(term, key)
  if (keys.length > 0 && !has(term, 'labelSelector'))
    refuse(term, key, {
      code: 'forbidden',
      text: 'Forbidden: must not be specified when labelSelector is not set',
    })
  for (const [i, written] of keys.entries()) refuseText(listPlace(term, key), i, { written, rule: qualifiedNameRule })
}

function refuseTopologyKey(term: Place): void {
  if (text(term, 'topologyKey') === '')
    refuse(term, 'topologyKey', { code: 'required', text: 'Required value: can not be empty' })
}

/** The way to a place. */
function placeOf(place: Place): (string | number)[] {
  return place.parent === undefined ? [] : [...placeOf(place.parent), place.key]
}

/** validateTopologySpreadConstraints. */
function validateSpreading(spec: Place): void {
  const constraints = children(spec, 'topologySpreadConstraints')
  const kindOf = (one: Place): string => `{${text(one, 'topologyKey')}, ${text(one, 'whenUnsatisfiable')}}`
  for (const [i, one] of constraints.entries()) {
    refusePositive(one, 'maxSkew', integer(one, 'maxSkew', 0))
    refuseTopologyKey(one)
    const action = text(one, 'whenUnsatisfiable')
    if (action !== 'DoNotSchedule' && action !== 'ScheduleAnyway')
      refuse(one, 'whenUnsatisfiable', {
        code: 'value-unknown',
        text: `Unsupported value: "${action}": supported values: "DoNotSchedule", "ScheduleAnyway"`,
      })
    if (constraints.slice(i + 1).some((other) => kindOf(other) === kindOf(one)))
      refuse(one, undefined, {
        code: 'duplicate',
        text: `Duplicate value: "${kindOf(one)}"`,
        shown: `spec.topologySpreadConstraints[${i}].{topologyKey, whenUnsatisfiable}`,
      })
    if (has(one, 'minDomains')) {
      const least = integer(one, 'minDomains', 0)
      refusePositive(one, 'minDomains', least)
      if (action !== 'DoNotSchedule') {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`
        refuse(one, 'minDomains', { code: 'min-domains', text: `Invalid value: ${least}: ${why}` })
      }
    }
    for (const key of ['nodeAffinityPolicy', 'nodeTaintsPolicy'])
      oneOf(one, key, { values: ['Honor', 'Ignore'], absent: 'Honor', optional: true })
    if (has(one, 'labelSelector')) readLabelSelector(child(one, 'labelSelector'))
    refuseOwnKeys(one, 'matchLabelKeys')
  }
}

function refusePositive(place: Place, key: string, number: number): void {
  if (number > 0) return
  refuse(place, key, { code: 'not-positive', text: `Invalid value: ${number}: must be greater than zero` })
}
