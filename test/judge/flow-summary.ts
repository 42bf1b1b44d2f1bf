import type { Chain } from '../../linux/netfilter/iptables/chain.ts'
import { ADDRESS_TYPES, type Match, type Rule } from '../../linux/netfilter/iptables/rule.ts'
import { type Ruleset, resolveChain, type Table } from '../../linux/netfilter/iptables/ruleset.ts'
import { formatIp, type Ip, ip, sameIp } from '../../packet/ip.ts'
import { contains } from '../../packet/prefix.ts'
import { hostPort } from '../../proxy/endpoint.ts'

/** A packet as the summary sees it. */
export interface Flow {
  readonly source: Ip
  readonly destination: Ip
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly port: number
}

export interface FlowSummary {
  /** Every endpoint that may be chosen, in rule order, or ACCEPT, REJECT, DROP. */
  readonly outputs: readonly string[]
  readonly masquerade: boolean
}

/**
 * The view of kube-proxy's own tests over its rules: which endpoints may a packet go to, and would it be masqueraded.
 * Weaker than a walk: every branch of chance is taken, and POSTROUTING is not visited.
 */
export function summariseFlow(ruleset: Ruleset, flow: Flow, local: readonly Ip[]): FlowSummary {
  const walk: Walk = { ruleset, local, flow, outputs: [], masquerade: false }
  runNamed(walk, 'nat', 'PREROUTING')
  const first = walk.outputs[0]
  const address = first === undefined ? undefined : /^\[?([^\]]+)\]?:\d+$/.exec(first)?.[1]
  if (address !== undefined) walk.flow = { ...flow, destination: ip(address) }
  for (const chain of ['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'])
    runNamed(walk, 'filter', chain)
  return { outputs: walk.outputs, masquerade: walk.masquerade }
}

interface Walk {
  readonly ruleset: Ruleset
  readonly local: readonly Ip[]
  flow: Flow
  readonly outputs: string[]
  masquerade: boolean
}

function runNamed(walk: Walk, table: 'nat' | 'filter', name: string): void {
  const found = walk.ruleset.tables.get(table)
  const chain = found?.chains.get(name)
  if (found === undefined || chain === undefined) throw new Error(`no chain ${name} in table ${table}`)
  run(walk, found, chain)
}

/** Runs a chain; true where the packet's fate is decided. */
function run(walk: Walk, table: Table, chain: Chain): boolean {
  for (const rule of chain.rules) {
    if (!matches(walk, rule)) continue
    const isChance = rule.matches.some((match) => match.kind === 'statistic')
    if (takeTarget(walk, table, { chain, rule }) && !isChance) return true
  }
  return false
}

function takeTarget(walk: Walk, table: Table, at: { readonly chain: Chain; readonly rule: Rule }): boolean {
  const { target } = at.rule
  if (target === undefined) return false
  switch (target.kind) {
    case 'accept':
    case 'drop':
    case 'reject':
      walk.outputs.push(target.kind.toUpperCase())
      return true
    case 'dnat': {
      const { addresses, ports } = target.range
      if (addresses === undefined) throw new Error('DNAT without an address')
      walk.outputs.push(hostPort(addresses.min, ports?.min ?? walk.flow.port))
      return true
    }
    case 'jump': {
      if (target.chain === 'KUBE-MARK-MASQ') {
        walk.masquerade = true
        return false
      }
      const to = resolveChain(table, at.chain, target.chain)
      if (to === undefined) throw new Error(`a jump to chain ${target.chain}, which is not there`)
      return run(walk, table, to)
    }
    default:
      throw new Error(`target ${target.kind} of a rule in ${at.chain.name}`)
  }
}

function matches(walk: Walk, rule: Rule): boolean {
  const { flow } = walk
  const { source, destination, protocol } = rule
  if (source !== undefined && contains(source.prefix, flow.source) === source.not) return false
  if (destination !== undefined && contains(destination.prefix, flow.destination) === destination.not) return false
  if (protocol !== undefined && (protocol.number === PROTOCOLS[flow.protocol]) === protocol.not) return false
  return rule.matches.every((match) => matchesOne(walk, match))
}

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const

function matchesOne(walk: Walk, match: Match): boolean {
  const { flow } = walk
  switch (match.kind) {
    case 'comment':
    case 'statistic':
    case 'nfacct':
      return true
    case 'tcp':
    case 'udp':
    case 'sctp': {
      if (match.source !== undefined) throw new Error('a rule tests the source port')
      const { destination } = match
      if (destination === undefined) return true
      return (flow.port >= destination.min && flow.port <= destination.max) !== destination.not
    }
    case 'addrtype':
      return (
        (match.source === undefined || isOfType(walk, flow.source, match.source)) &&
        (match.destination === undefined || isOfType(walk, flow.destination, match.destination))
      )
    case 'recent':
      return match.action === 'set'
    case 'mark':
    case 'state':
      return false
    default:
      throw new Error(`match ${match.kind}`)
  }
}

const LOCAL = 1 << ADDRESS_TYPES.indexOf('LOCAL')

function isOfType(walk: Walk, address: Ip, test: { readonly not: boolean; readonly types: number }): boolean {
  if (test.types !== LOCAL) throw new Error(`address types ${test.types} for ${formatIp(address)}`)
  return walk.local.some((own) => sameIp(own, address)) !== test.not
}
