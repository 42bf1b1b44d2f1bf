import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { faultVariants, labSchema, labSpecSchema } from './lab-schema.ts'
import { loadText, told } from './testing/load-text.ts'

const lab = (spec: string) => `apiVersion: podwalk/v1alpha1\nkind: Lab\nmetadata: {name: l}\nspec:\n${spec}`
const read = (...texts: string[]) => {
  const loaded = loadText(Object.fromEntries(texts.map((text, i) => [`${i}.yaml`, text])))
  return { lab: loaded.cluster.lab, told: told(loaded).filter((line) => / lab-(invalid|network)/.test(line)) }
}

describe('a Lab document', () => {
  it('is read as it is written', () => {
    const { lab: found, told } = read(
      lab(`  networks:
  - {name: rack1, cidr: 192.168.40.0/24, nodes: [m1, n1]}
  - {name: rack2, cidr: 192.168.50.0/24, cidr6: "fd00::/64", nodes: [n2], mtu: 9000}
  routers: [{name: core, networks: [rack1, rack2, internet], addresses: {rack1: 192.168.40.2}}]
  hosts: [{name: laptop, network: internet, ip: 203.0.113.10, gateway: 203.0.113.1}]
  upstreamDNS: [{ip: 192.168.40.2, records: ["www.example.com. 300 IN A 93.184.216.34"], behave: {x.: drop}, delayMs: 0}]
  versions: {kubernetes: v1.36.3, flannel: v0.28.4}
  podCIDRs: [10.244.0.0/16]
  serviceCIDRs: [10.96.0.0/12]
  dnsDomain: cluster.local
  nodes:
    n1: {interface: ens33, mtu: 1500, gateway: 192.168.40.2, mac: "52:54:00:00:00:01", sysctls: {net.ipv4.ip_forward: 1, a: "b"}, resolvConf: "nameserver 192.168.40.2", calicoBlocks: [10.244.121.0/26], nextOrdinal: 36, forwardPolicy: DROP, capabilities: {nfacct: true}}
  listeners: [{pod: default/db, port: 5432, protocol: TCP, answers: echo}, {host: laptop, port: 80}]
  cni: {name: flannel, backend: vxlan, VNI: 1}
  proxy: {mode: iptables, masqueradeAll: true}
  faults:
  - {kind: fdbMissing, node: n1, peer: n2}
  - {kind: arpMissing, node: n1, peer: n2}
  - {kind: routeMissing, node: n1, peer: n2}
  - {kind: nodeDown, node: n1}
  - {kind: flanneldDown, node: n1}
  - {kind: linkDown, node: n1, link: ens33}
  - {kind: conntrackRace, node: n1, clash: kept}
  - {kind: serverDown, pod: default/db}
  - {kind: udpBlocked, port: 8472, network: rack1}
`),
    )
    expect(told).toEqual([])
    expect(found.name).toBe('l')
    expect(found.faults?.length).toBe(9)
    expect(found.cni).toEqual({ name: 'flannel', backend: 'vxlan', VNI: 1 })
    expect(found.nodes?.n1?.nextOrdinal).toBe(36)
    // The document above has every field of the schema, so that none is forgotten here.
    expect(Object.keys(found).sort()).toEqual([...Object.keys(labSpecSchema.properties), 'name'].sort())
    const kinds = faultVariants.flatMap(({ properties }) => properties.kind.enum as readonly string[])
    expect(found.faults?.map(({ kind }) => kind).sort()).toEqual([...kinds].sort())
  })

  it.each([
    ['an unknown field', '  cnii: {name: flannel}\n', '0.yaml:5 lab-invalid Lab l: spec.cnii is not known'],
    [
      'an unknown field of a node',
      '  nodes:\n    n1:\n      mtuu: 1500\n',
      '0.yaml:7 lab-invalid Lab l: spec.nodes.n1.mtuu is not known',
    ],
    [
      'a missing field',
      '  listeners:\n  - pod: default/db\n',
      '0.yaml:6 lab-invalid Lab l: spec.listeners[0] lacks port',
    ],
    [
      'a number out of range',
      '  networks:\n  - {name: a, cidr: 10.0.0.0/24, mtu: 10}\n',
      '0.yaml:6 lab-invalid Lab l: spec.networks[0].mtu must be >= 68',
    ],
    ['a wrong type', '  podCIDRs: 10.244.0.0/16\n', '0.yaml:5 lab-invalid Lab l: spec.podCIDRs must be array'],
    [
      'a wrong word',
      '  nodes: {n1: {forwardPolicy: deny}}\n',
      '0.yaml:5 lab-invalid Lab l: spec.nodes.n1.forwardPolicy is not one of ACCEPT, DROP',
    ],
    [
      'an unknown fault',
      '  faults:\n  - kind: fdbMisssing\n',
      '0.yaml:6 lab-invalid Lab l: spec.faults[0].kind is not one of fdbMissing, arpMissing, routeMissing, nodeDown, flanneldDown, linkDown, conntrackRace, serverDown, udpBlocked',
    ],
    [
      'a fault that lacks something',
      '  faults:\n  - {kind: nodeDown, node: n1}\n  - {kind: fdbMissing, node: n1}\n',
      '0.yaml:7 lab-invalid Lab l: spec.faults[1] lacks peer',
    ],
    [
      'a wrong value of a fault',
      '  faults:\n  - {kind: udpBlocked, port: 70000}\n',
      '0.yaml:6 lab-invalid Lab l: spec.faults[0].port must be <= 65535',
    ],
    [
      'an address',
      '  hosts: [{name: h, network: internet, ip: 203.0.113}]\n',
      '0.yaml:5 lab-invalid Lab l: spec.hosts[0].ip "203.0.113" is not an IP address: IPv4 has four octets',
    ],
    [
      'a prefix with host bits',
      '  networks: [{name: a, cidr: 10.0.0.1/24}]\n',
      '0.yaml:5 lab-invalid Lab l: spec.networks[0].cidr "10.0.0.1/24" has host bits set: did you mean 10.0.0.0/24?',
    ],
    ['a MAC', '  nodes: {n1: {mac: "52:54"}}\n', '0.yaml:5 lab-invalid Lab l: spec.nodes.n1.mac'],
    [
      'a network that is not there',
      '  networks: [{name: rack1, cidr: 10.0.0.0/24}]\n  routers: [{name: r, networks: [rak1]}]\n',
      '0.yaml:5 lab-network-unknown router r is on network rak1, which spec.networks does not declare',
    ],
  ])('%s is told with its line', (_, spec, message) => {
    const found = read(lab(spec)).told
    expect(found.length).toBe(1)
    expect(found[0]).toContain(message)
  })

  it.each([
    ['  cnii: {name: flannel}\n', 'did you mean cni?'],
    ['  nodes: {n1: {mtuu: 1500}}\n', 'did you mean mtu?'],
    ['  faults: [{kind: fdbMising}]\n', 'did you mean fdbMissing?'],
    ['  faults: [{kind: nodeDown, node: n1, nodee: n2}]\n', 'did you mean node?'],
    ['  zzzzzzzz: 1\n', undefined],
  ])('%j: %s', (spec, suggestion) =>
    expect(loadText(lab(spec)).diagnostics.find(({ code }) => code === 'lab-invalid')?.suggestion).toBe(suggestion),
  )

  it('tells each mistake by the place it was written at, and keeps the rest', () => {
    const { lab: found, told } = read(
      lab(
        '  faults:\n  - {kind: nope}\n  - {kind: nodeDown, node: n1}\n  - {kind: nodeDown}\n  - {kind: nodeDown, node: n2, x: 1}\n  dnsDomain: [a]\n  podCIDRs: [10.244.0.0/16, 10.300.0.0/16]\n',
      ),
    )
    expect(told.map((line) => line.split(' ').slice(0, 5).join(' '))).toEqual([
      '0.yaml:10 lab-invalid Lab l: spec.dnsDomain',
      '0.yaml:6 lab-invalid Lab l: spec.faults[0].kind',
      '0.yaml:8 lab-invalid Lab l: spec.faults[2]',
      '0.yaml:9 lab-invalid Lab l: spec.faults[3].x',
      '0.yaml:11 lab-invalid Lab l: spec.podCIDRs[1]',
    ])
    expect(found).toEqual({
      name: 'l',
      faults: [
        { kind: 'nodeDown', node: 'n1' },
        { kind: 'nodeDown', node: 'n2' },
      ],
      podCIDRs: ['10.244.0.0/16'],
    })
  })

  it('of another version is told and used', () => {
    const { lab: found, told } = read(lab('  dnsDomain: x.y\n').replace('v1alpha1', 'v9'))
    expect(told).toEqual(['0.yaml:1 lab-invalid Lab l: apiVersion is not podwalk/v1alpha1'])
    expect(found.dnsDomain).toBe('x.y')
  })

  it('merges with others: lists are joined, maps are merged, the later word counts', () => {
    const { lab: found } = read(
      lab(
        '  dnsDomain: a\n  podCIDRs: [10.1.0.0/16]\n  nodes: {n1: {mtu: 1400, interface: eth0}}\n  cni: {name: flannel, backend: udp}\n',
      ),
      lab('  dnsDomain: b\n  podCIDRs: [10.2.0.0/16]\n  nodes: {n1: {mtu: 1500}, n2: {}}\n  cni: {backend: vxlan}\n'),
    )
    expect(found).toEqual({
      name: 'l',
      dnsDomain: 'b',
      podCIDRs: ['10.1.0.0/16', '10.2.0.0/16'],
      nodes: { n1: { mtu: 1500, interface: 'eth0' }, n2: {} },
      cni: { name: 'flannel', backend: 'vxlan' },
    })
  })

  it('is overridden by what is given beside it', () => {
    const { cluster } = loadText(lab('  cni: {name: flannel}\n  dnsDomain: a.b\n'), {
      lab: { cni: { name: 'calico' } },
    })
    expect([cluster.facts.cni.name, cluster.facts.dnsDomain]).toEqual(['calico', 'a.b'])
  })
})

