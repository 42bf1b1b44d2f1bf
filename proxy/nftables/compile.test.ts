import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../cluster/cluster.ts'
import { applyOps } from '../../linux/apply.ts'
import type { NftBlock } from '../../linux/netfilter/nftables/object.ts'
import { applyNftOp, finishNftTables, type NftTables, newNftBuilder } from '../../linux/netfilter/nftables/ruleset.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { ip } from '../../packet/ip.ts'
import { prefix } from '../../packet/prefix.ts'
import type { KubeProxyConfig } from '../config.ts'
import type { Endpoint } from '../endpoint.ts'
import { serviceMap } from '../service-map.ts'
import {
  type ClusterText,
  DEFAULT_CONFIG,
  DRAINING,
  machine,
  node,
  smallCluster as plainCluster,
  type ServiceText,
  service,
  slice,
} from '../testing/small-cluster.ts'
import { commandOp, nftablesMode } from './compile.ts'
import { endpointNames } from './names.ts'
import { nftSync } from './sync.ts'
import { syncTable } from './transaction.ts'

const NODES = [
  node('node1', { ips: ['192.0.2.11'], zone: 'a', podCIDRs: ['10.244.1.0/24'] }),
  node('node2', { ips: ['192.0.2.12'], zone: 'a', podCIDRs: ['10.244.2.0/24'] }),
  node('node3', { ips: ['198.51.100.13'], zone: 'b', podCIDRs: ['10.244.3.0/24'] }),
]
const FACTS = machine(['192.0.2.11/24'])

function smallCluster(text: ClusterText): Cluster {
  const cluster = plainCluster(text)
  return { ...cluster, facts: { ...cluster.facts, serviceCIDRs: [prefix('10.96.0.0/12')] } }
}

const RELEASES = ['v1.30.1', 'v1.32.1', 'v1.33.1', 'v1.35.4', 'v1.36.3']

const on = (last: number, nodeName: string) => ({ ip: `10.244.0.${last}`, nodeName })

const web = (text: ServiceText, endpoints: Parameters<typeof slice>[0]['endpoints']): ClusterText => ({
  services: [service('web', text)],
  slices: [slice({ of: 'web', endpoints })],
  nodes: NODES,
})

/** One Service of every kind. */
const EVERYTHING: ClusterText = {
  nodes: NODES,
  services: [
    service('web', { clusterIPs: ['10.96.0.1'] }),
    service('sticky', { clusterIPs: ['10.96.0.2'], sessionAffinity: 'ClientIP', sessionAffinityTimeout: 60 }),
    service('local', {
      clusterIPs: ['10.96.0.3'],
      type: 'LoadBalancer',
      vips: ['203.0.113.1'],
      sourceRanges: ['192.0.2.0/24', '10.0.0.0/8'],
      externalTrafficPolicy: 'Local',
      ports: [{ nodePort: 30003 }],
    }),
    service('empty', {
      clusterIPs: ['10.96.0.4'],
      externalIPs: ['203.0.113.4'],
      type: 'NodePort',
      ports: [{ nodePort: 30004 }],
    }),
    service('inside', { clusterIPs: ['10.96.0.5'], internalTrafficPolicy: 'Local' }),
  ],
  slices: [
    slice({ of: 'web', endpoints: [on(1, 'node1'), on(2, 'node2')] }),
    slice({ of: 'sticky', endpoints: [on(3, 'node1'), on(4, 'node2')] }),
    slice({ of: 'local', endpoints: [on(5, 'node2')] }),
    slice({ of: 'inside', endpoints: [on(6, 'node1'), on(7, 'node3')] }),
  ],
}

/** And one that has a load balancer's address of another. */
const SHARED: ClusterText = {
  nodes: NODES,
  services: [
    ...(EVERYTHING.services ?? []),
    service('twice', { clusterIPs: ['10.96.0.6'], type: 'LoadBalancer', vips: ['203.0.113.1'] }),
  ],
  slices: [...(EVERYTHING.slices ?? []), slice({ of: 'twice', endpoints: [on(8, 'node1')] })],
}

const config = (given: Partial<KubeProxyConfig> = {}): KubeProxyConfig => ({
  ...DEFAULT_CONFIG,
  mode: 'nftables',
  ...given,
})

/** Everything that a packet can meet, as texts. */
function textsOf(tables: NftTables) {
  return tables.map((table) => ({
    table: `${table.family} ${table.name}`,
    sets: listed(table).sets,
    chains: listed(table).chains,
  }))
}

