import { describe, expect, it } from 'vitest'
import type { Lab } from '../../cluster/lab.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import { type HostFacts, USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { ip } from '../../packet/ip.ts'
import {
  clusterOf,
  configMapOf,
  daemonSetOf,
  factsOf,
  nodeOf,
  otherOf,
  podOf,
  type Sketch,
} from '../testing/cluster.ts'
import { opText } from '../testing/op-text.ts'
import { calico } from './calico.ts'

const node = (name: string, address: string, changes: Readonly<Record<string, string>> = {}) =>
  nodeOf(name, [address.split('/')[0]!], ['10.244.0.0/24'], { 'projectcalico.org/IPv4Address': address, ...changes })
const n1 = node('n1', '192.168.40.181/24')
const n2 = node('n2', '192.168.40.182/24')
const pool = (changes: Record<string, unknown> = {}, name = 'default-ipv4-ippool') =>
  otherOf('IPPool', name, {
    cidr: '10.244.0.0/16',
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: true,
    ...changes,
  })
const affinity = (host: string, cidr: string, state = 'confirmed') =>
  otherOf('BlockAffinity', `${host}-${cidr}`, { cidr, node: host, state, deleted: 'false' })
const blocks = [affinity('n1', '10.244.121.0/26'), affinity('n2', '10.244.102.64/26')]
const pods = [podOf('web-0', 'n1', ['10.244.121.36']), podOf('web-1', 'n2', ['10.244.102.86'])]

const sketch = (changes: Partial<Sketch> = {}): Sketch => ({
  nodes: [n1, n2],
  pods,
  others: [pool(), ...blocks],
  lab: { versions: { calico: 'v3.31.7' } },
  ...changes,
})

const facts: HostFacts = { ...factsOf('n1', ['192.168.40.181/24']), gateways: [ip('192.168.40.2')] }

function compiled(changes: Partial<Sketch> = {}, on: { readonly node?: KubeNode; readonly facts?: HostFacts } = {}) {
  const cluster = clusterOf(sketch(changes))
  const { config } = calico.configure(cluster)
  return calico.compile(cluster, on.node ?? n1, config, on.facts ?? facts).map(opText)
}

const refusals = (changes: Partial<Sketch> = {}, on: KubeNode = n1) => {
  const cluster = clusterOf(sketch(changes))
  return calico.refusals(cluster, on, calico.configure(cluster).config, facts)
}

const starting = (lines: readonly string[], ...words: readonly string[]) =>
  lines.filter((line) => words.some((word) => line.startsWith(word)))

