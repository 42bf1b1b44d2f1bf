import { labelsOf, leftOf } from '../../../name.ts'

/**
 * What a name asks for, taken apart from the right (plugin/kubernetes/parse.go):
 * `[endpoint.|_port._protocol.|topology.pin|prefer._zone.]service.namespace.svc|pod.<zone>`.
 */
export interface KubernetesName {
  /** `''`: the zone itself, or a bare `svc` or `pod`. */
  readonly kind: '' | 'svc' | 'pod'
  readonly namespace: string
  /** A service, or the dashed address of a pod. */
  readonly service: string
  readonly endpoint: string
  /** The cluster of an endpoint, in a multicluster zone. */
  readonly cluster: string
  readonly port: string
  readonly protocol: string
  /** The topology zone of a zone-scoped name, and whether others may stand in where it has no endpoint. */
  readonly topology: { readonly zone: string; readonly others: 'pin' | 'prefer' } | undefined
}

const NOTHING: KubernetesName = {
  kind: '',
  namespace: '',
  service: '',
  endpoint: '',
  cluster: '',
  port: '',
  protocol: '',
  topology: undefined,
}

/** Marks a zone-scoped name. */
const ZONE_LABEL = '_zone'

/** Undefined where no name of that shape can exist. Both arguments in the same case. */
export function parseKubernetesName(
  name: string,
  zone: string,
  style: 'zonal' | 'plain' | 'multicluster',
): KubernetesName | undefined {
  const base = leftOf(name, zone)
  if (base === '' || base === 'svc' || base === 'pod') return NOTHING
  const labels = [...labelsOf(`${base}.`)]
  const kind = labels.pop()
  if (kind !== 'svc' && kind !== 'pod') return undefined
  const namespace = labels.pop() ?? ''
  const service = labels.pop() ?? ''
  const head: KubernetesName = { ...NOTHING, kind, namespace, service }
  if (style === 'zonal' && kind === 'svc' && labels.at(-1) === ZONE_LABEL) {
    const others = labels.at(-2)
    const topologyZone = labels.slice(0, -2).join('.')
    if ((others !== 'pin' && others !== 'prefer') || topologyZone === '') return undefined
    return { ...head, topology: { zone: topologyZone, others } }
  }
  const [left, right] = labels
  if (labels.length > 2) return undefined
  if (left === undefined) return head
  if (right === undefined) return { ...head, endpoint: left }
  if (style === 'multicluster' && !left.startsWith('_') && !right.startsWith('_'))
    return { ...head, endpoint: left, cluster: right }
  return { ...head, port: withoutUnderscore(left), protocol: withoutUnderscore(right) }
}

const withoutUnderscore = (label: string): string => (label.startsWith('_') ? label.slice(1) : label)
