import { describe, expect, it } from 'vitest'
import type { Service } from '../../cluster/objects.ts'
import { applyOps } from '../../linux/apply.ts'
import { listTables } from '../../linux/netfilter/iptables/ruleset.ts'
import type { NetfilterConfig } from '../../linux/netfilter/netfilter.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { formatIp } from '../../packet/ip.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { hostPort } from '../endpoint.ts'
import {
  DEFAULT_CONFIG,
  DRAINING,
  type EndpointText,
  GONE,
  machine,
  node,
  type ServiceText,
  service,
  slice,
  smallCluster,
} from '../testing/small-cluster.ts'
import { ipvsMode } from './compile.ts'

/**
 * What kube-proxy's own tests of ipvs mode expect (k8s.io/kubernetes v1.36.3 pkg/proxy/ipvs/proxier_test.go, named at
 * each test), and what its source says of other releases.
 */

const NODE = node('node1', { ips: ['100.101.102.103'], podCIDRs: ['10.180.0.0/24', 'fd00:10:180::/64'] })

interface Given {
  readonly services?: readonly Service[]
  /** Endpoints by Service; all Services of these tests are `ns1/NAME` with a port p80. */
  readonly endpoints?: Readonly<Record<string, readonly (string | EndpointText)[]>>
  readonly addresses?: readonly string[]
  readonly config?: Partial<KubeProxyConfig>
  readonly capabilities?: Parameters<typeof machine>[1]
}

function ops({ services = [], endpoints = {}, addresses, config, capabilities }: Given): readonly Op[] {
  const facts = machine(addresses ?? ['100.101.102.103/24'], { ipv6: false, ...capabilities })
  const slices = services.flatMap(({ meta: { name }, ports }) => {
    const own = endpoints[name]
    const ported = ports.map((port) => ({ name: port.name, port: 80, protocol: port.protocol }))
    return own === undefined ? [] : [slice({ of: `ns1/${name}`, ports: ported, endpoints: own })]
  })
  const none: Partial<KubeProxyConfig> = { detectLocal: { kind: 'none' } }
  return ipvsMode.compile(smallCluster({ services, slices }), NODE, { ...DEFAULT_CONFIG, ...none, ...config }, facts)
}

function made(given: Given): NetfilterConfig {
  const config = applyOps('node1', ops(given), { ...machine([]).capabilities, ...given.capabilities })
  expect(config.refused).toEqual([])
  return config.netns.get(ROOT_NETNS)!.netfilter
}

const svc = (name: string, given: ServiceText): Service =>
  service(`ns1/${name}`, {
    clusterIPs: ['10.20.30.41'],
    ...given,
    ports: (given.ports ?? [{}]).map((port) => ({ name: 'p80', ...port })),
  })

/** `TCP 10.20.30.41:80 rr`, and the real servers behind it. */
const servers = (given: Given): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    made(given).ipvs.services.map(({ protocol, address, port, scheduler, persistent, flags = [], destinations }) => [
      [
        protocol,
        hostPort(address, port),
        scheduler,
        ...(persistent ? [`persistent ${persistent.seconds}`] : []),
        ...flags,
      ].join(' '),
      destinations.map((to) => `${hostPort(to.address, to.port)} ${to.forward} ${to.weight}`),
    ]),
  )

/** The sets that have entries. */
const sets = (given: Given): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    [...made(given).sets].flatMap(([name, { entries }]) => (entries.length === 0 ? [] : [[name, entries]])),
  )

