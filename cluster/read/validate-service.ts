import { member } from '../input/json-value.ts'
import { qualifiedNameRule, refuseLabels } from './labels.ts'
import { labelRule, portNameRule, refuseGivenName, refuseName, refuseText, subdomainRule } from './names.ts'
import {
  child,
  children,
  has,
  integer,
  listPlace,
  type Place,
  refuse,
  refusePort,
  specIp,
  text,
  texts,
} from './place.ts'
import type { ServiceDraft } from './service.ts'

const AFFINITY_LIMIT = 86_400
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode']

/**
 * What the API server refuses in a Service by itself (pkg/apis/core/validation validateService). What it refuses for
 * other objects' sake is in complete/refused-services.ts. Families and addresses come first
 * (pkg/registry/core/service/storage alloc.go initIPFamilyFields): where these do not fit, it says nothing else, and the
 * answer is true.
 */
export function validateService(root: Place, draft: ServiceDraft): boolean {
  const spec = child(root, 'spec')
  if (draft.type !== 'ExternalName') {
    const others = root.problems.splice(0)
    validateFamilies(spec, draft)
    const isRefused = root.problems.length > 0
    root.problems.unshift(...(isRefused ? others.filter(({ refusal }) => !refusal) : others))
    if (isRefused) return true
  }
  refuseName(child(root, 'metadata'), 'name', labelRule)
  validateTopology(root)
  validatePorts(spec, draft)
  validateType(spec, draft)
  refuseLabels(spec, 'selector')
  validateTraffic(spec, draft)
  return false
}

const OLD_HINTS = 'service.kubernetes.io/topology-aware-hints'
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode'

function validateTopology(root: Place): void {
  const annotations = child(child(root, 'metadata'), 'annotations')
  if (!has(annotations, OLD_HINTS) || !has(annotations, TOPOLOGY_MODE)) return
  const mode = text(annotations, TOPOLOGY_MODE)
  if (mode === text(annotations, OLD_HINTS)) return
  const why = `must match annotations[${OLD_HINTS}] when both are specified`
  refuse(annotations, TOPOLOGY_MODE, { code: 'topology-mode', text: `Invalid value: "${mode}": ${why}` })
}

function validatePorts(spec: Place, draft: ServiceDraft): void {
  const ports = children(spec, 'ports')
  if (ports.length === 0 && !draft.headless && draft.type !== 'ExternalName')
    refuse(spec, 'ports', { code: 'required', text: 'Required value' })
  const names = new Set<string>()
  const numbers = new Set<string>()
  const nodePorts = new Set<string>()
  const isClusterIP = (text(spec, 'type') || 'ClusterIP') === 'ClusterIP'
  for (const [i, port] of ports.entries()) {
    const name = text(port, 'name')
    if (name === '' && ports.length > 1) refuse(port, 'name', { code: 'required', text: 'Required value' })
    refuseName(port, 'name', labelRule)
    if (name !== '' && names.has(name)) refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    names.add(name)
    const read = draft.ports[i]
    if (read === undefined) continue
    const number = integer(port, 'port', 0)
    refusePort(port, 'port', number)
    validateTarget(port, number)
    refuseGivenName(port, 'appProtocol', qualifiedNameRule)
    const protocol = text(port, 'protocol') || 'TCP'
    const claim = `${number}/${protocol}`
    if (numbers.has(claim))
      refuse(port, undefined, {
        code: 'duplicate',
        text: `Duplicate value: ${goServicePort({ port: number, protocol })}`,
      })
    numbers.add(claim)
    const nodePort = `${read.nodePort}/${protocol}`
    if (read.nodePort !== 0 && nodePorts.has(nodePort))
      refuse(port, 'nodePort', { code: 'duplicate', text: `Duplicate value: ${read.nodePort}` })
    nodePorts.add(nodePort)
    if (read.nodePort !== 0 && isClusterIP)
      refuse(port, 'nodePort', { code: 'forbidden', text: "Forbidden: may not be used when `type` is 'ClusterIP'" })
  }
}

