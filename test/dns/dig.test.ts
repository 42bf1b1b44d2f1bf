import { execFile, spawnSync } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { createServer, type Server as TcpServer } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onOnePort } from '../../cli/one-port.ts'
import { answer } from '../../dns/coredns/answer.ts'
import { dnsApiView } from '../../dns/coredns/api-view.ts'
import { loadCorefile } from '../../dns/coredns/load.ts'
import { Server } from '../../dns/coredns/server.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { smallCluster } from '../../dns/testing/small-cluster.ts'
import { ip } from '../../packet/ip.ts'

/** Whether dig is here; on CI it must be. */
function hasDig(): boolean {
  if (spawnSync('dig', ['-v']).status === 0) return true
  if (process.env.CI) throw new Error('dig is not installed')
  console.warn('skipped: dig is not installed')
  return false
}

const SERVICES = `apiVersion: v1
kind: Service
metadata: { name: big, namespace: shop }
spec: { clusterIP: None, clusterIPs: [None], ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: big-1, namespace: shop, labels: { kubernetes.io/service-name: big } }
addressType: IPv4
ports: [{ name: http, port: 80, protocol: TCP }]
endpoints: [${Array.from({ length: 40 }, (_, i) => `{ addresses: [10.244.1.${i + 2}], conditions: { ready: true } }`).join(', ')}]
`

const COREFILE =
  '.:53 {\n  errors\n  cache 30\n  loadbalance\n  kubernetes cluster.local in-addr.arpa ip6.arpa {\n    pods insecure\n  }\n}\n'

describe.runIf(hasDig())('dig accepts every reply', () => {
  let udp: Socket
  let tcp: TcpServer
  let port = 0

  beforeAll(async () => {
    const loaded = loadCorefile(
      { name: 'Corefile', text: COREFILE, folder: '/', read: () => undefined, env: new Map() },
      {
        api: dnsApiView(smallCluster(SERVICES)),
        file: () => undefined,
        addresses: () => [ip('127.0.0.1')],
        hostname: 'x',
      },
    )
    if (!loaded.ok) throw new Error(loaded.reason)
    const server = new Server(loaded.value.listeners[0]!, {
      host: 'x',
      netns: 'x',
      families: [4],
      now: 0,
      draw: (_, n) => n - 1,
    })
    const client = { ip: ip('127.0.0.1'), port: 1 }
    tcp = createServer((socket) => {
      let stream: Uint8Array = new Uint8Array(0)
      socket.on('data', (bytes) => {
        const { messages, rest } = unframed(Uint8Array.from([...stream, ...bytes]))
        stream = rest
        for (const message of messages) {
          const reply = answer(server, { bytes: message.slice(), client, transport: 'tcp' })
          if (reply) socket.write(framed(reply))
        }
      })
    })
    const opened = await onOnePort(tcp, { address: '127.0.0.1', port: 0 })
    udp = opened.udp
    port = opened.port
    udp.on('message', (bytes, peer) => {
      const reply = answer(server, { bytes, client, transport: 'udp' })
      if (reply) udp.send(reply, peer.port, peer.address)
    })
  })

  afterAll(() => {
    udp.close()
    tcp.close()
  })

  const dig = async (...args: readonly string[]) => {
    const usual = ['@127.0.0.1', '-p', String(port), '+tries=1', '+timeout=5', '+norec']
    const { stdout } = await promisify(execFile)('dig', [...usual, ...args])
    // dig says so of every name in .local.
    return stdout.replace(';; WARNING: .local is reserved for Multicast DNS\n', '')
  }

  it.each([
    ['an address', ['kubernetes.default.svc.cluster.local', 'A', '+noedns'], /NOERROR[\s\S]*10\.96\.0\.1\n/],
    ['with EDNS and a cookie', ['kubernetes.default.svc.cluster.local', 'A'], /EDNS: version: 0[\s\S]*10\.96\.0\.1\n/],
    [
      'a service record and its address',
      ['_https._tcp.kubernetes.default.svc.cluster.local', 'SRV'],
      /0 100 443 kubernetes\.default\.svc\.cluster\.local\./,
    ],
    ['a pointer', ['-x', '10.96.0.10'], /kube-dns\.kube-system\.svc\.cluster\.local\./],
    ['no such name', ['nope.default.svc.cluster.local', 'A'], /NXDOMAIN[\s\S]*SOA\s+ns\.dns\.cluster\.local\./],
    ['no data', ['kubernetes.default.svc.cluster.local', 'AAAA'], /NOERROR[\s\S]*SOA/],
    ['the zone', ['cluster.local', 'SOA'], /hostmaster\.cluster\.local\./],
    ['the version', ['dns-version.cluster.local', 'TXT'], /"1\.1\.0"/],
    ['forty addresses, cut', ['big.shop.svc.cluster.local', 'A', '+noedns', '+ignore'], /flags: qr aa tc/],
    ['forty addresses, then over TCP', ['big.shop.svc.cluster.local', 'A', '+noedns'], /ANSWER: 40[\s\S]*\(TCP\)/],
    ['forty addresses, compressed', ['big.shop.svc.cluster.local', 'A', '+bufsize=1232', '+ignore'], /ANSWER: 40/],
    ['over TCP', ['kubernetes.default.svc.cluster.local', 'A', '+tcp'], /10\.96\.0\.1\n/],
    ['a type of its own', ['kubernetes.default.svc.cluster.local', 'TYPE65280'], /NOERROR/],
  ])('%s', async (_, args, expected) => {
    const text = await dig(...args)
    expect(text).toMatch(expected)
    expect(text).not.toMatch(/warning|malformed|bad packet|extra bytes|mismatch|timed out/i)
  })
})
