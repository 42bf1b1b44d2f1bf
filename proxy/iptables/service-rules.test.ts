import { describe, expect, it } from 'vitest'
import type { RuleLine } from '../../linux/netfilter/block.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import {
  type ClusterText,
  DEFAULT_CONFIG,
  DRAINING,
  machine,
  node,
  type ServiceText,
  service,
  slice,
  smallCluster,
} from '../testing/small-cluster.ts'
import type { ServiceRules } from './service-rules.ts'
import { iptablesSync } from './sync.ts'

const NODE1 = node('node1', { ips: ['192.0.2.11', '2001:db8::11'], podCIDRs: ['10.244.1.0/24'] })
const FACTS = machine(['192.0.2.11/24'], { nfacct: true })

interface Options {
  readonly config?: Partial<KubeProxyConfig>
  readonly family?: 4 | 6
  readonly facts?: typeof FACTS
}

/** The rules that node1 has for the one service port of a cluster. */
function rulesOf(cluster: ClusterText, { config, family = 4, facts = FACTS }: Options = {}): ServiceRules {
  const given = { family, facts, config: { ...DEFAULT_CONFIG, ...config } }
  return iptablesSync(smallCluster(cluster), NODE1, given).services[0]!
}

/** Chain names without their hashes: SVC, SVL, EXT, FW, SEP. */
const plain = (text: string): string => text.replaceAll(/KUBE-(SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}/g, '$1')

const lines = (rules: readonly RuleLine[]): readonly string[] =>
  rules.map(({ table, chain, args }) => plain(`${table} ${chain} ${args}`))

const web = (text: ServiceText, endpoints: Parameters<typeof slice>[0]['endpoints'] = ['10.244.1.5']) => ({
  services: [service('web', text)],
  slices: [slice({ of: 'web', endpoints })],
})

const LOCAL_POD = { ip: '10.244.1.5', nodeName: 'node1' }
const REMOTE_POD = { ip: '10.244.2.5', nodeName: 'node2' }

