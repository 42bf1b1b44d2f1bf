import type { ObjectKind } from './item.ts'

/** A resource of the API that is read: how kubectl and the files of collectors name it. */
export interface Resource extends ObjectKind {
  /** Plural, as in URLs: `networkpolicies`. */
  readonly name: string
  /** A snapshot is expected to hold it: its absence is told. */
  readonly expected: boolean
}

const resource = (name: string, kind: string, { apiVersion = 'v1', expected = false } = {}): Resource => ({
  name,
  kind,
  apiVersion,
  expected,
})

const NETWORKING = 'networking.k8s.io/v1'
const POLICY = 'policy.networking.k8s.io/v1alpha1'
const CALICO = 'crd.projectcalico.org/v1'

export const RESOURCES: readonly Resource[] = [
  resource('configmaps', 'ConfigMap', { expected: true }),
  resource('cronjobs', 'CronJob', { apiVersion: 'batch/v1' }),
  resource('daemonsets', 'DaemonSet', { apiVersion: 'apps/v1' }),
  resource('deployments', 'Deployment', { apiVersion: 'apps/v1' }),
  resource('endpoints', 'Endpoints'),
  resource('endpointslices', 'EndpointSlice', { apiVersion: 'discovery.k8s.io/v1', expected: true }),
  resource('ingressclasses', 'IngressClass', { apiVersion: NETWORKING }),
  resource('ingresses', 'Ingress', { apiVersion: NETWORKING, expected: true }),
  resource('jobs', 'Job', { apiVersion: 'batch/v1' }),
  resource('namespaces', 'Namespace', { expected: true }),
  resource('networkpolicies', 'NetworkPolicy', { apiVersion: NETWORKING, expected: true }),
  resource('nodes', 'Node', { expected: true }),
  resource('pods', 'Pod', { expected: true }),
  resource('replicasets', 'ReplicaSet', { apiVersion: 'apps/v1' }),
  resource('servicecidrs', 'ServiceCIDR', { apiVersion: NETWORKING }),
  resource('services', 'Service', { expected: true }),
  resource('statefulsets', 'StatefulSet', { apiVersion: 'apps/v1' }),
  resource('adminnetworkpolicies', 'AdminNetworkPolicy', { apiVersion: POLICY }),
  resource('baselineadminnetworkpolicies', 'BaselineAdminNetworkPolicy', { apiVersion: POLICY }),
  resource('ippools', 'IPPool', { apiVersion: CALICO }),
  resource('blockaffinities', 'BlockAffinity', { apiVersion: CALICO }),
  resource('bgpconfigurations', 'BGPConfiguration', { apiVersion: CALICO }),
  resource('bgppeers', 'BGPPeer', { apiVersion: CALICO }),
  resource('felixconfigurations', 'FelixConfiguration', { apiVersion: CALICO }),
  resource('globalnetworkpolicies', 'GlobalNetworkPolicy', { apiVersion: CALICO }),
  resource('ipamblocks', 'IPAMBlock', { apiVersion: CALICO }),
]

const byName = new Map(RESOURCES.map((one) => [one.name, one]))
const byKind = new Map(RESOURCES.map((one) => [one.kind, one]))

/** The resource that a word names: `pods`, `ippools.crd.projectcalico.org`; calico's networkpolicies are not Kubernetes'. */
export function resourceNamed(word: string): Resource | undefined {
  const [name = '', ...group] = word.toLowerCase().split('.')
  const found = byName.get(name)
  if (found === undefined || group.length === 0) return found
  return groupOf(found) === group.join('.') ? found : undefined
}

export const resourceOfKind = (kind: string): Resource | undefined => byKind.get(kind)

const groupOf = ({ apiVersion }: ObjectKind): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

/** The command that fetches objects of these kinds. */
export const collectCommand = (resources: readonly Pick<Resource, 'name' | 'apiVersion'>[]): string =>
  `kubectl get ${resources.map((one) => (one.apiVersion === CALICO ? `${one.name}.crd.projectcalico.org` : one.name)).join(',')} -A -o yaml`

/**
 * What a file's name says of objects that do not tell their kind: `pods.json`, `cluster-resources/pods/default.json` of
 * a support bundle, `resources/services/namespaces/default/web.json` of velero.
 */
export function kindOfPath(path: string): ObjectKind | undefined {
  const parts = path.split(/[/!]/)
  const base = (parts.pop() ?? '').replace(/(\.gz|\.(json|ya?ml))+$/i, '')
  const resources = parts.lastIndexOf('resources')
  const candidates = [base, parts.at(-1) ?? '', resources < 0 ? '' : (parts[resources + 1] ?? '')]
  for (const word of candidates) {
    const found = resourceNamed(word)
    if (found !== undefined) return { kind: found.kind, apiVersion: found.apiVersion }
  }
  return undefined
}
