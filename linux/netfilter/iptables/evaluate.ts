import type { IpSkb } from '../../skb.ts'
import type { StepBody } from '../../step.ts'
import { applyNatTarget } from '../nat-target.ts'
import { ACCEPT, DROP, type HookState, type NfVerdict } from '../netfilter.ts'
import type { RuleList } from '../rule-list.ts'
import type { Chain } from './chain.ts'
import { type MatchResult, matchRule } from './match.ts'
import { entryName, type MatchPlace } from './place.ts'
import type { Rule, Target } from './rule.ts'
import { chainOf, resolveChain, type Table } from './ruleset.ts'

/** Where a chain goes on after the one it jumped to has returned. */
interface Frame {
  readonly chain: Chain
  readonly at: number
}

/** A walk through one table. `at`: the rule to try next; `triedFrom`: the first rule tried since the last match. */
interface Walk extends MatchPlace {
  readonly table: Table
  readonly callers: Frame[]
  at: number
  triedFrom: number
  /** Jumps and gotos so far: the kernel refuses rulesets that loop, we stop. */
  jumps: number
}

const MOST_JUMPS = 10_000

/**
 * ipt_do_table: the built-in chain of the hook, rule by rule, to a verdict; Linux net/ipv4/netfilter/ip_tables.c. Every
 * rule that matches and every chain that ends is recorded.
 */
export function walkTable(skb: IpSkb, state: HookState, table: Table): NfVerdict {
  const chain = table.chains.get(chainOf(state.hook))
  if (chain === undefined) return ACCEPT
  const walk: Walk = { skb, state, table, chain, callers: [], index: 0, unknown: '', at: 0, triedFrom: 0, jumps: 0 }
  for (;;) {
    const found = findRule(walk)
    if (found === 'no') {
      const verdict = endChain(walk)
      if (verdict !== undefined) return verdict
      continue
    }
    const rule = walk.chain.rules.at(walk.index)
    if (rule === undefined) return DROP
    const verdict = found === 'unknown' ? notModelled(walk, rule, walk.unknown) : apply(walk, rule)
    if (verdict !== undefined) return verdict
  }
}

/** Moves `walk.index` to the next rule of the chain that matches, or may. */
function findRule(walk: Walk): MatchResult {
  const { rules } = walk.chain
  const candidates = walk.chain.candidates(walk.skb.packet)
  if (candidates === undefined) {
    for (let i = walk.at; i < rules.length; i++) {
      const result = tryRule(walk, rules, i)
      if (result !== 'no') return result
    }
    return 'no'
  }
  for (const i of candidates) {
    if (i < walk.at) continue
    const result = tryRule(walk, rules, i)
    if (result !== 'no') return result
  }
  return 'no'
}

function tryRule(walk: Walk, rules: RuleList<Rule>, i: number): MatchResult {
  const rule = rules.at(i)
  if (rule === undefined) return 'no'
  walk.index = i
  return matchRule(rule, walk)
}

/** What a matching rule does; undefined: the walk goes on. */
function apply(walk: Walk, rule: Rule): NfVerdict | undefined {
  const target = rule.target
  if (target === undefined) return goOn(walk, rule)
  switch (target.kind) {
    case 'accept':
    case 'drop':
      recordMatch(walk, rule, { kind: target.kind })
      return target.kind === 'accept' ? ACCEPT : dropBy(walk, rule)
    case 'return':
      recordMatch(walk, rule, { kind: 'return' })
      walk.triedFrom = walk.chain.lines.length
      return leaveChain(walk)
    case 'jump':
    case 'goto':
      return enterChain(walk, rule, target)
    case 'mark':
      return setMark(walk, rule, target)
    case 'notrack':
      goOn(walk, rule)
      // Only the raw table comes before conntrack: elsewhere the packet has its entry already, and keeps it.
      walk.skb.ct ??= { state: 'untracked', direction: 'original', entry: undefined }
      return undefined
    case 'reject':
      recordMatch(walk, rule, { kind: 'reject', with: target.with })
      recordDrop(walk, rule.origin, `REJECT --reject-with ${target.with}`)
      return { kind: 'reject', with: target.with }
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect': {
      const outcome = applyNatTarget(target, walk)
      if (typeof outcome === 'string') return notModelled(walk, rule, outcome)
      recordMatch(walk, rule, { kind: 'nat', which: outcome.which })
      return outcome.accepted ? ACCEPT : dropBy(walk, rule)
    }
    case 'notModelled':
      return notModelled(walk, rule, target.text)
  }
}

