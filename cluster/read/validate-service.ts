import { member } from '../input/json-value.ts'
import { qualifiedNameProblem, refuseLabels } from './labels.ts'
import { labelProblem, portNameProblem, refuseName, subdomainProblem } from './names.ts'
import { child, children, has, integer, listPlace, type Place, refuse, refusePort, text, texts } from './place.ts'
import type { ServiceDraft } from './service.ts'
import { refuseSpecialIp } from './special-ip.ts'

const AFFINITY_LIMIT = 86_400
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode']

/**
 * What the API server refuses in a Service by itself (pkg/apis/core/validation ValidateService and the family rules of
 * pkg/registry/core/service/storage/alloc.go). What it refuses for other objects' sake is in complete/service.ts.
 */
export function validateService(root: Place, draft: ServiceDraft): void {
  const spec = child(root, 'spec')
  refuseName(child(root, 'metadata'), 'name', labelProblem)
  refuseLabels(spec, 'selector')
  validateTopology(root)
  validatePorts(spec, draft)
  validateAddresses(spec, draft)
  validateFamilies(spec, draft)
  validateTraffic(spec, draft)
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
  for (const [i, port] of ports.entries()) {
    const name = text(port, 'name')
    if (name === '' && ports.length > 1) refuse(port, 'name', { code: 'required', text: 'Required value' })
    refuseName(port, 'name', labelProblem)
    if (name !== '' && names.has(name)) refuse(port, 'name', { code: 'duplicate', text: `Duplicate value: "${name}"` })
    names.add(name)
    validateTarget(port)
    const read = draft.ports[i]
    if (read === undefined) continue
    if (!has(port, 'port')) refusePort(port, 'port', 0)
    refuseName(port, 'appProtocol', qualifiedNameProblem)
    const number = `${read.port}/${read.protocol}`
    if (numbers.has(number))
      refuse(port, undefined, { code: 'duplicate', text: `Duplicate value: ${goServicePort(read)}` })
    numbers.add(number)
    const nodePort = `${read.nodePort}/${read.protocol}`
    if (read.nodePort !== 0 && nodePorts.has(nodePort))
      refuse(port, 'nodePort', { code: 'duplicate', text: `Duplicate value: ${read.nodePort}` })
    nodePorts.add(nodePort)
    if (read.nodePort !== 0 && draft.type === 'ClusterIP')
      refuse(port, 'nodePort', { code: 'forbidden', text: "Forbidden: may not be used when `type` is 'ClusterIP'" })
  }
}

/** How the API server prints the part of a port that must not come twice. */
const goServicePort = ({ port, protocol }: { readonly port: number; readonly protocol: string }): string =>
  JSON.stringify({ Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 })

function validateTarget(port: Place): void {
  const target = member(port.value, 'targetPort')
  if (typeof target === 'string') refuseName(port, 'targetPort', portNameProblem)
  else if (typeof target === 'number' && target !== 0) refusePort(port, 'targetPort', target)
}

