import type { Op, OpBody, Route } from '../../../linux/op.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import { ip } from '../../../packet/ip.ts'
import { mac } from '../../../packet/mac.ts'
import { must } from '../../../packet/parsed.ts'
import { parseInterfaceAddress, parsePrefix } from '../../../packet/prefix.ts'

/** Short words to write machines down with: each answers ops of one namespace. */
const ORIGIN = { by: 'operator' }

export const inNetns = (netns: string, ...bodies: readonly OpBody[]): Op[] =>
  bodies.map((body) => ({ ...body, netns, origin: ORIGIN }))

export const inRoot = (...bodies: readonly OpBody[]): Op[] => inNetns(ROOT_NETNS, ...bodies)

export const up = (name: string): OpBody => ({ kind: 'link.set', name, up: true })
export const port = (name: string, master: string): OpBody => ({ kind: 'link.set', name, master })
export const hairpin = (name: string): OpBody => ({ kind: 'bridge.port', name, hairpin: true })

export const card = (name: string, address: string, segment: string, mtu = 1500): OpBody => ({
  kind: 'link.add',
  name,
  mac: mac(address),
  mtu,
  type: { kind: 'physical', segment },
})

export const bridge = (name: string, address: string, mtu = 1500): OpBody => ({
  kind: 'link.add',
  name,
  mac: mac(address),
  mtu,
  type: { kind: 'bridge', ageing: 300 },
})

export const veth = (
  name: string,
  address: string,
  peer: { netns: string; name: string; mac: string; mtu?: number },
): OpBody => ({
  kind: 'link.add',
  name,
  mac: mac(address),
  mtu: peer.mtu ?? 1500,
  type: { kind: 'veth', peer: { netns: peer.netns, name: peer.name, mac: mac(peer.mac), mtu: peer.mtu ?? 1500 } },
})

export const vxlan = (name: string, address: string, over: { local: string; dev: string; mtu?: number }): OpBody => ({
  kind: 'link.add',
  name,
  mac: mac(address),
  mtu: over.mtu ?? 1450,
  type: {
    kind: 'vxlan',
    vni: 1,
    port: 8472,
    local: ip(over.local),
    dev: over.dev,
    learning: false,
    dontFragment: false,
    udpChecksum: true,
  },
})

export const tun = (name: string, mtu: number): OpBody => ({
  kind: 'link.add',
  name,
  mac: mac('00:00:00:00:00:00'),
  mtu,
  type: { kind: 'tun' },
})

export const addr = (link: string, text: string, broadcast?: string): OpBody => ({
  kind: 'addr.add',
  link,
  address: must(parseInterfaceAddress(text)),
  ...(broadcast === undefined ? {} : { broadcast: ip(broadcast) }),
})

export const route = (
  destination: string,
  more: Partial<Omit<Route, 'via' | 'src'>> & { via?: string; src?: string },
): OpBody => {
  const { via, src, ...rest } = more
  return {
    kind: 'route.replace',
    route: {
      type: 'unicast',
      protocol: 'boot',
      ...rest,
      destination: must(parsePrefix(destination)),
      ...(via === undefined ? {} : { via: ip(via) }),
      ...(src === undefined ? {} : { src: ip(src) }),
    },
  }
}

export const neigh = (link: string, address: string, at: string): OpBody => ({
  kind: 'neigh.replace',
  link,
  ip: ip(address),
  mac: mac(at),
})

export const fdb = (link: string, at: string, dst: string): OpBody => ({
  kind: 'fdb.append',
  link,
  mac: mac(at),
  dst: ip(dst),
})

export const sysctl = (key: string, value: string | number): OpBody => ({
  kind: 'sysctl.set',
  key,
  value: String(value),
})

type Table = 'raw' | 'mangle' | 'nat' | 'filter'

/** `-A CHAIN ARGS` lines of one table. */
export const rules = (family: 4 | 6, table: Table, ...lines: readonly string[]): OpBody[] =>
  lines.map((line) => {
    const [, chain, args] = /^-A (\S+) (.*)$/.exec(line) ?? []
    if (chain === undefined || args === undefined) throw new Error(`not a rule: ${line}`)
    return { kind: 'rule.append', family, table, chain, args }
  })

export const chain = (family: 4 | 6, table: Table, name: string): OpBody => ({
  kind: 'chain.new',
  family,
  table,
  chain: name,
})

export const policy = (family: 4 | 6, table: Table, name: string, verdict: 'ACCEPT' | 'DROP'): OpBody => ({
  kind: 'chain.policy',
  family,
  table,
  chain: name,
  policy: verdict,
})