/** How the API server prints the part of a port that must not come twice. */
const goServicePort = ({ port, protocol }: { readonly port: number; readonly protocol: string }): string =>
  JSON.stringify({ Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 })

/** 0 and "" are the port's own number. */
function validateTarget(port: Place, number: number): void {
  const target = member(port.value, 'targetPort')
  if (typeof target === 'string' && target !== '')
    refuseText(port, 'targetPort', { written: target, rule: portNameRule })
  else refusePort(port, 'targetPort', typeof target === 'number' && target !== 0 ? target : number)
}

function validateType(spec: Place, draft: ServiceDraft): void {
  if (draft.type === 'NodePort' || draft.type === 'LoadBalancer') {
    const why = `Invalid value: "None": may not be set to 'None' for ${draft.type} services`
    if (draft.headless) refuse(listPlace(spec, 'clusterIPs'), 0, { code: 'headless-type', text: why })
  }
  if (draft.type !== 'ExternalName') return
  const isGiven: Readonly<Record<string, boolean>> = {
    clusterIPs: draft.clusterIPsGiven > 0 || draft.clusterIPGiven,
    ipFamilies: texts(spec, 'ipFamilies').length > 0,
    ipFamilyPolicy: has(spec, 'ipFamilyPolicy'),
  }
  for (const [key, given] of Object.entries(isGiven))
    if (given) refuse(spec, key, { code: 'forbidden', text: 'Forbidden: may not be set for ExternalName services' })
  const name = draft.externalName.replace(/\.$/, '')
  if (name === '') refuse(spec, 'externalName', { code: 'required', text: 'Required value' })
  else refuseText(spec, 'externalName', { written: name, rule: subdomainRule })
}

/** ValidateServiceClusterIPsRelatedFields of pkg/apis/core/validation, and what a single stack does not allow. */
function validateFamilies(spec: Place, draft: ServiceDraft): void {
  const single = text(spec, 'clusterIP')
  const given = texts(spec, 'clusterIPs')
  const written = given.length > 0 || single === '' ? given : [single]
  const listed = JSON.stringify(written)
  const before = spec.problems.length
  const wrong = (code: string, why: string) =>
    refuse(spec, 'clusterIPs', { code, text: `Invalid value: ${listed}: ${why}` })
  if (single === '' && written.length > 0) wrong('cluster-ips', 'must be empty when `clusterIP` is not specified')
  else if (single !== '' && written[0] !== single) wrong('cluster-ips', 'first value must match `clusterIP`')
  const families = texts(spec, 'ipFamilies')
  for (const [i, family] of families.entries()) {
    const list = listPlace(spec, 'ipFamilies')
    if (!FAMILIES.includes(family)) refuse(list, i, unsupported(family, FAMILIES))
    if (families.indexOf(family) < i) refuse(list, i, { code: 'duplicate', text: `Duplicate value: "${family}"` })
  }
  const policy = text(spec, 'ipFamilyPolicy')
  if (has(spec, 'ipFamilyPolicy') && !POLICIES.includes(policy))
    refuse(spec, 'ipFamilyPolicy', unsupported(policy, POLICIES))
  validateClusterIPs(spec, { written, families, wrong })
  if (spec.problems.length > before) return
  const open = draft.headless && draft.selector === undefined
  if ((draft.ipFamilyPolicy ?? (open ? 'RequireDualStack' : 'SingleStack')) !== 'SingleStack') return
  const must = "Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple"
  if (written.length > 1)
    refuse(spec, 'ipFamilyPolicy', { code: 'family-policy', text: `${must} cluster IPs are specified` })
  if (families.length > 1)
    refuse(spec, 'ipFamilyPolicy', { code: 'family-policy', text: `${must} IP families are specified` })
}

const TRAFFIC_POLICIES: readonly string[] = ['Cluster', 'Local']
const FAMILIES: readonly string[] = ['IPv4', 'IPv6']
const POLICIES: readonly string[] = ['PreferDualStack', 'RequireDualStack', 'SingleStack']