function listed(table: NftTables[number]) {
  const made = table.blocks.map((block) => block.own())
  const chains = new Map([...table.chains].map(([name, chain]) => [name, chain.lines.map(({ rule }) => rule)]))
  for (const own of made)
    for (const { name, rules } of own.chains)
      chains.set(
        name,
        rules.map(({ rule }) => rule),
      )
  const sets = new Map(
    [...table.sets].map(([name, set]) => [
      name,
      set.elements().map(({ line }) => `${line.key} ${line.value ?? ''} ${line.comment ?? ''}`),
    ]),
  )
  for (const own of made) for (const { name } of own.sets) sets.set(name, [])
  return { chains: Object.fromEntries([...chains].sort()), sets: Object.fromEntries([...sets].sort()) }
}

function tablesOf(text: ClusterText, of = NODES[0]!, given: Partial<KubeProxyConfig> = {}): NftTables {
  const ops = nftablesMode.compile(smallCluster(text), of, config(given), FACTS)
  const applied = applyOps('node', ops, FACTS.capabilities)
  expect(applied.refused).toEqual([])
  return applied.netns.get(ROOT_NETNS)?.netfilter.nftables ?? []
}

describe('the ops of a node', () => {
  it.each(RELEASES)('come to the same as the transaction of kube-proxy %s', (version) => {
    const cluster = smallCluster(SHARED)
    const builder = newNftBuilder({ next: 0 })
    for (const family of [4, 6] as const) {
      const sync = nftSync(cluster, NODES[0]!, { family, config: config({ version }), facts: FACTS })
      for (const command of syncTable(cluster, sync).commands)
        expect(applyNftOp(builder, commandOp(sync.setup, command))).toBeUndefined()
    }
    expect(textsOf(tablesOf(SHARED, NODES[0], { version }))).toEqual(textsOf(finishNftTables(builder)))
  })

  it('have the origin of the Service on its elements, and of the slice on its endpoints', () => {
    const [table] = tablesOf(EVERYTHING)
    expect(table?.sets.get('service-ips')?.elements()[0]?.line.origin).toMatchObject({
      by: 'kube-proxy',
      for: expect.stringMatching(/^Service default\/\w+ port 80$/),
      source: 'objects.yaml:1',
    })
    expect(table?.sets.get('hairpin-connections')?.elements()[0]?.line.origin.reason).toContain('EndpointSlice')
  })

  it('are of IPv4 only where the kernel has no IPv6', () => {
    const facts = { ...FACTS, capabilities: { ...FACTS.capabilities, ipv6: false } }
    const ops = nftablesMode.compile(smallCluster(EVERYTHING), NODES[0]!, config(), facts)
    expect(new Set(ops.flatMap((op) => ('table' in op && 'family' in op ? [op.family] : [])))).toEqual(new Set(['ip']))
  })

  it('are none but the one that nft refuses, where a comment is too long', () => {
    const long = 'n'.repeat(130)
    const ops = nftablesMode.compile(
      smallCluster({
        nodes: NODES,
        services: [service(`default/${long}`), service('web', { clusterIPs: ['10.96.0.2'] })],
        slices: [],
      }),
      NODES[0]!,
      config(),
      FACTS,
    )
    const applied = applyOps('node', ops, FACTS.capabilities)
    expect(applied.refused.map(({ error }) => error)).toEqual([
      'Error: comment too long, 128 characters maximum allowed',
    ])
    expect(applied.netns.get(ROOT_NETNS)?.netfilter.nftables.map(({ family }) => family)).toEqual(['ip6'])
  })
})

