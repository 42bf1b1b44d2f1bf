import type { Pod } from '../../../../cluster/objects.ts'
import { formatIp } from '../../../../packet/ip.ts'
import { parsed } from '../../../../packet/parsed.ts'
import { replyTo } from '../../../message.ts'
import { fqdn, longestZone, lowerName } from '../../../name.ts'
import { RCODE } from '../../../record.ts'
import { recordText } from '../../../record-text.ts'
import { UNSYNCED_VIEW } from '../../api-view.ts'
import type { Controller, Handler, Next, Outcome, Plugin, Request, Serving } from '../../plugin.ts'
import { withQuestion } from '../../request.ts'
import { parseClientConfig } from '../../resolv-conf.ts'
import {
  type Asked,
  addresses,
  cnameRecords,
  type Found,
  negativeReply,
  nsRecords,
  ptrRecords,
  type ServiceBackend,
  soaRecord,
  srvRecords,
} from '../../service-backend.ts'
import { fallsThrough } from '../../zones.ts'
import { externalSource } from './external.ts'
import { parseOptions } from './options.ts'
import { parseKubernetesName } from './question.ts'
import { findEntries, findReverse, isMulticluster, isSelected, type KubernetesData, styleOf } from './records.ts'
import { servedNames } from './served-names.ts'

/** The kubernetes plugin of CoreDNS 1.15: plugin/kubernetes/handler.go. */
export const kubernetes: Plugin = {
  name: 'kubernetes',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { api, addresses: localIps } = controller.world
    // An API server of its own, outside the cluster: nothing of it is known.
    const reachable = options.value.apiServer === undefined
    const data: KubernetesData = { options: options.value, api: (reachable && api) || UNSYNCED_VIEW, localIps }
    const resolvConf = parseClientConfig(controller.world.file('/etc/resolv.conf') ?? '')
    return parsed([
      handler(
        controller,
        data,
        resolvConf.search.map((name) => lowerName(fqdn(name))),
      ),
    ])
  },
}

