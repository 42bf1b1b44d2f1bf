import { type Cluster, keyOf } from '../../cluster/cluster.ts'
import type { ConfigMap } from '../../cluster/objects.ts'
import type { Assumption, Diagnostic } from '../../cluster/source.ts'
import { formatIp } from '../../packet/ip.ts'
import { formatPrefix, type Prefix } from '../../packet/prefix.ts'
import { foreignPods } from '../bridge/bridge.ts'
import { goBoolean, goString } from '../go-json.ts'
import { hostPortDiagnostics } from '../host-port.ts'
import { describe } from '../origin.ts'
import type { CniConfigured, NotModelled } from '../plugin.ts'
import { networkedPods } from '../pod-netns.ts'
import { formatVersion, parseVersion, type Version } from '../version.ts'
import { type FlannelBackend, OTHER_BACKENDS, parseBackend, usesGbp } from './backend.ts'
import { type CniConf, parseCniConf, STOCK_CNI_CONF } from './cni-conf.ts'
import {
  type FlanneldArgs,
  flanneldContainer,
  flanneldVersion,
  parseFlanneldArgs,
  STOCK_ARGS,
} from './flanneld-args.ts'
import { type Lease, leasesOf } from './lease.ts'
import { type NetConf, parseNetConf } from './net-conf.ts'
import { NEWEST } from './versions.ts'

/** Everything flanneld and its CNI plugin know: the same for all nodes. */
export interface FlannelConfig {
  readonly networks: readonly Prefix[]
  readonly backend: FlannelBackend
  /** A Lab asked for this backend: what the nodes' annotations say of theirs does not count. */
  readonly backendForced: boolean
  readonly version: Version
  readonly args: FlanneldArgs
  readonly cni: CniConf
  /** By node name. */
  readonly leases: readonly Lease[]
  /** The object that says it, for origins. */
  readonly configMap: ConfigMap | undefined
  /** False where this flannel is not modelled: what it would do is left out rather than guessed. */
  readonly computed: boolean
}

const CONFIG_MAPS = ['kube-flannel/kube-flannel-cfg', 'kube-system/kube-flannel-cfg']

/** The settings of a cluster's flannel: kube-flannel-cfg, the DaemonSet's command line, node annotations, the Lab. */
export function configureFlannel(cluster: Cluster): CniConfigured<FlannelConfig> {
  const found: Findings = { assumptions: [], diagnostics: [], notModelled: [] }
  const configMap = CONFIG_MAPS.map((key) => cluster.index.configMap.get(key)).find((map) => map !== undefined)
  const netConf = readNetConf(cluster, configMap, found)
  const { backend, forced } = readBackend(cluster, netConf, found, configMap)
  const args = readArgs(cluster, found)
  const vni = backend.kind === 'vxlan' ? backend.vni : 1
  const leases = leasesOf(cluster, netConf.networks, {
    vtep: `flannel.${vni}`,
    vtep6: `flannel-v6.${vni}`,
    annotationPrefix: args.annotationPrefix,
  })
  const known = {
    networks: netConf.networks,
    backend,
    backendForced: forced,
    version: readVersion(cluster, found),
    args,
    cni: readCniConf(configMap, found),
    leases: leases.leases,
    configMap,
  }
  if (netConf.enableNFTables)
    missing(found, 'flannel in nftables mode', {
      missing: 'the tables ip/ip6 flannel-ipv4 and flannel-ipv6',
      seenIn: configMap,
    })
  const [notModelled] = found.notModelled
  const config: FlannelConfig = { ...known, computed: notModelled === undefined }
  const usesMacs = backend.kind === 'vxlan'
  return {
    config,
    assumptions: [...found.assumptions, ...(usesMacs ? leases.assumptions : [])],
    diagnostics: [
      ...found.diagnostics,
      ...leases.diagnostics,
      ...foreignPodDiagnostics(cluster, config),
      ...hostPortDiagnostics(cluster),
    ],
    ...(notModelled === undefined ? {} : { notModelled }),
  }
}

/** Pods whose address their node's podCIDR does not hold: left over from another pod network. */
function foreignPodDiagnostics(cluster: Cluster, config: FlannelConfig): readonly Diagnostic[] {
  return config.leases.flatMap((lease) => {
    const subnets = lease.families.map(({ subnet }) => subnet)
    return foreignPods(networkedPods(cluster, lease.node), { subnets }).map(
      (pod): Diagnostic => ({
        severity: 'warning',
        code: 'pod-ip-outside-podcidr',
        message: `Pod ${keyOf(pod.meta)} has ${pod.ips.map(formatIp).join(', ')}, which is not in podCIDR ${subnets.map(formatPrefix).join(', ')} of Node ${lease.node.meta.name}: flannel gave it no network`,
        ...(pod.at === undefined ? {} : { at: pod.at }),
        suggestion: 'the pod may still have the address of a previous pod network: delete it, and it gets a new one',
      }),
    )
  })
}

/** What reading the settings brings to light; local to one `configureFlannel`. */
interface Findings {
  readonly assumptions: Assumption[]
  readonly diagnostics: Diagnostic[]
  /** The first one is what stops a walk; the rest would only repeat it. */
  readonly notModelled: NotModelled[]
}

function report(
  found: Findings,
  severity: Diagnostic['severity'],
  problem: { code: string; message: string; in?: ConfigMap | undefined },
): void {
  const at = problem.in?.at
  found.diagnostics.push({
    severity,
    code: problem.code,
    message: problem.message,
    ...(at === undefined ? {} : { at }),
  })
}