describe('a Service', () => {
  const elementsOf = (text: ServiceText, endpoints: Parameters<typeof slice>[0]['endpoints']) => {
    const [table] = tablesOf(web(text, endpoints))
    return [...(table?.sets.values() ?? [])].flatMap(({ line: { name }, elements }) =>
      elements().map(
        ({ line }) =>
          `${name} ${line.key}${line.value === undefined ? '' : ` ${line.value.replace(/-[A-Z2-7]{8}-.*/, '')}`}`,
      ),
    )
  }
  const LOCAL: ServiceText = { type: 'NodePort', ports: [{ nodePort: 30080 }], externalTrafficPolicy: 'Local' }
  const VIP = '203.0.113.1 . tcp . 80'
  const BALANCED: ServiceText = { type: 'LoadBalancer', vips: ['203.0.113.1'] }

  it.each<[string, ServiceText, readonly (readonly [number, string])[], readonly string[]]>([
    ['sends its ClusterIP to its endpoints', {}, [[1, 'node2']], ['service-ips 10.96.0.1 . tcp . 80 goto service']],
    ['without endpoints rejects', {}, [], ['no-endpoint-services 10.96.0.1 . tcp . 80 goto reject-chain']],
    [
      'of internal policy Local uses those here',
      { internalTrafficPolicy: 'Local' },
      [[1, 'node1']],
      ['hairpin-connections 10.244.0.1 . 10.244.0.1 . tcp . 8080', 'service-ips 10.96.0.1 . tcp . 80 goto local'],
    ],
    [
      'of internal policy Local with none here drops',
      { internalTrafficPolicy: 'Local' },
      [[1, 'node2']],
      ['no-endpoint-services 10.96.0.1 . tcp . 80 drop'],
    ],
    [
      'of external policy Local with none here still takes what comes from here',
      LOCAL,
      [[1, 'node2']],
      [
        'no-endpoint-nodeports tcp . 30080 drop',
        'service-ips 10.96.0.1 . tcp . 80 goto service',
        'service-nodeports tcp . 30080 goto external',
      ],
    ],
    [
      'whose load balancer has no address yet has no firewall',
      { type: 'LoadBalancer', sourceRanges: ['192.0.2.0/24'] },
      [[1, 'node2']],
      ['service-ips 10.96.0.1 . tcp . 80 goto service'],
    ],
    [
      'has a firewall without endpoints too',
      { ...BALANCED, sourceRanges: ['192.0.2.0/24'] },
      [],
      [
        'no-endpoint-services 10.96.0.1 . tcp . 80 goto reject-chain',
        `no-endpoint-services ${VIP} goto reject-chain`,
        `firewall-ips ${VIP} goto firewall`,
      ],
    ],
  ])('%s', (_, text, endpoints, expected) => {
    const own = elementsOf(
      text,
      endpoints.map(([last, at]) => on(last, at)),
    ).filter((line) => !/^(cluster|nodeport)-ips /.test(line))
    expect(own).toEqual(expected)
  })

  it.each([
    [[prefix('127.0.0.0/8'), prefix('192.0.2.0/24')], ['192.0.2.11']],
    [[prefix('198.51.100.0/24')], []],
    ['all', undefined],
  ] as const)('serves nodePorts with nodePortAddresses %o on %o', (nodePortAddresses, expected) => {
    const [table] = tablesOf(EVERYTHING, NODES[0], { nodePortAddresses })
    expect(
      table?.sets
        .get('nodeport-ips')
        ?.elements()
        .map(({ line }) => line.key),
    ).toEqual(expected)
  })
})

describe('a name', () => {
  const port = (name: string) =>
    serviceMap(smallCluster({ nodes: NODES, services: [service(`default/${name}`)], slices: [] }), 4, 'v1.36.3')
      .ports[0]!
  const endpoint = { ip: ip('2001:db8::1'), port: 80 } as Endpoint

  it.each([
    [202, 240, /__2001\.db8\.\.1\/80$/],
    [203, 240, /__2001\.db8\.\.\.\.\.$/],
    [250, 240, /n\.\.\.$/],
  ])('of a Service of %i characters has at most %i after its prefix', (length, longest, end) => {
    const { chain, affinity } = endpointNames(port('n'.repeat(length)), endpoint)
    expect(chain.slice('endpoint-'.length)).toHaveLength(longest)
    expect(chain).toMatch(end)
    expect(affinity).toBe(chain.replace('endpoint-', 'affinity-'))
  })
})

