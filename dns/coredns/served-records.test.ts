import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { query } from '../message.ts'
import { encodeMessage } from '../message-encode.ts'
import { recordText } from '../record-text.ts'
import { podYaml, smallCluster } from '../testing/small-cluster.ts'
import { explainedAnswer } from './answer.ts'
import { dnsApiView } from './api-view.ts'
import { servedRecords } from './served-records.ts'
import { standingServers } from './standing-servers.ts'

const CLUSTER = smallCluster(`apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: None, clusterIPs: [None], ports: [{ name: sql, port: 5432, protocol: TCP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
ports: [{ name: sql, port: 5432, protocol: TCP }]
endpoints: [{ addresses: [10.244.1.8], hostname: db-0, conditions: { ready: true } }]
---
apiVersion: v1
kind: Service
metadata: { name: alias, namespace: shop }
spec: { type: ExternalName, externalName: example.org }
---
${podYaml('app')}`)

const FILES: Readonly<Record<string, string>> = {
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/db': '@ 60 IN SOA ns admin 7 1 2 3 4\n@ 60 IN NS ns\n*.wild 60 IN A 192.0.2.9\n',
}

function serverOf(text: string) {
  const standing = standingServers({
    corefile: { name: 'Corefile', text, folder: '/' },
    world: {
      api: dnsApiView(CLUSTER, 5),
      file: (path) => FILES[path],
      addresses: () => [ip('10.244.0.2')],
      hostname: 'coredns',
    },
    draw: () => 0,
  })
  const [server] = standing.ok ? standing.value.servers : []
  if (!server) throw new Error(standing.ok ? 'no server' : standing.reason)
  return server
}

const texts = (text: string, zone?: string) =>
  servedRecords(serverOf(text), zone).map(({ record, by }) => `${recordText(record)} (${by?.plugin})`)

describe('the records a server serves', () => {
  const KUBERNETES = '. {\n kubernetes cluster.local 10.0.0.0/8 {\n  pods verified\n }\n}\n'

  it('services, their ports and endpoints, pods and addresses', () => {
    expect(texts(KUBERNETES, 'shop.svc.cluster.local.')).toEqual([
      'alias.shop.svc.cluster.local. 5 IN CNAME example.org. (kubernetes)',
      'db.shop.svc.cluster.local. 5 IN A 10.244.1.8 (kubernetes)',
      'db.shop.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local. (kubernetes)',
      '_sql._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local. (kubernetes)',
      'db-0.db.shop.svc.cluster.local. 5 IN A 10.244.1.8 (kubernetes)',
      'db-0.db.shop.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local. (kubernetes)',
    ])
    expect(texts(KUBERNETES, 'shop.pod.cluster.local.')).toEqual([
      '10-244-1-7.shop.pod.cluster.local. 5 IN A 10.244.1.7 (kubernetes)',
    ])
    expect(texts(KUBERNETES, '244.10.in-addr.arpa.')).toEqual([
      '8.1.244.10.in-addr.arpa. 5 IN PTR db-0.db.shop.svc.cluster.local. (kubernetes)',
    ])
    expect(texts(KUBERNETES).filter((text) => text.includes(' SOA '))).toHaveLength(2)
  })

  it('what stands in front has its say', () => {
    const text =
      '. {\n hosts {\n  10.0.0.1 db.shop.svc.cluster.local\n  fallthrough\n }\n kubernetes cluster.local\n}\n'
    expect(texts(text, 'db.shop.svc.cluster.local.')[0]).toBe('db.shop.svc.cluster.local. 3600 IN A 10.0.0.1 (hosts)')
  })

  it('zone files with their wildcards', () => {
    expect(texts('z.test {\n file /db\n}\n')).toEqual([
      'z.test. 60 IN NS ns.z.test. (file)',
      'z.test. 60 IN SOA ns.z.test. admin.z.test. 7 1 2 3 4 (file)',
      '*.wild.z.test. 60 IN A 192.0.2.9 (file)',
    ])
  })
})

describe('who answered', () => {
  const ask = (text: string, name: string) => {
    const bytes = encodeMessage(query(1, { name, type: 'A' }))
    const client = { ip: ip('10.244.1.7'), port: 4000 }
    return explainedAnswer(serverOf(text), {
      bytes: bytes.ok ? bytes.value : new Uint8Array(0),
      client,
      transport: 'udp',
    })
  }

  it('the plugin, its line, the object and its place', () => {
    expect(ask('. {\n errors\n kubernetes cluster.local\n}\n', 'db.shop.svc.cluster.local.').by).toEqual({
      plugin: 'kubernetes',
      line: { file: 'Corefile', line: 3 },
      object: 'EndpointSlice shop/db-1 of Service shop/db',
      source: expect.stringMatching(/:\d+$/),
      detail: 'db.shop.svc.cluster.local. 5 IN A 10.244.1.8',
    })
  })

  it('nobody where the server itself refuses', () => {
    const told = ask('other.test {\n kubernetes cluster.local\n}\n', 'db.shop.svc.cluster.local.')
    expect(told.by).toBeUndefined()
    expect(told.bytes?.[3]).toBe(5)
  })

  it('an upstream that is out of reach', () => {
    const told = ask('. {\n forward . 192.0.2.53\n}\n', 'example.org.')
    expect(told.by).toBeUndefined()
    expect(told.steps.some((step) => step.kind === 'dns.plugin' && step.action === 'failed')).toBe(true)
  })
})
