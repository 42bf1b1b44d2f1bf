import { describe, expect, test } from 'vitest'
import { openLab } from '../test/labs.ts'
import { readQueryLog } from './query-log.ts'

const { cluster } = openLab('textbook-flannel-vxlan')
const SEARCH = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
const line = (name: string, from = '10.244.1.2'): string =>
  `2026-01-01T00:00:00Z [INFO] ${from}:43421 - 512 "A IN ${name}. udp 51 false 512" NOERROR qr,aa,rd 100 0.0002s`
const read = (...lines: readonly string[]) => readQueryLog(cluster, lines.join('\n'), () => SEARCH)

describe('the names that were meant', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['a short name', ['web.default.svc.cluster.local'], ['web']],
    ['as it is', ['example.com'], ['example.com']],
    ['a whole search', ['a.b.default.svc.cluster.local', 'a.b.svc.cluster.local', 'a.b.cluster.local', 'a.b'], ['a.b']],
    ['found at the second domain', ['web.x.default.svc.cluster.local', 'web.x.svc.cluster.local'], ['web.x']],
    ['in full, with its dot', ['web.x.svc.cluster.local'], ['web.x.svc.cluster.local']],
    ['letter case', ['WEB.Default.svc.cluster.local'], ['web']],
  ])('%s', (_, queried, names) => {
    expect(read(...queried.map((name) => line(name))).asked[0]?.names).toEqual(names)
  })
})

test('lines are counted, those of strangers apart', () => {
  const log = read(line('web.default.svc.cluster.local'), 'plugin/errors: 2 x', '', line('a.b', '10.9.9.9'))
  expect(log).toMatchObject({ lines: 2, strangers: 1, asked: [{ workload: 'Pod default/client' }] })
})

test('the pods of a Deployment are one workload', () => {
  const pods = cluster.pods.filter(({ meta }) => meta.owner?.kind === 'ReplicaSet' && meta.name.startsWith('my-nginx'))
  const addresses = pods.flatMap(({ ips }) =>
    ips.map(({ d }) => [24, 16, 8, 0].map((bits) => (d >>> bits) & 255).join('.')),
  )
  expect(addresses).toHaveLength(2)
  const log = read(...addresses.map((address, i) => line(`n${i}.default.svc.cluster.local`, address)))
  expect(log.asked.map(({ workload, names }) => [workload, names])).toEqual([
    ['Deployment default/my-nginx', ['n0', 'n1']],
  ])
})
