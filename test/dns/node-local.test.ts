import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadText } from '../../cluster/testing/load-text.ts'
import { ask } from '../../engine/ask.ts'
import { build } from '../../engine/build.ts'
import { readQuestion } from '../../engine/question.ts'
import { show } from '../../render/show.ts'

const LAB = join(import.meta.dirname, '..', '..', 'topologies', 'textbook-flannel-host-gw', 'lab.yaml')

/** The manifest of nodelocaldns, with its variables filled in, as far as it matters. */
const NODE_LOCAL = `apiVersion: v1
kind: Service
metadata: { name: kube-dns-upstream, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  clusterIP: 10.96.0.11
  clusterIPs: [10.96.0.11]
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53, protocol: TCP }]
  selector: { k8s-app: kube-dns }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: node-local-dns, namespace: kube-system }
data:
  Corefile: |
    cluster.local:53 {
        errors
        cache {
                success 9984 30
                denial 9984 5
        }
        bind 169.254.20.10 10.96.0.10
        forward . __PILLAR__CLUSTER__DNS__ {
                force_tcp
        }
        health 169.254.20.10:8080
        }
    .:53 {
        errors
        cache 30
        bind 169.254.20.10 10.96.0.10
        forward . __PILLAR__UPSTREAM__SERVERS__
        }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: node-local-dns, namespace: kube-system }
spec:
  selector: { matchLabels: { k8s-app: node-local-dns } }
  template:
    metadata: { labels: { k8s-app: node-local-dns } }
    spec:
      hostNetwork: true
      dnsPolicy: Default
      tolerations: [{ operator: Exists }]
      containers:
      - name: node-cache
        image: registry.k8s.io/dns/k8s-dns-node-cache:1.26.4
        args: ["-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream"]
        ports: [{ containerPort: 53, name: dns, protocol: UDP }, { containerPort: 53, name: dns-tcp, protocol: TCP }]
`

function walk(name: string) {
  const built = build(loadText(`${readFileSync(LAB, 'utf8')}\n---\n${NODE_LOCAL}`).cluster)
  const probe = readQuestion(built, { from: 'pod/client', to: `${name}:80`, namespace: 'default', protocol: 'tcp' })
  if (!probe.ok) throw new Error(probe.reason)
  return { built, conversation: ask(built, probe.value) }
}

describe('NodeLocal DNSCache', () => {
  it('answers at the address of kube-dns without conntrack, and asks the upstream Service over TCP', () => {
    const { conversation } = walk('my-nginx')
    const [query] = conversation.lookup?.queries ?? []
    expect(query).toMatchObject({ server: '10.96.0.10', rcode: 'NOERROR' })
    const [hop] = query?.reply?.hops ?? []
    expect(hop?.host).toBe('xianchaonode1')
    const steps = query?.request?.hops.flatMap(({ steps }) => steps) ?? []
    expect(steps.filter(({ kind }) => kind.startsWith('conntrack'))).toEqual([])
  })

  it('has its addresses on a device that is down, and twelve rules for each', () => {
    const { built } = walk('my-nginx')
    const shown = (noun: 'addr' | 'iptables') => {
      const text = show(built, noun, { node: 'xianchaonode1' })
      return text.ok ? text.value : ''
    }
    expect(shown('addr')).toMatch(
      /nodelocaldns: <BROADCAST,NOARP> mtu 1500 [\s\S]*169\.254\.20\.10\/32[\s\S]*10\.96\.0\.10\/32/,
    )
    const rules = shown('iptables').split('\n')
    expect(rules.filter((rule) => rule.includes('169.254.20.10')).sort()).toEqual([
      '-A INPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 53 -j ACCEPT',
      '-A INPUT -d 169.254.20.10/32 -p udp -m udp --dport 53 -j ACCEPT',
      '-A OUTPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 53 -j NOTRACK',
      '-A OUTPUT -d 169.254.20.10/32 -p tcp -m tcp --dport 8080 -j NOTRACK',
      '-A OUTPUT -d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK',
      '-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 -j ACCEPT',
      '-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 53 -j NOTRACK',
      '-A OUTPUT -s 169.254.20.10/32 -p tcp -m tcp --sport 8080 -j NOTRACK',
      '-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 -j ACCEPT',
      '-A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 -j NOTRACK',
      '-A PREROUTING -d 169.254.20.10/32 -p tcp -m tcp --dport 53 -j NOTRACK',
      '-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK',
    ])
    // The last that was put in front stands first.
    expect(rules[rules.indexOf('*raw') + 3]).toBe('-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j NOTRACK')
  })
})