describe('rules in the chains that Services share', () => {
  const IP = '-m tcp -p tcp -d 10.96.0.1 --dport 80'
  const NODE_PORT: ServiceText = { type: 'NodePort', ports: [{ nodePort: 30080 }] }
  const EXTERNAL: ServiceText = { externalIPs: ['198.51.100.1'], vips: ['192.0.2.1'], type: 'LoadBalancer' }
  const LOCAL: ServiceText = { ...NODE_PORT, ...EXTERNAL, type: 'LoadBalancer', externalTrafficPolicy: 'Local' }

  it.each<[string, ClusterText, readonly string[]]>([
    ['a ClusterIP', web({}), [`nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVC`]],
    [
      'a ClusterIP without endpoints is refused',
      web({}, []),
      [`filter KUBE-SERVICES -m comment --comment "default/web has no endpoints" ${IP} -j REJECT`],
    ],
    [
      'internalTrafficPolicy Local leads to the local endpoints',
      web({ internalTrafficPolicy: 'Local' }, [LOCAL_POD, REMOTE_POD]),
      [`nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVL`],
    ],
    [
      'internalTrafficPolicy Local without a local endpoint drops',
      web({ internalTrafficPolicy: 'Local' }, [REMOTE_POD]),
      [`filter KUBE-SERVICES -m comment --comment "default/web has no local endpoints" ${IP} -j DROP`],
    ],
    [
      'internalTrafficPolicy Local without any endpoint refuses',
      web({ internalTrafficPolicy: 'Local' }, []),
      [`filter KUBE-SERVICES -m comment --comment "default/web has no endpoints" ${IP} -j REJECT`],
    ],
    [
      'a nodePort, counted on localhost',
      web(NODE_PORT),
      [
        `nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVC`,
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp -d 127.0.0.0/8 --dport 30080 -m nfacct --nfacct-name localhost_nps_accepted_pkts -j EXT',
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j EXT',
      ],
    ],
    [
      'external addresses',
      web(EXTERNAL),
      [
        `nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVC`,
        'nat KUBE-SERVICES -m comment --comment "default/web external IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j EXT',
        'nat KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j EXT',
      ],
    ],
    [
      'source ranges put a firewall before the load balancer address, not before the nodePort',
      web({ ...EXTERNAL, ports: [{ nodePort: 30080 }], sourceRanges: ['203.0.113.0/24'] }),
      [
        `nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVC`,
        'nat KUBE-SERVICES -m comment --comment "default/web external IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j EXT',
        'nat KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j FW',
        'filter KUBE-PROXY-FIREWALL -m comment --comment "default/web traffic not accepted by FW" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j DROP',
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp -d 127.0.0.0/8 --dport 30080 -m nfacct --nfacct-name localhost_nps_accepted_pkts -j EXT',
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j EXT',
      ],
    ],
    [
      'externalTrafficPolicy Local without a local endpoint: pods and node still pass, the rest is dropped',
      web(LOCAL, [REMOTE_POD]),
      [
        `nat KUBE-SERVICES -m comment --comment "default/web cluster IP" ${IP} -j SVC`,
        'nat KUBE-SERVICES -m comment --comment "default/web external IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j EXT',
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no local endpoints" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j DROP',
        'nat KUBE-SERVICES -m comment --comment "default/web loadbalancer IP" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j EXT',
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no local endpoints" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j DROP',
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp -d 127.0.0.0/8 --dport 30080 -m nfacct --nfacct-name localhost_nps_accepted_pkts -j EXT',
        'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j EXT',
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no local endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j DROP',
      ],
    ],
    [
      'nothing anywhere: external traffic is refused, and the health check port stays open',
      web({ ...LOCAL, healthCheckNodePort: 31000 }, []),
      [
        `filter KUBE-SERVICES -m comment --comment "default/web has no endpoints" ${IP} -j REJECT`,
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no endpoints" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j REJECT',
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no endpoints" -m tcp -p tcp -d 192.0.2.1 --dport 80 -j REJECT',
        'filter KUBE-EXTERNAL-SERVICES -m comment --comment "default/web has no endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j REJECT',
        'filter KUBE-NODEPORTS -m comment --comment "default/web health check node port" -m tcp -p tcp --dport 31000 -j ACCEPT',
      ],
    ],
  ])('%s', (_, cluster, expected) => {
    expect(lines(rulesOf(cluster).dispatch)).toEqual(expected)
  })

  it.each<[string, Options]>([
    ['without nfnetlink_acct', { facts: machine(['192.0.2.11/24'], { nfacct: false }) }],
    ['with localhostNodePorts off', { config: { localhostNodePorts: false } }],
    ['where nodePorts are limited to other addresses', { config: { nodePortAddresses: [prefix('192.0.2.0/24')] } }],
  ])('a nodePort on localhost is not counted %s', (_, options) => {
    const { dispatch } = rulesOf(web(NODE_PORT), options)
    expect(lines(dispatch).filter((line) => line.includes('KUBE-NODEPORTS'))).toEqual([
      'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j EXT',
    ])
  })

  it('IPv6 has the same rules with its own addresses', () => {
    const cluster = web({ ...NODE_PORT, clusterIPs: ['fd00:96::1'] }, ['fd00:10:244::5'])
    expect(lines(rulesOf(cluster, { family: 6 }).dispatch)).toEqual([
      'nat KUBE-SERVICES -m comment --comment "default/web cluster IP" -m tcp -p tcp -d fd00:96::1 --dport 80 -j SVC',
      'nat KUBE-NODEPORTS -m comment --comment default/web -m tcp -p tcp --dport 30080 -j EXT',
    ])
  })
})

