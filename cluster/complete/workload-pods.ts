import type { Ip } from '../../packet/ip.ts'
import { generatedName, templateHash } from '../allocate/names.ts'
import { isFinished } from '../build-index.ts'
import { compareVersions } from '../cluster-facts.ts'
import { isObject, type Json, type JsonObject } from '../input/json-value.ts'
import type { KubeNode, Labels, Meta, Namespace, Pod, PodSpec, PodTemplate, Toleration, Workload } from '../objects.ts'
import { byName, byText } from '../order.ts'
import type { Found } from '../read/object-kinds.ts'
import type { PodDraft } from '../read/pod.ts'
import type { SourceSpan } from '../source.ts'
import type { Filling } from './filling.ts'
import { fits } from './node-selection.ts'
import type { Ongoing } from './ongoing.ts'
import type { Candidate } from './placed.ts'
import { scheduler } from './schedule.ts'

export interface WorkloadSources {
  readonly workloads: readonly Workload[]
  readonly pods: readonly Found<PodDraft>[]
  readonly nodes: readonly KubeNode[]
  /** Terms about other pods may select them by their namespaces. */
  readonly namespaces: readonly Namespace[]
  readonly kubernetesVersion: string
  readonly ongoing?: Ongoing | undefined
}

/** A pod that is where it belongs, still without an address where `open`. */
export interface PlacedPod {
  readonly pod: Pod
  /** Its address is still to be given by the CNI. */
  readonly open: boolean
}

export interface MadePods {
  readonly pods: readonly PlacedPod[]
  /** ReplicaSets that Deployments would have made. */
  readonly replicaSets: readonly Workload[]
}

/**
 * The pods of the input, and those that its workloads would have made. A workload's pods are made up where it is a
 * manifest, or where the input holds no recorded pod at all; never beside pods that the workload already has.
 */
export function completePods(sources: WorkloadSources, filling: Filling): MadePods {
  const podsRecorded = sources.pods.some((found) => found.recorded || found.draft.hasStatus)
  const owned = new Set(sources.pods.flatMap(({ draft }) => ownerKey(draft.meta) ?? []))
  const { ongoing } = sources
  const isMade = (workload: Workload): boolean =>
    ongoing === undefined
      ? (workload.meta.uid === undefined || !podsRecorded) && !owned.has(keyOfWorkload(workload))
      : ongoing.missing.has(keyOfWorkload(workload))
  const replicaSets = replicaSetsOf(sources.workloads)
  const made = [...sources.workloads, ...replicaSets].filter(isMade).sort(byWorkload)
  const plans = atMost(made, filling).flatMap(ongoing === undefined ? plannedPods : (one) => missingPods(one, ongoing))
  return { pods: place(sources, plans, filling), replicaSets }
}

/** Pods that are made up in all: a cluster with more of them has recorded ones. */
const MOST_MADE_UP = 20_000

/** Kinds whose number of pods stands in the object. A DaemonSet has as many as nodes, a Deployment has ReplicaSets. */
const COUNTED: ReadonlySet<Workload['kind']> = new Set(['ReplicaSet', 'StatefulSet', 'Job'])

/** The workloads whose pods fit under the bound; of the others no pod is made, and that is said. */
function atMost(workloads: readonly Workload[], { diagnose }: Filling): readonly Workload[] {
  let pods = 0
  return workloads.filter((workload) => {
    if (!COUNTED.has(workload.kind)) return true
    const fits = pods + workload.replicas <= MOST_MADE_UP
    if (fits) pods += workload.replicas
    else
      diagnose({
        severity: 'warning',
        code: 'pods-too-many',
        message: `no pod of ${keyOfWorkload(workload)} is made up: with its ${workload.replicas} there would be more than ${MOST_MADE_UP}`,
        ...(workload.at === undefined ? {} : { at: { file: workload.at.file, line: workload.at.line } }),
        suggestion: 'give the pods of the cluster: kubectl get pods -A -o yaml',
      })
    return fits
  })
}

/** `ReplicaSet default/my-nginx-6846989649`. */
export const keyOfWorkload = (workload: Pick<Workload, 'kind' | 'meta'>): string =>
  `${workload.kind} ${workload.meta.namespace}/${workload.meta.name}`

export const ownerKey = (meta: Meta): string | undefined =>
  meta.owner && `${meta.owner.kind} ${meta.namespace}/${meta.owner.name}`

/** As they stand in the input, as kubectl would apply them: who comes first takes a place that all want. */
const byWorkload = (x: Workload, y: Workload): number => byPlace(x.at, y.at) || byName(x, y) || byText(x.kind, y.kind)

