import { applyOps } from '../../../linux/apply.ts'
import type { HostConfig } from '../../../linux/host-config.ts'
import type { HostFacts } from '../../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../../linux/op.ts'
import { ip } from '../../../packet/ip.ts'
import { prefix } from '../../../packet/prefix.ts'
import type { ProxyModeName } from '../../../proxy/proxy-mode.ts'
import { proxyModes } from '../../../proxy/registry.ts'
import { machine } from '../../../proxy/testing/small-cluster.ts'
import { explore, FAR, wire } from './machine.ts'
import type { Outcome } from './outcome.ts'
import { BRIDGE, clusterOf, configOf, destinationOf, type Flow, HOME_NODE, sourceOf, type World } from './world.ts'

/** What becomes of flows on node 1, as the emulated kernel does it with the rules of a mode. */
export function outcomesOf(world: World, mode: ProxyModeName, flows: readonly Flow[]): readonly Outcome[] {
  const config = nodeConfig(world, mode)
  return flows.map((flow) => {
    const source = sourceOf(world, flow)
    const link = flow.from === 'pod' || flow.from === 'self' ? BRIDGE : ETH0
    return explore(config, {
      protocol: flow.service.protocol,
      from: source && { ip: source, link },
      to: destinationOf(world, flow),
    })
  })
}

const ETH0 = 'eth0'
const NODE_ADDRESSES = ['192.0.2.11/24', '2001:db8::11/64']
const BRIDGE_ADDRESSES = ['10.244.1.1/24', 'fd00:10:244:1::1/64']

/** The machine before kube-proxy: a wire to the other machines, and one that stands for the bridge of the pods. */
const BASE: readonly OpBody[] = [
  { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
  { kind: 'sysctl.set', key: 'net.ipv6.conf.all.forwarding', value: '1' },
  { kind: 'sysctl.set', key: 'net.ipv4.icmp_ratelimit', value: '0' },
  { kind: 'sysctl.set', key: 'net.ipv6.icmp.ratelimit', value: '0' },
  { kind: 'link.set', name: 'lo', up: true },
  ...wire(ETH0, '01', NODE_ADDRESSES),
  ...wire(BRIDGE, '02', BRIDGE_ADDRESSES),
  ...[
    ['0.0.0.0/0', '192.0.2.1'],
    ['::/0', '2001:db8::1'],
    ['10.244.2.0/24', '192.0.2.12'],
    ['fd00:10:244:2::/64', '2001:db8::12'],
  ].map(
    ([to = '', via = '']): OpBody => ({
      kind: 'route.replace',
      route: { type: 'unicast', destination: prefix(to), via: ip(via), protocol: 'boot' },
    }),
  ),
  ...['192.0.2.1', '192.0.2.12', '192.0.2.50', '2001:db8::1', '2001:db8::12', '2001:db8::50'].map(
    (address): OpBody => ({ kind: 'neigh.replace', link: ETH0, ip: ip(address), mac: FAR }),
  ),
  ...[1, 2, 3].flatMap((service) => [0, 1, 2, 3].flatMap((number) => podNeighbours(10 * service + number))),
  ...podNeighbours(200),
]

function podNeighbours(number: number): readonly OpBody[] {
  return [`10.244.1.${number}`, `fd00:10:244:1::${number}`].map((address) => ({
    kind: 'neigh.replace',
    link: BRIDGE,
    ip: ip(address),
    mac: FAR,
  }))
}

const FACTS: HostFacts = (() => {
  const one = machine(NODE_ADDRESSES)
  const [bridge] = machine(BRIDGE_ADDRESSES).interfaces
  return { ...one, interfaces: [...one.interfaces, ...(bridge === undefined ? [] : [{ ...bridge, name: BRIDGE }])] }
})()

const ORIGIN = { by: 'test' }

function nodeConfig(world: World, mode: ProxyModeName): HostConfig {
  const base = BASE.map((op) => ({ ...op, netns: ROOT_NETNS, origin: ORIGIN }) as Op)
  const proxy = proxyModes[mode].compile(clusterOf(world), HOME_NODE, configOf(world, mode), FACTS)
  const config = applyOps('node1', [...base, ...proxy], FACTS.capabilities)
  if (config.refused.length > 0) throw new Error(JSON.stringify(config.refused[0]))
  return config
}