describe('chains of its own', () => {
  const own = (cluster: ClusterText, options?: Options) => {
    const { chains, rules } = rulesOf(cluster, options).own()
    return [chains.map(plain).join(' '), ...lines(rules).map((line) => line.replace(/^nat /, ''))]
  }
  const masq = (from: string) =>
    `SVC -m comment --comment "default/web cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80${from} -j KUBE-MARK-MASQ`
  const sep = (address: string) => [
    `SEP -m comment --comment default/web -s ${address} -j KUBE-MARK-MASQ`,
    `SEP -m comment --comment default/web -m tcp -p tcp -j DNAT --to-destination ${address}:8080`,
  ]
  const FROM_HOST = '-m addrtype --src-type LOCAL'
  const outside = 'for default/web external destinations'

  it('spread traffic evenly over the endpoints', () => {
    const cluster = web({}, ['10.244.1.5', '10.244.1.6', '10.244.1.7'])
    expect(own(cluster)).toEqual([
      'SVC SEP SEP SEP',
      masq(' ! -s 10.244.0.0/16'),
      'SVC -m comment --comment "default/web -> 10.244.1.5:8080" -m statistic --mode random --probability 0.3333333333 -j SEP',
      'SVC -m comment --comment "default/web -> 10.244.1.6:8080" -m statistic --mode random --probability 0.5000000000 -j SEP',
      'SVC -m comment --comment "default/web -> 10.244.1.7:8080" -j SEP',
      ...sep('10.244.1.5'),
      ...sep('10.244.1.6'),
      ...sep('10.244.1.7'),
    ])
  })

  it.each<[string, Partial<KubeProxyConfig>, readonly string[]]>([
    ['not from a pod', {}, [masq(' ! -s 10.244.0.0/16')]],
    ['not from a pod of this node', { detectLocal: { kind: 'nodeCIDR' } }, [masq(' ! -s 10.244.1.0/24')]],
    ['not from the bridge', { detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } }, [masq(' ! -i cni0')]],
    [
      'not from a link like this',
      { detectLocal: { kind: 'interfaceNamePrefix', prefix: 'cali' } },
      [masq(' ! -i cali+')],
    ],
    ['all', { masqueradeAll: true }, [masq('')]],
    ['none where pods cannot be told', { detectLocal: { kind: 'none' } }, []],
    ['all, also where pods cannot be told', { masqueradeAll: true, detectLocal: { kind: 'none' } }, [masq('')]],
  ])('masquerade traffic to the ClusterIP: %s', (_, config, expected) => {
    const rules = own(web({}), { config }).filter((line) => line.includes('cluster IP'))
    expect(rules).toEqual(expected)
  })

  it('send clients with affinity where they went before', () => {
    const cluster = web({ sessionAffinity: 'ClientIP', sessionAffinityTimeout: 60 }, ['10.244.1.5', '10.244.1.6'])
    expect(own(cluster).slice(2)).toEqual([
      'SVC -m comment --comment "default/web -> 10.244.1.5:8080" -m recent --name SEP --rcheck --seconds 60 --reap -j SEP',
      'SVC -m comment --comment "default/web -> 10.244.1.6:8080" -m recent --name SEP --rcheck --seconds 60 --reap -j SEP',
      'SVC -m comment --comment "default/web -> 10.244.1.5:8080" -m statistic --mode random --probability 0.5000000000 -j SEP',
      'SVC -m comment --comment "default/web -> 10.244.1.6:8080" -j SEP',
      'SEP -m comment --comment default/web -s 10.244.1.5 -j KUBE-MARK-MASQ',
      'SEP -m comment --comment default/web -m recent --name SEP --set -m tcp -p tcp -j DNAT --to-destination 10.244.1.5:8080',
      'SEP -m comment --comment default/web -s 10.244.1.6 -j KUBE-MARK-MASQ',
      'SEP -m comment --comment default/web -m recent --name SEP --set -m tcp -p tcp -j DNAT --to-destination 10.244.1.6:8080',
    ])
  })

  it('externalTrafficPolicy Cluster masquerades', () => {
    expect(own(web({ externalIPs: ['198.51.100.1'] }))).toEqual([
      'EXT SVC SEP',
      masq(' ! -s 10.244.0.0/16'),
      `EXT -m comment --comment "masquerade traffic ${outside}" -j KUBE-MARK-MASQ`,
      'EXT -j SVC',
      'SVC -m comment --comment "default/web -> 10.244.1.5:8080" -j SEP',
      ...sep('10.244.1.5'),
    ])
  })

  it.each<[string, Options, readonly string[]]>([
    ['pods', {}, [`EXT -m comment --comment "pod traffic ${outside}" -s 10.244.0.0/16 -j SVC`]],
    [
      'pods on a bridge',
      { config: { detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } } },
      [`EXT -m comment --comment "pod traffic ${outside}" -i cni0 -j SVC`],
    ],
    ['no pods where they cannot be told', { config: { detectLocal: { kind: 'none' } } }, []],
  ])('externalTrafficPolicy Local sends to all endpoints only the node itself and %s', (_, options, podRule) => {
    const cluster = web({ externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' }, [LOCAL_POD, REMOTE_POD])
    const lines = own(cluster, options)
    expect(lines[0]).toBe('EXT SVC SVL SEP SEP')
    expect(lines.filter((line) => line.startsWith('EXT -'))).toEqual([
      ...podRule,
      `EXT -m comment --comment "masquerade LOCAL traffic ${outside}" ${FROM_HOST} -j KUBE-MARK-MASQ`,
      `EXT -m comment --comment "route LOCAL traffic ${outside}" ${FROM_HOST} -j SVC`,
      'EXT -j SVL',
    ])
    expect(lines.filter((line) => line.startsWith('SVL -'))).toEqual([
      'SVL -m comment --comment "default/web -> 10.244.1.5:8080" -j SEP',
    ])
  })

  it('externalTrafficPolicy Local without a local endpoint has no way for outsiders', () => {
    const lines = own(web({ externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' }, [REMOTE_POD]))
    expect(lines[0]).toBe('EXT SVC SEP')
    expect(lines).not.toContain('EXT -j SVL')
    expect(lines).not.toContain('EXT -j SVC')
  })

  it('hold a draining local endpoint beside the ready remote ones', () => {
    const lines = own(
      web({ externalIPs: ['198.51.100.1'], externalTrafficPolicy: 'Local' }, [
        { ...LOCAL_POD, ...DRAINING },
        REMOTE_POD,
      ]),
    )
    expect(lines[0]).toBe('EXT SVC SVL SEP SEP')
    expect(lines.filter((line) => /^SV[CL] .*->/.test(line))).toEqual([
      'SVC -m comment --comment "default/web -> 10.244.2.5:8080" -j SEP',
      'SVL -m comment --comment "default/web -> 10.244.1.5:8080" -j SEP',
    ])
  })

  describe('of the load balancer firewall', () => {
    const firewall = (ranges: readonly string[], ports: ServiceText['ports'] = [{}]) =>
      own(web({ type: 'LoadBalancer', vips: ['192.0.2.1', '192.0.2.2'], sourceRanges: ranges, ports })).filter((line) =>
        line.startsWith('FW -'),
      )
    const from = (source: string) => `FW -m comment --comment "default/web loadbalancer IP" -s ${source} -j EXT`
    const last = 'FW -m comment --comment "other traffic to default/web will be dropped by KUBE-PROXY-FIREWALL"'

    it('let in the ranges', () => {
      expect(firewall(['203.0.113.0/24', '198.51.100.7/32'])).toEqual([
        from('203.0.113.0/24'),
        from('198.51.100.7/32'),
        last,
      ])
    })

    it('let in the addresses themselves where the node is allowed', () => {
      expect(firewall(['192.0.2.0/24'])).toEqual([from('192.0.2.0/24'), from('192.0.2.1'), from('192.0.2.2'), last])
    })

    it('are absent without ranges', () => expect(firewall([])).toEqual([]))
  })

  it('have no comments on endpoints in a large cluster', () => {
    const many = Array.from({ length: 1001 }, (_, i) => `10.250.${i >> 8}.${i & 255}`)
    const cluster = (count: number): ClusterText => ({
      services: [service('web', { sessionAffinity: 'ClientIP' }), service('z', { clusterIPs: ['10.96.0.2'] })],
      slices: [slice({ of: 'web', endpoints: ['10.244.1.5'] }), slice({ of: 'z', endpoints: many.slice(0, count) })],
    })
    expect(own(cluster(1000)).slice(1)).toEqual([
      masq(' ! -s 10.244.0.0/16'),
      'SVC -m recent --name SEP --rcheck --seconds 10800 --reap -j SEP',
      'SVC -j SEP',
      'SEP -s 10.244.1.5 -j KUBE-MARK-MASQ',
      'SEP -m recent --name SEP --set -m tcp -p tcp -j DNAT --to-destination 10.244.1.5:8080',
    ])
    expect(own(cluster(999))[4]).toBe('SEP -m comment --comment default/web -s 10.244.1.5 -j KUBE-MARK-MASQ')
  })
})

describe('origins', () => {
  const rules = rulesOf({
    services: [service('shop/api', { ports: [{ name: 'http' }] })],
    slices: [
      slice({
        of: 'shop/api',
        ports: [{ name: 'http' }],
        endpoints: [{ ip: '10.244.1.5', targetRef: { kind: 'Pod', namespace: 'shop', name: 'api-0' } }],
      }),
    ],
  })

  it('name the Service, its port and its line', () => {
    expect(rules.dispatch[0]?.origin).toEqual({
      by: 'kube-proxy',
      for: 'Service shop/api port http',
      source: 'objects.yaml:1',
    })
  })

  it('name the endpoint, its pod and the line of its slice', () => {
    expect(rules.own().rules.at(-1)?.origin).toEqual({
      by: 'kube-proxy',
      for: 'Service shop/api port http',
      reason: 'endpoint 10.244.1.5:8080, Pod shop/api-0, in EndpointSlice api-1',
      source: 'objects.yaml:2',
    })
  })

  it('name an unnamed port by its number', () => {
    expect(rulesOf(web({ ports: [{ port: 8443 }] })).origin.for).toBe('Service default/web port 8443')
  })
})