/** Rules of a chain in short: `SET? TARGET`. */
function chain(given: Given, table: 'nat' | 'filter', name: string, family: 4 | 6 = 4): readonly string[] | undefined {
  const tables = listTables(made(given).iptables[family])
  const found = tables.find((one) => one.name === table)?.chains.find((one) => one.name === name)
  return found?.lines.map(({ args }) =>
    args.replaceAll(/-m comment --comment (?:"[^"]*"|\S+) ?/g, '').replace(/^-m set --match-set /, ''),
  )
}

describe('virtual and real servers', () => {
  it('are at the ClusterIP and at every address of the node (TestNodePortIPv4, 1 service with node port)', () => {
    const given = {
      services: [svc('svc1', { type: 'NodePort', ports: [{ nodePort: 3001 }] })],
      endpoints: { svc1: ['10.180.0.1'] },
    }
    expect(servers(given)).toEqual({
      'TCP 10.20.30.41:80 rr': ['10.180.0.1:80 masquerade 1'],
      'TCP 100.101.102.103:3001 rr': ['10.180.0.1:80 masquerade 1'],
    })
    expect(sets(given)).toEqual({
      'KUBE-CLUSTER-IP': ['10.20.30.41,tcp:80'],
      'KUBE-NODE-PORT-TCP': ['3001'],
      'KUBE-IPVS-IPS': ['10.20.30.41'],
    })
  })

  it('have no real server where there is no endpoint (TestNodePortIPv4, no endpoints)', () => {
    expect(servers({ services: [svc('svc1', { type: 'NodePort', ports: [{ nodePort: 3001 }] })] })).toEqual({
      'TCP 10.20.30.41:80 rr': [],
      'TCP 100.101.102.103:3001 rr': [],
    })
  })

  it('have SCTP node ports by address and port (TestNodePortIPv4, node port service with protocol sctp)', () => {
    const given = {
      services: [svc('svc1', { type: 'NodePort', ports: [{ nodePort: 3001, protocol: 'SCTP' }] })],
      endpoints: { svc1: ['10.180.0.1'] },
      addresses: ['100.101.102.103/24', '100.101.102.104/24', '100.101.102.105/24', '2001:db8::1:1/64'],
    } as const
    expect(Object.keys(servers(given))).toEqual([
      'SCTP 10.20.30.41:80 rr',
      'SCTP 100.101.102.103:3001 rr',
      'SCTP 100.101.102.104:3001 rr',
      'SCTP 100.101.102.105:3001 rr',
    ])
    expect(sets(given)['KUBE-NODE-PORT-SCTP-HASH']).toEqual([
      '100.101.102.103,sctp:3001',
      '100.101.102.104,sctp:3001',
      '100.101.102.105,sctp:3001',
    ])
  })

  it('keep node ports local (TestNodePortIPv4, sctp and externalTrafficPolicy local)', () => {
    const given = {
      services: [
        svc('svc1', {
          type: 'NodePort',
          ports: [{ nodePort: 3001, protocol: 'SCTP' }],
          externalTrafficPolicy: 'Local',
        }),
      ],
      endpoints: {
        svc1: [
          { ip: '10.180.0.1', nodeName: 'node1' },
          { ip: '10.180.1.1', nodeName: 'other' },
        ],
      },
    } as const
    expect(servers(given)).toEqual({
      'SCTP 10.20.30.41:80 rr': ['10.180.0.1:80 masquerade 1', '10.180.1.1:80 masquerade 1'],
      'SCTP 100.101.102.103:3001 rr': ['10.180.0.1:80 masquerade 1'],
    })
    expect(sets(given)['KUBE-NODE-PORT-LOCAL-SCTP-HASH']).toEqual(['100.101.102.103,sctp:3001'])
    expect([...chain(given, 'nat', 'KUBE-NODE-PORT')!, ...chain(given, 'filter', 'KUBE-NODE-PORT')!]).toEqual([
      '-p sctp -m set --match-set KUBE-NODE-PORT-LOCAL-SCTP-HASH dst,dst -j RETURN',
      '-p sctp -m set --match-set KUBE-NODE-PORT-SCTP-HASH dst,dst -j KUBE-MARK-MASQ',
      'KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT',
    ])
  })

  it('are at the addresses of nodePortAddresses alone (TestOnlyLocalNodePorts)', () => {
    const given = {
      services: [svc('svc1', { type: 'NodePort', ports: [{ nodePort: 3001 }], externalTrafficPolicy: 'Local' })],
      endpoints: {
        svc1: [
          { ip: '10.180.0.1', nodeName: 'node1' },
          { ip: '10.180.1.1', nodeName: 'other' },
        ],
      },
      addresses: ['100.101.102.103/24', '172.17.0.1/16', '127.0.0.1/8'],
      config: { nodePortAddresses: [prefix('100.101.102.0/24')] },
    } as const
    expect(servers(given)).toEqual({
      'TCP 10.20.30.41:80 rr': ['10.180.0.1:80 masquerade 1', '10.180.1.1:80 masquerade 1'],
      'TCP 100.101.102.103:3001 rr': ['10.180.0.1:80 masquerade 1'],
    })
    expect(sets(given)).toMatchObject({ 'KUBE-NODE-PORT-TCP': ['3001'], 'KUBE-NODE-PORT-LOCAL-TCP': ['3001'] })
    expect(chain(given, 'nat', 'KUBE-SERVICES')).toEqual([
      '-s 127.0.0.0/8 -j RETURN',
      'KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ',
      '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
      'KUBE-CLUSTER-IP dst,dst -j ACCEPT',
    ])
    expect(chain(given, 'nat', 'KUBE-NODE-PORT')).toEqual([
      '-p tcp -m set --match-set KUBE-NODE-PORT-LOCAL-TCP dst -j RETURN',
      '-p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ',
    ])
  })

  it('are at every address of the node, also of other devices, where nodePortAddresses say nothing', () => {
    const given = {
      services: [svc('svc1', { type: 'NodePort', ports: [{ nodePort: 3001 }] })],
      addresses: ['100.101.102.103/24', '172.17.0.1/16', '127.0.0.2/8'],
    }
    expect(Object.keys(servers(given)).slice(1)).toEqual(['TCP 100.101.102.103:3001 rr', 'TCP 172.17.0.1:3001 rr'])
  })

  it('are at external addresses of the family (TestExternalIPs, TestOnlyLocalExternalIPs)', () => {
    const given = {
      services: [
        svc('svc1', {
          type: 'NodePort',
          externalIPs: ['50.60.70.81', '2012::51', '127.0.0.1'],
          externalTrafficPolicy: 'Local',
        }),
      ],
      endpoints: {
        svc1: [
          { ip: '10.180.0.1', nodeName: 'node1' },
          { ip: '10.180.1.1', nodeName: 'other' },
        ],
      },
    } as const
    expect(servers(given)).toEqual({
      'TCP 10.20.30.41:80 rr': ['10.180.0.1:80 masquerade 1', '10.180.1.1:80 masquerade 1'],
      'TCP 50.60.70.81:80 rr': ['10.180.0.1:80 masquerade 1'],
      'TCP 127.0.0.1:80 rr': ['10.180.0.1:80 masquerade 1'],
    })
  })

  it('use local endpoints alone where internalTrafficPolicy is Local (TestTestInternalTrafficPolicyE2E)', () => {
    const given = (internalTrafficPolicy: 'Local' | 'Cluster', local: string): Given => ({
      services: [svc('svc1', { clusterIPs: ['172.20.1.1'], internalTrafficPolicy })],
      endpoints: {
        svc1: [
          { ip: '10.0.1.1', nodeName: local },
          { ip: '10.0.1.2', nodeName: 'other1' },
        ],
      },
    })
    const both = ['10.0.1.1:80 masquerade 1', '10.0.1.2:80 masquerade 1']
    expect(servers(given('Cluster', 'node1'))).toEqual({ 'TCP 172.20.1.1:80 rr': both })
    expect(servers(given('Cluster', 'other0'))).toEqual({ 'TCP 172.20.1.1:80 rr': both })
    expect(servers(given('Local', 'node1'))).toEqual({ 'TCP 172.20.1.1:80 rr': both.slice(0, 1) })
    expect(servers(given('Local', 'other0'))).toEqual({ 'TCP 172.20.1.1:80 rr': [] })
    expect(sets(given('Local', 'node1'))['KUBE-LOOP-BACK']).toEqual(['10.0.1.1,tcp:80,10.0.1.1'])
    expect(sets(given('Local', 'other0'))['KUBE-LOOP-BACK']).toBeUndefined()
  })

  it('fall back to all endpoints where policy Local finds none here (kubernetes/kubernetes#97081)', () => {
    const given = {
      services: [
        svc('svc1', { externalIPs: ['1.2.3.4'], externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }),
      ],
      endpoints: { svc1: [{ ip: '10.0.1.2', nodeName: 'other' }] },
    } as const
    expect(servers(given)).toEqual({
      'TCP 10.20.30.41:80 rr': ['10.0.1.2:80 masquerade 1'],
      'TCP 1.2.3.4:80 rr': ['10.0.1.2:80 masquerade 1'],
    })
  })

  it('use endpoints that end only where none is ready (Test_EndpointSliceReadyAndTerminatingCluster)', () => {
    const given = (ready: readonly EndpointText[]): Given => ({
      services: [svc('svc1', { clusterIPs: ['172.20.1.1'], externalIPs: ['1.2.3.4'] })],
      endpoints: {
        svc1: [
          ...ready,
          { ip: '10.0.1.3', nodeName: 'node1', ...DRAINING },
          { ip: '10.0.1.4', nodeName: 'node1', ...GONE },
        ],
      },
    })
    const ready: EndpointText[] = [
      { ip: '10.0.1.1', nodeName: 'node1' },
      { ip: '10.0.1.5', nodeName: 'other' },
    ]
    expect(servers(given(ready))).toEqual({
      'TCP 172.20.1.1:80 rr': ['10.0.1.1:80 masquerade 1', '10.0.1.5:80 masquerade 1'],
      'TCP 1.2.3.4:80 rr': ['10.0.1.1:80 masquerade 1', '10.0.1.5:80 masquerade 1'],
    })
    expect(servers(given([]))['TCP 172.20.1.1:80 rr']).toEqual(['10.0.1.3:80 masquerade 1'])
    // Whatever their state, local endpoints may hairpin: connections to those that end go on.
    expect(sets(given(ready))['KUBE-LOOP-BACK']).toEqual([
      '10.0.1.1,tcp:80,10.0.1.1',
      '10.0.1.3,tcp:80,10.0.1.3',
      '10.0.1.4,tcp:80,10.0.1.4',
    ])
  })

  it('leave out addresses of ipMode Proxy (TestLoadBalancerIngressRouteTypeProxy)', () => {
    const balancer = (ipMode: 'VIP' | 'Proxy') => {
      const one = svc('svc1', { type: 'LoadBalancer', vips: ['1.2.3.4'], ports: [{ nodePort: 3001 }] })
      return { ...one, loadBalancerIngress: one.loadBalancerIngress.map((ingress) => ({ ...ingress, ipMode })) }
    }
    expect(Object.keys(servers({ services: [balancer('VIP')] }))).toHaveLength(3)
    expect(Object.keys(servers({ services: [balancer('Proxy')] }))).toHaveLength(2)
  })

  it('are persistent with session affinity (TestSessionAffinity)', () => {
    const given = { services: [svc('svc1', { sessionAffinity: 'ClientIP', externalIPs: ['50.60.70.81'] })] } as const
    expect(Object.keys(servers(given))).toEqual([
      'TCP 10.20.30.41:80 rr persistent 10800',
      'TCP 50.60.70.81:80 rr persistent 10800',
    ])
  })

  it('have the scheduler of the configuration; mh by source port too', () => {
    const with_ = (scheduler: string): Given => ({
      services: [svc('svc1', {})],
      config: { ipvs: { ...DEFAULT_CONFIG.ipvs, scheduler } },
    })
    expect(Object.keys(servers(with_('lc')))).toEqual(['TCP 10.20.30.41:80 lc'])
    expect(Object.keys(servers(with_('mh')))).toEqual(['TCP 10.20.30.41:80 mh mh-port'])
    expect(Object.keys(servers(with_('')))).toEqual(['TCP 10.20.30.41:80 rr'])
  })

  it('have origins in the Service and the slice behind them', () => {
    const given = { services: [svc('svc1', {})], endpoints: { svc1: ['10.180.0.1'] } }
    const [one] = made(given).ipvs.services
    expect(one?.origin).toMatchObject({ by: 'kube-proxy', source: 'objects.yaml:1' })
    expect(one?.destinations[0]?.origin).toMatchObject({ by: 'kube-proxy', source: 'objects.yaml:2' })
  })
})

describe('kube-ipvs0', () => {
  const bound = (given: Given): readonly string[] =>
    ops(given).flatMap((op) => (op.kind === 'addr.add' && op.link === 'kube-ipvs0' ? [formatIp(op.address.ip)] : []))
  const given: Given = {
    services: [
      svc('svc1', {
        type: 'LoadBalancer',
        vips: ['1.2.3.4'],
        externalIPs: ['50.60.70.81', '100.101.102.103'],
        ports: [{ nodePort: 3001 }],
      }),
    ],
  }

  it('has every address that Services have and the machine has not', () => {
    expect(bound(given)).toEqual(['10.20.30.41', '50.60.70.81', '1.2.3.4'])
  })

  it('had external addresses of the machine too, until 1.26', () => {
    expect(bound({ ...given, config: { version: 'v1.26.15' } })).toContain('100.101.102.103')
  })

  it('has an address of two ports once (TestMultiPortServiceBindAddr)', () => {
    const two = svc('svc1', { ports: [{ name: 'p80' }, { name: 'p81', port: 81 }] })
    expect(bound({ services: [two] })).toEqual(['10.20.30.41'])
    expect(sets({ services: [two] })).toEqual({
      'KUBE-CLUSTER-IP': ['10.20.30.41,tcp:80', '10.20.30.41,tcp:81'],
      'KUBE-IPVS-IPS': ['10.20.30.41'],
    })
  })
})

describe('KUBE-SERVICES and its like', () => {
  const BALANCER: Given = {
    services: [svc('svc1', { type: 'LoadBalancer', vips: ['1.2.3.4'], ports: [{ nodePort: 3001 }] })],
    endpoints: { svc1: ['10.180.0.1'] },
  }

  it('lead load balancers to their chain first (TestLoadBalancer)', () => {
    expect(sets(BALANCER)['KUBE-LOAD-BALANCER']).toEqual(['1.2.3.4,tcp:80'])
    expect(chain(BALANCER, 'nat', 'KUBE-SERVICES')).toEqual([
      '-s 127.0.0.0/8 -j RETURN',
      'KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER',
      'KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ',
      '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
      'KUBE-CLUSTER-IP dst,dst -j ACCEPT',
      'KUBE-LOAD-BALANCER dst,dst -j ACCEPT',
    ])
    expect(chain(BALANCER, 'nat', 'KUBE-LOAD-BALANCER')).toEqual(['-j KUBE-MARK-MASQ'])
  })

  it('leave sources alone where externalTrafficPolicy is Local (TestOnlyLocalLoadBalancing)', () => {
    const given: Given = {
      services: [svc('svc1', { type: 'LoadBalancer', vips: ['1.2.3.4'], externalTrafficPolicy: 'Local' })],
    }
    expect(sets(given)).toMatchObject({
      'KUBE-LOAD-BALANCER': ['1.2.3.4,tcp:80'],
      'KUBE-LOAD-BALANCER-LOCAL': ['1.2.3.4,tcp:80'],
    })
    expect(chain(given, 'nat', 'KUBE-LOAD-BALANCER')).toEqual([
      'KUBE-LOAD-BALANCER-LOCAL dst,dst -j RETURN',
      '-j KUBE-MARK-MASQ',
    ])
  })

  const RANGES: Given = {
    services: [svc('svc1', { type: 'LoadBalancer', vips: ['1.2.3.4'], sourceRanges: ['10.0.0.0/8'] })],
    endpoints: { svc1: ['10.180.0.1'] },
  }

  it('let clients in by loadBalancerSourceRanges (TestLoadBalancerSourceRanges)', () => {
    expect(sets(RANGES)).toMatchObject({
      'KUBE-LOAD-BALANCER': ['1.2.3.4,tcp:80'],
      'KUBE-LOAD-BALANCER-FW': ['1.2.3.4,tcp:80'],
      'KUBE-LOAD-BALANCER-SOURCE-CIDR': ['1.2.3.4,tcp:80,10.0.0.0/8'],
    })
    expect(chain(RANGES, 'filter', 'KUBE-PROXY-FIREWALL')).toEqual([
      'KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-SOURCE-RANGES-FIREWALL',
    ])
    expect(chain(RANGES, 'filter', 'KUBE-SOURCE-RANGES-FIREWALL')).toEqual([
      'KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN',
      '-j DROP',
    ])
    expect(chain(RANGES, 'filter', 'KUBE-IPVS-OUT-FILTER')).toEqual([
      '-s 1.2.3.4 -m ipvs --vaddr 1.2.3.4 --vproto tcp --vport 80 -j DROP',
    ])
  })

  it('let the node in, from the address that it calls, where its own is in the ranges', () => {
    const given: Given = {
      ...RANGES,
      services: [svc('svc1', { type: 'LoadBalancer', vips: ['1.2.3.4'], sourceRanges: ['100.101.102.0/24'] })],
    }
    expect(sets(given)['KUBE-LOAD-BALANCER-SOURCE-IP']).toEqual(['1.2.3.4,tcp:80,1.2.3.4'])
    expect(chain(given, 'filter', 'KUBE-IPVS-OUT-FILTER')).toEqual([])
  })

  it('marked what to drop for kubelet, until 1.24', () => {
    const given: Given = { ...RANGES, config: { version: 'v1.24.17' } }
    expect(chain(given, 'nat', 'KUBE-LOAD-BALANCER')).toEqual([
      'KUBE-LOAD-BALANCER-FW dst,dst -j KUBE-FIREWALL',
      '-j KUBE-MARK-MASQ',
    ])
    expect(chain(given, 'nat', 'KUBE-FIREWALL')).toEqual([
      'KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN',
      '-j KUBE-MARK-DROP',
    ])
    for (const name of ['KUBE-PROXY-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER'])
      expect(chain(given, 'filter', name)).toBeUndefined()
  })

  it('have filters of their own since 1.26 and 1.29', () => {
    const filters = (version: string) =>
      ['KUBE-PROXY-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER'].filter(
        (name) => chain({ ...RANGES, config: { version } }, 'filter', name) !== undefined,
      )
    expect(filters('v1.25.16')).toEqual(['KUBE-PROXY-FIREWALL'])
    expect(filters('v1.26.15')).toEqual(['KUBE-PROXY-FIREWALL', 'KUBE-IPVS-FILTER'])
    expect(filters('v1.28.15')).toEqual(['KUBE-PROXY-FIREWALL', 'KUBE-IPVS-FILTER'])
    expect(filters('v1.29.15')).toEqual(['KUBE-PROXY-FIREWALL', 'KUBE-IPVS-FILTER', 'KUBE-IPVS-OUT-FILTER'])
  })

  it('accept what virtual servers take, last (TestAcceptIPVSTraffic)', () => {
    const given: Given = {
      services: [
        svc('svc1', { clusterIPs: ['10.20.30.40'], externalIPs: ['5.6.7.8'] }),
        svc('svc2', { type: 'LoadBalancer', vips: ['1.2.3.4'], ports: [{ nodePort: 80 }] }),
        svc('svc3', { type: 'NodePort', clusterIPs: ['10.20.30.42'], ports: [{ nodePort: 80 }] }),
      ],
    }
    expect(chain(given, 'nat', 'KUBE-SERVICES')).toEqual([
      '-s 127.0.0.0/8 -j RETURN',
      'KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER',
      'KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ',
      'KUBE-EXTERNAL-IP dst,dst -j KUBE-MARK-MASQ',
      'KUBE-EXTERNAL-IP dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT',
      'KUBE-EXTERNAL-IP dst,dst -m addrtype --dst-type LOCAL -j ACCEPT',
      '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT',
      'KUBE-CLUSTER-IP dst,dst -j ACCEPT',
      'KUBE-LOAD-BALANCER dst,dst -j ACCEPT',
    ])
  })

  it('do not masquerade external addresses of policy Local', () => {
    const given: Given = { services: [svc('svc1', { externalIPs: ['5.6.7.8'], externalTrafficPolicy: 'Local' })] }
    expect(chain(given, 'nat', 'KUBE-SERVICES')?.filter((rule) => rule.includes('EXTERNAL'))).toEqual([
      'KUBE-EXTERNAL-IP-LOCAL dst,dst -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT',
      'KUBE-EXTERNAL-IP-LOCAL dst,dst -m addrtype --dst-type LOCAL -j ACCEPT',
    ])
  })

  it('let in probes of valid health check ports alone (TestHealthCheckNodePort)', () => {
    const balancer = (name: string, last: number, externalTrafficPolicy: 'Local' | 'Cluster') =>
      svc(name, {
        type: 'LoadBalancer',
        clusterIPs: [`10.20.30.${last}`],
        ports: [{ nodePort: 3000 + last }],
        externalTrafficPolicy,
        healthCheckNodePort: 30_000 + last,
      })
    const given = { services: [balancer('a', 0, 'Local'), balancer('b', 1, 'Local'), balancer('c', 2, 'Cluster')] }
    expect(sets(given)['KUBE-HEALTH-CHECK-NODE-PORT']).toEqual(['30000', '30001'])
  })

  it('masquerade ClusterIP traffic by how pods are told apart', () => {
    const rule = (config: Partial<KubeProxyConfig>) =>
      chain({ services: [svc('svc1', {})], config }, 'nat', 'KUBE-SERVICES')?.[1]
    expect(rule({ masqueradeAll: true })).toBe('KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ')
    expect(rule({ detectLocal: { kind: 'none' } })).toBe('KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ')
    expect(rule({ detectLocal: { kind: 'clusterCIDR', cidrs: [prefix('10.180.0.0/16')] } })).toBe(
      'KUBE-CLUSTER-IP dst,dst ! -s 10.180.0.0/16 -j KUBE-MARK-MASQ',
    )
    expect(rule({ detectLocal: { kind: 'nodeCIDR' } })).toBe(
      'KUBE-CLUSTER-IP dst,dst ! -s 10.180.0.0/24 -j KUBE-MARK-MASQ',
    )
    expect(rule({ detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } })).toBe(
      'KUBE-CLUSTER-IP dst,dst ! -i cni0 -j KUBE-MARK-MASQ',
    )
    expect(rule({ detectLocal: { kind: 'interfaceNamePrefix', prefix: 'veth' } })).toBe(
      'KUBE-CLUSTER-IP dst,dst ! -i veth+ -j KUBE-MARK-MASQ',
    )
  })

  it('masquerade at random ports where iptables can (TestMasqueradeRule)', () => {
    const last = (randomFully: boolean) => chain({ capabilities: { randomFully } }, 'nat', 'KUBE-POSTROUTING')?.at(-1)
    expect(last(true)).toBe('-j MASQUERADE --random-fully')
    expect(last(false)).toBe('-j MASQUERADE')
  })

  it('mark and forward by the configured bit', () => {
    const config = { masqueradeBit: 3 }
    expect(chain({ config }, 'nat', 'KUBE-MARK-MASQ')).toEqual(['-j MARK --or-mark 0x00000008'])
    expect(chain({ config }, 'filter', 'KUBE-FORWARD')?.[0]).toBe('-m mark --mark 0x00000008/0x00000008 -j ACCEPT')
    expect(chain({ config: { version: 'v1.20.15' } }, 'filter', 'KUBE-FORWARD')).toHaveLength(3)
    expect(chain({ config: { version: 'v1.21.14' } }, 'filter', 'KUBE-FORWARD')).toHaveLength(2)
  })
})

