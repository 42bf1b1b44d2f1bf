import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadText } from '../../cluster/testing/load-text.ts'
import { ask } from '../../engine/ask.ts'
import { build } from '../../engine/build.ts'
import { readQuestion } from '../../engine/question.ts'
import { show } from '../../render/show.ts'

const LAB = join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-host-gw', 'lab.yaml')

const POD = `apiVersion: v1
kind: Pod
metadata: { name: plain }
spec: { nodeName: xianchaonode1, dnsPolicy: Default, SPEC containers: [{ name: box, image: busybox }] }
`

const KUBELET = `apiVersion: v1
kind: ConfigMap
metadata: { name: kubelet-config, namespace: kube-system }
data: { kubelet: "resolvConf: /run/systemd/resolve/resolv.conf" }
`

/** The lab with the stub in the node's file. */
function clusterWith(spec: string, more: string) {
  const lab = readFileSync(LAB, 'utf8').replace(
    /(xianchaonode1: \{.*nameserver )192\.168\.40\.2/,
    (_, before: string) => `${before}127.0.0.53`,
  )
  expect(lab).toContain('127.0.0.53')
  return build(loadText([lab, POD.replace('SPEC ', spec), more].join('\n---\n')).cluster)
}

describe('systemd-resolved on a node', () => {
  it.each([
    ['its stub is the loopback of a pod that gets the file', '', 'nameserver 127.0.0.53\n'],
    ['its own servers are there where kubelet reads them', KUBELET, 'nameserver 192.168.40.2\n'],
  ])('%s', (_, more, text) => {
    expect(show(clusterWith('', more), 'resolv', { pod: 'plain' })).toEqual({ ok: true, value: text })
  })

  it('answers what is not known, and nothing is concluded from it', () => {
    const built = clusterWith('hostNetwork: true, ', '')
    const probe = readQuestion(built, {
      from: 'pod/plain',
      to: 'www.example.com:80',
      namespace: 'default',
      protocol: 'tcp',
    })
    if (!probe.ok) throw new Error(probe.reason)
    expect(JSON.stringify(ask(built, probe.value))).toContain(
      'what the resolver 127.0.0.53 answers for www.example.com',
    )
  })
})
