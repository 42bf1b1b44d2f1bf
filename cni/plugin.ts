import type { Cluster } from '../cluster/cluster.ts'
import type { KubeNode } from '../cluster/objects.ts'
import type { Assumption, Diagnostic } from '../cluster/source.ts'
import type { HostFacts } from '../linux/host-facts.ts'
import type { Op } from '../linux/op.ts'
import type { Prefix } from '../packet/prefix.ts'

/**
 * A pod network as a compiler: it reads the cluster and says what its agents and plugins would configure on one
 * node. It never sees a packet.
 */
export interface CniPlugin<Config = unknown> {
  readonly name: string
  /** Reads the settings from where clusters keep them; a Lab document's `cni` overrides them. */
  configure(cluster: Cluster): CniConfigured<Config>
  /** What stands on `node` when all agents have settled, in the order they write it. */
  compile(cluster: Cluster, node: KubeNode, config: Config, facts: HostFacts): Op[]
  /** What the agents try on `node` and the kernel, or a fault, refuses them: why an expected entry is not there. */
  refusals(cluster: Cluster, node: KubeNode, config: Config, facts: HostFacts): readonly Refusal[]
}

export interface CniConfigured<Config> {
  readonly config: Config
  readonly assumptions: readonly Assumption[]
  readonly diagnostics: readonly Diagnostic[]
  /** Set where this network is recognised and what it would configure is not known here: no walk may rest on it. */
  readonly notModelled?: NotModelled
}

/** Something a pod network has that podwalk recognises and does not compute. */
export interface NotModelled {
  /** `calico with VXLAN encapsulation`. */
  readonly what: string
  /** What exactly is missing, in words that follow "not modelled: ". */
  readonly missing: string
  /** Where it was seen: `IPPool default-ipv4-ippool (pools.yaml:3)`. */
  readonly evidence: string
}

/** An entry that is not on a node although its pod network wants it there. */
export interface Refusal {
  readonly node: string
  /** Packets for these addresses miss it. */
  readonly destination: Prefix
  /** The command that failed: `ip route add 10.244.2.0/24 via 192.168.50.182 dev ens33`. */
  readonly command: string
  /** What it answered, or why it was never given. */
  readonly answer: string
  /** One sentence for people. */
  readonly reason: string
  /** Node whose pods cannot be reached for it. */
  readonly peer: string
}
