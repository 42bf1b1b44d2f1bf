import { member } from '../input/json-value.ts'
import { labelProblem, portNameProblem, refuseName, subdomainProblem } from './names.ts'
import { child, children, has, integer, type Place, refuse, refusePort, text, texts } from './place.ts'
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
  validatePorts(spec, draft)
  validateAddresses(spec, draft)
  validateFamilies(spec, draft)
  validateTraffic(spec, draft)
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
    if (read.port === 0 && !has(port, 'port')) refuse(port, 'port', { code: 'required', text: 'Required value' })
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
    if (draft.externalName === '') refuse(spec, 'externalName', { code: 'required', text: 'Required value' })
    else if (subdomainProblem(draft.externalName.replace(/\.$/, '')) !== undefined)
      refuseName(spec, 'externalName', subdomainProblem)
    return
  }
  if (draft.headless && (draft.type === 'NodePort' || draft.type === 'LoadBalancer')) {
    const why = `Invalid value: "None": may not be set to 'None' for ${draft.type} services`
    refuse(list(spec, 'clusterIPs'), 0, { code: 'headless-type', text: why })
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
      refuse(list(spec, 'clusterIPs'), i, { code: 'cluster-ip-family', text: why })
    }
  }
  for (const [i, ip] of draft.externalIPs.entries()) refuseSpecialIp(list(spec, 'externalIPs'), i, ip)
}

const list = (place: Place, key: string): Place => ({ value: {}, key, parent: place, problems: place.problems })

function validateFamilies(spec: Place, draft: ServiceDraft): void {
  const { ipFamilies } = draft
  if (draft.type === 'ExternalName') return
  for (const [i, family] of ipFamilies.entries())
    if (ipFamilies.indexOf(family) < i)
      refuse(list(spec, 'ipFamilies'), i, { code: 'duplicate', text: `Duplicate value: "${family}"` })
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
      refuse(spec, key, { code: 'forbidden', text: "Forbidden: may only be used when `type` is 'LoadBalancer'" })
}