function unsupported(written: string, values: readonly string[]): { code: string; text: string; suggestion?: string } {
  const supported = values.map((value) => `"${value}"`).join(', ')
  const meant = values.find((value) => value.toLowerCase() === written.toLowerCase())
  return {
    code: 'value-unknown',
    text: `Unsupported value: "${written}": supported values: ${supported}`,
    ...(meant === undefined ? {} : { suggestion: `write ${meant}` }),
  }
}

function validateClusterIPs(
  spec: Place,
  of: {
    readonly written: readonly string[]
    readonly families: readonly string[]
    readonly wrong: (code: string, why: string) => void
  },
): void {
  const { written, families, wrong } = of
  const list = listPlace(spec, 'clusterIPs')
  const isHeadless = written[0] === 'None'
  const before = spec.problems.length
  if (isHeadless && written.length > 1) wrong('cluster-ips', "'None' must be the first and only value")
  const ips = written.flatMap((ip, i) => (i === 0 && isHeadless ? [] : [{ i, ip: specIp(list, i, ip) }]))
  const isWrong = spec.problems.length > before
  if (written.length > 2) wrong('cluster-ips', 'may only hold up to 2 values')
  if (isWrong) return
  if (written.length > 1 && new Set(ips.map(({ ip }) => ip?.family)).size < 2)
    wrong('cluster-ips', 'may specify no more than one IP for each IP family')
  for (const { i, ip } of ips) {
    const family = families[i]
    if (ip === undefined || family === (ip.family === 4 ? 'IPv4' : 'IPv6') || !FAMILIES.includes(family ?? '')) continue
    const why = `Invalid value: "${written[i]}": expected an ${family} value as indicated by \`ipFamilies[${i}]\``
    refuse(list, i, { code: 'cluster-ip-family', text: why })
  }
}

function validateTraffic(spec: Place, draft: ServiceDraft): void {
  const external = text(spec, 'externalTrafficPolicy')
  const type = text(spec, 'type') || 'ClusterIP'
  const reachable =
    type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && texts(spec, 'externalIPs').length > 0)
  if (external !== '' && !reachable) {
    const why = `Invalid value: "${external}": may only be set for externally-accessible services`
    refuse(spec, 'externalTrafficPolicy', { code: 'external-traffic-policy', text: why })
  } else if (external !== '' && !TRAFFIC_POLICIES.includes(external))
    refuse(spec, 'externalTrafficPolicy', unsupported(external, TRAFFIC_POLICIES))
  const isChecked = draft.type === 'LoadBalancer' && external === 'Local'
  if (draft.healthCheckNodePort !== 0 && !isChecked) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    refuse(spec, 'healthCheckNodePort', {
      code: 'health-check',
      text: `Invalid value: ${draft.healthCheckNodePort}: ${why}`,
    })
  }
  const affinity = child(child(spec, 'sessionAffinityConfig'), 'clientIP')
  const seconds = integer(affinity, 'timeoutSeconds', 1)
  if (text(spec, 'sessionAffinity') === 'ClientIP' && (seconds <= 0 || seconds > AFFINITY_LIMIT)) {
    const why = `Invalid value: ${seconds}: must be greater than 0 and less than ${AFFINITY_LIMIT}`
    refuse(affinity, 'timeoutSeconds', { code: 'affinity-timeout', text: why })
  }
  const distribution = text(spec, 'trafficDistribution')
  if (has(spec, 'trafficDistribution') && !DISTRIBUTIONS.includes(distribution))
    refuse(spec, 'trafficDistribution', unsupported(distribution, DISTRIBUTIONS))
  if (type === 'LoadBalancer') {
    refuseGivenName(spec, 'loadBalancerClass', qualifiedNameRule)
    return
  }
  for (const key of ['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'])
    if (key === 'loadBalancerSourceRanges' ? texts(spec, key).length > 0 : has(spec, key))
      refuse(spec, key, {
        code: 'forbidden',
        text: "Forbidden: may only be used when `type` is 'LoadBalancer'",
        // The API server prints this one with a capital letter.
        ...(key === 'loadBalancerSourceRanges' ? { shown: ['spec', 'LoadBalancerSourceRanges'] } : {}),
      })
}