describe('a calico pod', () => {
  const lines = compiled()

  it('is reached by a route to its veth, whose name is a hash of its own', () => {
    expect(starting(lines, 'link add', 'link set', 'route 10.244.121.36')).toEqual([
      expect.stringMatching(
        /^link add cali0d7763386da ee:ee:ee:ee:ee:ee mtu 1500 veth peer default\/web-0 eth0 0a:.* mtu 1500$/,
      ),
      'link set cali0d7763386da up',
      'route 10.244.121.36/32 dev cali0d7763386da scope link',
    ])
  })

  it('has a /32 address and everything by way of 169.254.1.1', () => {
    expect(starting(lines, 'default/web-0:')).toEqual([
      'default/web-0: netns add',
      'default/web-0: link set lo up',
      'default/web-0: link set eth0 up',
      'default/web-0: route 169.254.1.1/32 dev eth0 scope link',
      'default/web-0: route 0.0.0.0/0 via 169.254.1.1 dev eth0',
      'default/web-0: addr add 10.244.121.36/32 dev eth0',
      'default/web-0: sysctl net.ipv4.ip_forward=0',
    ])
  })

  it('has a host end that answers every ARP request at once', () => {
    expect(starting(lines, 'sysctl')).toEqual([
      'sysctl net.ipv4.conf.cali0d7763386da.route_localnet=1',
      'sysctl net.ipv4.neigh.cali0d7763386da.proxy_delay=0',
      'sysctl net.ipv4.conf.cali0d7763386da.proxy_arp=1',
      'sysctl net.ipv4.conf.cali0d7763386da.forwarding=1',
      'sysctl net.ipv4.ip_forward=1',
    ])
  })

  it('of both families uses the link-local address of the host end as IPv6 gateway', () => {
    const dual = compiled({ pods: [podOf('web-0', 'n1', ['10.244.121.36', 'fd00::5'])] })
    expect(starting(dual, 'default/web-0: route', 'default/web-0: addr', 'route fd00')).toEqual([
      'default/web-0: route 169.254.1.1/32 dev eth0 scope link',
      'default/web-0: route 0.0.0.0/0 via 169.254.1.1 dev eth0',
      'default/web-0: route ::/0 via fe80::ecee:eeff:feee:eeee dev eth0',
      'default/web-0: addr add 10.244.121.36/32 dev eth0',
      'default/web-0: addr add fd00::5/128 dev eth0',
      'route fd00::5/128 dev cali0d7763386da metric 1024',
    ])
    expect(dual).toContain('sysctl net.ipv6.conf.cali0d7763386da.proxy_ndp=1')
  })

  it.each([
    ['v3.31.7', 'route 10.244.121.36/32 dev cali0d7763386da scope link'],
    ['v3.32.1', 'route 10.244.121.36/32 dev cali0d7763386da scope link metric 1024'],
  ])('has the route metric of %s', (calicoVersion, line) => {
    expect(compiled({ lab: { versions: { calico: calicoVersion } } })).toContain(line)
  })

  it.each([
    ['the least MTU of the cards', {}, 1400],
    ['what veth_mtu says', { configMaps: [configMapOf('kube-system', 'calico-config', { veth_mtu: '1440' })] }, 1440],
    [
      'the least MTU where veth_mtu is 0',
      { configMaps: [configMapOf('kube-system', 'calico-config', { veth_mtu: '0' })] },
      1400,
    ],
  ])('has %s', (_, changes, mtu) => {
    const card = (name: string, size: number) => ({ ...facts.interfaces[0]!, name, mtu: size })
    const cards = [card('ens33', 1500), card('enp3s0', 1400), card('docker0', 1300), card('tap0', 1200)]
    expect(
      compiled(changes, { facts: { ...facts, interfaces: cards } }).find((line) => line.startsWith('link add')),
    ).toContain(`mtu ${mtu} veth`)
  })

  it('has 1460 where no card counts', () => {
    const cards = [{ ...facts.interfaces[0]!, name: 'bond0' }]
    expect(
      compiled({}, { facts: { ...facts, interfaces: cards } }).find((line) => line.startsWith('link add')),
    ).toContain('mtu 1460 veth')
  })
})

