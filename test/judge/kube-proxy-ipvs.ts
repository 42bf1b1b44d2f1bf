import type { IptablesTable } from '../../linux/op.ts'
import { type Family, formatIp } from '../../packet/ip.ts'
import { hostPort } from '../../proxy/endpoint.ts'
import { familiesOf } from '../../proxy/iptables/compile.ts'
import { ipvsSetup } from '../../proxy/ipvs/ipvs-setup.ts'
import { chainsOf, ipvsRules } from '../../proxy/ipvs/rules.ts'
import { SET_NAMES, setName, setType } from '../../proxy/ipvs/sets.ts'
import { type IpvsSync, ipvsSync, type VirtualServer } from '../../proxy/ipvs/sync.ts'
import { applyStep, caseConfig, caseFacts, caseNode, type KubeProxyCase } from './kube-proxy-case.ts'
import { storedCluster } from './stored-cluster.ts'

/** The first sync, and one for each step; ipvs mode has no partial ones. */
export function replayIpvsSyncs(recorded: KubeProxyCase): readonly { readonly texts: Record<string, string> }[] {
  const config = caseConfig(recorded)
  const facts = caseFacts(recorded.config)
  let { objects } = recorded
  return [{ apply: [], expected: {} }, ...(recorded.steps ?? [])].map((step) => {
    objects = applyStep(objects, step)
    const cluster = storedCluster(objects, { kubernetesVersion: recorded.kubeProxyVersion })
    const node = caseNode(cluster.nodes, recorded.config.nodeName)
    const families = familiesOf(facts)
    const syncs = families.map((family) => ipvsSync(cluster, node, ipvsSetup(node, family, { config, facts })))
    return {
      texts: {
        ...Object.fromEntries(syncs.map((sync) => [`${tool(sync.setup.family)}-restore`, restoreText(sync)])),
        ipset: sorted(syncs.flatMap(setLines)),
        ipvs: sorted(syncs.flatMap(({ servers }) => servers.flatMap(serverLines))),
        addresses: sorted(syncs.flatMap(({ bound }) => bound.map(({ ip }) => formatIp(ip)))),
      },
    }
  })
}

const tool = (family: Family): string => (family === 4 ? 'iptables' : 'ip6tables')

/** What kube-proxy feeds to `iptables-restore --noflush --counters` at every sync. */
function restoreText(sync: IpvsSync): string {
  const rules = ipvsRules(sync)
  const table = (name: IptablesTable): readonly string[] => [
    `*${name}`,
    ...chainsOf(sync.features).flatMap((at) => (at.table === name ? [`:${at.chain} - [0:0]`] : [])),
    ...rules.flatMap((rule) => (rule.table === name ? [`-A ${rule.chain} ${rule.args}`] : [])),
    'COMMIT',
  ]
  return `${[...table('nat'), ...table('filter')].join('\n')}\n`
}

/** As `ipset save` would, but for sizes. */
function setLines({ setup: { family }, features, entries }: IpvsSync): readonly string[] {
  return SET_NAMES.filter((name) => name !== 'KUBE-IPVS-IPS' || features.ipvsFilter).flatMap((name) => [
    `create ${setName(name, family)} ${setType(name, family).split(' ')[0]}`,
    ...(entries.get(name) ?? []).map(({ text }) => `add ${setName(name, family)} ${text}`),
  ])
}

const SERVICE_OPTIONS = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' } as const

/** As `ipvsadm-save -n` would. */
function serverLines({ spec, endpoints }: VirtualServer): readonly string[] {
  const service = `${SERVICE_OPTIONS[spec.protocol]} ${hostPort(spec.address, spec.port)}`
  const persistence = spec.persistent === undefined ? '' : ` -p ${spec.persistent.seconds}`
  const flags = spec.flags === undefined ? '' : ` -b ${spec.flags.join()}`
  return [
    `-A ${service} -s ${spec.scheduler}${persistence}${flags}`,
    ...endpoints.map(({ text }) => `-a ${service} -r ${text} -m -w 1`),
  ]
}

const sorted = (lines: readonly string[]): string =>
  [...lines]
    .sort((x, y) => (x < y ? -1 : x > y ? 1 : 0))
    .map((line) => `${line}\n`)
    .join('')