function goOn(walk: Walk, rule: Rule): undefined {
  recordMatch(walk, rule, { kind: 'continue' })
  walk.at = walk.index + 1
  walk.triedFrom = walk.at
  return undefined
}

function setMark(walk: Walk, rule: Rule, { mask, value }: Extract<Target, { kind: 'mark' }>): undefined {
  const { skb } = walk
  goOn(walk, rule)
  const before = skb.mark
  skb.mark = ((before & ~mask) ^ value) >>> 0
  skb.ns.host.kernel.record(skb, { kind: 'mark.set', before, after: skb.mark })
  return undefined
}

function enterChain(walk: Walk, rule: Rule, target: Extract<Target, { kind: 'jump' | 'goto' }>): NfVerdict | undefined {
  const chain = resolveChain(walk.table, walk.chain, target.chain)
  if (chain === undefined) return notModelled(walk, rule, `the chain ${target.chain} does not exist`)
  if (++walk.jumps > MOST_JUMPS) return notModelled(walk, rule, `the chain ${target.chain} comes back to itself`)
  recordMatch(walk, rule, { kind: target.kind, chain: target.chain })
  if (target.kind === 'jump') walk.callers.push({ chain: walk.chain, at: walk.index + 1 })
  walk.chain = chain
  walk.at = 0
  walk.triedFrom = 0
  return undefined
}

/** No rule was left. */
function endChain(walk: Walk): NfVerdict | undefined {
  if (walk.chain.policy === undefined) recordEnd(walk, 'RETURN')
  return leaveChain(walk)
}

/** Back to the caller; a chain without one (built in, or gone to from there) ends in the built-in chain's policy. */
function leaveChain(walk: Walk): NfVerdict | undefined {
  const caller = walk.callers.pop()
  if (caller !== undefined) {
    walk.chain = caller.chain
    walk.at = caller.at
    walk.triedFrom = caller.at
    return undefined
  }
  const builtIn = walk.table.chains.get(chainOf(walk.state.hook))
  if (builtIn?.policy === undefined) return DROP
  if (walk.chain !== builtIn) {
    walk.chain = builtIn
    walk.triedFrom = builtIn.lines.length
  }
  recordEnd(walk, builtIn.policy)
  if (builtIn.policy === 'ACCEPT') return ACCEPT
  recordDrop(walk, undefined, `policy of ${builtIn.table} ${builtIn.name}`)
  return DROP
}

function dropBy(walk: Walk, rule: Rule): NfVerdict {
  recordDrop(walk, rule.origin, entryName(walk))
  return DROP
}

function notModelled(walk: Walk, rule: Rule, text: string): NfVerdict {
  recordMatch(walk, rule, { kind: 'notModelled', text })
  return { kind: 'notModelled', table: walk.chain.table, chain: walk.chain.name, text }
}

function recordMatch(walk: Walk, rule: Rule, verdict: Extract<StepBody, { kind: 'rule.match' }>['verdict']): void {
  const { skb, chain } = walk
  skb.ns.host.kernel.record(skb, {
    kind: 'rule.match',
    table: chain.table,
    chain: chain.name,
    index: walk.index + 1,
    rule,
    verdict,
    rules: chain.rules,
    triedFrom: walk.triedFrom + 1,
    origin: rule.origin,
  })
}

function recordEnd(walk: Walk, policy: 'ACCEPT' | 'DROP' | 'RETURN'): void {
  const { skb, chain } = walk
  skb.ns.host.kernel.record(skb, {
    kind: 'chain.end',
    table: chain.table,
    chain: chain.name,
    policy,
    rules: chain.rules,
    triedFrom: walk.triedFrom + 1,
  })
}

function recordDrop({ skb }: Walk, origin: Rule['origin'] | undefined, detail: string): void {
  const drop = { kind: 'drop', reason: 'NETFILTER_DROP', detail } as const
  skb.ns.host.kernel.record(skb, origin === undefined ? drop : { ...drop, origin })
}