function validateAddresses(spec: Place, draft: ServiceDraft): void {
  const clusterIP = text(spec, 'clusterIP')
  const clusterIPs = texts(spec, 'clusterIPs')
  const listed = JSON.stringify(clusterIPs)
  if (draft.type === 'ExternalName') {
    for (const key of ['clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
      if (has(spec, key) || (key === 'clusterIPs' && clusterIP !== ''))
        refuse(spec, key, { code: 'forbidden', text: 'Forbidden: may not be set for ExternalName services' })
    if (draft.externalName === '') refuse(spec, 'externalName', { code: 'required', text: 'Required value' })
    else if (subdomainProblem(draft.externalName.replace(/\.$/, '')) !== undefined)
      refuseName(spec, 'externalName', subdomainProblem)
    return
  }
  if (draft.headless && (draft.type === 'NodePort' || draft.type === 'LoadBalancer')) {
    const why = `Invalid value: "None": may not be set to 'None' for ${draft.type} services`
    refuse(listPlace(spec, 'clusterIPs'), 0, { code: 'headless-type', text: why })
  }
  if (clusterIP === '' && clusterIPs.length > 0)
    refuse(spec, 'clusterIPs', {
      code: 'cluster-ips',
      text: `Invalid value: ${listed}: must be empty when \`clusterIP\` is not specified`,
    })
  else if (clusterIPs.length > 0 && clusterIPs[0] !== clusterIP)
    refuse(spec, 'clusterIPs', {
      code: 'cluster-ips',
      text: `Invalid value: ${listed}: first value must match \`clusterIP\``,
    })
  if (clusterIPs.length > 2)
    refuse(spec, 'clusterIPs', { code: 'cluster-ips', text: `Invalid value: ${listed}: may only hold up to 2 values` })
  for (const [i, ip] of draft.clusterIPs.entries()) {
    const family = draft.ipFamilies[i]
    if (family !== undefined && family !== (ip.family === 4 ? 'IPv4' : 'IPv6')) {
      const why = `Invalid value: "${clusterIPs[i] ?? clusterIP}": expected an ${family} value as indicated by \`ipFamilies[${i}]\``
      refuse(listPlace(spec, 'clusterIPs'), i, { code: 'cluster-ip-family', text: why })
    }
  }
  for (const [i, ip] of draft.externalIPs.entries()) refuseSpecialIp(listPlace(spec, 'externalIPs'), i, ip)
}

function validateFamilies(spec: Place, draft: ServiceDraft): void {
  const { ipFamilies } = draft
  if (draft.type === 'ExternalName') return
  for (const [i, family] of ipFamilies.entries())
    if (ipFamilies.indexOf(family) < i)
      refuse(listPlace(spec, 'ipFamilies'), i, { code: 'duplicate', text: `Duplicate value: "${family}"` })
  const open = draft.headless && draft.selector === undefined
  if ((draft.ipFamilyPolicy ?? (open ? 'RequireDualStack' : 'SingleStack')) !== 'SingleStack') return
  const must = "Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple"
  if (draft.clusterIPs.length > 1)
    refuse(spec, 'ipFamilyPolicy', { code: 'family-policy', text: `${must} cluster IPs are specified` })
  if (ipFamilies.length > 1)
    refuse(spec, 'ipFamilyPolicy', { code: 'family-policy', text: `${must} IP families are specified` })
}

function validateTraffic(spec: Place, draft: ServiceDraft): void {
  const external = text(spec, 'externalTrafficPolicy')
  const reachable = draft.type === 'NodePort' || draft.type === 'LoadBalancer' || draft.externalIPs.length > 0
  if (external !== '' && !reachable) {
    const why = `Invalid value: "${external}": may only be set for externally-accessible services`
    refuse(spec, 'externalTrafficPolicy', { code: 'external-traffic-policy', text: why })
  }
  if (draft.sessionAffinity === 'None' && has(spec, 'sessionAffinityConfig'))
    refuse(spec, 'sessionAffinityConfig', {
      code: 'forbidden',
      text: 'Forbidden: must not be set when session affinity is None',
    })
  const isChecked = draft.type === 'LoadBalancer' && draft.externalTrafficPolicy === 'Local'
  if (draft.healthCheckNodePort !== 0 && !isChecked) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    refuse(spec, 'healthCheckNodePort', {
      code: 'health-check',
      text: `Invalid value: ${draft.healthCheckNodePort}: ${why}`,
    })
  }
  const affinity = child(child(spec, 'sessionAffinityConfig'), 'clientIP')
  const seconds = integer(affinity, 'timeoutSeconds', 1)
  if (draft.sessionAffinity === 'ClientIP' && (seconds <= 0 || seconds > AFFINITY_LIMIT)) {
    const why = `Invalid value: ${seconds}: must be greater than 0 and less than ${AFFINITY_LIMIT}`
    refuse(affinity, 'timeoutSeconds', { code: 'affinity-timeout', text: why })
  }
  const distribution = draft.trafficDistribution
  if (distribution !== undefined && !DISTRIBUTIONS.includes(distribution)) {
    const known = DISTRIBUTIONS.map((name) => `"${name}"`).join(', ')
    const why = `Unsupported value: "${distribution}": supported values: ${known}`
    refuse(spec, 'trafficDistribution', { code: 'value-unknown', text: why })
  }
  if (draft.type === 'LoadBalancer') return
  for (const key of ['loadBalancerSourceRanges', 'allocateLoadBalancerNodePorts', 'loadBalancerClass'])
    if (has(spec, key))
      refuse(spec, key, {
        code: 'forbidden',
        text: "Forbidden: may only be used when `type` is 'LoadBalancer'",
        // The API server prints this one with a capital letter.
        ...(key === 'loadBalancerSourceRanges' ? { shown: ['spec', 'LoadBalancerSourceRanges'] } : {}),
      })
}
