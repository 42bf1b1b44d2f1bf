import type { Cluster } from '../cluster/cluster.ts'
import { udpForwarder } from '../cni/flannel/udp-forwarder.ts'
import { type DnsApiView, dnsApiView, liveView } from '../dns/coredns/api-view.ts'
import { corednsProgram } from '../dns/coredns/program.ts'
import { upstreamDnsProgram } from '../dns/upstream.ts'
import { once } from '../linux/netfilter/block.ts'
import type { Program } from '../linux/process.ts'
import { relay } from '../proxy/userspace/relay.ts'
import { RELAY_PROGRAM } from '../proxy/userspace/relay-table.ts'
import type { Blueprint } from './blueprint.ts'
import { listener } from './listener.ts'
import { unknownResolver } from './unknown-resolver.ts'

/** The same programs in one run over several states of a cluster: its CoreDNS sees the state of the moment. */
export function livePrograms(programs: Blueprint['program'], cluster: () => Cluster): Blueprint['program'] {
  let seen: { readonly cluster: Cluster; readonly view: DnsApiView } | undefined
  const current = (): DnsApiView => {
    const now = cluster()
    if (seen?.cluster !== now) seen = { cluster: now, view: dnsApiView(now) }
    return seen.view
  }
  const coredns = once(() => corednsProgram(liveView(current)) as Program)
  return (name, args) => (name === COREDNS ? coredns() : programs(name, args))
}

const COREDNS = 'coredns'

/** Everything that a `process.start` can name, for the nodes of a cluster. */
export function clusterPrograms(cluster: Cluster): Blueprint['program'] {
  const programs: Readonly<Record<string, () => Program>> = {
    listener: () => listener as Program,
    'flanneld-udp': () => udpForwarder as Program,
    [RELAY_PROGRAM]: () => relay as Program,
    [COREDNS]: once(() => corednsProgram(dnsApiView(cluster)) as Program),
    'upstream-dns': () => upstreamDnsProgram as Program,
    'unknown-resolver': () => unknownResolver as Program,
  }
  return (name) => (Object.hasOwn(programs, name) ? programs[name]?.() : undefined)
}
