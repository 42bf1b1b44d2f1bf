import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { smallCluster } from '../testing/small-cluster.ts'
import { nodeCacheCorefile, nodeCacheOf, parseNodeCacheFlags } from './node-cache.ts'

const cluster = (more: string) =>
  smallCluster(`apiVersion: v1
kind: Pod
metadata: { name: cache, namespace: kube-system }
spec:
  nodeName: node1
  hostNetwork: true
  containers: [{ name: node-cache, image: "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4", args: ["-localip=169.254.20.10,10.96.0.10", "-upstreamsvc", "up"] }]
status: { phase: Running }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: node-local-dns, namespace: kube-system }
data: { Corefile: "bind __PILLAR__LOCAL__DNS__\\nforward . __PILLAR__CLUSTER__DNS__\\nforward . __PILLAR__UPSTREAM__SERVERS__\\n" }
---
${more}`)

function corefile(more: string): string | undefined {
  const made = cluster(more)
  const cache = nodeCacheOf(made, made.nodes[0]!)
  return cache && nodeCacheCorefile(made, cache)
}

const UPSTREAM = `apiVersion: v1
kind: Service
metadata: { name: up, namespace: kube-system }
spec: { clusterIP: 10.96.0.11, clusterIPs: [10.96.0.11], ports: [{ port: 53 }] }
`

describe('the Corefile that node-cache writes', () => {
  it.each([
    [
      'the upstream Service, and the resolv.conf of the node',
      UPSTREAM,
      'bind 169.254.20.10 10.96.0.10\nforward . 10.96.0.11\nforward . /etc/resolv.conf\n',
    ],
    [
      'without that Service a nil address, as Go prints it',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\n',
      'bind 169.254.20.10 10.96.0.10\nforward . <nil>\nforward . /etc/resolv.conf\n',
    ],
    [
      'upstreams and stub domains of ConfigMap kube-dns',
      `${UPSTREAM}---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: kube-dns, namespace: kube-system }\ndata: { upstreamNameservers: '["1.1.1.1", "8.8.8.8"]', stubDomains: '{"corp.test": ["10.0.0.53"]}' }\n`,
      'bind 169.254.20.10 10.96.0.10\nforward . 10.96.0.11\nforward . 1.1.1.1 8.8.8.8\n\ncorp.test:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 10.96.0.10\n    forward . 10.0.0.53\n}\n',
    ],
  ])('%s', (_, more, text) => expect(corefile(more)).toBe(text))
})

describe('flags of node-cache', () => {
  it.each([
    ['-localip fd00::a,169.254.20.10', { localIps: ['fd00::a', '169.254.20.10'] }],
    ['-localip 169.254.20.10 -setupiptables=false -setupinterface', { setupIptables: false, setupInterface: true }],
    ['--health-port 8081 -localport 5353', { healthPort: 8081, port: 5353 }],
    ['-interfacename dns0 -conf /x', { interfaceName: 'dns0', corefile: '/x' }],
    ['', { upstreamService: 'kube-dns-upstream', interfaceName: 'nodelocaldns', setupEbtables: false }],
  ])('%s', (words, expected) => {
    const { localIps, ...flags } = parseNodeCacheFlags(words.split(' '))
    expect({ ...flags, localIps: localIps.map(formatIp) }).toMatchObject(expected)
  })
})