const byPlace = (x: SourceSpan | undefined, y: SourceSpan | undefined): number =>
  byText(x?.file ?? '', y?.file ?? '') || (x?.offset ?? 0) - (y?.offset ?? 0)

/** The ReplicaSet of each Deployment that has none in the input; one that is paused makes none. */
export function replicaSetsOf(workloads: readonly Workload[]): Workload[] {
  const owned = new Set(workloads.flatMap(({ meta }) => ownerKey(meta) ?? []))
  return workloads
    .filter(
      (workload) => workload.kind === 'Deployment' && workload.paused !== true && !owned.has(keyOfWorkload(workload)),
    )
    .map((deployment) => {
      const hash = templateHash(deployment.template)
      const { uid: _, ...meta } = deployment.meta
      return {
        ...deployment,
        kind: 'ReplicaSet',
        meta: {
          ...meta,
          // What made the pods is as recorded as the Deployment itself.
          ...(deployment.meta.uid === undefined ? {} : { uid: `${deployment.meta.uid}/${hash}` }),
          name: `${meta.name}-${hash}`,
          labels: { ...deployment.template.labels, 'pod-template-hash': hash },
          annotations: {},
          owner: { kind: 'Deployment', name: meta.name },
        },
        template: withLabels(deployment.template, { 'pod-template-hash': hash }),
        assumed: true,
      }
    })
}

const withLabels = (template: PodTemplate, labels: Labels): PodTemplate => ({
  ...template,
  labels: { ...template.labels, ...labels },
})

/** A pod before it has a node. `perNode`: one for each node that takes it. */
interface Plan {
  readonly namespace: string
  readonly name: string
  readonly template: PodTemplate
  readonly owner: Workload
  readonly perNode: boolean
  /** Of one for each node: how many are still to be made, and names that are in use. */
  readonly ongoing?: { readonly missing: number; readonly names: ReadonlySet<string> }
}

/** How often a controller tries another name. */
const MOST_NAMES = 1000

/** The pods that a workload's controller makes beside those that are there: as many as it lacks, under new names. */
function missingPods(workload: Workload, { missing, names }: Ongoing): Plan[] {
  const count = missing.get(keyOfWorkload(workload)) ?? 0
  const [first] = plannedPods({ ...workload, replicas: 1 })
  if (first?.perNode === true) return [{ ...first, ongoing: { missing: count, names } }]
  const isRandom = workload.kind === 'ReplicaSet' || (workload.kind === 'Job' && workload.indexed !== true)
  const planned = plannedPods({ ...workload, replicas: isRandom ? names.size + count : workload.replicas })
  return planned.filter(({ namespace, name }) => !names.has(`${namespace}/${name}`)).slice(0, count)
}

function plannedPods(workload: Workload): Plan[] {
  const { meta, template, replicas } = workload
  const plan = (name: string, of: PodTemplate, perNode = false): Plan => ({
    namespace: meta.namespace,
    name,
    template: of,
    owner: workload,
    perNode,
  })
  const numbered = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: Math.max(count, 0) }, (_, i) => make(i))
  const random = (i: number) => generatedName(`${meta.name}-`, `${meta.namespace}/${meta.name}/${i}`)
  switch (workload.kind) {
    case 'ReplicaSet':
      return numbered(replicas, (i) => plan(random(i), template))
    case 'StatefulSet':
      return numbered(replicas, (i) => statefulPod(workload, workload.ordinalsStart + i)).map(({ name, of }) =>
        plan(name, of),
      )
    case 'DaemonSet':
      return [plan(meta.name, { ...template, spec: withTolerations(template.spec) }, true)]
    case 'Job':
      return numbered(replicas, (i) => (workload.indexed === true ? indexedPod(workload, i) : jobPod(workload, i))).map(
        ({ name, of }) => plan(name, of),
      )
    default:
      return []
  }
}

/** pkg/controller/statefulset: the ordinal is in the name and in two labels, name and Service are in the spec. */
function statefulPod(workload: Workload, ordinal: number): { name: string; of: PodTemplate } {
  const name = `${workload.meta.name}-${ordinal}`
  const labels = { 'apps.kubernetes.io/pod-index': String(ordinal), 'statefulset.kubernetes.io/pod-name': name }
  const { spec } = workload.template
  const template = withLabels(workload.template, labels)
  return { name, of: { ...template, spec: { ...spec, hostname: name, subdomain: workload.serviceName } } }
}

const jobPod = ({ meta, template }: Workload, i: number): { name: string; of: PodTemplate } => ({
  name: generatedName(`${meta.name}-`, `${meta.namespace}/${meta.name}/${i}`),
  of: withLabels(template, jobLabels(meta.name)),
})

