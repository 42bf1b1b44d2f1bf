import { describe, expect, it } from 'vitest'
import { applyOps } from '../linux/apply.ts'
import { chainKey } from '../linux/host-facts.ts'
import { listTables } from '../linux/netfilter/iptables/ruleset.ts'
import { type Op, ROOT_NETNS } from '../linux/op.ts'
import { iptablesMode } from './iptables/compile.ts'
import { kubeletOps } from './kubelet.ts'
import { DEFAULT_CONFIG, machine, node, smallCluster } from './testing/small-cluster.ts'

const FACTS = machine(['192.0.2.11/24'])

function rules(ops: readonly Op[], family: 4 | 6): Readonly<Record<string, readonly string[]>> {
  const config = applyOps('node1', ops, FACTS.capabilities)
  expect(config.refused).toEqual([])
  const tables = listTables(config.netns.get(ROOT_NETNS)!.netfilter.iptables[family])
  return Object.fromEntries(
    tables.flatMap(({ name, chains }) =>
      chains
        .filter((chain) => chain.lines.length > 0 || chain.name.startsWith('KUBE'))
        .map((chain) => [`${name} ${chain.name}`, chain.lines.map(({ args }) => args)]),
    ),
  )
}

const GUARD =
  '-m comment --comment "block incoming localnet connections" --dst 127.0.0.0/8 ! --src 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'

const CANARIES = {
  'mangle KUBE-KUBELET-CANARY': [],
  'nat KUBE-KUBELET-CANARY': [],
  'filter KUBE-KUBELET-CANARY': [],
}

describe('the chains of kubelet', () => {
  it('since 1.27: a hint, and a guard of 127.0.0.0/8 in IPv4', () => {
    expect(rules(kubeletOps('v1.36.3', FACTS), 4)).toEqual({
      ...CANARIES,
      'mangle KUBE-IPTABLES-HINT': [],
      'filter KUBE-FIREWALL': [GUARD],
      'filter INPUT': ['-j KUBE-FIREWALL'],
      'filter OUTPUT': ['-j KUBE-FIREWALL'],
    })
    expect(rules(kubeletOps('v1.27.16', FACTS), 6)).toEqual({ ...CANARIES, 'mangle KUBE-IPTABLES-HINT': [] })
  })

  it('until 1.26: what is marked is dropped, in both families', () => {
    const marked =
      '-m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x00008000/0x00008000 -j DROP'
    const four = {
      ...CANARIES,
      'nat KUBE-MARK-DROP': ['-j MARK --or-mark 0x00008000'],
      'filter KUBE-FIREWALL': [marked, GUARD],
      'filter INPUT': ['-j KUBE-FIREWALL'],
      'filter OUTPUT': ['-j KUBE-FIREWALL'],
    }
    expect(rules(kubeletOps('v1.23.17', FACTS), 4)).toEqual(four)
    expect(rules(kubeletOps('v1.26.15', FACTS), 4)).toEqual({ ...four, 'mangle KUBE-IPTABLES-HINT': [] })
    expect(rules(kubeletOps('v1.23.17', FACTS), 6)).toEqual({ ...four, 'filter KUBE-FIREWALL': [marked] })
  })
})

describe('kube-proxy after kubelet', () => {
  it('finds the guard there, below its own jumps', () => {
    const kubelet = kubeletOps('v1.36.3', FACTS)
    const facts = { ...FACTS, chains: new Set([chainKey(4, 'filter', 'KUBE-FIREWALL')]) }
    const proxy = iptablesMode.compile(smallCluster({}), node('node1', { ips: ['192.0.2.11'] }), DEFAULT_CONFIG, facts)
    const four = rules([...kubelet, ...proxy], 4)
    expect(four['filter KUBE-FIREWALL']).toEqual([GUARD])
    expect(four['filter INPUT']?.map((rule) => rule.split('-j ')[1])).toEqual([
      'KUBE-PROXY-FIREWALL',
      'KUBE-NODEPORTS',
      'KUBE-EXTERNAL-SERVICES',
      'KUBE-FIREWALL',
    ])
    expect(rules([...kubelet, ...proxy], 6)['filter INPUT']?.[0]).toBe('-j KUBE-FIREWALL')
  })
})
