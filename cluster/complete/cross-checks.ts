import { formatIp, type Ip, ipKey } from '../../packet/ip.ts'
import { containsPrefix, formatPrefix, type Prefix, samePrefix } from '../../packet/prefix.ts'
import { isFinished } from '../build-index.ts'
import type { Cluster } from '../cluster.ts'
import { KNOWN_CNIS, MODELLED_CNIS } from '../detect-cni.ts'
import type { FieldPath } from '../input/field-path.ts'
import type { Item } from '../input/item.ts'
import { nearest } from '../nearest.ts'
import type { Diagnostic, SourceLocation, SourceSpan } from '../source.ts'
import type { SourceTexts } from '../source-texts.ts'

export interface CheckInput {
  readonly cluster: Cluster
  readonly sources: SourceTexts
  readonly labs: readonly Item[]
}

/** What is wrong between objects that are each right by themselves. Nothing is changed for it. */
export function crossChecks(input: CheckInput): Diagnostic[] {
  return [...podCIDRs(input), ...nodeAddresses(input), ...podAddresses(input), ...cni(input), ...labNames(input)]
}

interface Claim {
  readonly object: string
  readonly at: SourceSpan | undefined
  readonly path: FieldPath
}

function located({ sources }: CheckInput, { at, path }: Claim): { at?: SourceLocation } {
  return at === undefined ? {} : { at: sources.locate(at, path) }
}

