import type { Ip } from '../../packet/ip.ts'
import type { Container, ContainerPort, DnsConfig, Pod, PodSpec, PodTemplate, Toleration } from '../objects.ts'
import { readMeta } from './meta.ts'
import {
  child,
  children,
  flag,
  has,
  integer,
  ipAt,
  oneOf,
  type Place,
  port,
  raw,
  refuse,
  text,
  textMap,
  texts,
} from './place.ts'
import { readPodCondition } from './pod-condition.ts'
import { requestsOf } from './requests.ts'
import { validatePodSpec } from './validate-pod.ts'

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const
const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'] as const
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'] as const

export interface PodDraft extends Omit<Pod, 'kind' | 'at' | 'assumed'> {
  /** The object carries what a kubelet reports. A manifest does not; one of a lab may ask for an address. */
  readonly hasStatus: boolean
}

/** Reads a Pod, defaulted as in k8s.io/kubernetes pkg/apis/core/v1/defaults.go. */
export function readPod(root: Place): PodDraft {
  const status = child(root, 'status')
  const ready = children(status, 'conditions').find((condition) => text(condition, 'type') === 'Ready')
  return {
    meta: readMeta(root, 'namespaced'),
    spec: readPodSpec(child(root, 'spec')),
    phase: oneOf(status, 'phase', { values: PHASES, absent: 'Pending' }),
    ready: ready !== undefined && text(ready, 'status') === 'True',
    ips: addressesOf(status, { list: 'podIPs', single: 'podIP', code: 'pod-ip-invalid' }),
    hostIPs: addressesOf(status, { list: 'hostIPs', single: 'hostIP', code: 'host-ip-invalid' }),
    hasStatus: has(status, 'phase') || has(status, 'conditions'),
    ...(has(status, 'phase') || has(status, 'conditions') ? { condition: readPodCondition(status) } : {}),
  }
}

/** The list of `{ip}`, or the single field where there is no list. */
function addressesOf(status: Place, of: { list: string; single: string; code: string }): Ip[] {
  const listed = children(status, of.list)
  const found =
    listed.length > 0 ? listed.map((entry) => ipAt(entry, 'ip', of.code)) : [ipAt(status, of.single, of.code)]
  return found.flatMap((ip) => (ip === undefined ? [] : [ip]))
}

/** Reads a pod template: labels, annotations and spec. */
export function readPodTemplate(template: Place): PodTemplate {
  const meta = child(template, 'metadata')
  return {
    labels: textMap(meta, 'labels'),
    annotations: textMap(meta, 'annotations'),
    spec: readPodSpec(child(template, 'spec')),
  }
}

function readPodSpec(spec: Place): PodSpec {
  validatePodSpec(spec)
  const hostNetwork = flag(spec, 'hostNetwork')
  return {
    nodeName: text(spec, 'nodeName'),
    nodeSelector: textMap(spec, 'nodeSelector'),
    tolerations: children(spec, 'tolerations').map(tolerationOf),
    hostNetwork,
    containers: children(spec, 'containers').map((container) => containerOf(container, hostNetwork)),
    initContainers: children(spec, 'initContainers').map((container) => containerOf(container, hostNetwork)),
    restartPolicy: oneOf(spec, 'restartPolicy', { values: RESTART_POLICIES, absent: 'Always' }),
    dnsPolicy: oneOf(spec, 'dnsPolicy', { values: DNS_POLICIES, absent: 'ClusterFirst' }),
    dnsConfig: dnsConfigOf(child(spec, 'dnsConfig')),
    hostAliases: children(spec, 'hostAliases').map((alias) => ({
      ip: text(alias, 'ip'),
      hostnames: texts(alias, 'hostnames'),
    })),
    hostname: text(spec, 'hostname'),
    subdomain: text(spec, 'subdomain'),
    setHostnameAsFQDN: flag(spec, 'setHostnameAsFQDN'),
    enableServiceLinks: flag(spec, 'enableServiceLinks', true),
    serviceAccountName: text(spec, 'serviceAccountName') || text(spec, 'serviceAccount') || 'default',
    ...requestsOf(spec),
    ...(has(spec, 'affinity') ? { affinity: raw(spec, 'affinity') } : {}),
    ...(children(spec, 'schedulingGates').length > 0 ? { gated: true as const } : {}),
    ...(has(spec, 'topologySpreadConstraints')
      ? { topologySpreadConstraints: raw(spec, 'topologySpreadConstraints') }
      : {}),
  }
}

const tolerationOf = (toleration: Place): Toleration => ({
  key: text(toleration, 'key'),
  // What is wrong is told by validate-scheduling.ts.
  operator: text(toleration, 'operator').toLowerCase() === 'exists' ? 'Exists' : 'Equal',
  value: text(toleration, 'value'),
  effect: text(toleration, 'effect'),
})

const dnsConfigOf = (config: Place): DnsConfig => ({
  nameservers: texts(config, 'nameservers'),
  searches: texts(config, 'searches'),
  options: children(config, 'options').map((option) => ({
    name: text(option, 'name'),
    ...(has(option, 'value') ? { value: text(option, 'value') } : {}),
  })),
})

const containerOf = (container: Place, hostNetwork: boolean): Container => ({
  name: text(container, 'name'),
  image: text(container, 'image'),
  command: texts(container, 'command'),
  args: texts(container, 'args'),
  ports: children(container, 'ports').flatMap((entry) => containerPortOf(entry, hostNetwork)),
  env: children(container, 'env').map((variable) => ({
    name: text(variable, 'name'),
    ...(has(variable, 'value') ? { value: text(variable, 'value') } : {}),
  })),
  hasReadinessProbe: has(container, 'readinessProbe'),
  sidecar: text(container, 'restartPolicy') === 'Always',
})

function containerPortOf(entry: Place, hostNetwork: boolean): ContainerPort[] {
  const isAbsent = integer(entry, 'containerPort', 0) === 0
  const containerPort = isAbsent ? 0 : port(entry, 'containerPort')
  if (containerPort === 0) {
    if (isAbsent) refuse(entry, 'containerPort', { code: 'required', text: 'Required value' })
    return []
  }
  const hostPort = has(entry, 'hostPort') ? integer(entry, 'hostPort', 0) : 0
  return [
    {
      name: text(entry, 'name'),
      containerPort,
      protocol: oneOf(entry, 'protocol', { values: PROTOCOLS, absent: 'TCP' }),
      // On the host network every container port is a port of the host.
      hostPort: hostPort === 0 && hostNetwork ? containerPort : hostPort,
      hostIP: text(entry, 'hostIP'),
    },
  ]
}
