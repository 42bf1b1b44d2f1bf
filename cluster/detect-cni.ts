import type { DetectedCni } from './cluster.ts'
import type { Lab } from './lab.ts'
import type { ConfigMap, KubeNode, OtherObject, Workload } from './objects.ts'
import type { SourceSpan } from './source.ts'

/** What the detection looks at. */
export interface CniEvidence {
  readonly lab: Lab
  readonly configMaps: readonly ConfigMap[]
  readonly workloads: readonly Workload[]
  readonly nodes: readonly KubeNode[]
  readonly others: readonly OtherObject[]
}

/** The CNIs that are recognised, by the name that a Lab gives them. */
export const KNOWN_CNIS: readonly string[] = [
  'flannel',
  'calico',
  'canal',
  'kindnet',
  'bridge',
  'docker',
  'aws-vpc-cni',
  'kube-router',
  'cilium',
  'weave',
  'antrea',
  'ovn-kubernetes',
]

/** Those whose tables are computed; cni/registry.ts has them, and a test holds that it has no others. */
export const MODELLED_CNIS: readonly string[] = ['flannel', 'calico']

/**
 * Finds the cluster's CNI by the objects that each one leaves: first match wins, and the object that decided is named.
 * A DaemonSet or a ConfigMap is certain; annotations alone may be left over from an earlier CNI.
 */
export function detectCni(evidence: CniEvidence): DetectedCni {
  const given = evidence.lab.cni?.name
  if (given !== undefined && given !== '')
    return { name: given, evidence: 'spec.cni of the Lab document', confidence: 'given' }
  for (const rule of RULES) {
    const found = rule(evidence)
    if (found !== undefined) return found
  }
  return { name: 'unknown', evidence: 'no object of a known CNI', confidence: 'guess' }
}

type Rule = (evidence: CniEvidence) => DetectedCni | undefined

const configMap =
  (cni: string, names: readonly string[]): Rule =>
  ({ configMaps }) => {
    const found = configMaps.find(({ meta }) => names.includes(`${meta.namespace}/${meta.name}`))
    return found && certain(cni, `ConfigMap ${found.meta.namespace}/${found.meta.name}`, found.at)
  }

const daemonSet =
  (cni: string, name: RegExp): Rule =>
  ({ workloads }) => {
    const found = workloads.find(({ kind, meta }) => kind === 'DaemonSet' && name.test(meta.name))
    return found && certain(cni, `DaemonSet ${found.meta.namespace}/${found.meta.name}`, found.at)
  }

const annotation =
  (cni: string, prefix: string): Rule =>
  ({ nodes }) => {
    for (const node of nodes) {
      const key = Object.keys(node.meta.annotations).find((name) => name.startsWith(prefix))
      if (key !== undefined)
        return { name: cni, evidence: `annotation ${key} of Node ${node.meta.name}`, confidence: 'likely' }
    }
    return undefined
  }

const calicoResource: Rule = ({ others }) => {
  const found = others.find(
    ({ objectKind, apiVersion }) =>
      (apiVersion.includes('projectcalico.org/') && objectKind === 'IPPool') || objectKind === 'Installation',
  )
  return found && certain('calico', `${found.objectKind} ${found.meta.name}`, found.at)
}

const certain = (name: string, evidence: string, at: SourceSpan | undefined): DetectedCni => ({
  name,
  evidence,
  confidence: 'certain',
  ...(at === undefined ? {} : { at }),
})

/** canal before flannel and calico, since it is both: its own ConfigMap tells. */
const RULES: readonly Rule[] = [
  configMap('canal', ['kube-system/canal-config']),
  daemonSet('canal', /^(rke2-)?canal$/),
  configMap('flannel', ['kube-flannel/kube-flannel-cfg', 'kube-system/kube-flannel-cfg']),
  daemonSet('flannel', /^kube-flannel(-ds(-\w+)?)?$/),
  daemonSet('calico', /^calico-node$/),
  configMap('calico', ['kube-system/calico-config']),
  calicoResource,
  daemonSet('kindnet', /^kindnet$/),
  daemonSet('aws-vpc-cni', /^aws-node$/),
  daemonSet('kube-router', /^kube-router$/),
  daemonSet('cilium', /^cilium$/),
  daemonSet('weave', /^weave-net$/),
  daemonSet('antrea', /^antrea-agent$/),
  daemonSet('ovn-kubernetes', /^ovnkube-node/),
  annotation('flannel', 'flannel.alpha.coreos.com/'),
  annotation('calico', 'projectcalico.org/'),
]