function missing(found: Findings, what: string, without: { missing: string; seenIn?: ConfigMap | undefined }): void {
  const evidence = without.seenIn === undefined ? 'the Lab document' : describe(without.seenIn)
  found.notModelled.push({ what, missing: without.missing, evidence })
}

function readNetConf(cluster: Cluster, configMap: ConfigMap | undefined, found: Findings): NetConf {
  const text = configMap?.data['net-conf.json']
  if (configMap !== undefined && text !== undefined) {
    const conf = parseNetConf(text)
    if (conf.ok) return conf.value
    report(found, 'error', {
      code: 'flannel-net-conf',
      message: `net-conf.json: ${conf.reason}: flanneld does not start`,
      in: configMap,
    })
    missing(found, 'flannel without a readable net-conf.json', { missing: conf.reason, seenIn: configMap })
  } else
    found.assumptions.push({
      code: 'flannel-net-conf',
      text: `flannel's network is the cluster's pod network and its backend vxlan, as in its own manifest`,
      set: 'cni in a Lab document, or the ConfigMap kube-flannel/kube-flannel-cfg',
      collect: 'kubectl get configmap -n kube-flannel kube-flannel-cfg -o yaml',
    })
  return { networks: cluster.facts.podCIDRs, backendType: 'vxlan', backend: {}, enableNFTables: false }
}

function readBackend(
  cluster: Cluster,
  netConf: NetConf,
  found: Findings,
  configMap: ConfigMap | undefined,
): { readonly backend: FlannelBackend; readonly forced: boolean } {
  const lab = cluster.lab.cni ?? {}
  const wanted = goString(lab, 'backend')
  const forced = wanted !== undefined
  const type = wanted ?? netConf.backendType
  // Settings of another backend than the one wanted do not carry over.
  const written = !forced || wanted === netConf.backendType ? netConf.backend : {}
  const options = { ...written, ...lab }
  const seenIn = forced ? undefined : configMap
  if (usesGbp(options))
    missing(found, 'flannel vxlan with GBP', {
      missing: 'the group policy extension of the VXLAN header',
      seenIn: seenIn,
    })
  const backend = parseBackend(type, options)
  if (backend.ok) return { backend: backend.value, forced }
  const other = OTHER_BACKENDS[type.toLowerCase()]
  if (other !== undefined) missing(found, `flannel backend ${type}`, { missing: other, seenIn: seenIn })
  else {
    report(found, 'error', {
      code: 'flannel-backend',
      message: `${backend.reason}: flanneld does not start`,
      in: seenIn,
    })
    missing(found, `flannel backend "${type}"`, { missing: backend.reason, seenIn: seenIn })
  }
  return { backend: { kind: 'host-gw' }, forced }
}

function readArgs(cluster: Cluster, found: Findings): FlanneldArgs {
  const lab = cluster.lab.cni ?? {}
  const flanneld = flanneldContainer(cluster)
  if (flanneld === undefined)
    found.assumptions.push({
      code: 'flannel-args',
      text: 'flanneld runs with --ip-masq --kube-subnet-mgr, as in its own manifest',
      set: 'cni.ipMasq and cni.iface in a Lab document, or the DaemonSet kube-flannel-ds',
      collect: 'kubectl get daemonset -n kube-flannel kube-flannel-ds -o yaml',
    })
  const words = flanneld === undefined ? [] : [...flanneld.container.command, ...flanneld.container.args]
  const args = flanneld === undefined ? STOCK_ARGS : parseFlanneldArgs(words)
  if (words.some((word) => /^--?ip-blackhole-route(=true)?$/.test(word)))
    report(found, 'warning', {
      code: 'flannel-flag',
      message: 'flanneld --ip-blackhole-route is not modelled: the blackhole route of the own podCIDR is left out',
    })
  const iface = goString(lab, 'iface')
  return {
    ...args,
    ipMasq: goBoolean(lab, 'ipMasq') ?? args.ipMasq,
    ifaces: iface === undefined ? args.ifaces : [{ kind: 'name', text: iface }],
  }
}

function readVersion(cluster: Cluster, found: Findings): Version {
  const given = cluster.lab.versions?.flannel
  const parsed = given === undefined ? undefined : parseVersion(given)
  if (parsed !== undefined) return parsed
  const flanneld = flanneldContainer(cluster)
  const version = flanneld === undefined ? undefined : flanneldVersion(flanneld.container)
  if (version !== undefined) return version
  found.assumptions.push({
    code: 'flannel-version',
    text: `flannel is ${formatVersion(NEWEST)}`,
    set: 'versions.flannel in a Lab document',
    collect: 'kubectl get daemonset -n kube-flannel kube-flannel-ds -o yaml',
  })
  return NEWEST
}

function readCniConf(configMap: ConfigMap | undefined, found: Findings): CniConf {
  const text = configMap?.data['cni-conf.json']
  if (configMap === undefined || text === undefined) return STOCK_CNI_CONF
  const conf = parseCniConf(text)
  if (!conf.ok) {
    report(found, 'error', {
      code: 'flannel-cni-conf',
      message: `cni-conf.json: ${conf.reason}: pods get no network`,
      in: configMap,
    })
    missing(found, 'flannel without a readable cni-conf.json', { missing: conf.reason, seenIn: configMap })
    return STOCK_CNI_CONF
  }
  if (conf.value.delegateType !== 'bridge')
    missing(found, `flannel that delegates to the ${conf.value.delegateType} plugin`, {
      missing: 'that plugin',
      seenIn: configMap,
    })
  if (conf.value.promiscMode)
    missing(found, 'a bridge in promiscuous mode', { missing: 'promiscMode of the bridge plugin', seenIn: configMap })
  return conf.value
}
