import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { podwalk } from './run-podwalk.ts'

/** A lab whose pod network is not known: what pods say to each other cannot be told. */
const STRANGE_NETWORK = `apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: strange }
spec:
  podCIDRs: [10.244.0.0/16]
  cni: { name: carrier-pigeon }
---
{ apiVersion: v1, kind: Node, metadata: { name: node1 }, spec: { podCIDR: 10.244.1.0/24 }, status: { addresses: [{ type: InternalIP, address: 192.168.1.11 }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: a }, spec: { nodeName: node1, containers: [{ name: a, image: a }] }, status: { phase: Running, podIP: 10.244.1.2 } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: b }, spec: { nodeName: node1, containers: [{ name: b, image: b, ports: [{ containerPort: 80 }] }] }, status: { phase: Running, podIP: 10.244.1.3 } }
`

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwalk-exit-'))
  writeFileSync(join(folder, 'strange.yaml'), STRANGE_NETWORK)
})
afterAll(() => rmSync(folder, { recursive: true }))

const ask = (to: string, ...more: readonly string[]): readonly string[] => [
  'trace',
  ...['--from', 'pod/client', '--to', to],
  ...more,
]

test.each<[string, number, readonly string[]]>([
  ['without a word it shows a walk', 0, []],
  ['delivered', 0, ask('svc/my-nginx:80')],
  ['a name that resolves and a page that comes', 0, ask('http://my-nginx')],
  ['all ways deliver', 0, ask('svc/my-nginx:80', '--explore', 'all')],
  ['rejected', 1, ask('svc/empty:80')],
  ['refused', 1, ask('pod/far:81')],
  ['not resolved', 1, ask('http://no-such-name')],
  ['a TTL too small', 1, ask('pod/far', '--ttl', '1')],
  ['one of the ways fails', 1, ask('svc/empty:80', '--explore', 'all')],
  ['no such endpoint', 2, ask('pod/nobody')],
  ['no such source', 2, ['trace', '--from', 'pod/nobody', '--to', 'svc/my-nginx:80']],
  ['no such lab', 2, ask('svc/my-nginx:80', '--lab', 'nowhere')],
  ['no such command', 2, ['walk']],
  ['it left for what the input does not describe', 3, ask('8.8.8.8:53')],
  ['a proxy mode that this release has not, by the one before', 0, ask('svc/my-nginx:80', '--proxy', 'userspace')],
  ['help', 0, ['--help']],
  ['the version', 0, ['version']],
  ['labs', 0, ['lab', 'list']],
  ['a valid lab', 0, ['lab', 'validate', 'topologies/two-racks/lab.yaml']],
])('%s: %i', (_, code, args) => {
  expect(podwalk(...args).code).toBe(code)
})

test('a pod network that is not known: 3, and it is named', () => {
  const ran = podwalk('trace', '-f', join(folder, 'strange.yaml'), '--from', 'pod/a', '--to', 'pod/b:80')
  expect(ran.code).toBe(3)
  expect(ran.out).toContain('INSUFFICIENT INFO')
  expect(ran.out + ran.err).toContain('carrier-pigeon')
})
