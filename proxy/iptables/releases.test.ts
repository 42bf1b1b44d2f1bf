import { describe, expect, it } from 'vitest'
import type { Service } from '../../cluster/objects.ts'
import { applyOps } from '../../linux/apply.ts'
import { parseRule } from '../../linux/netfilter/iptables/parse.ts'
import { printRule } from '../../linux/netfilter/iptables/print.ts'
import { listTables } from '../../linux/netfilter/iptables/ruleset.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { must } from '../../packet/parsed.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import { DEFAULT_CONFIG, DRAINING, machine, node, service, slice, smallCluster } from '../testing/small-cluster.ts'
import { iptablesMode } from './compile.ts'
import { V1_22, V1_23, V1_24, V1_25 } from './testing/release-rules.ts'

const NODE = node('test-hostname', { ips: ['192.168.0.2'] })

type Chains = Readonly<Record<string, readonly string[]>>

interface Given {
  readonly services: readonly Service[]
  readonly endpoints?: Readonly<Record<string, Parameters<typeof slice>[0]['endpoints']>>
  readonly config?: Partial<KubeProxyConfig>
  readonly pods?: string
}

/** Rules by `table chain`, as iptables-save prints them; chains that all Services share in any order. */
function written(version: string, { services, endpoints = {}, config = {}, pods = '10.0.0.0/24' }: Given): Chains {
  const facts = machine(['192.168.0.2/24'], { ipv6: false, randomFully: false })
  const slices = services.flatMap(({ meta: { namespace, name } }) => {
    const own = endpoints[name]
    return own === undefined
      ? []
      : [slice({ of: `${namespace}/${name}`, ports: [{ name: 'p80', port: 80 }], endpoints: own })]
  })
  const detectLocal = { kind: 'clusterCIDR', cidrs: [prefix(pods)] } as const
  const ops = iptablesMode.compile(
    smallCluster({ services, slices, version }),
    NODE,
    { ...DEFAULT_CONFIG, version, detectLocal, ...config },
    facts,
  )
  const applied = applyOps('test-hostname', ops, facts.capabilities)
  expect(applied.refused).toEqual([])
  const tables = listTables(applied.netns.get(ROOT_NETNS)!.netfilter.iptables[4])
  return ordered(
    tables.flatMap(({ name: table, chains }) =>
      chains.map(
        (chain) => [`${table} ${chain.name}`, chain.lines.map(({ args }) => printed(args))] as [string, string[]],
      ),
    ),
  )
}

const printed = (args: string): string => printRule(4, must(parseRule(4, args)))

const ordered = (chains: readonly (readonly [string, string[]])[]): Chains =>
  Object.fromEntries(
    chains.map(([name, rules]) => [
      name,
      /KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES)$/.test(name) ? rules.sort() : rules,
    ]),
  )

function expectedChains(text: string): Chains {
  const chains = new Map<string, string[]>()
  let table = ''
  for (const line of text.split('\n')) {
    const [, star, made, to = '', args = ''] = /^(?:\*(\w+)|:(\S+) .*|-A (\S+) (.*)|COMMIT|)$/.exec(line) ?? []
    if (star !== undefined) table = star
    else if (made !== undefined) chains.set(`${table} ${made}`, [])
    else if (to !== '') chains.get(`${table} ${to}`)?.push(printed(args))
  }
  return ordered([...chains])
}

const svc = (name: string, given: Parameters<typeof service>[1] = {}): Service =>
  service(name, { ...given, ports: [{ name: 'p80', ...given.ports?.[0] }] })

const ENDPOINTS = {
  svc1: ['10.180.0.1'],
  svc2: ['10.180.0.2'],
  svc2b: ['10.180.0.3'],
  svc3: ['10.180.0.3'],
  svc4: ['10.180.0.4', { ip: '10.180.0.5', nodeName: 'test-hostname' }],
  svc5: ['10.180.0.3'],
}

