import { describe, expect, it } from 'vitest'
import { podOf, podYaml, smallCluster } from '../testing/small-cluster.ts'
import { parseNodeResolvConf, podDns, podResolvConf } from './resolv-conf.ts'

const NODE = 'search corp.example.\nnameserver 192.168.40.2\noptions edns0 timeout:3\n'
const CLUSTER_SEARCH = 'shop.svc.cluster.local svc.cluster.local cluster.local'

interface Row {
  readonly rule: string
  readonly spec: string
  readonly node?: string
  readonly version?: string
  readonly text: string
  readonly events?: readonly string[]
}

const domains = (count: number) => Array.from({ length: count }, (_, i) => `d${i}.test`)

const rows: readonly Row[] = [
  {
    rule: 'ClusterFirst: the cluster first, then the search list of the node; its options are dropped',
    spec: '',
    text: `search ${CLUSTER_SEARCH} corp.example\nnameserver 10.96.0.10\noptions ndots:5\n`,
  },
  {
    rule: 'Default: what the node has',
    spec: 'dnsPolicy: Default',
    text: 'search corp.example\nnameserver 192.168.40.2\noptions edns0 timeout:3\n',
  },
  {
    rule: 'ClusterFirst with hostNetwork is Default',
    spec: 'hostNetwork: true',
    text: 'search corp.example\nnameserver 192.168.40.2\noptions edns0 timeout:3\n',
  },
  {
    rule: 'ClusterFirstWithHostNet stays with the cluster',
    spec: 'hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet',
    text: `search ${CLUSTER_SEARCH} corp.example\nnameserver 10.96.0.10\noptions ndots:5\n`,
  },
  {
    rule: 'None: dnsConfig alone',
    spec: 'dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [a.test], options: [{ name: use-vc }] }',
    text: 'search a.test\nnameserver 1.1.1.1\noptions use-vc\n',
  },
  {
    rule: 'dnsConfig is put behind, the pod wins over an option of the same name, nothing stands twice',
    spec: 'dnsConfig: { nameservers: [10.96.0.10, 1.1.1.1], searches: [cluster.local, a.test], options: [{ name: ndots, value: "2" }, { name: edns0 }] }',
    text: `search ${CLUSTER_SEARCH} corp.example a.test\nnameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n`,
  },
  {
    rule: 'three nameservers at most',
    spec: 'dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4] }',
    text: 'nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n',
    events: [
      'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3',
    ],
  },
  {
    rule: '32 search domains since 1.26',
    spec: `dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [${domains(33).join(', ')}] }`,
    text: `search ${domains(32).join(' ')}\nnameserver 1.1.1.1\n`,
    events: [
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${domains(32).join(' ')}`,
    ],
  },
  {
    rule: '6 search domains before 1.26',
    version: 'v1.25.4',
    spec: `dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [${domains(7).join(', ')}] }`,
    text: `search ${domains(6).join(' ')}\nnameserver 1.1.1.1\n`,
    events: [
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${domains(6).join(' ')}`,
    ],
  },
  {
    rule: '256 characters before 1.26: whole domains go from the end',
    version: 'v1.25.4',
    spec: `dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [${'a'.repeat(120)}.x, ${'b'.repeat(120)}.x, ${'c'.repeat(40)}.x] }`,
    text: `search ${'a'.repeat(120)}.x ${'b'.repeat(120)}.x\nnameserver 1.1.1.1\n`,
    events: [
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${'a'.repeat(120)}.x ${'b'.repeat(120)}.x`,
    ],
  },
]

const LONG = ['a', 'b'].map((letter) => `${letter.repeat(120)}.x`)
/** Search domains whose line is so many characters long. */
const searchesOf = (length: number) => [...LONG, 'c'.repeat(length - LONG.join(' ').length - 1)]

describe('the search line before 1.26', () => {
  it.each([
    [256, 3],
    [257, 2],
  ])('of %i characters keeps %i domains', (length, kept) => {
    const searches = searchesOf(length)
    expect(searches.join(' ')).toHaveLength(length)
    const spec = `dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [${searches.join(', ')}] }`
    const cluster = smallCluster(podYaml('web', spec), 'v1.25.4')
    expect(podDns(cluster, podOf(cluster, 'shop/web'), NODE).searches).toHaveLength(kept)
  })
})

describe('the resolv.conf of a pod', () => {
  it.each(rows)('$rule', ({ spec, node = NODE, version, text, events = [] }) => {
    const cluster = smallCluster(podYaml('web', spec), version)
    const pod = podOf(cluster, 'shop/web')
    expect(podResolvConf(cluster, pod, node)).toBe(text)
    expect(podDns(cluster, pod, node).events.map((event) => event.message)).toEqual(events)
  })

  it('without clusterDNS a cluster pod falls back to the node, and says so', () => {
    const cluster = smallCluster(podYaml('web'))
    const bare = { ...cluster, facts: { ...cluster.facts, clusterDNS: [] } }
    const dns = podDns(bare, podOf(cluster, 'shop/web'), NODE)
    expect(dns.servers).toEqual(['192.168.40.2'])
    expect(dns.events.map(({ reason }) => reason)).toEqual(['MissingClusterDNS'])
  })

  it('without a cluster domain only the search list of the node is left', () => {
    const cluster = smallCluster(podYaml('web'))
    const bare = { ...cluster, facts: { ...cluster.facts, dnsDomain: '' } }
    expect(podDns(bare, podOf(cluster, 'shop/web'), NODE).searches).toEqual(['corp.example'])
  })

  it('--resolv-conf="" points at the own loopback address of the node', () => {
    const cluster = smallCluster(podYaml('web', 'dnsPolicy: Default'))
    const dns = podDns(cluster, podOf(cluster, 'shop/web'), undefined)
    expect(dns).toMatchObject({ servers: ['127.0.0.1'], searches: ['.'], options: [] })
  })

  it('a search domain over 253 characters is left out', () => {
    const long = 'x'.repeat(254)
    const spec = `dnsPolicy: None, dnsConfig: { nameservers: [1.1.1.1], searches: [${long}, a.test] }`
    const cluster = smallCluster(podYaml('web', spec))
    const pod = podOf(cluster, 'shop/web')
    const kept = { ...pod, spec: { ...pod.spec, dnsConfig: { ...pod.spec.dnsConfig, searches: [long, 'a.test'] } } }
    expect(podDns(cluster, kept, NODE).searches).toEqual(['a.test'])
  })
})

describe("kubelet's reading of the node's file", () => {
  it.each([
    [
      'the last search line counts, each item loses one dot',
      'search a.\nsearch b. c..\n',
      'v1.36.0',
      { searches: ['b', 'c.'] },
    ],
    ['a lone dot goes', 'search .\n', 'v1.36.0', { searches: [] }],
    ['kubelet 1.25.0 made it an empty item', 'search .\n', 'v1.25.0', { searches: [''] }],
    [
      'comments and unknown lines are passed over',
      '# nameserver 1.1.1.1\nsortlist x\nnameserver 2.2.2.2 junk\n',
      'v1.36.0',
      { servers: ['2.2.2.2'] },
    ],
    [
      'options are merged by name',
      'options ndots:1 edns0\noptions ndots:3\n',
      'v1.36.0',
      { options: ['ndots:3', 'edns0'] },
    ],
    ['a nameserver without an address is an error', 'nameserver\n', 'v1.36.0', { emptyNameserver: true }],
  ])('%s', (_, text, version, expected) => {
    expect(parseNodeResolvConf(text, version)).toMatchObject(expected)
  })
})
