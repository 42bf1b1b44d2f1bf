import type { Item, ObjectKind } from '../input/item.ts'
import { member } from '../input/json-value.ts'
import type {
  ConfigMap,
  EndpointSlice,
  Endpoints,
  KubeNode,
  Meta,
  Namespace,
  NetworkPolicy,
  OtherObject,
  ServiceCIDR,
  Workload,
} from '../objects.ts'
import type { SourceSpan } from '../source.ts'
import { readEndpointSlice, readEndpoints } from './endpoints.ts'
import { labelValueRule } from './labels.ts'
import { readMeta } from './meta.ts'
import { labelRule, refuseName, refuseText, subdomainRule } from './names.ts'
import { readNetworkPolicy } from './network-policy.ts'
import { readNode } from './node.ts'
import { child, type FieldProblem, has, type Place, prefixes, raw, rootPlace, text, textMap } from './place.ts'
import { type PodDraft, readPod } from './pod.ts'
import { readService, type ServiceDraft } from './service.ts'
import { validateIngress } from './validate-ingress.ts'
import { validateService } from './validate-service.ts'
import { readWorkload } from './workload.ts'

/** What a reader makes of an item: an object of the API, still without the marks that loading adds. */
export type Draft =
  | ({ readonly kind: 'Node' } & Bare<KubeNode>)
  | ({ readonly kind: 'Namespace' } & Bare<Namespace>)
  | ({ readonly kind: 'Pod' } & PodDraft)
  | ({ readonly kind: 'Service' } & ServiceDraft)
  | ({ readonly kind: 'EndpointSlice' } & Bare<EndpointSlice>)
  | ({ readonly kind: 'Endpoints' } & Bare<Endpoints>)
  | ({ readonly kind: 'ConfigMap' } & Bare<ConfigMap>)
  | ({ readonly kind: 'NetworkPolicy' } & Bare<NetworkPolicy>)
  | ({ readonly kind: 'ServiceCIDR' } & Bare<ServiceCIDR>)
  | Omit<Workload, 'at' | 'assumed'>
  | ({ readonly kind: 'Other' } & Bare<OtherObject>)

type Bare<T> = Omit<T, 'kind' | 'at' | 'assumed'>

/** A draft with its place, and whether it came from an API server (it has a uid or a status) or is a manifest. */
export interface Found<D = Draft> {
  readonly draft: D
  readonly at: SourceSpan
  readonly recorded: boolean
  readonly resourceVersion: number
}

type Reader = (root: Place) => Draft

const workload =
  (kind: Workload['kind']): Reader =>
  (root) =>
    readWorkload(root, kind)

const other =
  (scope: 'cluster' | 'namespaced'): ((root: Place, item: Item) => Draft) =>
  (root, item) => ({
    kind: 'Other',
    meta: readMeta(root, scope),
    apiVersion: item.apiVersion,
    objectKind: item.kind,
    spec: raw(root, 'spec') ?? null,
  })

