import type { CaseStep, KubeProxyCase } from './kube-proxy-case.ts'

/** A case transcribed from kube-proxy's own tests: `cases/kube-proxy/README.md`. */
export interface SuiteCase {
  readonly id: string
  readonly mode: string
  readonly proxier: {
    readonly nodeName: string
    readonly nodeIP: string
    readonly nodeLabels: Readonly<Record<string, string>>
    readonly interfaces: readonly { readonly name: string; readonly addresses: readonly string[] }[]
    readonly traceLocalIPs: readonly string[]
    readonly detectLocal: { readonly mode: string; readonly cidr?: string }
    readonly masqueradeAll: boolean
    readonly localhostNodePorts?: boolean
    readonly nodePortAddresses: readonly string[] | null
    /** Of iptables mode. */
    readonly nfacct?: readonly string[]
    readonly randomFully?: boolean
    readonly conntrackTCPLiberal?: boolean
  }
  readonly steps: readonly {
    readonly apply: CaseStep['apply']
    readonly expect: SuiteExpectation
  }[]
}

export interface SuiteExpectation {
  /** The restore input, in the order of `orderedRestore`, with the mark written short. */
  readonly rules?: string
  readonly natRuleDelta?: number
  readonly flows?: readonly SuiteFlow[]
  readonly chains?: readonly { readonly table: string; readonly chain: string; readonly rules: string }[]
}

export interface SuiteFlow {
  readonly name: string
  readonly sourceIP: string
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly destIP: string
  readonly destPort: number
  /** Endpoints, or ACCEPT, REJECT, DROP, joined by comma and space; empty where nothing matched. */
  readonly output: string
  readonly masq: boolean
}

/** The same case in the form of the recorded ones, before any step. The suite's version is about v1.36's. */
export function recordedForm({ mode, proxier }: SuiteCase): KubeProxyCase {
  return {
    kubeProxyVersion: 'v1.36.3',
    config: {
      mode,
      nodeName: proxier.nodeName,
      ipFamilies: ['IPv4', 'IPv6'],
      detectLocal:
        proxier.detectLocal.cidr === undefined
          ? { mode: '' }
          : { mode: proxier.detectLocal.mode, clusterCIDRs: [proxier.detectLocal.cidr] },
      masqueradeAll: proxier.masqueradeAll,
      masqueradeBit: 14,
      localhostNodePorts: proxier.localhostNodePorts ?? true,
      nodePortAddresses: proxier.nodePortAddresses,
      conntrackTCPBeLiberal: proxier.conntrackTCPLiberal ?? false,
      interfaces: proxier.interfaces.filter((link) => link.name !== 'lo'),
      nfacct: (proxier.nfacct ?? []).length > 0,
      randomFully: proxier.randomFully ?? true,
    },
    objects: [
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: proxier.nodeName, labels: proxier.nodeLabels },
        status: { addresses: [{ type: 'InternalIP', address: proxier.nodeIP }] },
      } as KubeProxyCase['objects'][number],
    ],
    expected: {},
  }
}