describe('calico routes between nodes', () => {
  it('are its own blocks as blackholes and those of the others by way of their nodes', () => {
    expect(starting(compiled(), 'route')).toEqual([
      'route 10.244.121.36/32 dev cali0d7763386da scope link',
      'route blackhole 10.244.121.0/26 proto bird',
      'route 10.244.102.64/26 via 192.168.40.182 dev ens33 proto bird',
    ])
  })

  it('go to the gateway where a peer is behind it, and nowhere without gateway', () => {
    const far = node('n2', '192.168.50.182/24')
    expect(compiled({ nodes: [n1, far] })).toContain('route 10.244.102.64/26 via 192.168.40.2 dev ens33 proto bird')
    const { gateways: _, ...lost } = facts
    expect(starting(compiled({ nodes: [n1, far] }, { facts: lost }), 'route 10.244.102.64')).toEqual([])
    const told: Lab = { nodes: { n1: { gateway: '192.168.40.9' } } }
    expect(compiled({ nodes: [n1, far], lab: told }, { facts: lost })).toContain(
      'route 10.244.102.64/26 via 192.168.40.9 dev ens33 proto bird',
    )
  })

  it('are missing between nodes of different AS that a router parts, and the refusal says so', () => {
    const far = node('n2', '192.168.50.182/24', { 'projectcalico.org/ASNumber': '64999' })
    expect(starting(compiled({ nodes: [n1, far] }), 'route 10.244.102.64')).toEqual([])
    expect(refusals({ nodes: [n1, far] })).toMatchObject([
      { peer: 'n2', reason: 'n2: its AS is 64999, not 64512, and a router is between them' },
    ])
    const near = node('n2', '192.168.40.182/24', { 'projectcalico.org/ASNumber': '64999' })
    expect(starting(compiled({ nodes: [n1, near] }), 'route 10.244.102.64')).toHaveLength(1)
  })

  it.each([
    [
      'mesh off',
      { others: [pool(), ...blocks, otherOf('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false })] },
      /mesh is switched off/,
    ],
    ['peer down', { lab: { faults: [{ kind: 'nodeDown', node: 'n2' }] } as Lab }, /n2 is down/],
    ['peer without address', { nodes: [n1, nodeOf('n2', ['192.168.40.182'], [])] }, undefined],
  ])('are missing: %s', (_, changes, reason) => {
    expect(starting(compiled(changes), 'route 10.244.102.64')).toEqual([])
    if (reason !== undefined) expect(refusals(changes)[0]?.reason).toMatch(reason)
  })

  it('do not exist on a node that calico has not annotated', () => {
    const bare = nodeOf('n1', ['192.168.40.181'], [])
    expect(starting(compiled({ nodes: [bare, n2] }, { node: bare }), 'route blackhole', 'route 10.244.102')).toEqual([])
    expect(refusals({ nodes: [bare, n2] }, bare)[0]?.reason).toMatch(/BIRD does not start/)
  })

  it('are concluded from the addresses of pods where no object tells the blocks, and that is said', () => {
    const more = [...pods, podOf('guest', 'n2', ['10.244.121.40']), podOf('web-2', 'n1', ['10.244.121.37'])]
    const cluster = clusterOf(sketch({ others: [pool()], pods: more }))
    expect(calico.configure(cluster).assumptions.map(({ code }) => code)).toContain('calico-blocks')
    expect(
      starting(
        compiled({ others: [pool()], pods: more }),
        'route blackhole',
        'route 10.244.102',
        'route 10.244.121.40',
      ),
    ).toEqual([
      'route blackhole 10.244.121.0/26 proto bird',
      'route 10.244.102.64/26 via 192.168.40.182 dev ens33 proto bird',
      'route 10.244.121.40/32 via 192.168.40.182 dev ens33 proto bird',
    ])
  })

  it.each([
    ['the node with most of its pods', ['n1', 'n2', 'n2'], 'n2'],
    ['the first of nodes with as many', ['n2', 'n1'], 'n1'],
    ['no node by its finished pods', ['n1', 'n2 Succeeded', 'n2 Failed'], 'n1'],
  ])('give a concluded block to %s', (_, places, owner) => {
    const made = places.map((place, i) => {
      const [on = '', phase] = place.split(' ')
      const changes = phase === undefined ? {} : { phase: phase as 'Succeeded' | 'Failed' }
      return podOf(`p${i}`, on, [`10.244.121.${i + 1}`], changes)
    })
    const { config } = calico.configure(clusterOf(sketch({ others: [pool()], pods: made })))
    expect(config.blocks.map(({ node: name }) => name)).toEqual([owner])
  })

  it('conclude no block from pods on the host network', () => {
    const { spec } = podOf('x', 'n1', [])
    const host = podOf('host', 'n1', ['10.244.9.1'], { spec: { ...spec, hostNetwork: true } })
    expect(calico.configure(clusterOf(sketch({ others: [pool()], pods: [host] }))).config.blocks).toEqual([])
  })

  it('take the blocks of IPAMBlock objects where there is no BlockAffinity, and of the Lab before both', () => {
    const block = otherOf('IPAMBlock', '10-244-7-0-26', { cidr: '10.244.7.0/26', affinity: 'host:n2' })
    expect(compiled({ others: [pool(), block] })).toContain(
      'route 10.244.7.0/26 via 192.168.40.182 dev ens33 proto bird',
    )
    const lab: Lab = { nodes: { n2: { calicoBlocks: ['10.244.9.0/26'] } } }
    const mine = affinity('n1', '10.244.121.0/26')
    expect(
      starting(compiled({ others: [pool(), block, mine], lab }), 'route 10.244.7', 'route 10.244.9', 'route blackhole'),
    ).toEqual([
      'route blackhole 10.244.121.0/26 proto bird',
      'route 10.244.9.0/26 via 192.168.40.182 dev ens33 proto bird',
    ])
  })

  it('leave out pools that are not to be exported', () => {
    expect(starting(compiled({ others: [pool({ disableBGPExport: true }), ...blocks] }), 'route 10.244.102')).toEqual(
      [],
    )
  })
})

describe('calico natOutgoing', () => {
  const nat = (changes: Partial<Sketch> = {}, on: HostFacts = facts) =>
    starting(compiled(changes, { facts: on }), 'iptables', 'ipset')
  const c = (hash: string) => `-m comment --comment "cali:${hash}"`

  it('has the sets, chains and rules of felix, hashes included', () => {
    expect(compiled().slice(0, 17)).toEqual([
      'ipset create cali40masq-ipam-pools hash:net family inet hashsize 1024 maxelem 1048576',
      'ipset add cali40masq-ipam-pools 10.244.0.0/16',
      'ipset create cali40network-ip-pools hash:net family inet hashsize 1024 maxelem 1048576',
      'ipset add cali40network-ip-pools 10.244.0.0/16',
      ...['OUTPUT', 'POSTROUTING', 'PREROUTING', 'fip-dnat', 'fip-snat', 'nat-outgoing'].map(
        (chain) => `iptables -t nat -N cali-${chain}`,
      ),
      `iptables -t nat -A cali-OUTPUT ${c('GBTAv2p5CwevEyJm')} -j cali-fip-dnat`,
      `iptables -t nat -A cali-POSTROUTING ${c('Z-c7XtVd2Bq7s_hA')} -j cali-fip-snat`,
      `iptables -t nat -A cali-POSTROUTING ${c('nYKhEzDlr11Jccal')} -j cali-nat-outgoing`,
      `iptables -t nat -A cali-PREROUTING ${c('r6XmIziWUJsdOK6Z')} -j cali-fip-dnat`,
      `iptables -t nat -I PREROUTING ${c('6gwbT8clXdHdC1b1')} -j cali-PREROUTING`,
      `iptables -t nat -I OUTPUT ${c('tVnHkvAo15HuiPy0')} -j cali-OUTPUT`,
      `iptables -t nat -A POSTROUTING ${c('0i8pjzKKPyA34aQD')} -j cali-POSTROUTING`,
    ])
  })

  it.each([
    ['v3.28.4', true, 'flqWnvo8yq4ULQLa', 'all-ipam-pools'],
    ['v3.30.7', true, 'flqWnvo8yq4ULQLa', 'all-ipam-pools'],
    ['v3.31.7', true, 'W_qq_N2KSTWyCvrX', 'network-ip-pools'],
    ['v3.32.1', true, 'W_qq_N2KSTWyCvrX', 'network-ip-pools'],
    ['v3.32.1', false, 'TTPfnvdxBZ0m0GOs', 'network-ip-pools'],
  ])('masquerades in %s (random %s) with rule cali:%s', (version, randomFully, hash, set) => {
    const on = { ...facts, capabilities: { ...USUAL_CAPABILITIES, randomFully } }
    const rules = nat({ lab: { versions: { calico: version } } }, on).filter((line) => line.includes('MASQUERADE'))
    expect(rules).toEqual([
      `iptables -t nat -A cali-nat-outgoing ${c(hash)} -m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40${set} dst -j MASQUERADE${randomFully ? ' --random-fully' : ''}`,
    ])
  })

  it('has no rule where no pool wants it, and only the pools that do in the set', () => {
    const quiet = pool({ cidr: '10.99.0.0/16', natOutgoing: false }, 'quiet')
    expect(
      nat({ others: [pool({ natOutgoing: false }), ...blocks] }).filter((line) => line.includes('MASQUERADE')),
    ).toEqual([])
    expect(starting(nat({ others: [pool(), quiet, ...blocks] }), 'ipset add')).toEqual([
      'ipset add cali40masq-ipam-pools 10.244.0.0/16',
      'ipset add cali40network-ip-pools 10.99.0.0/16',
      'ipset add cali40network-ip-pools 10.244.0.0/16',
    ])
  })

  it('touches no IPv6 without an IPv6 pool', () => {
    expect(nat().filter((line) => line.includes('cali60') || line.startsWith('iptables6'))).toEqual([])
  })

  it('is there for IPv6 too where a pool is, with sets of its own', () => {
    const six = pool({ cidr: 'fd00:10:244::/64' }, 'default-ipv6-ippool')
    const lines = nat({ others: [pool(), six, ...blocks] })
    expect(lines).toContain('ipset create cali60masq-ipam-pools hash:net family inet6 hashsize 1024 maxelem 1048576')
    expect(lines.filter((line) => line.startsWith('iptables6') && line.includes('MASQUERADE'))).toEqual([
      `iptables6 -t nat -A cali-nat-outgoing ${c('Y4sh__lNLsPKa_Pw')} -m set --match-set cali60masq-ipam-pools src -m set ! --match-set cali60network-ip-pools dst -j MASQUERADE --random-fully`,
    ])
  })
})

describe('calico configuration', () => {
  const whatIsMissing = (changes: Partial<Sketch>) => calico.configure(clusterOf(sketch(changes))).notModelled?.what
  const env = (entries: Readonly<Record<string, string>>) => ({
    others: [],
    workloads: [
      daemonSetOf('calico-node', {
        name: 'calico-node',
        image: 'calico/node:v3.31.2',
        env: Object.entries(entries).map(([name, value]) => ({ name, value })),
      }),
    ],
  })
  const installation = (encapsulation: string | undefined) => ({
    others: [
      otherOf('Installation', 'default', {
        calicoNetwork: {
          ipPools: [{ cidr: '10.244.0.0/16', ...(encapsulation === undefined ? {} : { encapsulation }) }],
        },
      }),
    ],
  })

  it.each<readonly [string, Partial<Sketch>, string | undefined]>([
    ['a pool without encapsulation', {}, undefined],
    ['a pool with IPIP', { others: [pool({ ipipMode: 'Always' })] }, 'calico with IPIP (Always) encapsulation'],
    [
      'a pool with VXLAN across subnets',
      { others: [pool({ vxlanMode: 'CrossSubnet' })] },
      'calico with VXLAN (CrossSubnet) encapsulation',
    ],
    [
      'one pool of several',
      { others: [pool(), pool({ ipipMode: 'Always', cidr: '10.9.0.0/16' }, 'b')] },
      'calico with IPIP (Always) encapsulation',
    ],
    [
      'the environment',
      env({ CALICO_IPV4POOL_CIDR: '10.244.0.0/16', CALICO_IPV4POOL_IPIP: 'Always' }),
      'calico with IPIP (Always) encapsulation',
    ],
    ['the environment without encapsulation', env({ CALICO_IPV4POOL_IPIP: 'Never' }), undefined],
    ['the operator', installation('VXLANCrossSubnet'), 'calico with VXLAN (CrossSubnet) encapsulation'],
    ['the operator by default', installation(undefined), 'calico with IPIP (Always) encapsulation'],
    ['the operator without encapsulation', installation('None'), undefined],
    ['nothing', { others: [] }, 'calico whose IP pools are not known'],
    ['a Lab that asks for plain BGP', { others: [], lab: { cni: { name: 'calico', backend: 'bgp' } } }, undefined],
    [
      'a Lab that takes IPIP away',
      { others: [pool({ ipipMode: 'Always' })], lab: { cni: { backend: 'bgp' } } },
      undefined,
    ],
    ['a Lab that asks for VXLAN', { lab: { cni: { backend: 'vxlan' } } }, 'calico with VXLAN (Always) encapsulation'],
    [
      'backend vxlan',
      { configMaps: [configMapOf('kube-system', 'calico-config', { calico_backend: 'vxlan' })] },
      'calico with networking backend vxlan',
    ],
    [
      'eBPF',
      { others: [pool(), otherOf('FelixConfiguration', 'default', { bpfEnabled: true })] },
      "calico's eBPF data plane",
    ],
    [
      'nftables',
      { others: [pool(), otherOf('FelixConfiguration', 'default', { nftablesMode: 'Enabled' })] },
      'calico in nftables mode',
    ],
    [
      'a NAT address',
      { others: [pool(), otherOf('FelixConfiguration', 'default', { natOutgoingAddress: '192.0.2.1' })] },
      'calico with a natOutgoingAddress',
    ],
    [
      'a route reflector',
      { nodes: [n1, node('n2', '192.168.40.182/24', { 'projectcalico.org/RouteReflectorClusterID': '1.0.0.1' })] },
      'calico with route reflectors',
    ],
    [
      'peers instead of the mesh',
      {
        others: [
          pool(),
          otherOf('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
          otherOf('BGPPeer', 'tor', {}),
        ],
      },
      'calico with BGP peers instead of the mesh',
    ],
  ])('%s', (_, changes, what) => expect(whatIsMissing(changes)).toBe(what))

  it('leaves routes and rules out rather than guess where something is not modelled', () => {
    const changes = { others: [pool({ vxlanMode: 'Always' }), ...blocks] }
    expect(starting(compiled(changes), 'iptables', 'ipset', 'route blackhole', 'route 10.244.102')).toEqual([])
    expect(starting(compiled(changes), 'link add')).toHaveLength(1)
    expect(refusals({ ...changes, lab: { faults: [{ kind: 'nodeDown', node: 'n2' }] } })).toEqual([])
  })

  it.each<readonly [Readonly<Record<string, string>>, boolean, boolean]>([
    [{}, true, false],
    [{ CALICO_IPV4POOL_NAT_OUTGOING: 'true' }, true, false],
    [{ CALICO_IPV4POOL_NAT_OUTGOING: 'false' }, false, false],
    [{ CALICO_IPV4POOL_DISABLE_BGP_EXPORT: 'true' }, true, true],
    [{ CALICO_IPV4POOL_DISABLE_BGP_EXPORT: 'false' }, true, false],
  ])(
    'makes the pool of the environment %j: natOutgoing %s, not exported %s',
    (entries, natOutgoing, disableBgpExport) => {
      const { pools } = calico.configure(clusterOf(sketch(env(entries)))).config
      expect(pools).toMatchObject([{ blockSize: 26, natOutgoing, disableBgpExport }])
    },
  )

  it.each([
    [{ ipipMode: 'Always' }, 'the tunl0 device and the routes over it'],
    [{ vxlanMode: 'Always' }, 'the vxlan.calico device and the routes over it'],
  ])('names what %j misses', (mode, words) => {
    expect(calico.configure(clusterOf(sketch({ others: [pool(mode)] }))).notModelled?.missing).toBe(words)
  })

  it('tells a pool it cannot read, and a peer it leaves out', () => {
    const { diagnostics } = calico.configure(
      clusterOf(sketch({ others: [pool({ cidr: '10.244/16' }), pool(), otherOf('BGPPeer', 'tor', {})] })),
    )
    expect(diagnostics.map(({ code }) => code)).toEqual(['calico-ippool', 'calico-bgp-peer'])
  })

  it('says which addresses and sessions it takes for granted', () => {
    const codes = (changes: Partial<Sketch>) =>
      calico.configure(clusterOf(sketch(changes))).assumptions.map(({ code }) => code)
    expect(codes({})).toEqual(['calico-bgp-established'])
    expect(codes({ nodes: [nodeOf('n1', ['192.168.40.181'], [])], lab: {} })).toEqual([
      'calico-version',
      'calico-node-address',
      'calico-bgp-established',
    ])
  })
})
