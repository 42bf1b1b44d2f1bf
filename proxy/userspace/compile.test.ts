import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import {
  DEFAULT_CONFIG,
  DRAINING,
  machine,
  NOT_READY,
  node,
  service,
  slice,
  smallCluster,
} from '../testing/small-cluster.ts'
import { userspaceMode } from './compile.ts'
import { parseRelayTable } from './relay-table.ts'

const NODE = node('node1', { ips: ['192.0.2.11'], podCIDRs: ['10.244.1.0/24'] })
const FACTS = machine(['192.0.2.11/24', '2001:db8::11/64'])

function compiled(objects: Parameters<typeof smallCluster>[0], config: Partial<typeof DEFAULT_CONFIG> = {}) {
  const cluster = smallCluster({ nodes: [NODE], ...objects })
  return userspaceMode.compile(cluster, NODE, { ...DEFAULT_CONFIG, version: 'v1.25.16', ...config }, FACTS)
}

const rules = (ops: ReturnType<typeof compiled>) =>
  ops.flatMap((op) =>
    op.kind === 'rule.append' || op.kind === 'rule.insert' ? [`${op.table} ${op.chain} ${op.args}`] : [],
  )

function tableOf(ops: ReturnType<typeof compiled>) {
  const start = ops.find((op) => op.kind === 'process.start')
  return parseRelayTable(start?.kind === 'process.start' ? (start.args.services ?? '') : '')
}

const WEB = service('web', {
  type: 'LoadBalancer',
  ports: [{ name: 'http', port: 80, nodePort: 30080 }],
  externalIPs: ['198.51.100.1'],
  vips: ['203.0.113.1'],
})

describe('userspace mode', () => {
  it('leads every address and the node port to one port of its own (proxier.go of 1.25)', () => {
    const ops = compiled({
      services: [WEB],
      slices: [slice({ of: 'web', ports: [{ name: 'http' }], endpoints: ['10.244.1.2'] })],
    })
    const port = tableOf(ops)[0]?.port
    const common = (dport: number, destination = '') =>
      `-m comment --comment default/web:http -p tcp -m tcp --dport ${dport}${destination}`
    const redirect = `-j REDIRECT --to-ports ${port}`
    const dnat = `-j DNAT --to-destination 192.0.2.11:${port}`
    expect(rules(ops)).toEqual([
      'nat PREROUTING -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-CONTAINER',
      'nat OUTPUT -m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-HOST',
      'nat PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-CONTAINER',
      'nat OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-HOST',
      'filter INPUT -m comment --comment "Ensure that non-local NodePort traffic can flow" -j KUBE-NODEPORT-NON-LOCAL',
      `nat KUBE-PORTALS-CONTAINER ${common(80, ' -d 10.96.0.1')} ${redirect}`,
      `nat KUBE-PORTALS-HOST ${common(80, ' -d 10.96.0.1')} ${dnat}`,
      `nat KUBE-PORTALS-CONTAINER ${common(80, ' -d 198.51.100.1')} -m physdev ! --physdev-is-in ${redirect}`,
      `nat KUBE-PORTALS-CONTAINER ${common(80, ' -d 198.51.100.1')} -m addrtype --dst-type LOCAL ${redirect}`,
      `nat KUBE-PORTALS-HOST ${common(80, ' -d 198.51.100.1')} -m addrtype --dst-type LOCAL ${dnat}`,
      `nat KUBE-PORTALS-CONTAINER ${common(80, ' -d 203.0.113.1')} ${redirect}`,
      `nat KUBE-PORTALS-HOST ${common(80, ' -d 203.0.113.1')} ${dnat}`,
      `nat KUBE-NODEPORT-CONTAINER ${common(30080)} ${redirect}`,
      `nat KUBE-NODEPORT-HOST ${common(30080)} ${dnat}`,
      `filter KUBE-NODEPORT-NON-LOCAL ${common(port ?? 0)} -m state --state NEW -j ACCEPT`,
    ])
    expect(ops.every((op) => op.origin.by === 'kube-proxy')).toBe(true)
  })

  it('inserts the portals and appends the node ports', () => {
    const ops = compiled({ services: [] })
    expect(ops.flatMap((op) => (op.kind === 'rule.append' || op.kind === 'rule.insert' ? [op.kind] : []))).toEqual([
      'rule.insert',
      'rule.insert',
      'rule.append',
      'rule.append',
      'rule.insert',
    ])
  })

  it('a bindAddress takes the place of all addresses: DNAT instead of REDIRECT', () => {
    const ops = compiled({ services: [service('web')] }, { bindAddress: ip('192.0.2.99') })
    const port = tableOf(ops)[0]?.port
    expect(tableOf(ops)[0]?.boundTo).toEqual(ip('192.0.2.99'))
    expect(
      rules(ops)
        .slice(-2)
        .map((rule) => rule.split(' -j ')[1]),
    ).toEqual([`DNAT --to-destination 192.0.2.99:${port}`, `DNAT --to-destination 192.0.2.99:${port}`])
  })

  it('serves one family, and no SCTP', () => {
    const services = [
      service('web', { clusterIPs: ['10.96.0.1', 'fd00:96::1'] }),
      service('sig', { clusterIPs: ['10.96.0.2'], ports: [{ protocol: 'SCTP' }] }),
      service('dns', { clusterIPs: ['10.96.0.3'], ports: [{ protocol: 'UDP', port: 53 }] }),
    ]
    expect(tableOf(compiled({ services })).map(({ name, protocol }) => `${name} ${protocol}`)).toEqual([
      'default/dns udp',
      'default/web tcp',
    ])
    const six = compiled({ services }, { bindAddress: ip('::') })
    expect(tableOf(six).map(({ name }) => name)).toEqual(['default/web'])
    expect(six.every((op) => !('family' in op) || op.family === 6)).toBe(true)
  })

  it('knows ready endpoints only, whatever the policies say', () => {
    const ops = compiled({
      services: [
        service('web', { internalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP', sessionAffinityTimeout: 60 }),
      ],
      slices: [
        slice({
          of: 'web',
          endpoints: [
            { ip: '10.244.2.2', nodeName: 'node2' },
            { ip: '10.244.2.3', ...DRAINING },
            { ip: '10.244.2.4', ...NOT_READY },
          ],
        }),
      ],
    })
    expect(tableOf(ops)).toMatchObject([{ affinity: 60, endpoints: [{ ip: ip('10.244.2.2'), port: 8080 }] }])
  })

  it('gives every service port a port of its own', () => {
    const services = [...Array(300)].map((_, i) => service(`s${i}`, { clusterIPs: [`10.96.1.${i % 250}`] }))
    const ports = tableOf(compiled({ services })).map(({ port }) => port)
    expect(new Set(ports).size).toBe(300)
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(32_768)
    expect(Math.max(...ports)).toBeLessThanOrEqual(60_999)
  })
})
