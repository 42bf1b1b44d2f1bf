import type { HostFacts } from '../linux/host-facts.ts'
import { type IptablesTable, type Op, type OpBody, ROOT_NETNS } from '../linux/op.ts'
import type { Origin } from '../linux/origin.ts'
import type { Family } from '../packet/ip.ts'
import { familiesOf } from './iptables/compile.ts'
import { proxyFeatures } from './versions.ts'

/**
 * The iptables chains that kubelet makes when it starts (pkg/kubelet/kubelet_network_linux.go, 1.20 to 1.36), whichever
 * mode kube-proxy runs in. KUBE-MARK-MASQ and KUBE-POSTROUTING, which kubelet made too until 1.26, are kube-proxy's: it
 * writes the same rules into them.
 */
export function kubeletOps(version: string, facts: HostFacts): readonly Op[] {
  return familiesOf(facts).flatMap((family) => opsOfFamily(version, family))
}

/** Bit 15, `iptablesDropBit` of kubelet's configuration. */
const DROP_MARK = '0x00008000'

const LOCALNET_GUARD =
  '-m comment --comment "block incoming localnet connections" --dst 127.0.0.0/8 ! --src 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP'

function opsOfFamily(version: string, family: Family): readonly Op[] {
  const { kubeletMarksDrops, kubeletHint } = proxyFeatures(version)
  const chain = (table: IptablesTable, name: string, reason: string) =>
    op({ kind: 'chain.new', family, table, chain: name }, reason)
  const rule = (table: IptablesTable, name: string, args: string, reason: string) =>
    op({ kind: 'rule.append', family, table, chain: name, args }, reason)
  const marking = [
    chain('nat', 'KUBE-MARK-DROP', 'marks packets that are to be dropped'),
    rule('nat', 'KUBE-MARK-DROP', `-j MARK --or-mark ${DROP_MARK}`, 'marks packets that are to be dropped'),
  ]
  const marked = `-m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark ${DROP_MARK}/${DROP_MARK} -j DROP`
  const hasFirewall = kubeletMarksDrops || family === 4
  return [
    ...(kubeletHint
      ? [chain('mangle', 'KUBE-IPTABLES-HINT', 'tells programs in containers which iptables the machine uses')]
      : []),
    ...(kubeletMarksDrops ? marking : []),
    ...(hasFirewall ? [chain('filter', 'KUBE-FIREWALL', 'what kubelet drops')] : []),
    ...(kubeletMarksDrops ? [rule('filter', 'KUBE-FIREWALL', marked, 'drops what was marked for it')] : []),
    ...(family === 4 ? [rule('filter', 'KUBE-FIREWALL', LOCALNET_GUARD, 'CVE-2020-8558')] : []),
    ...(hasFirewall
      ? ['OUTPUT', 'INPUT'].map((from) =>
          op({ kind: 'rule.insert', family, table: 'filter', chain: from, args: '-j KUBE-FIREWALL' }, 'leads there'),
        )
      : []),
    ...(['mangle', 'nat', 'filter'] as const).map((table) =>
      chain(table, 'KUBE-KUBELET-CANARY', 'tells kubelet by its absence that somebody flushed the table'),
    ),
  ]
}

const op = (body: OpBody, reason: string): Op => {
  const origin: Origin = { by: 'kubelet', reason }
  return { ...body, netns: ROOT_NETNS, origin }
}