/** pkg/controller/job indexed_job_utils.go: the index is in the name, a label, an annotation and the hostname. */
function indexedPod({ meta, template }: Workload, i: number): { name: string; of: PodTemplate } {
  const index = { 'batch.kubernetes.io/job-completion-index': String(i) }
  const labelled = withLabels(template, { ...jobLabels(meta.name), ...index })
  const name = generatedName(`${meta.name}-${i}-`, `${meta.namespace}/${meta.name}/${i}`)
  return {
    name,
    of: {
      ...labelled,
      annotations: { ...template.annotations, ...index },
      spec: { ...template.spec, hostname: `${meta.name}-${i}` },
    },
  }
}

const jobLabels = (name: string): Labels => ({ 'batch.kubernetes.io/job-name': name, 'job-name': name })

/** What the DaemonSet controller adds (pkg/controller/daemon/util AddOrUpdateDaemonPodTolerations). */
function withTolerations(spec: PodSpec): PodSpec {
  const tolerate = (name: string, effect: string): Toleration => ({
    key: `node.kubernetes.io/${name}`,
    operator: 'Exists',
    value: '',
    effect,
  })
  const added = [
    tolerate('not-ready', 'NoExecute'),
    tolerate('unreachable', 'NoExecute'),
    tolerate('disk-pressure', 'NoSchedule'),
    tolerate('memory-pressure', 'NoSchedule'),
    tolerate('pid-pressure', 'NoSchedule'),
    tolerate('unschedulable', 'NoSchedule'),
    ...(spec.hostNetwork ? [tolerate('network-unavailable', 'NoSchedule')] : []),
  ]
  return { ...spec, tolerations: [...spec.tolerations, ...added] }
}

/** Gives every pod its node: first those that have one, then manifests, then the made ones, as they stand in the input. */
function place(sources: WorkloadSources, plans: readonly Plan[], filling: Filling): PlacedPod[] {
  const schedule = scheduler(sources.nodes, sources.namespaces)
  const topology = compareVersions(sources.kubernetesVersion, TOPOLOGY_LABELS_SINCE) >= 0
  const placed: PlacedPod[] = []
  const waiting: Found<PodDraft>[] = []
  for (const found of sources.pods) {
    const { hasStatus, ...pod } = found.draft
    if (found.recorded || hasStatus) {
      placed.push({ pod: { kind: 'Pod', ...pod, at: found.at, assumed: false }, open: false })
      if (pod.spec.nodeName !== '' && !isFinished(pod)) schedule.occupy(pod.spec.nodeName, candidateOf(pod))
    } else waiting.push(found)
  }
  const put = (request: Request) => placed.push(runningPod(request, { topology, filling }))
  const putWaiting = ({ draft, at }: Found<PodDraft>): void => {
    const node = schedule.place(candidateOf(draft))
    put({ meta: draft.meta, spec: draft.spec, node, at, ips: draft.ips })
  }
  const blocked = new Set<string>()
  const make = (plan: Plan): void => {
    const key = keyOfWorkload(plan.owner)
    if (blocked.has(key)) return
    if (plan.perNode) {
      let left = plan.ongoing?.missing ?? Number.POSITIVE_INFINITY
      for (const node of sources.nodes) {
        if (left === 0 || !fits(node, plan.template.spec)) continue
        if (plan.ongoing !== undefined && hasOwn(placed, plan, node)) continue
        left--
        const pod = podOf(plan, node)
        put({ ...pod, node: schedule.place(candidateOf(pod)), at: plan.owner.at, ips: [] })
      }
      return
    }
    const node = schedule.place(candidateOf(podOf(plan, undefined)))
    // The next pod of an ordered StatefulSet is made when this one runs.
    if (node === undefined && plan.owner.podManagementPolicy === 'OrderedReady') blocked.add(key)
    put({ ...podOf(plan, node), node, at: plan.owner.at, ips: [] })
  }
  // A pod that is told its node stands there before others look for theirs; these come as they stand in the input.
  for (const pod of waiting) if (pod.draft.spec.nodeName !== '') putWaiting(pod)
  const inOrder = [
    ...waiting
      .filter(({ draft }) => draft.spec.nodeName === '')
      .map((pod) => ({ at: pod.at as SourceSpan | undefined, place: () => putWaiting(pod) })),
    ...plans.map((plan) => ({ at: plan.owner.at, place: () => make(plan) })),
  ]
  for (const { place } of inOrder.sort((x, y) => byPlace(x.at, y.at))) place()
  return placed
}

