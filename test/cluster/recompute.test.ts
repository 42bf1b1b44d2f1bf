import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../cluster/cluster.ts'
import { keyOf } from '../../cluster/cluster.ts'
import { load } from '../../cluster/load.ts'
import type { EndpointSlice, Endpoints } from '../../cluster/objects.ts'
import { formatIp } from '../../packet/ip.ts'
import { ownCasesFolder } from '../judge/cases-folder.ts'
import { loadFile, RECORDED } from './recorded-cluster.ts'

/** What the controllers made of the recorded pods, thrown away and made again. */

interface RawObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
}

const CONTROLLERS = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io']

const isMade = ({ kind, metadata }: RawObject): boolean =>
  (kind === 'EndpointSlice' &&
    CONTROLLERS.includes(metadata.labels?.['endpointslice.kubernetes.io/managed-by'] ?? '')) ||
  (kind === 'Endpoints' && metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller')

function withoutMade(folder: string): Cluster {
  const list = JSON.parse(gunzipSync(readFileSync(join(folder, 'all.json.gz'))).toString()) as { items: RawObject[] }
  // A slice that is left in the input says that others were not asked for: none is recorded.
  const items = list.items
    .filter((item) => !isMade(item))
    .map((item) => (item.kind === 'EndpointSlice' ? withoutUid(item) : item))
  const bytes = new TextEncoder().encode(JSON.stringify({ ...list, items }))
  return load([{ name: 'all.json', bytes }]).cluster
}

const withoutUid = (item: RawObject): RawObject => ({
  ...item,
  metadata: { ...item.metadata, uid: undefined } as never,
})

const sliceText = ({ addressType, serviceName, meta, ports, endpoints }: EndpointSlice): string =>
  JSON.stringify({
    service: `${meta.namespace}/${serviceName}`,
    addressType,
    labels: meta.labels,
    ports,
    endpoints: endpoints
      .map(({ addresses, ...rest }) => JSON.stringify({ ip: addresses.map(formatIp), ...rest }, sortedKeys))
      .sort(),
  })

const endpointsText = ({ meta, subsets }: Endpoints): string =>
  JSON.stringify({
    name: keyOf(meta),
    labels: meta.labels,
    subsets: subsets
      .map(({ addresses, notReadyAddresses, ports }) =>
        JSON.stringify({
          ready: addresses.map((one) => JSON.stringify({ ...one, ip: formatIp(one.ip) }, sortedKeys)),
          notReady: notReadyAddresses.map((one) => JSON.stringify({ ...one, ip: formatIp(one.ip) }, sortedKeys)),
          ports: ports.map((port) => JSON.stringify(port, sortedKeys)).sort(),
        }),
      )
      .sort(),
  })

const sortedKeys = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
    : value

const slicesOf = (cluster: Cluster): string[] => cluster.endpointSlices.map(sliceText).sort()
const endpointsOf = (cluster: Cluster): string[] => cluster.endpoints.map(endpointsText).sort()

describe.each(RECORDED)('in the recorded %s', (name) => {
  const folder = join(ownCasesFolder('snapshots'), name)
  const recorded = loadFile(folder, 'all.json.gz').cluster
  const again = withoutMade(folder)

  it('the slices that are made again are those that were recorded', () => {
    expect(again.endpointSlices.some(({ assumed }) => assumed)).toBe(true)
    expect(slicesOf(again)).toEqual(slicesOf(recorded))
  })

  it('and so are the Endpoints, with their addresses in the order of their text', () =>
    expect(endpointsOf(again)).toEqual(endpointsOf(recorded)))
})