describe('in IPv6', () => {
  const given: Given = {
    services: [
      svc('svc1', {
        type: 'NodePort',
        clusterIPs: ['2020::1'],
        ports: [{ nodePort: 3001 }],
        externalTrafficPolicy: 'Local',
      }),
    ],
    endpoints: { svc1: [{ ip: '1002:ab8::2:10', nodeName: 'node1' }] },
    addresses: ['100.101.102.103/24', '2001:db8::1:1/112', 'fe80::1/64'],
    capabilities: { ipv6: true },
  }

  it('servers are at global addresses (TestNodePortIPv6)', () => {
    expect(servers(given)).toEqual({
      'TCP [2020::1]:80 rr': ['[1002:ab8::2:10]:80 masquerade 1'],
      'TCP [2001:db8::1:1]:3001 rr': ['[1002:ab8::2:10]:80 masquerade 1'],
    })
  })

  it('sets have names of their own, of at most 31 letters', () => {
    expect(sets(given)).toEqual({
      'KUBE-6-LOOP-BACK': ['1002:ab8::2:10,tcp:80,1002:ab8::2:10'],
      'KUBE-6-CLUSTER-IP': ['2020::1,tcp:80'],
      'KUBE-6-NODE-PORT-TCP': ['3001'],
      'KUBE-6-NODE-PORT-LOCAL-TCP': ['3001'],
      'KUBE-6-IPVS-IPS': ['2020::1'],
    })
    const names = [...made(given).sets.keys()]
    expect(names.filter((name) => name.length > 31)).toEqual([])
    expect(names).toContain('KUBE-6-LOAD-BALANCER-SOURCE-CID')
    expect(made(given).sets.get('KUBE-6-NODE-PORT-TCP')?.type).toBe('bitmap:port range 0-65535')
    expect(made(given).sets.get('KUBE-6-CLUSTER-IP')?.type).toBe(
      'hash:ip,port family inet6 hashsize 1024 maxelem 65536',
    )
    expect(chain(given, 'nat', 'KUBE-SERVICES', 6)?.[0]).toBe('-s ::1/128 -j RETURN')
  })
})

