import type { HostFacts } from '../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { comparePrefix, formatPrefix } from '../../packet/prefix.ts'
import { originOf } from '../origin.ts'
import type { CalicoConfig } from './config.ts'
import type { Pool } from './pool.ts'
import { calicoTraits } from './versions.ts'

type Family = 4 | 6

/**
 * natOutgoing: what a pod sends to an address that is in no pool leaves as its node (felix/rules/nat.go, static.go,
 * dataplane/linux/masq_mgr.go). In PREROUTING and OUTPUT felix is first, in POSTROUTING last, after kube-proxy.
 */
export function natOps(config: CalicoConfig, facts: HostFacts): Op[] {
  const families: readonly Family[] = facts.capabilities.ipv6 && hasIpv6(config) ? [4, 6] : [4]
  return families.flatMap((family) => [...setOps(config, family), ...chainOps(config, facts, family)])
}

/** felix writes ip6tables where FELIX_IPV6SUPPORT is on: with an IPv6 pool it has to be. */
const hasIpv6 = (config: CalicoConfig): boolean => config.pools.some(({ cidr }) => cidr.address.family === 6)

function setOps(config: CalicoConfig, family: Family): Op[] {
  const pools = config.pools.filter(({ cidr }) => cidr.address.family === family)
  const { allPools } = calicoTraits(config.version)
  const sets: readonly (readonly [string, readonly Pool[]])[] = [
    [`cali${family}0masq-ipam-pools`, pools.filter(({ natOutgoing }) => natOutgoing)],
    [`cali${family}0${allPools}`, pools],
  ]
  const type = `hash:net family inet${family === 6 ? '6' : ''} hashsize 1024 maxelem 1048576`
  return sets.flatMap(([set, members]) => [
    op({ kind: 'set.new', set, type }, 'IP pools'),
    ...[...members]
      .sort((x, y) => comparePrefix(x.cidr, y.cidr))
      .map(({ name, cidr }) => op({ kind: 'set.add', set, entry: formatPrefix(cidr) }, `IPPool ${name}`)),
  ])
}

const CHAINS = [
  'cali-OUTPUT',
  'cali-POSTROUTING',
  'cali-PREROUTING',
  'cali-fip-dnat',
  'cali-fip-snat',
  'cali-nat-outgoing',
]

/** Rules in the order of their chains; the hashes are those of the rules' own texts. */
const SKELETON: readonly (readonly [verb: 'append' | 'insert', chain: string, hash: string, target: string])[] = [
  ['append', 'cali-OUTPUT', 'GBTAv2p5CwevEyJm', 'cali-fip-dnat'],
  ['append', 'cali-POSTROUTING', 'Z-c7XtVd2Bq7s_hA', 'cali-fip-snat'],
  ['append', 'cali-POSTROUTING', 'nYKhEzDlr11Jccal', 'cali-nat-outgoing'],
  ['append', 'cali-PREROUTING', 'r6XmIziWUJsdOK6Z', 'cali-fip-dnat'],
  ['insert', 'PREROUTING', '6gwbT8clXdHdC1b1', 'cali-PREROUTING'],
  ['insert', 'OUTPUT', 'tVnHkvAo15HuiPy0', 'cali-OUTPUT'],
  ['append', 'POSTROUTING', '0i8pjzKKPyA34aQD', 'cali-POSTROUTING'],
]

/**
 * The comment of the cali-nat-outgoing rule: sha224(sha224(chain) + rule), which depends on family, set name and
 * whether iptables has --random-fully (felix/iptables/rules.go).
 */
const MASQUERADE_HASH = {
  '4 all-ipam-pools random': 'flqWnvo8yq4ULQLa',
  '4 all-ipam-pools': 'Dw4T8UWPnCLxRJiI',
  '4 network-ip-pools random': 'W_qq_N2KSTWyCvrX',
  '4 network-ip-pools': 'TTPfnvdxBZ0m0GOs',
  '6 all-ipam-pools random': 'Ir_z2t1P6-CxTDof',
  '6 all-ipam-pools': 'L2YNkHEWYgFkRy30',
  '6 network-ip-pools random': 'Y4sh__lNLsPKa_Pw',
  '6 network-ip-pools': 'MbEf8tx9tC_Firpf',
} as const

function chainOps(config: CalicoConfig, facts: HostFacts, family: Family): Op[] {
  const made = CHAINS.map((chain) => op({ kind: 'chain.new', family, table: 'nat', chain }, 'the node'))
  const skeleton = SKELETON.map(([verb, chain, hash, target]) =>
    op({ kind: `rule.${verb}`, family, table: 'nat', chain, args: `${comment(hash)} -j ${target}` }, 'the node'),
  )
  return [...made, ...skeleton, ...masqueradeOps(config, facts, family)]
}

function masqueradeOps(config: CalicoConfig, facts: HostFacts, family: Family): Op[] {
  const outgoing = config.pools.filter((pool) => pool.natOutgoing && pool.cidr.address.family === family)
  if (outgoing.length === 0) return []
  const { allPools } = calicoTraits(config.version)
  const { randomFully } = facts.capabilities
  const hash = MASQUERADE_HASH[`${family} ${allPools}${randomFully ? ' random' : ''}`]
  const prefix = `cali${family}0`
  const args = `${comment(hash)} -m set --match-set ${prefix}masq-ipam-pools src -m set ! --match-set ${prefix}${allPools} dst -j MASQUERADE${randomFully ? ' --random-fully' : ''}`
  const names = outgoing.map(({ name }) => `IPPool ${name}`).join(', ')
  return [
    op(
      { kind: 'rule.append', family, table: 'nat', chain: 'cali-nat-outgoing', args },
      names,
      'natOutgoing: pods leave the pools as their node',
    ),
  ]
}

const comment = (hash: string): string => `-m comment --comment "cali:${hash}"`

const op = (body: OpBody, what: string, reason?: string): Op => ({
  ...body,
  netns: ROOT_NETNS,
  origin: originOf('felix', what, undefined, reason),
})
