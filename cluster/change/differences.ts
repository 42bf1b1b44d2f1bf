import { formatIp } from '../../packet/ip.ts'
import { type Cluster, keyOf } from '../cluster.ts'
import type { EndpointSlice, Pod, Service } from '../objects.ts'
import { byText } from '../order.ts'

/** What became of one object, in kubectl's words. */
export interface Difference {
  readonly verb: 'created' | 'configured' | 'deleted' | 'terminating'
  /** `pod/default/client`; `endpoints/default/dns` stands for all slices of a Service. */
  readonly object: string
  /** `10.244.2.3 on node2`; what changed of it. */
  readonly detail: string
}

/** What is not the same in two states of a cluster, the things first that matter to packets: pods, Services, endpoints. */
export function differencesOf(before: Cluster, after: Cluster): readonly Difference[] {
  return [
    ...compare(before.pods, after.pods, { word: 'pod', text: podText, verb: podVerb }),
    ...compare(before.services, after.services, { word: 'service', text: serviceText }),
    ...endpointDifferences(before, after),
    ...compare(before.nodes, after.nodes, { word: 'node', text: () => '' }),
    ...compare(before.networkPolicies, after.networkPolicies, { word: 'networkpolicy', text: () => '' }),
    ...compare(before.configMaps, after.configMaps, { word: 'configmap', text: () => '' }),
  ]
}

interface Words<T> {
  readonly word: string
  /** What is told of one that came or went. */
  readonly text: (object: T) => string
  readonly verb?: (before: T, after: T) => Difference['verb']
}

type AnyObject = {
  readonly meta: Pick<Pod['meta'], 'namespace' | 'name' | 'labels'>
  readonly at?: unknown
  readonly assumed: boolean
}

function compare<T extends AnyObject>(before: readonly T[], after: readonly T[], words: Words<T>): Difference[] {
  const old = new Map(before.map((object) => [keyOf(object.meta), object]))
  const now = new Map(after.map((object) => [keyOf(object.meta), object]))
  const { word, text, verb } = words
  const found: Difference[] = []
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort(byText)) {
    const x = old.get(key)
    const y = now.get(key)
    const object = `${word}/${key}`
    if (x !== undefined && y === undefined) found.push({ verb: 'deleted', object, detail: text(x) })
    else if (x === undefined && y !== undefined) found.push({ verb: 'created', object, detail: text(y) })
    else if (x !== undefined && y !== undefined && bare(x) !== bare(y))
      found.push({ verb: verb?.(x, y) ?? 'configured', object, detail: changedText(x, y, text) })
  }
  // What went stands before what came.
  return found.sort((x, y) => ORDER.indexOf(x.verb) - ORDER.indexOf(y.verb))
}

const ORDER: readonly Difference['verb'][] = ['deleted', 'terminating', 'configured', 'created']

const bare = ({ at: _, assumed: __, ...object }: AnyObject): string => JSON.stringify(object)

function changedText<T extends AnyObject>(x: T, y: T, text: (object: T) => string): string {
  if (text(x) !== text(y)) return `${text(x)} -> ${text(y)}`
  const [old, now] = [labelsText(x), labelsText(y)]
  return old === now ? '' : `${old || 'no labels'} -> ${now || 'no labels'}`
}

const labelsText = ({ meta }: AnyObject): string =>
  Object.entries(meta.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

const podVerb = (before: Pod, after: Pod): Difference['verb'] =>
  before.meta.deletionTimestamp === undefined && after.meta.deletionTimestamp !== undefined
    ? 'terminating'
    : 'configured'

function podText({ ips, spec, ready, phase }: Pod): string {
  const where = `${ips.map(formatIp).join(', ') || 'no address'} on ${spec.nodeName || 'no node'}`
  return `${where}${ready ? '' : phase === 'Running' ? ', not ready' : `, ${phase}`}`
}

function serviceText(service: Service): string {
  const { type, clusterIPs, headless, ports, selector, externalTrafficPolicy, internalTrafficPolicy } = service
  const address = headless ? 'None' : clusterIPs.map(formatIp).join(', ') || 'no address'
  const offered = ports.map(
    ({ port, nodePort, protocol, targetPort }) =>
      `${port}${nodePort === 0 ? '' : `:${nodePort}`}/${protocol}${targetPort === port ? '' : ` to ${targetPort}`}`,
  )
  const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`)
  return [
    type,
    address,
    offered.join(' '),
    ...(labels.length === 0 ? [] : [labels.join(',')]),
    ...(externalTrafficPolicy === 'Local' ? ['external Local'] : []),
    ...(internalTrafficPolicy === 'Local' ? ['internal Local'] : []),
    ...(service.sessionAffinity === 'ClientIP' ? [`ClientIP ${service.sessionAffinityTimeout} s`] : []),
  ].join(', ')
}

// ------------------------------------------------------------------------------------------------ endpoints

function endpointDifferences(before: Cluster, after: Cluster): Difference[] {
  const names = new Set([...before.index.slicesOfService.keys(), ...after.index.slicesOfService.keys()])
  return [...names].sort(byText).flatMap((name): Difference[] => {
    const old = endpointsOf(before.index.slicesOfService.get(name) ?? [])
    const now = endpointsOf(after.index.slicesOfService.get(name) ?? [])
    const changes = [
      ...[...old].flatMap(([end]) => (now.has(end) ? [] : [`-${end}`])),
      ...[...now].flatMap(([end, state]) => {
        const then = old.get(end)
        if (then === undefined) return [`+${end}${state === 'ready' ? '' : ` (${state})`}`]
        return then === state ? [] : [`${end} ${then} -> ${state}`]
      }),
    ]
    if (changes.length === 0) return []
    const left = [...now].filter(([, state]) => state === 'ready').length
    const total = left === 0 ? 'none is ready' : `${left} ready`
    const many = changes.length > MOST_ENDPOINTS ? [`and ${changes.length - MOST_ENDPOINTS} more`] : []
    const verb = old.size === 0 ? 'created' : now.size === 0 ? 'deleted' : 'configured'
    const detail = `${[...changes.slice(0, MOST_ENDPOINTS), ...many].join(', ')}; ${total}`
    return [{ verb, object: `endpoints/${name}`, detail }]
  })
}

const MOST_ENDPOINTS = 8

/** By `address:port`, how each is. */
function endpointsOf(slices: readonly EndpointSlice[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { endpoints, ports } of slices)
    for (const { addresses, ready, serving, terminating } of endpoints)
      for (const address of addresses.slice(0, 1))
        for (const { port, protocol } of ports) {
          const host = address.family === 4 ? formatIp(address) : `[${formatIp(address)}]`
          const state = ready
            ? 'ready'
            : terminating
              ? serving
                ? 'terminating'
                : 'terminating, not serving'
              : 'not ready'
          found.set(`${host}:${port ?? '*'}/${protocol}`, state)
        }
  return new Map([...found].sort(([x], [y]) => byText(x, y)))
}