describe('settings of the kernel', () => {
  const sysctls = (ipvs: Partial<KubeProxyConfig['ipvs']>) =>
    Object.fromEntries(
      ops({ config: { ipvs: { ...DEFAULT_CONFIG.ipvs, ...ipvs } } }).flatMap((op) =>
        op.kind === 'sysctl.set' ? [[op.key, op.value]] : [],
      ),
    )

  it('are those of NewProxier', () => {
    expect(sysctls({})).toEqual({
      'net.ipv4.vs.conntrack': '1',
      'net.ipv4.vs.expire_nodest_conn': '1',
      'net.ipv4.vs.expire_quiescent_template': '1',
      'net.ipv4.ip_forward': '1',
    })
  })

  it('keep quiet on ARP for service addresses with strictARP', () => {
    expect(sysctls({ strictARP: true })).toMatchObject({
      'net.ipv4.conf.all.arp_ignore': '1',
      'net.ipv4.conf.all.arp_announce': '2',
    })
  })

  it('hold the timeouts of the configuration', () => {
    const given = { config: { ipvs: { ...DEFAULT_CONFIG.ipvs, tcpTimeout: 900, udpTimeout: 60 } } }
    expect(made(given).ipvs.timeouts).toEqual({ tcp: 900, tcpFin: 0, udp: 60 })
    expect(made({}).ipvs.timeouts).toEqual({ tcp: 0, tcpFin: 0, udp: 0 })
  })
})
