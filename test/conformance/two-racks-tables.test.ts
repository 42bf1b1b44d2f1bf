import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { load } from '../../cluster/load.ts'
import { build } from '../../engine/build.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { renderBridgeFdb } from '../../render/bridge-fdb.ts'
import { renderIpAddr, renderIpLink } from '../../render/ip-addr.ts'
import { configuredNeighbors, renderIpNeigh } from '../../render/ip-neigh.ts'
import { renderIpRoute } from '../../render/ip-route.ts'
import { renderIptablesSave } from '../../render/iptables-save.ts'

/** The node xianchaonode1 of the lab two-racks, in the lines that a real node of that cluster printed. */

const file = join(fileURLToPath(new URL('../..', import.meta.url)), 'topologies/two-racks/lab.yaml')
const { cluster } = load([{ name: file, bytes: new Uint8Array(readFileSync(file)) }])
const host = build(cluster).blueprint.hosts.get('xianchaonode1')!()
const root = host.netns.get(ROOT_NETNS)!
const pod = host.netns.get('default/client')!

const from = (lines: readonly string[], start: string) => {
  const at = lines.findIndex((line) => line.includes(start))
  return lines.slice(at, at + 3)
}

describe('xianchaonode1 of two-racks prints', () => {
  it('ip route', () => {
    expect(renderIpRoute(root.fib)).toEqual([
      'default via 192.168.40.2 dev ens33 proto static metric 100',
      '10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink',
      '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1',
      '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      '192.168.40.0/24 dev ens33 proto kernel scope link src 192.168.40.181',
    ])
  })

  it('ip route show table local, of the pod network', () => {
    expect(renderIpRoute(root.fib, { table: 'local' }).filter((line) => line.includes('10.244.'))).toEqual([
      'local 10.244.1.0 dev flannel.1 proto kernel scope host src 10.244.1.0',
      'local 10.244.1.1 dev cni0 proto kernel scope host src 10.244.1.1',
      'broadcast 10.244.1.255 dev cni0 proto kernel scope link src 10.244.1.1',
    ])
  })

  it('ip neigh', () => {
    expect(renderIpNeigh(configuredNeighbors(root))).toEqual([
      '10.244.0.0 dev flannel.1 lladdr 1e:57:a2:00:00:80 PERMANENT',
      '10.244.2.0 dev flannel.1 lladdr 1e:57:a2:00:00:82 PERMANENT',
    ])
  })

  it('bridge fdb show dev flannel.1', () => {
    expect([...renderBridgeFdb(root, { dev: 'flannel.1' })].sort()).toEqual([
      '1e:57:a2:00:00:80 dst 192.168.40.180 self permanent',
      '1e:57:a2:00:00:82 dst 192.168.50.182 self permanent',
    ])
  })

  it('ip addr show flannel.1', () => {
    const [head, link, inet] = from(renderIpAddr({ host, netns: root }), ' flannel.1:')
    expect(head).toMatch(
      /^\d+: flannel\.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default qlen 1000$/,
    )
    expect([link, inet]).toEqual([
      '    link/ether 1e:57:a2:00:00:81 brd ff:ff:ff:ff:ff:ff',
      '    inet 10.244.1.0/32 scope global flannel.1',
    ])
  })

  it('ip -d link show flannel.1', () => {
    const [, , details] = from(renderIpLink({ host, netns: root }, 'details'), ' flannel.1:')
    expect(details).toBe(
      '    vxlan id 1 local 192.168.40.181 dev ens33 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx',
    )
  })

  it('ip addr show cni0 and ens33', () => {
    const lines = renderIpAddr({ host, netns: root })
    expect(from(lines, ' cni0:')[0]).toMatch(/: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 .* state UP /)
    expect(from(lines, ' cni0:')[2]).toBe('    inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0')
    expect(from(lines, ' ens33:')[2]).toBe('    inet 192.168.40.181/24 brd 192.168.40.255 scope global ens33')
  })

  it('the rules of flanneld', () => {
    const saved = renderIptablesSave(root.netfilter.iptables[4])
      .split('\n')
      .filter((line) => /flannel|FLANNEL/.test(line))
    const masq = '-m comment --comment "flanneld masq"'
    const forward = '-m comment --comment "flanneld forward"'
    // iptables-save sorts chains by table and name; rules stand in their chain's order.
    const chain = (name: string) => saved.filter((line) => line.startsWith(`-A ${name} `))
    expect(chain('POSTROUTING')).toEqual([`-A POSTROUTING ${masq} -j FLANNEL-POSTRTG`])
    expect(chain('FLANNEL-POSTRTG')).toEqual([
      `-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
      `-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j MASQUERADE --random-fully`,
    ])
    expect(chain('FORWARD')).toEqual([`-A FORWARD ${forward} -j FLANNEL-FWD`])
    expect(chain('FLANNEL-FWD')).toEqual([
      `-A FLANNEL-FWD -s 10.244.0.0/16 ${forward} -j ACCEPT`,
      `-A FLANNEL-FWD -d 10.244.0.0/16 ${forward} -j ACCEPT`,
    ])
  })

  it('in the pod client: ip addr and ip route', () => {
    const [head, , inet] = from(renderIpAddr({ host, netns: pod }), ' eth0@')
    expect(head).toMatch(/^2: eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 /)
    expect(inet).toBe('    inet 10.244.1.2/24 brd 10.244.1.255 scope global eth0')
    expect(renderIpRoute(pod.fib)).toEqual([
      'default via 10.244.1.1 dev eth0',
      '10.244.0.0/16 via 10.244.1.1 dev eth0',
      '10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2',
    ])
  })
})
