import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { smallCluster } from '../testing/small-cluster.ts'
import { compileNodeCache } from './compile.ts'

const pod = (args: string) => `apiVersion: v1
kind: Pod
metadata: { name: cache, namespace: kube-system }
spec:
  nodeName: node1
  hostNetwork: true
  containers: [{ name: node-cache, image: "registry.k8s.io/dns/k8s-dns-node-cache:1.26.4", args: [${args}] }]
status: { phase: Running }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: node-local-dns, namespace: kube-system }
data: { Corefile: ".:53 {\\n    bind 169.254.20.10 10.96.0.10\\n    forward . /etc/resolv.conf\\n}\\n" }
`

function ops(args: string) {
  const cluster = smallCluster(pod(args))
  return compileNodeCache(cluster, cluster.nodes[0]!)
}

const IP = '169.254.20.10'

describe('what node-cache does to its node', () => {
  it('makes a dummy device with its addresses and leaves it down', () => {
    const made = ops(`-localip, "${IP},10.96.0.10"`)
    expect(made.filter(({ kind }) => kind === 'link.add')).toMatchObject([
      { name: 'nodelocaldns', type: { kind: 'dummy' } },
    ])
    expect(made.filter(({ kind }) => kind === 'link.set')).toEqual([])
    expect(
      made.flatMap((op) => (op.kind === 'addr.add' ? [`${formatIp(op.address.ip)}/${op.address.length}`] : [])),
    ).toEqual([`${IP}/32`, '10.96.0.10/32'])
  })

  it('puts twelve rules in front for each address', () => {
    const rules = ops(`-localip, "${IP}"`).flatMap((op) =>
      op.kind === 'rule.insert' ? [`${op.table} ${op.chain} ${op.args}`] : [],
    )
    const protocols = (rule: string) => ['tcp', 'udp'].map((p) => rule.replace('PROTO', `-p ${p} -m ${p}`))
    expect(rules).toEqual([
      ...protocols(`raw PREROUTING -d ${IP} PROTO --dport 53 -j NOTRACK`),
      ...protocols(`filter INPUT -d ${IP} PROTO --dport 53 -j ACCEPT`),
      ...protocols(`raw OUTPUT -s ${IP} PROTO --sport 53 -j NOTRACK`),
      ...protocols(`filter OUTPUT -s ${IP} PROTO --sport 53 -j ACCEPT`),
      ...protocols(`raw OUTPUT -d ${IP} PROTO --dport 53 -j NOTRACK`),
      `raw OUTPUT -d ${IP} -p tcp -m tcp --dport 8080 -j NOTRACK`,
      `raw OUTPUT -s ${IP} -p tcp -m tcp --sport 8080 -j NOTRACK`,
    ])
  })

  it('starts CoreDNS with its Corefile, at its addresses only', () => {
    const made = ops(`-localip, "${IP},10.96.0.10", -conf, /etc/Corefile`)
    expect(made.find(({ kind }) => kind === 'process.start')).toMatchObject({
      program: 'coredns',
      args: { conf: expect.stringMatching(/\/etc\/Corefile$/), bind: `${IP} 10.96.0.10` },
    })
  })

  it('leaves out what its flags switch off', () => {
    const kinds = ops(`-localip, "${IP}", "-setupinterface=false", "-setupiptables=false"`).map(({ kind }) => kind)
    expect(kinds).toEqual(['file.write', 'process.start'])
  })

  it('and nothing on a node without it', () => {
    const cluster = smallCluster()
    expect(compileNodeCache(cluster, cluster.nodes[0]!)).toEqual([])
  })
})
