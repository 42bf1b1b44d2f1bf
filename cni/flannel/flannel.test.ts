import { describe, expect, it } from 'vitest'
import type { Lab } from '../../cluster/lab.ts'
import type { KubeNode } from '../../cluster/objects.ts'
import { type HostFacts, USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { mac } from '../../packet/mac.ts'
import { clusterOf, configMapOf, daemonSetOf, factsOf, nodeOf, podOf, type Sketch } from '../testing/cluster.ts'
import { opText } from '../testing/op-text.ts'
import { flannelCfg, master, netConf, node1, node1Facts, node2, twoRacks } from '../testing/two-racks.ts'
import { flannel } from './flannel.ts'

interface Asked {
  readonly change?: Partial<Sketch>
  readonly node?: KubeNode
  readonly facts?: HostFacts
}

function compiled({ change = {}, node = node1, facts = node1Facts }: Asked = {}): readonly string[] {
  const cluster = twoRacks(change)
  const { config } = flannel.configure(cluster)
  return flannel.compile(cluster, node, config, facts).map(opText)
}

const refusals = ({ change = {}, node = node1, facts = node1Facts }: Asked = {}) => {
  const cluster = twoRacks(change)
  return flannel.refusals(cluster, node, flannel.configure(cluster).config, facts)
}

const starting = (lines: readonly string[], ...words: readonly string[]) =>
  lines.filter((line) => words.some((word) => line.startsWith(word)))

const lab = (changes: Lab): Partial<Sketch> => ({ lab: changes })

describe('flannel vxlan', () => {
  it('writes device, rules, subnet.env, then neighbour, FDB and route of each peer, then the pods', () => {
    const lines = compiled().filter((line) => !line.startsWith('iptables'))
    const short = lines.map((line) =>
      line
        .replace(/veth[0-9a-f]{8}/g, 'vethX')
        .split(' ')
        .slice(0, 4)
        .join(' '),
    )
    expect(short).toEqual([
      'link add flannel.1 1e:57:a2:00:00:81',
      'sysctl net.ipv6.conf.flannel/1.accept_ra=0',
      'addr add 10.244.1.0/32 dev',
      'link set flannel.1 up',
      'file /run/flannel/subnet.env',
      'neigh 10.244.0.0 lladdr 1e:57:a2:00:00:80',
      'fdb 1e:57:a2:00:00:80 dev flannel.1',
      'route 10.244.0.0/24 via 10.244.0.0',
      'neigh 10.244.2.0 lladdr 1e:57:a2:00:00:82',
      'fdb 1e:57:a2:00:00:82 dev flannel.1',
      'route 10.244.2.0/24 via 10.244.2.0',
      'default/web-0: netns add',
      'default/web-0: link set lo',
      'link add cni0 12:d1:c3:e5:2b:8f',
      'sysctl net.ipv6.conf.cni0.accept_ra=0',
      'link set cni0 up',
      'link add vethX 0e:24:d0:7f:86:e3',
      'link set vethX up',
      'sysctl net.ipv6.conf.vethX.accept_ra=0',
      'link set vethX master',
      'bridge port vethX hairpin',
      'default/web-0: sysctl net.ipv6.conf.eth0.accept_dad=0',
      'default/web-0: sysctl net.ipv4.conf.eth0.arp_notify=1',
      'default/web-0: link set eth0',
      'default/web-0: addr add 10.244.1.2/24',
      'default/web-0: route 10.244.0.0/16 via',
      'default/web-0: route 0.0.0.0/0 via',
      'addr add 10.244.1.1/24 brd',
      'link set cni0 mac',
      'sysctl net.ipv4.ip_forward=1',
      'file /var/lib/cni/networks/cbr0/10.244.1.2',
      'file /var/lib/cni/networks/cbr0/last_reserved_ip.0',
    ])
  })

  it('makes the device from the published VTEP MAC, with 50 octets less MTU', () => {
    expect(compiled()[0]).toBe(
      'link add flannel.1 1e:57:a2:00:00:81 mtu 1450 vxlan id 1 local 192.168.40.181 dev ens33 port 8472 nolearning',
    )
  })

  it('reaches each peer by its own subnet address, through the tunnel, wherever it is', () => {
    expect(starting(compiled(), 'neigh', 'fdb', 'route')).toEqual([
      'neigh 10.244.0.0 lladdr 1e:57:a2:00:00:80 dev flannel.1',
      'fdb 1e:57:a2:00:00:80 dev flannel.1 dst 192.168.40.180',
      'route 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink',
      'neigh 10.244.2.0 lladdr 1e:57:a2:00:00:82 dev flannel.1',
      'fdb 1e:57:a2:00:00:82 dev flannel.1 dst 192.168.50.182',
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ])
  })

  it('DirectRouting gives a plain route to a peer on the segment and the tunnel to one behind a router', () => {
    const change = { configMaps: [flannelCfg('{"type": "vxlan", "directrouting": true}')] }
    expect(starting(compiled({ change }), 'neigh', 'fdb', 'route')).toEqual([
      'route 10.244.0.0/24 via 192.168.40.180 dev ens33',
      'neigh 10.244.2.0 lladdr 1e:57:a2:00:00:82 dev flannel.1',
      'fdb 1e:57:a2:00:00:82 dev flannel.1 dst 192.168.50.182',
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ])
  })

  it.each([
    [
      '{"Type":"vxlan","VNI":7,"Port":4789}',
      'flannel.7 1e:57:a2:00:00:81 mtu 1450 vxlan id 7 local 192.168.40.181 dev ens33 port 4789 nolearning',
    ],
    [
      '{"Type":"VXLAN","Port":0}',
      'flannel.1 1e:57:a2:00:00:81 mtu 1450 vxlan id 1 local 192.168.40.181 dev ens33 port 8472 nolearning',
    ],
    [
      '{"Type":"vxlan","MTU":1400,"Learning":true}',
      'flannel.1 1e:57:a2:00:00:81 mtu 1350 vxlan id 1 local 192.168.40.181 dev ens33 port 8472',
    ],
  ])('reads the options of %s', (backend, device) => {
    const lines = compiled({ change: { configMaps: [flannelCfg(backend)] } })
    expect(lines[0]).toBe(`link add ${device}`)
    const mtu = /mtu (\d+)/.exec(device)?.[1]
    expect(lines.find((line) => line.startsWith('link add cni0'))).toContain(`mtu ${mtu} bridge`)
  })

  it('takes for its own a lease with its own subnet, and for two peers with one subnet writes both, the later last', () => {
    const twin = (name: string, ip: string, cidr: string) => nodeOf(name, [ip], [cidr], master.meta.annotations)
    const change = {
      nodes: [
        node1,
        twin('other1', '192.168.40.190', '10.244.1.0/24'),
        twin('other2', '192.168.40.191', '10.244.2.0/24'),
        node2,
      ],
    }
    expect(starting(compiled({ change }), 'route')).toEqual([
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ])
  })

  it('passes over peers that run another backend', () => {
    const other = nodeOf('xianchaomaster1', ['192.168.40.180'], ['10.244.0.0/24'], {
      ...master.meta.annotations,
      'flannel.alpha.coreos.com/backend-type': 'host-gw',
    })
    expect(starting(compiled({ change: { nodes: [other, node1, node2] } }), 'route')).toEqual([
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ])
  })

  it.each([
    [
      'arpMissing',
      'neigh 10.244.2.0 lladdr 1e:57:a2:00:00:82 dev flannel.1',
      'ip neigh replace 10.244.2.0 lladdr 1e:57:a2:00:00:82 dev flannel.1 nud permanent',
    ],
    [
      'fdbMissing',
      'fdb 1e:57:a2:00:00:82 dev flannel.1 dst 192.168.50.182',
      'bridge fdb append 1e:57:a2:00:00:82 dev flannel.1 dst 192.168.50.182 self permanent',
    ],
    [
      'routeMissing',
      'route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ],
  ] as const)('leaves out what the fault %s takes away, and says so', (kind, line, command) => {
    const change = lab({ faults: [{ kind, node: 'xianchaonode1', peer: 'xianchaonode2' }] })
    const lines = compiled({ change })
    expect(lines).not.toContain(line)
    expect(starting(lines, 'neigh', 'fdb', 'route')).toHaveLength(5)
    expect(refusals({ change })).toMatchObject([{ command, peer: 'xianchaonode2', node: 'xianchaonode1' }])
    expect(compiled()).toContain(line)
    expect(refusals()).toEqual([])
  })
})

describe('flannel host-gw', () => {
  const change = {
    configMaps: [flannelCfg('{"Type": "host-gw"}')],
    nodes: [master, node1, node2].map((node) => ({ ...node, meta: { ...node.meta, annotations: {} } })),
  }

  it('is one route per peer and no device, at the full MTU', () => {
    const lines = compiled({ change })
    expect(starting(lines, 'neigh', 'fdb', 'route', 'link add flannel')).toEqual([
      'route 10.244.0.0/24 via 192.168.40.180 dev ens33',
    ])
    expect(lines.find((line) => line.startsWith('link add cni0'))).toContain('mtu 1500')
  })

  it('leaves out the route that the kernel refuses across a router, and says why', () => {
    expect(refusals({ change })).toMatchObject([
      {
        node: 'xianchaonode1',
        peer: 'xianchaonode2',
        command: 'ip route add 10.244.2.0/24 via 192.168.50.182 dev ens33',
        answer: 'Error: Nexthop has invalid gateway.',
        reason: 'xianchaonode2 (192.168.50.182) is behind a router: host-gw needs all nodes on one L2 segment',
      },
    ])
  })

  it('takes the next hop by the address of the interface, not by guess: a /16 on the card makes it valid', () => {
    const facts = factsOf('xianchaonode1', ['192.168.40.181/16'])
    expect(starting(compiled({ change, facts }), 'route')).toContain('route 10.244.2.0/24 via 192.168.50.182 dev ens33')
    expect(refusals({ change, facts })).toEqual([])
  })

  it('needs one fitting address of the interface, not all', () => {
    const facts = factsOf('xianchaonode1', ['192.168.40.181/24', '192.168.50.9/24'])
    expect(starting(compiled({ change, facts }), 'route')).toContain('route 10.244.2.0/24 via 192.168.50.182 dev ens33')
  })

  it('does not start behind NAT: pods have a sandbox and no network', () => {
    const facts = factsOf('xianchaonode1', ['10.0.2.15/24'])
    expect(compiled({ change, facts })).toEqual(['default/web-0: netns add', 'default/web-0: link set lo up'])
    expect(refusals({ change, facts })[0]?.answer).toMatch(/^your PublicIP differs from interface IP/)
  })

  it('is what a Lab asks for even where the nodes were annotated by another backend', () => {
    const forced = lab({ cni: { name: 'flannel', backend: 'host-gw' } })
    expect(starting(compiled({ change: forced }), 'route', 'link add flannel')).toEqual([
      'route 10.244.0.0/24 via 192.168.40.180 dev ens33',
    ])
  })
})

describe('flannel udp', () => {
  const change = lab({ cni: { backend: 'udp' } })

  it('is a tun device for the whole pod network, and a forwarder with a table of its own', () => {
    const lines = compiled({ change })
    expect(lines.slice(0, 5)).toEqual([
      'link add flannel0 00:00:00:00:00:00 mtu 1472 tun',
      'addr add 10.244.1.0/32 dev flannel0',
      'link set flannel0 up',
      'route 10.244.0.0/16 dev flannel0 scope global',
      'start flanneld-udp {"device":"flannel0","address":"10.244.1.0","listen":"192.168.40.181:8285","routes":"10.244.0.0/24=192.168.40.180 10.244.2.0/24=192.168.50.182"}',
    ])
    expect(starting(lines, 'neigh', 'fdb')).toEqual([])
    expect(lines.find((line) => line.startsWith('link add cni0'))).toContain('mtu 1472')
  })

  it('is the default of a net-conf without Backend', () => {
    const bare = configMapOf('kube-flannel', 'kube-flannel-cfg', { 'net-conf.json': '{"network": "10.244.0.0/16"}' })
    const unannotated = [master, node1, node2].map((node) => ({ ...node, meta: { ...node.meta, annotations: {} } }))
    expect(compiled({ change: { configMaps: [bare], nodes: unannotated } })[0]).toContain('flannel0')
  })

  it('goes with flanneld: device and route are gone when it is down, rules and pods stay', () => {
    const down = lab({ cni: { backend: 'udp' }, faults: [{ kind: 'flanneldDown', node: 'xianchaonode1' }] })
    const lines = compiled({ change: down })
    expect(starting(lines, 'link add flannel0', 'route', 'start')).toEqual([])
    expect(lines).toContain('link set cni0 up')
    expect(refusals({ change: down })[0]?.reason).toContain('does not run on xianchaonode1')
  })
})

describe('flannel rules', () => {
  const rules = (asked: Asked = {}) => starting(compiled(asked), 'iptables')
  const masq = '-m comment --comment "flanneld masq"'
  const fwd = '-m comment --comment "flanneld forward"'

  it('are the ones of the newest release', () => {
    expect(rules()).toEqual([
      'iptables -t nat -N FLANNEL-POSTRTG',
      `iptables -t nat -A POSTROUTING ${masq} -j FLANNEL-POSTRTG`,
      `iptables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN`,
      `iptables -t nat -A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 ${masq} -j RETURN`,
      `iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
      `iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j MASQUERADE --random-fully`,
      'iptables -t filter -N FLANNEL-FWD',
      `iptables -t filter -A FORWARD ${fwd} -j FLANNEL-FWD`,
      `iptables -t filter -A FLANNEL-FWD -s 10.244.0.0/16 ${fwd} -j ACCEPT`,
      `iptables -t filter -A FLANNEL-FWD -d 10.244.0.0/16 ${fwd} -j ACCEPT`,
    ])
  })

  it.each([
    ['v0.20.2', true, true],
    ['v0.20.1', true, false],
    ['v0.20.0', true, false],
    ['v0.19.2', false, false],
  ])('of %s: chains %s, mark RETURN %s', (version, chains, mark) => {
    const lines = rules({ change: lab({ versions: { flannel: version } }) })
    expect(lines.some((line) => line.includes('FLANNEL-POSTRTG'))).toBe(chains)
    expect(lines.some((line) => line.includes('--mark'))).toBe(mark)
  })

  it('of v0.19 stand in the built-in chains, four and two', () => {
    const old = daemonSetOf('kube-flannel-ds', {
      image: 'rancher/mirrored-flannelcni-flannel:v0.19.2',
      command: ['/opt/bin/flanneld'],
      args: ['--ip-masq'],
    })
    expect(rules({ change: { workloads: [old] } })).toEqual([
      `iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j RETURN`,
      `iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
      `iptables -t nat -A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `iptables -t nat -A POSTROUTING ! -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j MASQUERADE --random-fully`,
      `iptables -t filter -A FORWARD -s 10.244.0.0/16 ${fwd} -j ACCEPT`,
      `iptables -t filter -A FORWARD -d 10.244.0.0/16 ${fwd} -j ACCEPT`,
    ])
  })

  it('do not masquerade at random where iptables cannot', () => {
    const facts = { ...node1Facts, capabilities: { ...USUAL_CAPABILITIES, randomFully: false } }
    expect(rules({ facts }).filter((line) => line.endsWith('--random-fully'))).toEqual([])
    expect(rules({ facts }).filter((line) => line.endsWith('MASQUERADE'))).toHaveLength(2)
  })

  it('leave masquerading to the bridge plugin where flanneld has no --ip-masq', () => {
    const flanneld = daemonSetOf('kube-flannel-ds', {
      image: 'flannel/flannel:v0.27.4',
      args: ['--kube-subnet-mgr', '--iptables-forward-rules=false'],
    })
    const lines = rules({ change: { workloads: [flanneld] } })
    expect(lines.map((line) => line.replaceAll(/[0-9a-f]{24,}/g, '#'))).toEqual([
      'iptables -t nat -N CNI-#',
      'iptables -t nat -A CNI-# -d 10.244.1.0/24 -m comment --comment "name: \\"cbr0\\" id: \\"#\\"" -j ACCEPT',
      'iptables -t nat -A CNI-# ! -d 224.0.0.0/4 -m comment --comment "name: \\"cbr0\\" id: \\"#\\"" -j MASQUERADE',
      'iptables -t nat -A POSTROUTING -s 10.244.1.2 -m comment --comment "name: \\"cbr0\\" id: \\"#\\"" -j CNI-#',
    ])
  })
})

describe('flannel in both families', () => {
  const dual = (name: string, n: number) =>
    nodeOf(name, [`192.168.40.18${n}`, `fd00:40::${n}`], [`10.244.${n}.0/24`, `fd00:10:244:${n}::/64`])
  const nodes = [dual('a', 0), dual('b', 1)]
  const cluster = clusterOf({
    nodes,
    pods: [podOf('web-0', 'b', ['10.244.1.2', 'fd00:10:244:1::2'])],
    configMaps: [
      configMapOf('kube-flannel', 'kube-flannel-cfg', {
        'net-conf.json':
          '{"Network":"10.244.0.0/16","IPv6Network":"fd00:10:244::/56","EnableIPv6":true,"Backend":{"Type":"vxlan"}}',
      }),
    ],
  })
  const facts = factsOf('b', ['192.168.40.181/24', 'fd00:40::1/64'])
  const { config, assumptions } = flannel.configure(cluster)
  const lines = flannel.compile(cluster, nodes[1]!, config, facts).map(opText)

  it('has a second device, and the same three writes per peer', () => {
    expect(starting(lines, 'link add flannel').map((line) => line.replace(/16(:[0-9a-f]{2}){5}/, 'MAC'))).toEqual([
      'link add flannel.1 MAC mtu 1450 vxlan id 1 local 192.168.40.181 dev ens33 port 8472 nolearning',
      'link add flannel-v6.1 MAC mtu 1450 vxlan id 1 local fd00:40::1 dev ens33 port 8472 nolearning',
    ])
    expect(lines).toContain('addr add fd00:10:244:1::/128 dev flannel-v6.1')
    expect(lines).toContain('route fd00:10:244::/64 via fd00:10:244:: dev flannel-v6.1 onlink')
    expect(starting(lines, 'neigh', 'fdb')).toHaveLength(4)
  })

  it('has the rules in ip6tables too, with the multicast range of the family', () => {
    expect(starting(lines, 'iptables6').filter((line) => line.includes('ff00::/8'))).toHaveLength(1)
    expect(starting(lines, 'iptables6')).toHaveLength(starting(lines, 'iptables -t').length)
  })

  it('gives pods an address, a default route and the network route of each family', () => {
    expect(
      starting(
        lines,
        'default/web-0: addr',
        'default/web-0: route',
        'addr add 10.244.1.1',
        'addr add fd00:10:244:1::1',
        'sysctl net.ipv4.ip',
        'sysctl net.ipv6.conf.all',
      ),
    ).toEqual([
      'default/web-0: addr add 10.244.1.2/24 brd 10.244.1.255 dev eth0',
      'default/web-0: addr add fd00:10:244:1::2/64 dev eth0',
      'default/web-0: route 10.244.0.0/16 via 10.244.1.1 dev eth0',
      'default/web-0: route fd00:10:244::/56 via fd00:10:244:1::1 dev eth0',
      'default/web-0: route 0.0.0.0/0 via 10.244.1.1 dev eth0',
      'default/web-0: route ::/0 via fd00:10:244:1::1 dev eth0',
      'addr add 10.244.1.1/24 brd 10.244.1.255 dev cni0',
      'sysctl net.ipv4.ip_forward=1',
      'addr add fd00:10:244:1::1/64 dev cni0',
      'sysctl net.ipv6.conf.all.forwarding=1',
    ])
  })

  it('assumes the VTEP MACs that no annotation tells', () => {
    expect(assumptions.filter(({ code }) => code === 'flannel-vtep-mac').map(({ text }) => text)).toEqual(
      ['flannel.1 of a', 'flannel-v6.1 of a', 'flannel.1 of b', 'flannel-v6.1 of b'].map(
        (device) => `${device} has a MAC address made from its name`,
      ),
    )
  })
})

describe('flannel subnet.env', () => {
  it('tells the CNI plugin network, gateway, MTU and who masquerades', () => {
    const cluster = twoRacks()
    const ops = flannel.compile(cluster, node1, flannel.configure(cluster).config, node1Facts)
    const file = ops.find((op) => op.kind === 'file.write' && op.path === '/run/flannel/subnet.env')
    expect(file).toMatchObject({
      text: 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    })
  })
})

describe('flannel configuration', () => {
  const problems = (change: Partial<Sketch>) => {
    const { diagnostics, notModelled } = flannel.configure(twoRacks(change))
    return { codes: diagnostics.map(({ code }) => code), notModelled }
  }
  const conf = (text: string) => ({
    configMaps: [configMapOf('kube-flannel', 'kube-flannel-cfg', { 'net-conf.json': text })],
  })

  it.each([
    ['cut off', '{"Network": "10.244', 'flannel-net-conf'],
    ['an array', '[]', 'flannel-net-conf'],
    ['without Network', '{}', 'flannel-net-conf'],
    ['with a wrong Network', '{"Network": "10.244/16"}', 'flannel-net-conf'],
    ['with a Network of another type', '{"Network": 10}', 'flannel-net-conf'],
    ['with an unknown backend', '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlen"}}', 'flannel-backend'],
    [
      'with an option of another type',
      '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":"1"}}',
      'flannel-backend',
    ],
  ])('says what is wrong with a net-conf %s, and that nothing rests on it', (_, text, code) => {
    const { codes, notModelled } = problems(conf(text))
    expect(codes).toContain(code)
    expect(notModelled?.evidence).toBe('ConfigMap kube-flannel/kube-flannel-cfg')
  })

  it.each([
    ['wireguard', '{"Network":"10.244.0.0/16","Backend":{"Type":"wireguard"}}', 'flannel backend wireguard'],
    ['ipip', '{"Network":"10.244.0.0/16","Backend":{"Type":"ipip"}}', 'flannel backend ipip'],
    [
      'nftables mode',
      '{"Network":"10.244.0.0/16","EnableNFTables":true,"Backend":{"Type":"vxlan"}}',
      'flannel in nftables mode',
    ],
    ['GBP', '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","GBP":true}}', 'flannel vxlan with GBP'],
  ])('names %s as not modelled', (_, text, what) => {
    expect(problems(conf(text)).notModelled?.what).toBe(what)
    expect(compiled({ change: conf(text) })).toEqual(['default/web-0: netns add', 'default/web-0: link set lo up'])
    expect(refusals({ change: conf(text) })).toEqual([])
  })

  const cni = (delegate: string) => ({
    configMaps: [
      configMapOf('kube-flannel', 'kube-flannel-cfg', {
        'net-conf.json': netConf('{"Type":"vxlan"}'),
        'cni-conf.json': `{"name":"cbr0","plugins":[{"type":"flannel","delegate":${delegate}}]}`,
      }),
    ],
  })

  it.each([
    ['{"hairpinMode":true,"isDefaultGateway":true}', 'cni0', 1450, true, true],
    ['{}', 'cni0', 1450, false, false],
    ['{"bridge":"br0","mtu":1400,"hairpinmode":true}', 'br0', 1400, true, false],
  ])('delegates to the bridge plugin as %s says', (delegate, bridge, mtu, hairpin, gateway) => {
    const lines = compiled({ change: cni(delegate) })
    expect(starting(lines, 'link add')[1]).toMatch(new RegExp(`^link add ${bridge} .* mtu ${mtu} bridge$`))
    expect(starting(lines, 'bridge port')[0]).toMatch(new RegExp(`hairpin ${hairpin}$`))
    expect(starting(lines, 'default/web-0: route 0.0.0.0/0')).toHaveLength(gateway ? 1 : 0)
  })

  it('delegates as its own manifest does where no ConfigMap tells', () => {
    const lines = compiled({ change: { configMaps: [] } })
    expect(starting(lines, 'bridge port')[0]).toMatch(/hairpin true$/)
    expect(starting(lines, 'file /var/lib/cni/networks/cbr0/')).toHaveLength(2)
    const nameless = cni('{}').configMaps.map((one) => ({
      ...one,
      data: { ...one.data, 'cni-conf.json': '{"plugins":[{"type":"flannel"}]}' },
    }))
    expect(starting(compiled({ change: { configMaps: nameless } }), 'file /var/lib/cni/networks/cbr0/')).toHaveLength(2)
  })

  it('reads the single plugin of old manifests', () => {
    const text = '{"name":"cbr9","type":"flannel","delegate":{"hairpinMode":true}}'
    const old = configMapOf('kube-system', 'kube-flannel-cfg', {
      'net-conf.json': netConf('{"Type":"vxlan"}'),
      'cni-conf.json': text,
    })
    expect(starting(compiled({ change: { configMaps: [old] } }), 'file /var/lib/cni/networks/cbr9/')).toHaveLength(2)
  })

  const withoutFlannel = {
    configMaps: [
      configMapOf('kube-flannel', 'kube-flannel-cfg', {
        'net-conf.json': netConf('{"Type":"vxlan"}'),
        'cni-conf.json': '{"plugins":[{"type":"bridge"}]}',
      }),
    ],
  }

  it.each([
    ['another delegate', cni('{"type":"ipvlan"}'), 'flannel that delegates to the ipvlan plugin', undefined],
    ['a promiscuous bridge', cni('{"promiscMode":true}'), 'a bridge in promiscuous mode', undefined],
    ['a list without flannel', withoutFlannel, 'flannel without a readable cni-conf.json', 'flannel-cni-conf'],
    ['a cut-off file', cni('{'), 'flannel without a readable cni-conf.json', 'flannel-cni-conf'],
  ])('says of %s that it is not modelled', (_, change, what, code) => {
    expect(problems(change).notModelled?.what).toBe(what)
    if (code !== undefined) expect(problems(change).codes).toContain(code)
  })

  it.each([
    ['{"Network": 10}', 'net-conf.json: Network is not of type string: flanneld does not start'],
    [
      '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","VNI":1.5}}',
      'error decoding VXLAN backend config: VNI is not a whole number: flanneld does not start',
    ],
    [
      '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan","Learning":1}}',
      'error decoding VXLAN backend config: Learning is not of type boolean: flanneld does not start',
    ],
    [
      '{"Network":"10.244.0.0/16","Backend":"vxlan"}',
      'net-conf.json: Backend is not of type object: flanneld does not start',
    ],
  ])('says in words what is wrong with %s', (text, message) => {
    expect(flannel.configure(twoRacks(conf(text))).diagnostics.map((one) => one.message)).toContain(message)
  })

  it.each([
    ['the ConfigMap', { configMaps: [] }, 'flannel-net-conf'],
    ['the DaemonSet', {}, 'flannel-args'],
    ['the version', {}, 'flannel-version'],
  ])('assumes what %s would tell, and says so', (_, change, code) => {
    const codes = (changes: Partial<Sketch>) => flannel.configure(twoRacks(changes)).assumptions.map((one) => one.code)
    expect(codes(change)).toContain(code)
    const args = ['--ip-masq']
    expect(codes({ workloads: [daemonSetOf('kube-flannel-ds', { image: 'flannel/flannel:v0.27.4', args })] })).toEqual(
      [],
    )
  })

  it.each([
    ['its annotation', { 'public-ip': '192.0.2.1' }, '192.0.2.1'],
    ['the user', { 'public-ip': '192.0.2.1', 'public-ip-overwrite': '192.0.2.2' }, '192.0.2.2'],
    ['the user, by the newer name', { 'public-ip': '192.0.2.1', 'node-public-ip': '192.0.2.3' }, '192.0.2.3'],
    ['its InternalIP where the annotation is no address', { 'public-ip': 'x' }, '192.168.50.182'],
    ['its InternalIP where the annotation is of the other family', { 'public-ip': 'fd00::1' }, '192.168.50.182'],
  ])('sends to a node by the address of %s', (_, annotations, address) => {
    const prefix = 'flannel.alpha.coreos.com'
    const own = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`${prefix}/${key}`, value]))
    const changed = { ...node2, meta: { ...node2.meta, annotations: { ...node2.meta.annotations, ...own } } }
    expect(compiled({ change: { nodes: [master, node1, changed] } })).toContain(
      `fdb 1e:57:a2:00:00:82 dev flannel.1 dst ${address}`,
    )
  })

  it.each([
    [
      'a node without podCIDR',
      nodeOf('xianchaonode1', ['192.168.40.181'], [], node1.meta.annotations),
      'flannel-no-podcidr',
    ],
    [
      'a podCIDR outside the network',
      nodeOf('xianchaonode1', ['192.168.40.181'], ['10.245.1.0/24'], node1.meta.annotations),
      'flannel-podcidr-outside-network',
    ],
    [
      'a node that flannel never annotated',
      nodeOf('xianchaonode1', ['192.168.40.181'], ['10.244.1.0/24']),
      'flannel-node-not-annotated',
    ],
  ])('leaves out %s, for itself and for its peers', (_, node, code) => {
    const change = { nodes: [master, node, node2] }
    expect(problems(change).codes).toContain(code)
    expect(compiled({ change, node })).toEqual(['default/web-0: netns add', 'default/web-0: link set lo up'])
    expect(
      starting(compiled({ change, node: master, facts: factsOf('m', ['192.168.40.180/24']) }), 'route'),
    ).toHaveLength(1)
  })

  it('keeps a pod with an address of another network off the bridge', () => {
    const change = {
      pods: [podOf('old', 'xianchaonode1', ['10.88.0.5']), podOf('web-0', 'xianchaonode1', ['10.244.1.2'])],
    }
    expect(problems(change).codes).toContain('pod-ip-outside-podcidr')
    const lines = compiled({ change })
    expect(starting(lines, 'default/old:')).toEqual(['default/old: netns add', 'default/old: link set lo up'])
    expect(starting(lines, 'link add cni0')).toHaveLength(1)
  })

  it('makes no bridge on a node whose pods are all on the host network, finished or without address', () => {
    const { spec } = podOf('x', 'xianchaonode1', [])
    const pods = [
      podOf('host', 'xianchaonode1', ['192.168.40.181'], { spec: { ...spec, hostNetwork: true } }),
      podOf('done', 'xianchaonode1', ['10.244.1.7'], { phase: 'Succeeded' }),
      podOf('evicted', 'xianchaonode1', ['10.244.1.8'], { phase: 'Failed' }),
      podOf('new', 'xianchaonode1', [], { phase: 'Pending' }),
    ]
    expect(starting(compiled({ change: { pods } }), 'link add cni0', 'default/')).toEqual([])
  })

  it.each([
    [['--iface=ens34'], '10.0.0.1'],
    [['-iface', '10.0.0.1'], '10.0.0.1'],
    [['--iface=eth9', '--iface-regex=^ens34$'], '10.0.0.1'],
    [['--iface-can-reach=10.0.0.99'], '10.0.0.1'],
    [['--ip-masq'], '192.168.40.181'],
  ])('binds the tunnel to the interface that %j choose', (args, local) => {
    const second = factsOf('xianchaonode1', ['10.0.0.1/24'], 'ens34').interfaces
    const facts = { ...node1Facts, interfaces: [...node1Facts.interfaces, ...second] }
    const workloads = [daemonSetOf('kube-flannel-ds', { image: 'flannel/flannel:v0.27.4', args })]
    expect(compiled({ change: { workloads }, facts })[0]).toContain(`local ${local} `)
  })

  it.each([
    [['--ip-blackhole-route'], true],
    [['--ip-blackhole-route=true'], true],
    [['--ip-blackhole-route=false'], false],
    [['--ip-masq'], false],
  ])('tells of the flag it leaves out: %j %s', (args, told) => {
    const workloads = [daemonSetOf('kube-flannel-ds', { image: 'flannel/flannel:v0.27.4', args })]
    expect(problems({ workloads }).codes.includes('flannel-flag')).toBe(told)
  })

  it('says where the objects are that it complains about', () => {
    const at = { file: 'pods.yaml', line: 7, offset: 0, length: 1 }
    const pods = [podOf('old', 'xianchaonode1', ['10.88.0.5'], { at })]
    const nodes = [master, { ...nodeOf('xianchaonode1', ['192.168.40.181'], [], node1.meta.annotations), at }]
    const { diagnostics } = flannel.configure(twoRacks({ pods }))
    expect(diagnostics.map((one) => one.at)).toEqual([at])
    expect(flannel.configure(twoRacks({ nodes })).diagnostics.map((one) => one.at)).toEqual([at])
  })

  it('tells of host ports, whose rules are missing', () => {
    const port = { name: '', containerPort: 80, protocol: 'TCP' as const, hostPort: 8088, hostIP: '' }
    const container = daemonSetOf('x', { ports: [port] }).template.spec.containers
    const { spec } = podOf('web', 'xianchaonode1', ['10.244.1.2'])
    const pods = [podOf('web', 'xianchaonode1', ['10.244.1.2'], { spec: { ...spec, containers: container } })]
    expect(problems({ pods }).codes).toContain('hostport-not-modelled')
  })

  it('gives the same state every time, and different devices different MACs', () => {
    const pods = [1, 2, 3].map((n) => podOf(`web-${n}`, 'xianchaonode1', [`10.244.1.${n + 1}`]))
    expect(compiled({ change: { pods } })).toEqual(compiled({ change: { pods } }))
    const macs = compiled({ change: { pods } }).flatMap((line) => line.match(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g) ?? [])
    const made = macs.filter((text) => !text.startsWith('1e:57'))
    expect(new Set(made).size).toBe(made.length)
    expect(made).toHaveLength(7)
    for (const text of made) expect((mac(text) / 0x10000000000) & 3).toBe(2)
  })
})