/** The Services of the tests of 1.22 and 1.23. */
const OLD: Given = {
  services: [
    svc('ns1/svc1', { clusterIPs: ['10.20.30.41'] }),
    svc('ns2/svc2', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIPs: ['10.20.30.42'],
      ports: [{ nodePort: 3001 }],
      vips: ['1.2.3.4'],
      externalIPs: ['1.2.3.4'],
      sourceRanges: ['1.2.3.0/28'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns2b/svc2b', {
      type: 'LoadBalancer',
      clusterIPs: ['10.20.30.43'],
      ports: [{ nodePort: 3001 }],
      vips: ['1.2.3.5'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns3/svc3', { type: 'NodePort', clusterIPs: ['10.20.30.43'], ports: [{ nodePort: 3001 }] }),
    svc('ns4/svc4', { type: 'NodePort', clusterIPs: ['10.20.30.44'], externalIPs: ['50.60.70.81'] }),
  ],
  endpoints: ENDPOINTS,
}

const OF_1_24: Given = {
  pods: '10.0.0.0/8',
  services: [
    svc('ns1/svc1', { clusterIPs: ['172.30.0.41'] }),
    svc('ns2/svc2', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIPs: ['172.30.0.42'],
      ports: [{ nodePort: 3001 }],
      vips: ['1.2.3.4'],
      externalIPs: ['192.168.99.22'],
      sourceRanges: ['203.0.113.0/25'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns2b/svc2b', {
      type: 'LoadBalancer',
      clusterIPs: ['172.30.0.43'],
      ports: [{ nodePort: 3002 }],
      vips: ['5.6.7.8'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns3/svc3', { type: 'NodePort', clusterIPs: ['172.30.0.43'], ports: [{ nodePort: 3003 }] }),
    svc('ns4/svc4', { type: 'NodePort', clusterIPs: ['172.30.0.44'], externalIPs: ['192.168.99.33'] }),
  ],
  endpoints: ENDPOINTS,
}

const OF_1_25: Given = {
  pods: '10.0.0.0/8',
  services: [
    svc('ns1/svc1', { clusterIPs: ['172.30.0.41'] }),
    svc('ns2/svc2', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      clusterIPs: ['172.30.0.42'],
      ports: [{ nodePort: 3001 }],
      vips: ['1.2.3.4'],
      externalIPs: ['192.168.99.22'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns3/svc3', { type: 'NodePort', clusterIPs: ['172.30.0.43'], ports: [{ nodePort: 3003 }] }),
    svc('ns4/svc4', { type: 'NodePort', clusterIPs: ['172.30.0.44'], externalIPs: ['192.168.99.33'] }),
    svc('ns5/svc5', {
      type: 'LoadBalancer',
      clusterIPs: ['172.30.0.45'],
      ports: [{ nodePort: 3002 }],
      vips: ['5.6.7.8'],
      sourceRanges: ['203.0.113.0/25'],
      healthCheckNodePort: 30_000,
    }),
    svc('ns6/svc6', { clusterIPs: ['172.30.0.46'] }),
  ],
  endpoints: ENDPOINTS,
}

describe("the rules of kube-proxy's own tests", () => {
  it.each([
    ['v1.22.17', V1_22, OLD],
    ['v1.23.17', V1_23, OLD],
    ['v1.24.17', V1_24, OF_1_24],
    ['v1.25.16', V1_25, OF_1_25],
    ['v1.26.15', V1_25, OF_1_25],
  ])('of %s', (version, text, given) => {
    const got = written(version, given)
    const expected = expectedChains(text)
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, got[name]]))).toEqual(expected)
    const own = Object.keys(got).filter((name) => /^nat KUBE-(SVC|SVL|EXT|FW|XLB|SEP)-/.test(name))
    expect(own.filter((name) => !(name in expected))).toEqual([])
  })
})

const RELEASES = Array.from({ length: 17 }, (_, i) => `v1.${20 + i}.0`)

const since = (holds: (chains: Chains) => boolean, given: Given): readonly string[] =>
  RELEASES.filter((version) => holds(written(version, given)))

describe('from release to release', () => {
  const LOCAL: Given = {
    services: [
      svc('ns/s', {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        vips: ['1.2.3.4'],
        sourceRanges: ['203.0.113.0/25'],
        ports: [{ nodePort: 3001 }],
        healthCheckNodePort: 30_000,
      }),
    ],
    endpoints: { s: ['10.180.0.2', { ip: '10.180.0.3', nodeName: 'test-hostname' }] },
  }

  const from = (minor: number) => RELEASES.slice(minor - 20)
  const until = (minor: number) => RELEASES.slice(0, minor - 19)

  const has = (name: RegExp) => (chains: Chains) => Object.keys(chains).some((chain) => name.test(chain))
  const says = (text: string) => (chains: Chains) =>
    Object.values(chains)
      .flat()
      .some((rule) => rule.includes(text))

  it.each([
    ['KUBE-XLB chains', has(/^nat KUBE-XLB-/), until(23)],
    ['KUBE-EXT and KUBE-SVL chains', has(/^nat KUBE-(EXT|SVL)-/), from(24)],
    ['KUBE-MARK-DROP', has(/^nat KUBE-MARK-DROP$/), until(24)],
    ['drops that are marked', says('-j KUBE-MARK-DROP'), until(24)],
    ['KUBE-PROXY-FIREWALL', has(/^filter KUBE-PROXY-FIREWALL$/), from(25)],
    ['KUBE-FIREWALL by kube-proxy', has(/^filter KUBE-FIREWALL$/), from(27)],
    ['words at the end of KUBE-FW', says('will be dropped by KUBE-PROXY-FIREWALL'), from(27)],
    ['rules for health checks', says('--dport 30000 -j ACCEPT'), from(21)],
    ['a pair of rules for what follows', says('conntrack pod source rule'), until(22)],
    ['endpoints in comments', says('-> 10.180.0.2:80'), from(24)],
    ['rules with numbers', says('"Balancing rule 0 for ns/s:p80"'), until(22)],
  ])('%s', (_, holds, expected) => {
    expect(since(holds, LOCAL)).toEqual(expected)
  })

  it('external addresses asked for the way in (1.20)', () => {
    const given: Given = { ...OLD, services: [svc('ns4/svc4', { type: 'NodePort', externalIPs: ['50.60.70.81'] })] }
    expect(written('v1.20.15', given)['nat KUBE-SERVICES']).toEqual(
      [
        '-d 10.96.0.1/32 -p tcp -m comment --comment "ns4/svc4:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-4SW47YFZTEDKD3PK',
        '! -s 10.0.0.0/24 -d 10.96.0.1/32 -p tcp -m comment --comment "ns4/svc4:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
        '-d 50.60.70.81/32 -p tcp -m comment --comment "ns4/svc4:p80 external IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
        '-d 50.60.70.81/32 -p tcp -m comment --comment "ns4/svc4:p80 external IP" -m tcp --dport 80 -m addrtype --dst-type LOCAL -j KUBE-SVC-4SW47YFZTEDKD3PK',
        '-d 50.60.70.81/32 -p tcp -m comment --comment "ns4/svc4:p80 external IP" -m tcp --dport 80 -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j KUBE-SVC-4SW47YFZTEDKD3PK',
        '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
      ].sort(),
    )
  })

  it('marks came before the jump, until 1.21', () => {
    const given: Given = {
      services: [svc('ns/s', { type: 'NodePort', externalIPs: ['50.60.70.81'], ports: [{ nodePort: 3001 }] })],
      endpoints: { s: ['10.180.0.2'] },
    }
    const marks = (version: string) => {
      const chains = written(version, given)
      const count = (name: RegExp) =>
        Object.entries(chains)
          .filter(([chain]) => name.test(chain))
          .flatMap(([, rules]) => rules)
          .filter((rule) => rule.endsWith('-j KUBE-MARK-MASQ')).length
      return { shared: count(/KUBE-(SERVICES|NODEPORTS)$/), own: count(/KUBE-SVC-/) }
    }
    expect(marks('v1.20.0')).toEqual({ shared: 3, own: 0 })
    expect(marks('v1.21.0')).toEqual({ shared: 3, own: 0 })
    expect(marks('v1.22.0')).toEqual({ shared: 0, own: 3 })
    expect(marks('v1.24.0')).toEqual({ shared: 0, own: 1 })
  })

  it('internalTrafficPolicy counts since 1.22; of old for every way in', () => {
    const given: Given = {
      services: [svc('ns/s', { type: 'NodePort', internalTrafficPolicy: 'Local', ports: [{ nodePort: 3001 }] })],
      endpoints: { s: ['10.180.0.2'] },
    }
    expect(since(has(/KUBE-SEP-/), given)).toEqual([...until(21), ...from(24)])
    expect(since(says('"ns/s:p80 has no endpoints"'), given)).toEqual(['v1.22.0', 'v1.23.0'])
    expect(since(says('"ns/s:p80 has no local endpoints"'), given)).toEqual(from(24))
  })

  it('endpoints that still serve while they end are used since 1.26', () => {
    const given: Given = { services: [svc('ns/s')], endpoints: { s: [{ ip: '10.180.0.2', ...DRAINING }] } }
    expect(since(has(/KUBE-SEP-/), given)).toEqual(from(26))
    expect(since(says('has no endpoints'), given)).toEqual(until(25))
  })

  it('hints count since 1.24', () => {
    const given: Given = {
      services: [svc('ns/s', { annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' } })],
      endpoints: {
        s: [
          { ip: '10.180.0.2', hintZones: [''] },
          { ip: '10.180.0.3', hintZones: ['b'] },
        ],
      },
    }
    const count = (version: string) => Object.keys(written(version, given)).filter((name) => /SEP/.test(name)).length
    expect([count('v1.23.0'), count('v1.24.0'), count('v1.36.0')]).toEqual([2, 1, 1])
  })

  it('an address of ipMode Proxy is passed over since 1.30', () => {
    const one = svc('ns/s', { type: 'LoadBalancer', vips: ['1.2.3.4'] })
    const proxied = one.loadBalancerIngress.map((ingress) => ({ ...ingress, ipMode: 'Proxy' as const }))
    const given: Given = { services: [{ ...one, loadBalancerIngress: proxied }], endpoints: { s: ['10.180.0.2'] } }
    expect(since(says('loadbalancer IP'), given)).toEqual(until(29))
  })

  it('externalTrafficPolicy counts for external addresses of a ClusterIP since 1.29', () => {
    const given: Given = {
      services: [svc('ns/s', { externalIPs: ['1.2.3.4'], externalTrafficPolicy: 'Local' })],
      endpoints: { s: ['10.180.0.2'] },
    }
    expect(since(says('has no local endpoints'), given)).toEqual(from(29))
  })

  it('localhostNodePorts can be switched off since 1.26', () => {
    const given: Given = { services: [], config: { localhostNodePorts: false } }
    expect(since(says('! -d 127.0.0.0/8'), given)).toEqual(from(26))
  })

  it('nodePorts have no rules until 1.26 where no address serves them', () => {
    const services = [svc('np', { type: 'NodePort', ports: [{ nodePort: 30080 }] })]
    const rules = (version: string, cidr: string) =>
      written(version, { services, endpoints: { np: ['10.180.0.1'] }, config: { nodePortAddresses: [prefix(cidr)] } })[
        'nat KUBE-NODEPORTS'
      ]?.length
    expect(['v1.22.17', 'v1.26.15', 'v1.27.0'].map((version) => rules(version, '203.0.113.0/24') === 0)).toEqual([
      true,
      true,
      false,
    ])
    for (const version of ['v1.22.17', 'v1.26.15']) expect(rules(version, '192.168.0.0/24')).toBeGreaterThan(0)
  })

  it('invalid packets pass since 1.29 where conntrack is liberal', () => {
    const conntrack = { ...DEFAULT_CONFIG.conntrack, tcpBeLiberal: true }
    expect(since(says('--ctstate INVALID'), { services: [], config: { conntrack } })).toEqual(until(28))
  })

  it('are written for random Services without a chain that is missing', () => {
    for (const version of RELEASES) for (const given of [OLD, OF_1_24, OF_1_25, LOCAL]) written(version, given)
  })
})
