import type { Op } from '../linux/op.ts'
import {
  addrLine,
  bridgePortLine,
  fdbLine,
  linkAddLine,
  linkSetLine,
  neighLine,
  routeLine,
  ruleLine,
} from './commands.ts'
import { iptablesRestoreText, iptablesTables } from './iptables-restore.ts'
import { ipvsLine } from './ipvsadm-save.ts'
import { nftLines } from './nft-command.ts'

/**
 * The ops of one network namespace, gathered by the tool that can take many at once. The steps are given in the
 * order of the fields; within a field the order is that of the ops. Pairs and cards stand in two namespaces and are
 * not here: whoever plugs the machines together makes them first.
 */
export interface NetnsBatches {
  /** `KEY=VALUE` lines for `sysctl -p`, of keys that name no link. */
  readonly sysctl: readonly string[]
  /** For `ip -batch`. */
  readonly ip: readonly string[]
  /** Keys that name a link, which exists only now. */
  readonly linkSysctl: readonly string[]
  /** For `bridge -batch`. */
  readonly bridge: readonly string[]
  /** For `ipset restore`. */
  readonly ipset: readonly string[]
  /** For `ipvsadm -R`. */
  readonly ipvs?: readonly string[]
  /** For `nft -f`, after iptables. */
  readonly nft: string
  /** For `iptables-restore` and `ip6tables-restore`; empty where there is no rule. */
  readonly iptables: string
  readonly ip6tables: string
  readonly files: readonly { readonly path: string; readonly text: string }[]
}

/** The batches of the ops of one namespace (`ops` of other namespaces must not be among them). */
export function netnsBatches(ops: readonly Op[]): NetnsBatches {
  const sysctl: string[] = []
  const linkSysctl: string[] = []
  const ip: string[] = []
  const bridge: string[] = []
  const ipset: string[] = []
  const nft: string[] = []
  const ipvs: string[] = []
  const files: { path: string; text: string }[] = []
  for (const op of ops) {
    switch (op.kind) {
      case 'link.add':
        if (op.type.kind === 'physical' || op.type.kind === 'veth') break
        ip.push(linkAddLine(op))
        if (op.type.kind === 'tun') ip.push(`link set dev ${op.name} mtu ${op.mtu}`)
        break
      case 'link.set':
        ip.push(linkSetLine(op))
        break
      case 'addr.add':
        ip.push(addrLine(op))
        break
      case 'route.replace':
        ip.push(routeLine(op.route))
        break
      case 'rule.add':
        ip.push(ruleLine(op))
        break
      case 'neigh.replace':
        ip.push(neighLine(op))
        break
      case 'bridge.port':
        bridge.push(bridgePortLine(op))
        break
      case 'fdb.append':
        bridge.push(fdbLine(op))
        break
      case 'set.new':
        ipset.push(`create ${op.set} ${op.type}`)
        break
      case 'set.add':
        ipset.push(`add ${op.set} ${op.entry}`)
        break
      case 'ipvs.service':
      case 'ipvs.destination':
      case 'ipvs.timeouts':
        ipvs.push(ipvsLine(op))
        break
      case 'nft.add':
      case 'nft.flush':
      case 'nft.delete':
      case 'nft.block':
        nft.push(...nftLines(op))
        break
      case 'sysctl.set':
        ;(namesLink(op.key) ? linkSysctl : sysctl).push(`${op.key}=${op.value}`)
        break
      case 'file.write':
        files.push({ path: op.path, text: op.text })
        break
      case 'netns.add':
      case 'process.start':
      case 'chain.new':
      case 'chain.policy':
      case 'rule.append':
      case 'rule.insert':
      case 'rules.block':
        break
      default: {
        const other: never = op
        throw new Error(`unknown op: ${JSON.stringify(other)}`)
      }
    }
  }
  return {
    sysctl,
    ip,
    linkSysctl,
    bridge,
    ipset,
    ...(ipvs.length === 0 ? {} : { ipvs }),
    nft: nft.map((line) => `${line}\n`).join(''),
    iptables: iptablesRestoreText(iptablesTables(ops, 4)),
    ip6tables: iptablesRestoreText(iptablesTables(ops, 6)),
    files,
  }
}

/** `net.ipv4.conf.eth0.rp_filter` and its like are there only once the link is. */
function namesLink(key: string): boolean {
  return /^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(?!all\.|default\.)/.test(key)
}
