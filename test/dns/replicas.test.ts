import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadText } from '../../cluster/testing/load-text.ts'
import { build } from '../../engine/build.ts'
import { askName } from '../../engine/name-answer.ts'
import { readNameQuestion } from '../../engine/name-question.ts'
import { must } from '../../packet/parsed.ts'

/** Queries go to any CoreDNS pod that is ready, on whichever node it is, and to no other. */

const LAB = readFileSync(
  join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-vxlan', 'lab.yaml'),
  'utf8',
)

const replica = (name: string, address: string, ready: boolean): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  nodeName: xianchaonode1
  dnsPolicy: Default
  containers: [{ name: coredns, image: "registry.k8s.io/coredns/coredns:v1.14.2" }]
status:
  phase: Running
  podIP: ${address}
  podIPs: [{ ip: ${address} }]
  conditions: [{ type: Ready, status: "${ready ? 'True' : 'False'}" }]
`

/** Where the lab's own two are: neither on the client's node. */
const MASTER = { host: 'xianchaomaster1', address: '10.244.0.2' }
const OTHER = { host: 'xianchaonode2', address: '10.244.2.5' }
const NEAR = { host: 'xianchaonode1', address: '10.244.1.77' }

/** Which pods answered, over many seeds. */
function answering(more: string): ReadonlySet<string> {
  const built = build(loadText(`${LAB}\n${more}`).cluster)
  const probe = must(readNameQuestion(built, { from: 'pod/client', name: 'my-nginx' }))
  const seen = new Set<string>()
  for (let seed = 1; seed <= 14; seed++) {
    const { conversation } = askName(built, probe, { seed })
    expect(conversation.outcome.kind).toBe('resolved')
    for (const { request, reply } of conversation.lookup?.queries ?? []) {
      const arrived = request?.hops.at(-1)
      const left = reply?.hops[0]
      expect(arrived?.netns).toBe(left?.netns)
      expect(reply?.hops.at(-1)?.netns).toBe('default/client')
      seen.add(`${arrived?.host} ${reply?.sent.src.family === 4 ? reply.sent.src.d & 0xff : ''}`)
    }
  }
  return seen
}

const of = ({ host, address }: typeof NEAR): string => `${host} ${address.split('.')[3]}`

describe('several CoreDNS pods', () => {
  it('two, on other nodes than the client: both answer', () => {
    expect([...answering('')].sort()).toEqual([of(MASTER), of(OTHER)])
  })

  it('a third that is ready, on the node of the client: all three answer', () => {
    expect([...answering(replica('coredns-near', NEAR.address, true))].sort()).toEqual(
      [of(MASTER), of(NEAR), of(OTHER)].sort(),
    )
  })

  it('a third that is not ready: it is never asked', () => {
    expect([...answering(replica('coredns-sick', NEAR.address, false))].sort()).toEqual([of(MASTER), of(OTHER)])
  })
})
