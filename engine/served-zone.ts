import { podNetns } from '../cni/pod-netns.ts'
import { explainedAnswer } from '../dns/coredns/answer.ts'
import { dnsApiView } from '../dns/coredns/api-view.ts'
import type { Handler } from '../dns/coredns/plugin.ts'
import { type ServedRecord, servedRecords } from '../dns/coredns/served-records.ts'
import type { Server } from '../dns/coredns/server.ts'
import { standingServers } from '../dns/coredns/standing-servers.ts'
import { query } from '../dns/message.ts'
import { decodeMessage } from '../dns/message-decode.ts'
import { encodeMessage } from '../dns/message-encode.ts'
import { fqdn, joinName, lowerName } from '../dns/name.ts'
import { LOOPBACK_V4 } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import type { Built } from './build.ts'
import { corefileOf } from './coredns-pods.ts'
import { answeringCoreDns } from './dns-room.ts'

/** All records that the cluster's DNS answers from what it knows itself, and what it answers besides. */
export interface ServedZone {
  readonly records: readonly ServedRecord[]
  /** Answers that follow a rule, so that no list holds them. */
  readonly unlisted: readonly string[]
}

/** The records of one zone, or of all; refused where there is no CoreDNS, or it would not start. */
export function servedZone({ cluster, blueprint }: Built, zone = '.'): Parsed<ServedZone> {
  const pod = answeringCoreDns(cluster)
  const map = pod && corefileOf(cluster, pod)
  if (pod === undefined || map === undefined) return refused('the input has no CoreDNS with a Corefile')
  const files = blueprint.hosts.get(pod.spec.nodeName)?.().netns.get(podNetns(pod))?.files
  const standing = standingServers({
    corefile: { name: 'Corefile', text: map.data.Corefile ?? '', folder: '/etc/coredns' },
    world: {
      api: dnsApiView(cluster),
      file: (path) => files?.get(path.startsWith('/') ? path : `/etc/coredns/${path}`),
      addresses: () => (pod.spec.hostNetwork ? pod.hostIPs : pod.ips),
      hostname: pod.meta.name,
    },
    draw: () => 0,
  })
  if (!standing.ok) return refused(`CoreDNS does not start: ${standing.reason}`)
  const { servers, notModelled } = standing.value
  // What has no part in answers (an HTTP endpoint) is no matter here.
  const missingPlugins = notModelled.flatMap(({ text }) => (/^not modelled: plugin /.test(text) ? [text] : []))
  const within = lowerName(fqdn(zone))
  const unlisted = servers.flatMap((server) => [...anyPod(server, cluster.namespaces[0]?.meta.name), ...byRule(server)])
  return parsed({
    records: servers.flatMap((server) => servedRecords(server, within)),
    unlisted: [...new Set([...unlisted, ...missingPlugins])],
  })
}

/** What plugins answer that have no list of names. */
const RULES: Readonly<Record<string, string>> = {
  autopath: 'for a name below a search domain, what the rest of the search finds',
  dns64: 'AAAA records made of A records',
  forward: 'what other servers answer',
  local: 'localhost, and what is below it',
  rewrite: 'the same records by other names',
  template: 'records made of the name that is asked for',
  whoami: "the client's address",
}

const handlersOf = ({ listener }: Server): ReadonlySet<Handler> =>
  new Set([...listener.zones.values()].flat().flatMap(({ handlers }) => handlers))

const byRule = (server: Server): readonly string[] =>
  [...handlersOf(server)].flatMap(({ plugin, line }) => {
    const rule = Object.hasOwn(RULES, plugin) ? RULES[plugin] : undefined
    return rule === undefined ? [] : [`${rule}: ${plugin} (${line.file}:${line.line})`]
  })

/** `pods insecure`: every address has a name. Found by asking for one that nobody has. */
function anyPod(server: Server, namespace: string | undefined): readonly string[] {
  if (namespace === undefined) return []
  return [...handlersOf(server)].flatMap((handler) => {
    if (handler.plugin !== 'kubernetes') return []
    const zones = [...(handler.offers?.names?.() ?? [])].flatMap(({ name, types }) =>
      types.includes('TXT') ? [name] : [],
    )
    return zones
      .map((name) => name.slice(name.indexOf('.') + 1))
      .filter((zone) => answers(server, joinName(NOBODY, namespace, 'pod', zone)))
      .map(
        (zone) =>
          `an address for a-b-c-d.NAMESPACE.pod.${zone}: kubernetes (${handler.line.file}:${handler.line.line}), pods insecure`,
      )
  })
}

/** Of the addresses for documentation (RFC 5737). */
const NOBODY = '192-0-2-255'

function answers(server: Server, name: string): boolean {
  const bytes = encodeMessage(query(0, { name, type: 'A' }))
  if (!bytes.ok) return false
  const told = explainedAnswer(server, { bytes: bytes.value, client: { ip: LOOPBACK_V4, port: 0 }, transport: 'tcp' })
  const reply = told.bytes && decodeMessage(told.bytes)
  return reply?.ok === true && reply.value.answers.length > 0
}