describe('names of a Lab that the cluster does not have', () => {
  it('are told with their line and what was meant', () => {
    const text = `{apiVersion: v1, kind: Node, metadata: {name: node1}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: db}}\n---\n${lab('  networks:\n  - name: a\n    cidr: 10.0.0.0/24\n    nodes: [node1, nod1]\n  nodes:\n    node1: {}\n    node2: {}\n  faults:\n  - {kind: nodeDown, node: node3}\n  - {kind: serverDown, pod: default/bd}\n  listeners:\n  - {pod: default/db, port: 80}\n')}`
    const { diagnostics } = loadText(text)
    expect(
      diagnostics
        .filter(({ code }) => code.startsWith('lab-'))
        .map(({ at, code, suggestion }) => `${at?.line} ${code} ${suggestion}`),
    ).toEqual([
      '15 lab-node-unknown did you mean node1?',
      '12 lab-node-unknown did you mean node1?',
      '17 lab-node-unknown did you mean node1?',
      '18 lab-pod-unknown did you mean default/db?',
    ])
  })
})

describe('the schema', () => {
  it('is JSON Schema that can be printed', () => {
    const printed = JSON.parse(JSON.stringify(labSchema))
    expect(printed.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(printed.required).toEqual(['apiVersion', 'kind'])
    expect(Object.keys(printed.properties.spec.properties)).toContain('networks')
  })

  const folder = new URL('../topologies', import.meta.url)
  const labs = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  it.each(labs.map(({ name }) => name))('the lab %s keeps to it', (name) =>
    expect(read(readFileSync(new URL(`../topologies/${name}/lab.yaml`, import.meta.url), 'utf8')).told).toEqual([]),
  )
})
