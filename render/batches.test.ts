import { expect, it } from 'vitest'
import type { Op, OpBody } from '../linux/op.ts'
import { ip } from '../packet/ip.ts'
import { mac } from '../packet/mac.ts'
import { netnsBatches } from './batches.ts'

const M = mac('0a:58:0a:f4:01:02')
const ops = (...bodies: readonly OpBody[]): Op[] =>
  bodies.map((body) => ({ ...body, netns: 'root', origin: { by: 'test' } }))

it('each tool gets its lines in the order of the ops; pairs and cards are left to whoever plugs them in', () => {
  const batches = netnsBatches(
    ops(
      { kind: 'link.add', name: 'eth0', mac: M, mtu: 1500, type: { kind: 'physical', segment: 's' } },
      { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
      { kind: 'sysctl.set', key: 'net.ipv4.conf.eth0.rp_filter', value: '2' },
      { kind: 'sysctl.set', key: 'net.ipv6.conf.all.forwarding', value: '1' },
      { kind: 'sysctl.set', key: 'net.ipv4.neigh.cni0.proxy_delay', value: '0' },
      { kind: 'link.add', name: 'cni0', mac: M, mtu: 1500, type: { kind: 'bridge', ageing: 300 } },
      { kind: 'link.add', name: 'tun0', mac: M, mtu: 1472, type: { kind: 'tun' } },
      { kind: 'link.set', name: 'cni0', up: true },
      { kind: 'bridge.port', name: 'veth1', hairpin: true },
      { kind: 'fdb.append', link: 'flannel.1', mac: M, dst: ip('10.0.0.1') },
      { kind: 'set.new', set: 'S', type: 'hash:ip' },
      { kind: 'set.add', set: 'S', entry: '10.0.0.1' },
      { kind: 'file.write', path: '/etc/hosts', text: 'x' },
      { kind: 'chain.new', family: 6, table: 'nat', chain: 'X' },
      { kind: 'nft.add', family: 'ip', table: 't', object: { kind: 'table' } },
      { kind: 'nft.add', family: 'ip', table: 't', object: { kind: 'chain', name: 'f' } },
      { kind: 'nft.add', family: 'ip', table: 't', object: { kind: 'rule', chain: 'f', rule: 'accept' } },
    ),
  )
  expect(batches).toEqual({
    sysctl: ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'],
    ip: [
      'link add cni0 address 0a:58:0a:f4:01:02 mtu 1500 type bridge ageing_time 30000',
      'tuntap add dev tun0 mode tun',
      'link set dev tun0 mtu 1472',
      'link set dev cni0 up',
    ],
    linkSysctl: ['net.ipv4.conf.eth0.rp_filter=2', 'net.ipv4.neigh.cni0.proxy_delay=0'],
    bridge: ['link set dev veth1 hairpin on', 'fdb append 0a:58:0a:f4:01:02 dev flannel.1 dst 10.0.0.1 self permanent'],
    ipset: ['create S hash:ip', 'add S 10.0.0.1'],
    nft: 'add table ip t\nadd chain ip t f\nadd rule ip t f accept\n',
    iptables: '',
    ip6tables:
      '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:X - [0:0]\nCOMMIT\n',
    files: [{ path: '/etc/hosts', text: 'x' }],
  })
})
