import type { Cluster } from '../../cluster/cluster.ts'
import type { Container, Pod, Workload } from '../../cluster/objects.ts'
import { imageVersion, type Version } from '../version.ts'

/** How flanneld is started: the flags that change what it does on a node. */
export interface FlanneldArgs {
  readonly ipMasq: boolean
  /** --iptables-forward-rules, on unless switched off. */
  readonly forwardRules: boolean
  /** --iface, in the order given: names or addresses; and --iface-regex. */
  readonly ifaces: readonly IfaceChoice[]
  readonly canReach: string | undefined
  readonly annotationPrefix: string | undefined
  /** --ip-masq-fully-random-disable. */
  readonly randomFullyDisabled: boolean
}

export interface IfaceChoice {
  readonly kind: 'name' | 'regex'
  readonly text: string
}

/** The command line of flannel's own manifest. */
export const STOCK_ARGS: FlanneldArgs = {
  ipMasq: true,
  forwardRules: true,
  ifaces: [],
  canReach: undefined,
  annotationPrefix: undefined,
  randomFullyDisabled: false,
}

/** The flanneld container of the DaemonSet, or of one of its pods where the snapshot has only pods. */
export function flanneldContainer(
  cluster: Cluster,
): { readonly container: Container; readonly owner: Workload | Pod } | undefined {
  const isFlanneld = (container: Container) =>
    /(^|\/)flannel(d)?(:|@|$)/.test(container.image) ||
    [...container.command, ...container.args].some((word) => word.endsWith('/flanneld'))
  for (const workload of cluster.workloads)
    if (workload.kind === 'DaemonSet') {
      const container = workload.template.spec.containers.find(isFlanneld)
      if (container !== undefined) return { container, owner: workload }
    }
  for (const pod of cluster.pods) {
    const container = pod.spec.hostNetwork ? pod.spec.containers.find(isFlanneld) : undefined
    if (container !== undefined) return { container, owner: pod }
  }
  return undefined
}

export const flanneldVersion = (container: Container): Version | undefined => imageVersion(container.image)

/** Reads flags as Go's flag package: one or two dashes, `=value` or the next word; a bare boolean is true. */
export function parseFlanneldArgs(words: readonly string[]): FlanneldArgs {
  let args: FlanneldArgs = { ...STOCK_ARGS, ipMasq: false }
  for (let i = 0; i < words.length; i++) {
    const match = /^--?([a-z0-9-]+)(?:=(.*))?$/s.exec(words[i] ?? '')
    if (match === null) continue
    const name = match[1] ?? ''
    const valued = (): string => match[2] ?? words[++i] ?? ''
    const bool = (): boolean => !['false', 'f', '0', 'F', 'FALSE', 'False'].includes(match[2] ?? 'true')
    switch (name) {
      case 'ip-masq':
        args = { ...args, ipMasq: bool() }
        break
      case 'iptables-forward-rules':
        args = { ...args, forwardRules: bool() }
        break
      case 'ip-masq-fully-random-disable':
        args = { ...args, randomFullyDisabled: bool() }
        break
      case 'iface':
        args = { ...args, ifaces: [...args.ifaces, { kind: 'name', text: valued() }] }
        break
      case 'iface-regex':
        args = { ...args, ifaces: [...args.ifaces, { kind: 'regex', text: valued() }] }
        break
      case 'iface-can-reach':
        args = { ...args, canReach: valued() }
        break
      case 'kube-annotation-prefix':
        args = { ...args, annotationPrefix: valued() }
        break
    }
  }
  return args
}