function handler({ line }: Controller, data: KubernetesData, ownSearch: readonly string[]): Handler {
  const { options, api } = data
  const backend: ServiceBackend = {
    services: (question, zone) => findEntries(data, question, zone),
    reverse: (name, zone) => findReverse(data, name, zone),
    minTtl: options.ttl,
    // That of a multicluster zone is the time of the last change of an import since the start.
    serialOf: (zone) => (isMulticluster(options, zone) ? 0 : api.serial),
  }
  return {
    plugin: 'kubernetes',
    line,
    offers: { searchPath, external: externalSource(data), names: () => servedNames(data) },
    describe,
    *serve(request, next) {
      const own = longestZone(options.zones, request.name)
      if (own === undefined) return yield* next(request)
      const zone = own === '.' ? own : request.question.name.slice(-own.length)
      const { type } = request.question
      if (type === 'AXFR' || type === 'IXFR') return { kind: 'code', rcode: RCODE.REFUSED }
      const found = yield* recordsFor(backend, { request, zone })
      return yield* finish({ request, next, zone, found })
    },
  }

  /** Found by its address: needs `pods verified`. */
  function clientPod({ client }: Request): Pod | undefined {
    if (options.pods !== 'verified') return undefined
    return api.podsWithIp(formatIp(client.ip)).find(({ meta }) => isSelected(options.labels, meta))
  }

  /** The search path of the pod that asks (autopath.go). */
  function searchPath(request: Request): readonly string[] | undefined {
    const zone = longestZone(options.zones, request.name)
    const pod = zone === undefined ? undefined : clientPod(request)
    if (zone === undefined || !pod) return undefined
    const below = zone === '.' ? 'svc.' : `svc.${zone}`
    return [`${pod.meta.namespace}.${below}`, below, zone, ...ownSearch, '']
  }

  /** Labels for logs, views and templates (metadata.go). */
  function* describe(request: Request): Iterable<readonly [string, string]> {
    const pod = clientPod(request)
    if (pod) {
      yield ['kubernetes/client-namespace', pod.meta.namespace]
      yield ['kubernetes/client-pod-name', pod.meta.name]
      for (const [label, value] of Object.entries(pod.meta.labels)) yield [`kubernetes/client-label/${label}`, value]
    }
    const zone = longestZone(options.zones, request.name)
    if (zone === undefined) return
    const asked = parseKubernetesName(request.name, zone, styleOf(options, zone))
    if (!asked) {
      yield ['kubernetes/parse-error', 'invalid query name']
      return
    }
    yield ['kubernetes/port-name', asked.port]
    yield ['kubernetes/protocol', asked.protocol]
    yield ['kubernetes/endpoint', asked.endpoint]
    if (options.zonal) yield ['kubernetes/zone', asked.topology?.zone ?? '']
    yield ['kubernetes/service', asked.service]
    yield ['kubernetes/namespace', asked.namespace]
    yield ['kubernetes/kind', asked.kind]
  }

  function* finish(state: { request: Request; next: Next; zone: string; found: Found }): Serving<Outcome> {
    const { request, next, zone, found } = state
    const asked = { request, zone }
    const note = noteTo(request)
    if (found.kind === 'nameError') {
      if (fallsThrough(options.fallThrough, request.name)) {
        note('fellThrough', found.why)
        return yield* next(request)
      }
      const rcode = api.synced ? RCODE.NXDOMAIN : RCODE.SERVFAIL
      note('answered', api.synced ? `NXDOMAIN: ${found.why}` : 'SERVFAIL: the API server has not answered yet')
      return { kind: 'reply', by: 'kubernetes', message: negativeReply(backend, asked, rcode) }
    }
    if (found.answers.length === 0) {
      note('answered', `NODATA: ${found.why ?? `no ${request.question.type} record`}`, found)
      return { kind: 'reply', by: 'kubernetes', message: negativeReply(backend, asked) }
    }
    note('answered', () => found.answers.map(recordText).join('; '), found)
    const reply = replyTo(request.message)
    const flags = { ...reply.flags, authoritative: true, truncated: found.truncated }
    const message = { ...reply, flags, answers: found.answers, additionals: found.additionals }
    return { kind: 'reply', by: 'kubernetes', message }
  }

  function noteTo(request: Request) {
    return (
      action: 'answered' | 'fellThrough',
      detail: string | (() => string),
      found?: Found & { kind: 'found' },
    ): void => {
      const object = found?.objects[0]
      request.server.note(() => ({
        kind: 'dns.plugin',
        plugin: 'kubernetes',
        line,
        question: request.question,
        action,
        detail: typeof detail === 'string' ? detail : detail(),
        ...(object && { object: object.name, ...(object.source !== undefined && { source: object.source }) }),
      }))
    }
  }
}

const NO_RECORDS: Found = { kind: 'found', answers: [], additionals: [], truncated: false, objects: [] }

/** By type: kubernetes.ServeDNS. */
function* recordsFor(backend: ServiceBackend, asked: Asked): Serving<Found> {
  const { request, zone } = asked
  const { question, name } = request
  switch (question.type) {
    case 'A':
    case 'AAAA':
    case 'TXT':
      return yield* addresses(backend, asked)
    case 'CNAME':
      return cnameRecords(backend, asked)
    case 'PTR':
      return ptrRecords(backend, asked)
    case 'SRV':
      return srvRecords(backend, asked)
    case 'MX': {
      const listed = backend.services({ name, type: 'MX' }, zone)
      return listed.kind === 'nameError' ? listed : NO_RECORDS
    }
    case 'SOA':
      if (question.name !== zone) break
      return { kind: 'found', answers: [soaRecord(backend, zone)], additionals: [], truncated: false, objects: [] }
    case 'NS':
      if (name !== zone) break
      return nsRecords(backend, asked)
  }
  if (question.type === 'SOA') return { kind: 'found', answers: [], additionals: [], truncated: false, objects: [] }
  // Any other type is run as A, only to tell NODATA from NXDOMAIN.
  const fake = yield* addresses(backend, { request: withQuestion(request, question.name, 'A'), zone })
  return fake.kind === 'nameError' ? fake : { ...fake, answers: [], additionals: [] }
}