describe('a release', () => {
  const chainsIn = (version: string, given: Partial<KubeProxyConfig> = {}) =>
    listed(tablesOf(EVERYTHING, NODES[0], { version, ...given })[0]!).chains

  const rulesOf = (version: string, prefix: string, given: Partial<KubeProxyConfig> = {}) =>
    Object.entries(chainsIn(version, given)).flatMap(([name, rules]) => (name.startsWith(prefix) ? rules : []))

  it.each([
    ['v1.36.3', false],
    ['v1.35.4', true],
  ])('%s marks in a chain of its own: %s', (version, own) => {
    expect('mark-for-masquerade' in chainsIn(version)).toBe(own)
    expect(rulesOf(version, 'service-').some((rule) => rule.includes('dnat ip addr . port'))).toBe(!own)
  })

  it.each([
    ['v1.33.9', true],
    ['v1.34.0', false],
  ])('%s names the port where it masquerades a ClusterIP: %s', (version, named) => {
    const rules = rulesOf(version, 'service-').filter((rule) => rule.startsWith('ip daddr 10.96.0.1 '))
    expect(rules).toHaveLength(1)
    expect(rules[0]?.includes('tcp dport 80')).toBe(named)
  })

  it.each([
    ['v1.32.9', 'filter-output-post-dnat'],
    ['v1.33.0', 'filter-output-pre-dnat'],
  ])('%s has a base chain %s', (version, name) => expect(Object.keys(chainsIn(version))).toContain(name))

  it.each([
    ['v1.32.9', {}, false],
    ['v1.32.9', { featureGates: { MultiCIDRServiceAllocator: true } }, true],
    ['v1.33.0', {}, true],
  ] as const)('%s with %o reads ServiceCIDRs: %s', (version, given, reads) => {
    expect(rulesOf(version, 'cluster-ips-check', given).some((rule) => rule.includes('drop'))).toBe(reads)
  })

  it.each([
    ['v1.32.9', 'iif cni0'],
    ['v1.33.0', 'iifname cni0'],
  ])('%s asks for a bridge by %s', (version, match) => {
    const given = { version, detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } } as const
    expect(rulesOf(version, 'external-', given).some((rule) => rule.startsWith(`${match} goto`))).toBe(true)
  })

  it.each([
    ['v1.32.9', EVERYTHING, 'Error: Interface does not exist'],
    ['v1.33.0', EVERYTHING, undefined],
    ['v1.32.9', { nodes: NODES }, undefined],
  ] as const)('%s asks for a prefix of interface names: nft says %#', (version, text, complaint) => {
    const given = config({ version, detectLocal: { kind: 'interfaceNamePrefix', prefix: 'veth' } })
    const builder = newNftBuilder({ next: 0 })
    const ops = nftablesMode.compile(smallCluster(text), NODES[0]!, given, FACTS)
    const complaints = ops.flatMap((op) =>
      op.kind.startsWith('nft.') ? (applyNftOp(builder, op as Parameters<typeof applyNftOp>[1]) ?? []) : [],
    )
    expect(complaints[0]).toBe(complaint)
  })

  it.each([
    ['v1.30.9', undefined],
    ['v1.31.0', 'Active ClusterIPs'],
  ])('%s says what a set is for: %s', (version, comment) => {
    const [table] = tablesOf(EVERYTHING, NODES[0], { version })
    expect(table?.sets.get('cluster-ips')?.line.comment).toBe(comment)
  })

  it.each([
    ['v1.30.9', ['2001:db8::/32'], 'ip daddr @nodeport-ips'],
    ['v1.31.0', ['2001:db8::/32'], 'fib daddr type local'],
  ])('%s serves a family without addresses of its own for node ports, %j, by %s', (version, cidrs, match) => {
    const rules = rulesOf(version, 'services', { mode: 'nftables', nodePortAddresses: cidrs.map(prefix) })
    expect(rules.some((rule) => rule.startsWith(match))).toBe(true)
  })

  it.each([
    ['v1.30.9', 'default/local'],
    ['v1.31.0', ''],
  ])('%s says at the firewall whose it is: "%s"', (version, comment) => {
    const [table] = tablesOf(EVERYTHING, NODES[0], { version })
    expect(
      table?.sets
        .get('firewall-ips')
        ?.elements()
        .map(({ line }) => line.comment ?? ''),
    ).toEqual([comment])
  })
})