/** Two objects claim one thing: the second is told, with the first beside it. */
function claimedTwice(
  input: CheckInput,
  of: {
    first: Claim
    second: Claim
    severity: Diagnostic['severity']
    code: string
    what: string
    suggestion?: string
  },
): Diagnostic {
  const { first, second, severity, code, what, suggestion } = of
  return {
    severity,
    code,
    message: `${second.object}: ${what} is also that of ${first.object}`,
    ...located(input, second),
    notes: [{ message: `${first.object} has it here`, ...located(input, first) }],
    object: second.object,
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}

function podCIDRs(input: CheckInput): Diagnostic[] {
  const claims: (Claim & { readonly range: Prefix })[] = []
  const found: Diagnostic[] = []
  for (const node of input.cluster.nodes)
    for (const [i, range] of node.podCIDRs.entries()) {
      const claim = { object: `Node ${node.meta.name}`, at: node.at, path: ['spec', 'podCIDRs', i], range }
      const first = claims.find((other) => containsPrefix(other.range, range) || containsPrefix(range, other.range))
      if (first !== undefined) {
        const same = samePrefix(first.range, range)
        const what = same ? `podCIDR ${formatPrefix(range)}` : `a part of podCIDR ${formatPrefix(range)}`
        const suggestion =
          'give each node its own podCIDR: pods on these nodes get the same addresses, and half of them cannot be reached'
        found.push(
          claimedTwice(input, {
            first,
            second: claim,
            severity: 'error',
            code: 'pod-cidr-duplicate',
            what,
            suggestion,
          }),
        )
      }
      claims.push(claim)
    }
  return found
}

function nodeAddresses(input: CheckInput): Diagnostic[] {
  return duplicates(
    input.cluster.nodes.flatMap((node) =>
      node.internalIPs.map((ip) => ({
        object: `Node ${node.meta.name}`,
        at: node.at,
        path: ['status', 'addresses'],
        ip,
      })),
    ),
  ).map(({ first, second }) =>
    claimedTwice(input, {
      first,
      second,
      severity: 'error',
      code: 'node-ip-duplicate',
      what: `InternalIP ${formatIp(second.ip)}`,
    }),
  )
}

/** Host-network pods share their node's addresses, and a finished pod's may have been given on. */
function podAddresses(input: CheckInput): Diagnostic[] {
  const pods = input.cluster.pods.filter((pod) => !pod.spec.hostNetwork && !isFinished(pod))
  return duplicates(
    pods.flatMap(({ meta, at, ips }) =>
      ips.map((ip) => ({ object: `Pod ${meta.namespace}/${meta.name}`, at, path: ['status', 'podIP'], ip })),
    ),
  ).map(({ first, second }) =>
    claimedTwice(input, {
      first,
      second,
      severity: 'warning',
      code: 'pod-ip-duplicate',
      what: `address ${formatIp(second.ip)}`,
    }),
  )
}

function duplicates<C extends Claim & { readonly ip: Ip }>(claims: readonly C[]): { first: C; second: C }[] {
  const owners = new Map<number | string, C>()
  return claims.flatMap((second) => {
    const first = owners.get(ipKey(second.ip))
    if (first === undefined) owners.set(ipKey(second.ip), second)
    return first === undefined || first.object === second.object ? [] : [{ first, second }]
  })
}

function cni(input: CheckInput): Diagnostic[] {
  const { name, confidence } = input.cluster.facts.cni
  const modelled = MODELLED_CNIS.join(', ')
  if (confidence === 'given') {
    if (KNOWN_CNIS.includes(name)) return []
    const near = nearest(name, MODELLED_CNIS)
    const [lab] = input.labs
    return [
      {
        severity: 'error',
        code: 'cni-unknown',
        message: `CNI "${name}" is not known; pods get addresses out of their node's podCIDR`,
        ...(lab === undefined ? {} : { at: input.sources.locate(lab.at, ['spec', 'cni', 'name']) }),
        suggestion: near === undefined ? `one of ${modelled}` : `did you mean ${near}?`,
      },
    ]
  }
  const given = input.cluster.nodes.filter(({ at }) => at !== undefined)
  if (name !== 'unknown' || given.length === 0) return []
  const agents = input.cluster.workloads.filter(
    ({ kind, meta }) => kind === 'DaemonSet' && meta.namespace.startsWith('kube-'),
  )
  const seen = agents.map(({ meta }) => `${meta.namespace}/${meta.name}`)
  const at = agents[0]?.at ?? given[0]?.at
  const evidence = seen.length === 0 ? 'no DaemonSet of a CNI is in the input' : `DaemonSets seen: ${seen.join(', ')}`
  return [
    {
      severity: 'warning',
      code: 'cni-unknown',
      message: `which CNI the cluster uses is not known: ${evidence}`,
      ...(at === undefined ? {} : { at: { file: at.file, line: at.line } }),
      suggestion: `say it: spec.cni.name in a Lab document, one of ${modelled}`,
    },
  ]
}

/** Nodes and pods that a Lab names and the cluster does not have. */
function labNames(input: CheckInput): Diagnostic[] {
  const { lab, index } = input.cluster
  const nodes = [
    ...Object.keys(lab.nodes ?? {}).map((name) => ({ name, path: ['spec', 'nodes', name] })),
    ...(lab.networks ?? []).flatMap((network, i) =>
      (network.nodes ?? []).map((name, k) => ({ name, path: ['spec', 'networks', i, 'nodes', k] })),
    ),
    ...(lab.faults ?? []).flatMap((fault, i) =>
      ['node', 'peer'].flatMap((key) => {
        const name = (fault as Readonly<Record<string, unknown>>)[key]
        return typeof name === 'string' ? [{ name, path: ['spec', 'faults', i, key] }] : []
      }),
    ),
  ]
  const pods = [
    ...(lab.listeners ?? []).map(({ pod }, i) => ({ name: pod ?? '', path: ['spec', 'listeners', i, 'pod'] })),
    ...(lab.faults ?? []).map((fault, i) => ({
      name: fault.kind === 'serverDown' ? fault.pod : '',
      path: ['spec', 'faults', i, 'pod'],
    })),
  ]
  return [
    ...nodes.filter(({ name }) => !index.node.has(name)).map((one) => unknownName(input, { what: 'node', ...one })),
    ...pods
      .filter(({ name }) => name !== '' && !index.pod.has(name))
      .map((one) => unknownName(input, { what: 'pod', ...one })),
  ]
}

function unknownName(input: CheckInput, of: { what: 'node' | 'pod'; name: string; path: FieldPath }): Diagnostic {
  const { what, name, path } = of
  const near = nearest(name, input.cluster.index[what].keys())
  const [lab] = input.labs
  return {
    severity: 'warning',
    code: `lab-${what}-unknown`,
    message: `Lab: ${what} "${name}" is not in the cluster`,
    // Where several documents were merged, their lists are longer than those of the first.
    ...(lab === undefined
      ? {}
      : { at: input.sources.locate(lab.at, input.labs.length === 1 ? path : path.slice(0, 2)) }),
    ...(near === undefined ? {} : { suggestion: `did you mean ${near}?` }),
  }
}