/** The readers by API group and kind; the version of a group does not matter to what is read. */
const READERS: Readonly<Record<string, (root: Place, item: Item) => Draft>> = {
  '/Node': (root) => ({ kind: 'Node', ...readNode(root) }),
  '/Namespace': (root) => {
    const meta = child(root, 'metadata')
    refuseName(meta, 'name', labelRule)
    // The API server writes the name into a label before it looks.
    refuseText(meta, 'labels', { written: text(meta, 'name'), rule: labelValueRule })
    return { kind: 'Namespace', meta: readMeta(root, 'cluster') }
  },
  '/Pod': (root) => ({ kind: 'Pod', ...readPod(root) }),
  '/Service': (root) => {
    const draft = readService(root)
    return { kind: 'Service', ...draft, addressesRefused: validateService(root, draft) }
  },
  '/Endpoints': (root) => ({ kind: 'Endpoints', ...readEndpoints(root) }),
  '/ConfigMap': (root) => ({ kind: 'ConfigMap', meta: readMeta(root, 'namespaced'), data: textMap(root, 'data') }),
  'discovery.k8s.io/EndpointSlice': (root) => ({ kind: 'EndpointSlice', ...readEndpointSlice(root) }),
  'networking.k8s.io/NetworkPolicy': (root) => ({ kind: 'NetworkPolicy', ...readNetworkPolicy(root) }),
  'networking.k8s.io/ServiceCIDR': (root) => ({
    kind: 'ServiceCIDR',
    meta: readMeta(root, 'cluster'),
    cidrs: prefixes(child(root, 'spec'), 'cidrs'),
  }),
  'apps/Deployment': workload('Deployment'),
  'apps/ReplicaSet': workload('ReplicaSet'),
  'apps/StatefulSet': workload('StatefulSet'),
  'apps/DaemonSet': workload('DaemonSet'),
  'batch/Job': workload('Job'),
  'batch/CronJob': workload('CronJob'),
  'networking.k8s.io/Ingress': (root, item) => {
    validateIngress(root)
    return other('namespaced')(root, item)
  },
  'networking.k8s.io/IngressClass': other('cluster'),
  'operator.tigera.io/Installation': other('cluster'),
  'policy.networking.k8s.io/AdminNetworkPolicy': other('cluster'),
  'policy.networking.k8s.io/BaselineAdminNetworkPolicy': other('cluster'),
  'policy.networking.k8s.io/ClusterNetworkPolicy': other('cluster'),
}

/** Calico's resources, in both of the groups it serves them under. */
const CALICO_GROUPS = new Set(['crd.projectcalico.org', 'projectcalico.org'])
const CALICO_NAMESPACED = new Set([
  'NetworkPolicy',
  'NetworkSet',
  'StagedNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
])

const groupOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

/** One for each address that IPAM gave out; blocks and pods say the same. */
const CALICO_UNREAD = 'IPAMHandle'

/** Kinds whose name is a DNS subdomain; a Service's is stricter. */
const NAMED_BY_SUBDOMAIN = new Set([
  'Node',
  'Pod',
  'EndpointSlice',
  'Endpoints',
  'ConfigMap',
  'NetworkPolicy',
  'Ingress',
])

function readerOf({ kind, apiVersion }: ObjectKind): ((root: Place, item: Item) => Draft) | undefined {
  const group = groupOf(apiVersion)
  if (CALICO_GROUPS.has(group))
    return kind === CALICO_UNREAD ? undefined : other(CALICO_NAMESPACED.has(kind) ? 'namespaced' : 'cluster')
  return Object.hasOwn(READERS, `${group}/${kind}`) ? READERS[`${group}/${kind}`] : undefined
}

/** Whether objects of a kind are read. One that does not tell its version may be. A Secret is counted and never read. */
export function isReadKind(kind: ObjectKind): boolean {
  if (kind.kind === 'Secret') return false
  return kind.kind === 'Lab' || kind.apiVersion === '' || readerOf(kind) !== undefined
}

/** Reads an item; undefined where its kind is not one that is read. */
export function readDraft(item: Item, problems: FieldProblem[]): Found | undefined {
  const read = readerOf(item)
  if (read === undefined) return undefined
  const root = rootPlace(item.value, problems)
  const draft = read(root, item)
  const meta = child(root, 'metadata')
  if (NAMED_BY_SUBDOMAIN.has(item.kind)) refuseName(meta, 'name', subdomainRule)
  const version = member(meta.value, 'resourceVersion')
  return {
    draft,
    at: item.at,
    recorded: has(meta, 'uid'),
    resourceVersion: typeof version === 'string' && /^\d+$/.test(version) ? Number(version) : 0,
  }
}

/** `Service default/my-nginx`, `Node node1`: how a message names an object. */
export function objectName(kind: string, meta: Pick<Meta, 'namespace' | 'name'>): string {
  return meta.namespace === '' ? `${kind} ${meta.name}` : `${kind} ${meta.namespace}/${meta.name}`
}

/** The kind as the API has it. */
export const kindOf = (draft: { readonly kind: string; readonly objectKind?: string }): string =>
  draft.objectKind ?? draft.kind