describe('a later sync', () => {
  const before = smallCluster(EVERYTHING)
  const commands = (version: string, text: ClusterText) => {
    const given = { family: 4, config: config({ version }), facts: FACTS } as const
    const first = syncTable(before, nftSync(before, NODES[0]!, given))
    const after = smallCluster(text)
    const second = syncTable(after, nftSync(after, NODES[0]!, given), first)
    return second.commands.map(
      ({ kind, object }) =>
        `${kind} ${object.kind} ${'name' in object ? object.name : 'key' in object ? `${object.set} ${object.key}` : 'chain' in object ? object.chain : ''}`,
    )
  }

  it('of the same cluster writes nothing', () => expect(commands('v1.36.3', EVERYTHING)).toEqual([]))

  it('writes the whole table before 1.31', () => {
    const all = commands('v1.30.1', EVERYTHING)
    expect(all).toContain('nft.flush map service-ips')
    expect(all.filter((line) => line.startsWith('nft.delete chain'))).toEqual([])
  })

  it('writes the chains of a Service whose slice changed, and elements that changed', () => {
    const slices = EVERYTHING.slices!.with(0, slice({ of: 'web', endpoints: [on(2, 'node2'), on(9, 'node1')] }))
    const name = 'service-NX6QJ5FA'
    const found = commands('v1.36.3', { ...EVERYTHING, slices })
    expect(found.filter((line) => !line.includes('service-'))).toEqual([
      'nft.add element hairpin-connections 10.244.0.9 . 10.244.0.9 . tcp . 8080',
      'nft.delete element hairpin-connections 10.244.0.1 . 10.244.0.1 . tcp . 8080',
    ])
    expect(found.map((line) => line.replace(/service-\w+-/, `${name}-`)).filter((line) => line.includes(name))).toEqual(
      [
        `nft.add chain ${name}-default/web/tcp/`,
        `nft.flush chain ${name}-default/web/tcp/`,
        `nft.add rule ${name}-default/web/tcp/`,
      ],
    )
  })

  it('gives an element another value by taking it out first', () => {
    const slices = EVERYTHING.slices!.with(
      2,
      slice({ of: 'local', endpoints: [{ ...on(5, 'node9'), ready: false, serving: false }] }),
    )
    expect(
      commands('v1.36.3', { ...EVERYTHING, slices }).filter((line) =>
        line.includes('no-endpoint-services 203.0.113.1'),
      ),
    ).toEqual([
      'nft.delete element no-endpoint-services 203.0.113.1 . tcp . 80',
      'nft.add element no-endpoint-services 203.0.113.1 . tcp . 80',
    ])
  })

  it('empties the chains of a Service that is gone and takes away its sets and elements', () => {
    const { services = [], slices = [] } = EVERYTHING
    const left = commands('v1.36.3', {
      ...EVERYTHING,
      services: services.toSpliced(1, 1),
      slices: slices.toSpliced(1, 1),
    })
    expect(left.map((line) => line.replace(/-[A-Z2-7]{8}-/, '-')).sort()).toEqual([
      'nft.delete element cluster-ips 10.96.0.2',
      'nft.delete element hairpin-connections 10.244.0.3 . 10.244.0.3 . tcp . 8080',
      'nft.delete element service-ips 10.96.0.2 . tcp . 80',
      'nft.delete set affinity-default/sticky/tcp/__10.244.0.3/8080',
      'nft.delete set affinity-default/sticky/tcp/__10.244.0.4/8080',
      'nft.flush chain endpoint-default/sticky/tcp/__10.244.0.3/8080',
      'nft.flush chain endpoint-default/sticky/tcp/__10.244.0.4/8080',
      'nft.flush chain service-default/sticky/tcp/',
    ])
  })
})

describe('the block of a service port', () => {
  const LOCAL: ServiceText = { type: 'NodePort', ports: [{ nodePort: 30080 }], externalTrafficPolicy: 'Local' }
  const RANGES: ServiceText = { type: 'LoadBalancer', vips: ['203.0.113.1'], sourceRanges: ['192.0.2.0/24'] }
  const blockOf = (
    cluster: ReturnType<typeof smallCluster>,
    of: (typeof NODES)[number],
    given: Partial<KubeProxyConfig>,
  ) =>
    nftablesMode
      .compile(cluster, of, config(given), FACTS)
      .flatMap((op): NftBlock[] => (op.kind === 'nft.block' ? [op.block] : []))[0]

  it.each<[string, ClusterText, string, readonly [boolean, boolean]]>([
    ['is one object for all nodes', web({}, [on(1, 'node9')]), 'v1.36.3', [true, true]],
    ['is a node’s own where endpoints are, for hairpins', web({}, [on(1, 'node1')]), 'v1.36.3', [false, false]],
    ['was one for all nodes with endpoints too', web({}, [on(1, 'node1')]), 'v1.35.4', [true, true]],
    ['with policy Local is a node’s own where endpoints are', web(LOCAL, [on(1, 'node2')]), 'v1.35.4', [false, true]],
    ['with source ranges tells nodes inside from others', web(RANGES, [on(1, 'node9')]), 'v1.36.3', [true, false]],
    [
      'of draining endpoints is one for all nodes',
      web({}, [{ ...on(1, 'node9'), ...DRAINING }]),
      'v1.36.3',
      [true, true],
    ],
  ])('%s', (_, text, version, expected) => {
    const cluster = smallCluster(text)
    const [first, second, third] = NODES.map((one) => blockOf(cluster, one, { version, detectLocal: { kind: 'none' } }))
    expect([first === second, first === third]).toEqual(expected)
  })

  it.each<[string, Partial<KubeProxyConfig>]>([
    ['another mark', { masqueradeBit: 15 }],
    ['masqueradeAll', { masqueradeAll: true }],
    ['another way to tell pods', { detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } }],
    ['another release', { version: 'v1.34.4' }],
  ])('is another one for %s', (_, given) => {
    const cluster = smallCluster(web(LOCAL, [on(1, 'node9')]))
    const usual = { version: 'v1.33.1', detectLocal: { kind: 'none' } } as const
    expect(blockOf(cluster, NODES[0]!, { ...usual, ...given })).not.toBe(blockOf(cluster, NODES[0]!, usual))
  })
})