/** Whether the workload has a pod on the node that is to stay. */
const hasOwn = (placed: readonly PlacedPod[], { owner }: Plan, node: KubeNode): boolean =>
  placed.some(
    ({ pod }) =>
      ownerKey(pod.meta) === keyOfWorkload(owner) &&
      pod.spec.nodeName === node.meta.name &&
      pod.meta.deletionTimestamp === undefined,
  )

const candidateOf = ({ meta, spec }: Pick<Pod, 'meta' | 'spec'>): Candidate => ({
  namespace: meta.namespace,
  labels: meta.labels,
  spec,
  owner: ownerKey(meta) ?? `Pod ${meta.namespace}/${meta.name}`,
  terminating: meta.deletionTimestamp !== undefined,
})

/** Since v1.35 binding copies a node's zone and region to the pod's labels (KEP-4742). */
const TOPOLOGY_LABELS_SINCE = 'v1.35.0'
const TOPOLOGY_LABELS = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone']

function podOf(plan: Plan, node: KubeNode | undefined): { meta: Meta; spec: PodSpec } {
  const { template, owner } = plan
  const name = plan.perNode ? nameOnNode(plan, node) : plan.name
  const meta: Meta = {
    namespace: plan.namespace,
    name,
    labels: template.labels,
    annotations: template.annotations,
    owner: { kind: owner.kind, name: owner.meta.name },
  }
  return { meta, spec: plan.perNode && node !== undefined ? pinnedTo(node, template.spec) : template.spec }
}

/** The first name of the row that no pod has had. */
function nameOnNode({ namespace, name, ongoing }: Plan, node: KubeNode | undefined): string {
  for (let turn = 0; ; turn++) {
    const seed = `${namespace}/${name}/${node?.meta.name ?? ''}${turn === 0 ? '' : `/${turn}`}`
    const generated = generatedName(`${name}-`, seed)
    if (turn === MOST_NAMES || ongoing?.names.has(`${namespace}/${generated}`) !== true) return generated
  }
}

/** A DaemonSet's pod is scheduled too, by an affinity to its node's name (pkg/controller/daemon/util). */
function pinnedTo(node: KubeNode, spec: PodSpec): PodSpec {
  const field = { key: 'metadata.name', operator: 'In', values: [node.meta.name] }
  const required = { nodeSelectorTerms: [{ matchFields: [field] }] }
  const given = isObject(spec.affinity as Json) ? (spec.affinity as JsonObject) : {}
  const ofNode = isObject(given.nodeAffinity) ? given.nodeAffinity : {}
  const nodeAffinity = { ...ofNode, requiredDuringSchedulingIgnoredDuringExecution: required }
  return { ...spec, affinity: { ...given, nodeAffinity } }
}

interface Request {
  readonly meta: Meta
  readonly spec: PodSpec
  readonly node: KubeNode | undefined
  readonly at: SourceSpan | undefined
  /** Addresses that its manifest asks for. */
  readonly ips: readonly Ip[]
}

/** The pod as it is when everything went well: running and ready; pending where no node takes it. */
function runningPod(request: Request, of: { topology: boolean; filling: Filling }): PlacedPod {
  const { meta, spec, node, at } = request
  const base = { kind: 'Pod' as const, assumed: true, ...(at === undefined ? {} : { at }) }
  if (node === undefined) {
    of.filling.diagnose(unplaced(request))
    return { pod: { ...base, meta, spec, phase: 'Pending', ready: false, ips: [], hostIPs: [] }, open: false }
  }
  const labels = { ...meta.labels }
  for (const key of of.topology ? TOPOLOGY_LABELS : []) {
    const value = Object.hasOwn(node.meta.labels, key) ? node.meta.labels[key] : undefined
    if (value !== undefined) labels[key] = value
  }
  const pod: Pod = {
    ...base,
    meta: { ...meta, labels },
    spec: { ...spec, nodeName: node.meta.name },
    phase: 'Running',
    ready: true,
    ips: spec.hostNetwork ? node.internalIPs : request.ips,
    hostIPs: node.internalIPs,
  }
  return { pod, open: pod.ips.length === 0 && !spec.hostNetwork }
}

function unplaced({ meta, spec, at }: Request) {
  const name = `Pod ${meta.namespace}/${meta.name}`
  const why = spec.nodeName === '' ? 'no node takes it' : `its node ${spec.nodeName} is not in the input`
  return {
    severity: 'warning' as const,
    code: 'pod-unschedulable',
    message: `${name}: ${why}; it stays Pending`,
    object: name,
    ...(at === undefined ? {} : { at }),
    suggestion: 'look at nodeSelector, affinity, taints and cordoned nodes',
  }
}
