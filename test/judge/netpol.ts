import type { Cluster } from '../../cluster/cluster.ts'
import { load } from '../../cluster/load.ts'
import type { Protocol } from '../../cluster/objects.ts'
import { labelsMatch } from '../../cluster/selector.ts'
import { partyOf } from '../../netpol/party.ts'
import { evaluate } from '../../netpol/policy.ts'
import type { Flow } from '../../netpol/rule-match.ts'
import { type Ip, ip } from '../../packet/ip.ts'
import { judgeOfJsonFiles, type Replayed } from './judge.ts'

/** Verdicts of NetworkPolicy suites (format podwalk-netpol/1) as our own evaluation gives them. */
export const netpolJudge = judgeOfJsonFiles(replaySuite)

interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

type End = string | { readonly ip: string } | { readonly service: string }

export interface PolicyProbe {
  readonly from: End
  readonly to: End
  readonly protocol: string
  readonly port?: number
  readonly expect: 'allow' | 'deny' | 'any'
  readonly disputed?: { readonly expect: string }
}

interface Matrix {
  readonly protocol: string
  readonly port: number
  readonly pods: readonly string[]
  readonly rows: Readonly<Record<string, string>>
}

interface Step {
  readonly apply?: readonly { readonly op: 'add' | 'update' | 'delete'; readonly object: ApiObject }[]
  readonly probes?: readonly PolicyProbe[]
  readonly matrix?: Matrix | readonly Matrix[]
}

export interface PolicyCase {
  readonly id: string
  readonly use?: readonly string[]
  readonly objects?: readonly ApiObject[]
  readonly steps: readonly Step[]
  readonly disputed?: { readonly expect: string }
  readonly invalidInput?: unknown
}

export interface PolicySuite {
  readonly format: string
  readonly objects?: Readonly<Record<string, readonly ApiObject[]>>
  readonly cases: readonly PolicyCase[]
}

export interface ReplayedStep {
  readonly probes: readonly string[]
  readonly rows: Readonly<Record<string, string>>
}

/** Whether a case needs policies that are not evaluated: AdminNetworkPolicy and its relatives. */
export const isNetworkPolicyOnly = (given: PolicyCase, suite: PolicySuite): boolean =>
  [...objectsOf(given, suite), ...given.steps.flatMap(({ apply }) => (apply ?? []).map(({ object }) => object))].every(
    ({ kind }) => kind === 'NetworkPolicy' || !kind.endsWith('NetworkPolicy'),
  )

function replaySuite(recorded: unknown): Replayed {
  const suite = recorded as PolicySuite
  if (suite.format !== 'podwalk-netpol/1') return { kind: 'skipped', reason: 'not a suite of policy cases' }
  const cases = suite.cases
    .filter((given) => isNetworkPolicyOnly(given, suite))
    .map((given) => ({ id: given.id, steps: replayCase(given, suite) }))
  return { kind: 'result', value: { cases } }
}

const objectsOf = (given: PolicyCase, suite: PolicySuite): readonly ApiObject[] => [
  ...(given.use ?? []).flatMap((name) => suite.objects?.[name] ?? []),
  ...(given.objects ?? []),
]

/** Steps are cumulative: each begins with what the one before left. */
export function replayCase(given: PolicyCase, suite: PolicySuite): readonly ReplayedStep[] {
  const objects = new Map(objectsOf(given, suite).map((object) => [keyOf(object), object]))
  return given.steps.map((step) => {
    for (const { op, object } of step.apply ?? [])
      if (op === 'delete') objects.delete(keyOf(object))
      else objects.set(keyOf(object), object)
    const cluster = clusterOf([...objects.values()], given.id)
    const probes = (step.probes ?? []).map((probe) => verdict(cluster, probe.from, probe))
    const rows: Record<string, string> = {}
    for (const { protocol, port, pods, rows: wanted } of [step.matrix ?? []].flat())
      for (const from of Object.keys(wanted))
        rows[from] = pods.map((to) => (verdict(cluster, from, { to, protocol, port }) === 'allow' ? '1' : '0')).join('')
    return { probes, rows }
  })
}

const keyOf = ({ apiVersion, kind, metadata }: ApiObject): string =>
  `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`

function clusterOf(items: readonly ApiObject[], name: string): Cluster {
  const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return load([{ name, bytes }]).cluster
}

type Asked = Pick<PolicyProbe, 'to' | 'protocol'> & { readonly port?: number }

function verdict(cluster: Cluster, from: End, asked: Asked): 'allow' | 'deny' | 'unknown' {
  const source = addressOf(cluster, from, asked)
  const target = addressOf(cluster, asked.to, asked)
  if (source === undefined || target === undefined) return 'unknown'
  const protocol = (['TCP', 'UDP', 'SCTP'] as const).find((one: Protocol) => one === asked.protocol) ?? 'other'
  const flow: Flow = { from: partyOf(cluster, source.ip), to: partyOf(cluster, target.ip), protocol, port: target.port }
  return evaluate(cluster, flow).allowed ? 'allow' : 'deny'
}

function addressOf(
  cluster: Cluster,
  end: End,
  { protocol, port = 0 }: Asked,
): { readonly ip: Ip; readonly port: number } | undefined {
  if (typeof end === 'string') {
    const address = cluster.index.pod.get(end)?.ips[0]
    return address === undefined ? undefined : { ip: address, port }
  }
  if ('ip' in end) return { ip: ip(end.ip), port }
  return backendOf(cluster, end.service, { protocol, port })
}

/** Policies see the packet after Service translation: the first backend, and the port it is sent to. */
function backendOf(
  cluster: Cluster,
  service: string,
  asked: { readonly protocol: string; readonly port: number },
): { readonly ip: Ip; readonly port: number } | undefined {
  const object = cluster.index.service.get(service)
  const wanted = object?.ports.find((one) => one.port === asked.port && one.protocol === asked.protocol)
  const pod = cluster.pods.find(
    ({ meta }) =>
      meta.namespace === object?.meta.namespace &&
      object.selector !== undefined &&
      labelsMatch(object.selector, meta.labels),
  )
  const [address] = pod?.ips ?? []
  if (wanted === undefined || pod === undefined || address === undefined) return undefined
  const { targetPort } = wanted
  if (typeof targetPort === 'number') return { ip: address, port: targetPort }
  const named = pod.spec.containers.flatMap(({ ports }) => ports).find(({ name }) => name === targetPort)
  return named === undefined ? undefined : { ip: address, port: named.containerPort }
}
