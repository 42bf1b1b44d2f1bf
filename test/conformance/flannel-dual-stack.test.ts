import { describe, expect, it } from 'vitest'
import { load } from '../../cluster/load.ts'
import { ask } from '../../engine/ask.ts'
import { build } from '../../engine/build.ts'
import { readQuestion } from '../../engine/question.ts'
import { must } from '../../packet/parsed.ts'

/** flannel in both families on two nodes, all from manifests: the same walk must come out of either. */
const node = (n: number) => `---
apiVersion: v1
kind: Node
metadata: { name: n${n} }
spec: { podCIDRs: [10.244.${n}.0/24, "fd00:10:244:${n}::/64"] }
status:
  addresses: [{ type: InternalIP, address: 192.168.40.18${n} }, { type: InternalIP, address: "fd00:40::18${n}" }]
  conditions: [{ type: Ready, status: "True" }]
`
const pod = (name: string, on: string) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { nodeName: ${on}, containers: [{ name: c, image: i, ports: [{ containerPort: 80 }] }] }
`
const lab = (backend: string) => `apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: dual }
spec: { cni: { name: flannel, backend: ${backend} }, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"] }
`

const built = (backend: string) => {
  const text = lab(backend) + node(1) + node(2) + pod('a', 'n1') + pod('b', 'n1') + pod('c', 'n2')
  return build(load([{ name: 'dual.yaml', bytes: new TextEncoder().encode(text) }]).cluster)
}

describe.each(['vxlan', 'host-gw'])('flannel %s in both families', (backend) => {
  const cluster = built(backend)
  const tunnel = backend === 'vxlan'

  it.each([
    ['a pod of the same node', 'pod/a', '10.244.1.3:80', '10.244.1.2', 64],
    ['a pod of the same node', 'pod/a', '[fd00:10:244:1::3]:80', 'fd00:10:244:1::2', 64],
    ['a pod of another node', 'pod/a', '10.244.2.2:80', '10.244.1.2', 62],
    ['a pod of another node', 'pod/a', '[fd00:10:244:2::2]:80', 'fd00:10:244:1::2', 62],
    ['a pod of another node, from the node', 'node/n1', '10.244.2.2:80', tunnel ? '10.244.1.0' : '192.168.40.181', 63],
    [
      'a pod of another node, from the node',
      'node/n1',
      '[fd00:10:244:2::2]:80',
      tunnel ? 'fd00:10:244:1::' : 'fd00:40::181',
      63,
    ],
  ])('%s: %s to %s comes from %s', (_, from, to, source, ttl) => {
    const answer = ask(cluster, must(readQuestion(cluster, { from, to })))
    expect(answer.disposition.kind).toBe('delivered')
    expect(answer.outcome.kind).toBe('connected')
    expect(answer.server?.peer.replace(/^\[|\]?:\d+$/g, '')).toBe(source)
    expect(answer.server?.ttl).toBe(ttl)
  })
})
