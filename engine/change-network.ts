import { type Cluster, keyOf } from '../cluster/cluster.ts'
import { podNetns } from '../cni/pod-netns.ts'
import type { HostConfig, NetnsConfig } from '../linux/host-config.ts'
import { startPrograms } from '../linux/machine.ts'
import type { Host, Netns } from '../linux/netns.ts'
import { ROOT_NETNS } from '../linux/op.ts'
import { reconfigure } from '../linux/reconfigure.ts'
import { killProcess, startProcess, tellProcess } from '../linux/run-process.ts'
import { formatIp } from '../packet/ip.ts'
import type { Blueprint } from './blueprint.ts'
import { type Network, run } from './network.ts'

const MAX_EVENTS = 200_000

/**
 * The machines of a run as they are after a change of the cluster. Pods that are gone close what they had open before
 * their network is taken away; everything else goes on.
 */
export function changeNetwork(
  network: Network,
  next: Blueprint,
  clusters: { readonly before: Cluster; readonly after: Cluster },
): void {
  const renewed = renewedPods(clusters)
  const configs = new Map<Host, HostConfig | undefined>()
  for (const host of network.hosts.values()) configs.set(host, next.hosts.get(host.name)?.())
  for (const [host, config] of configs) endPrograms(network, { host, config, renewed })
  run(network, { until: () => true, maxEvents: MAX_EVENTS, maxTime: Number.POSITIVE_INFINITY })
  network.become(next)
  const gone = new Set<Netns>()
  for (const [host, config] of configs) {
    if (config === undefined) {
      network.hosts.delete(host.name)
      for (const ns of host.netns.values()) gone.add(ns)
      continue
    }
    for (const ns of reconfigure(host, config, renewed)) gone.add(ns)
    for (const [name, space] of config.netns) {
      const ns = host.netns.get(name)
      if (ns !== undefined) changePrograms(network, ns, space)
    }
  }
  for (const ns of gone) network.asleep.delete(ns)
  network.queue.forget((ns) => gone.has(ns))
  run(network, { until: () => true, maxEvents: MAX_EVENTS, maxTime: Number.POSITIVE_INFINITY })
}

/** Namespaces of pods that are others of the same name. */
function renewedPods({ before, after }: { readonly before: Cluster; readonly after: Cluster }): ReadonlySet<string> {
  const renewed = new Set<string>()
  for (const pod of after.pods) {
    const old = before.index.pod.get(keyOf(pod.meta))
    if (old === undefined || pod.spec.hostNetwork || old.ips.length === 0) continue
    const isOther =
      old.meta.uid !== undefined && pod.meta.uid !== undefined
        ? old.meta.uid !== pod.meta.uid
        : old.ips.map(formatIp).join() !== pod.ips.map(formatIp).join()
    if (isOther) renewed.add(podNetns(pod))
  }
  return renewed
}

/** Processes whose pod is gone, or that nobody starts any more, are ended; what they had open is closed. */
function endPrograms(
  network: Network,
  of: {
    readonly host: Host
    readonly config: HostConfig | undefined
    readonly renewed: ReadonlySet<string>
  },
): void {
  const { host, config, renewed } = of
  for (const ns of host.netns.values()) {
    if (network.asleep.has(ns)) continue
    const space = renewed.has(ns.name) ? undefined : config?.netns.get(ns.name)
    const configured = network.configOf(host.name)?.netns.get(ns.name)?.processes ?? []
    const wanted = new Set(space?.processes.map(({ name }) => name))
    const ending = space === undefined ? [...ns.state.processes.keys()] : configured.map(({ name }) => name)
    for (const name of ending) if (!wanted.has(name)) killProcess(ns, name)
  }
}

/** Programs that are new are started; those that are there are told what is new to them. */
function changePrograms(network: Network, ns: Netns, space: NetnsConfig): void {
  const isNew = !network.asleep.has(ns) && ns.state.processes.size === 0
  if (network.asleep.has(ns) || (isNew && ns.name !== ROOT_NETNS)) {
    network.asleep.set(ns, space)
    return
  }
  const started: NetnsConfig['processes'][number][] = []
  for (const process of space.processes) {
    const running = ns.state.processes.get(process.name)
    const program = network.blueprint.program(process.program, process.args)
    if (running === undefined || running.exitCode !== undefined) started.push(process)
    else if (program !== undefined && running.program.name !== program.name) {
      killProcess(ns, process.name)
      startProcess(ns, process.name, program, process.args)
    } else if (program !== undefined && JSON.stringify(running.context.args) !== JSON.stringify(process.args))
      tellProcess(ns, process.name, { program, args: process.args })
  }
  startPrograms(ns, { ...space, processes: started }, network.blueprint.program)
}
