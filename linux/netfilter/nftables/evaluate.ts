import type { IpSkb } from '../../skb.ts'
import type { RuleVerdict, StepBody } from '../../step.ts'
import { isNatHook, type NatTarget, setUpNatTarget } from '../nat-target.ts'
import { ACCEPT, DROP, type HookState, type NfVerdict } from '../netfilter.ts'
import type { Data, ElementValue, Expression, NatStatement, NftVerdict, SetRef, Statement } from './expression.ts'
import { type LoadPlace, load } from './load.ts'
import { withinLimit, withinQuota } from './metering.ts'
import type { NftElementLine } from './object.ts'
import { type NftChain, type NftRule, type NftTable, resolveNftChain, resolveNftSet } from './ruleset.ts'
import { type FoundElement, indexElements, matchesOperand, orderOf } from './set.ts'
import { isRemembered, updateSet } from './set-state.ts'

/** Where a chain goes on after the one it jumped to has returned. */
interface Frame {
  readonly chain: NftChain
  readonly at: number
}

/** A walk through one base chain. `at`: the rule to try next; `triedFrom`: the first rule tried since the last match. */
interface Walk extends LoadPlace {
  readonly table: NftTable
  readonly base: NftChain
  chain: NftChain
  readonly callers: Frame[]
  at: number
  triedFrom: number
  /** Jumps and gotos so far: the kernel refuses rulesets that loop, we stop. */
  jumps: number
  /** The element of a map that decided in the rule being tried. */
  element: NftElementLine | undefined
  /** The last element that led to another chain. */
  led: NftElementLine | undefined
  /** What the statements of the rule being tried did; told after the match. */
  done: StepBody[]
}

const MOST_JUMPS = 10_000

/** What a rule came to: it did not match, it matched and the next one is tried, or it decided. */
type Outcome = 'break' | 'continue' | RuleVerdict | NatVerdict

interface NatVerdict {
  readonly kind: 'natted'
  readonly which: 'src' | 'dst'
  readonly accepted: boolean
}

/**
 * nft_do_chain: a base chain, rule by rule, to a verdict; Linux net/netfilter/nf_tables_core.c. Every rule that
 * matches and every chain that ends is recorded.
 */
export function walkNftChain(
  skb: IpSkb,
  state: HookState,
  { table, base }: { table: NftTable; base: NftChain },
): NfVerdict {
  const walk = newWalk(skb, state, { table, base })
  for (;;) {
    const rule = walk.chain.rules.at(walk.at)
    const verdict = rule === undefined ? endChain(walk) : step(walk, rule)
    if (verdict !== undefined) return verdict
  }
}

function newWalk(skb: IpSkb, state: HookState, { table, base }: { table: NftTable; base: NftChain }): Walk {
  const walk: Walk = {
    skb,
    state,
    table,
    base,
    chain: base,
    callers: [],
    at: 0,
    triedFrom: 0,
    jumps: 0,
    element: undefined,
    led: undefined,
    done: [],
    counts: skb.ns.netfilterState.numgens,
    entry: () => `${table.name} ${walk.chain.name} ${walk.at + 1}`,
    lookUp: (map, key) => dataOf(findIn(walk, map.map, key)?.value),
  }
  return walk
}

/** Tries one rule. */
function step(walk: Walk, rule: NftRule): NfVerdict | undefined {
  walk.element = undefined
  const outcome = runRule(walk, rule)
  if (outcome === 'break') {
    tell(walk)
    walk.at++
    return undefined
  }
  if (outcome === 'continue') return goOn(walk, rule, { kind: 'continue' })
  return decide(walk, rule, outcome)
}

function runRule(walk: Walk, rule: NftRule): Outcome {
  for (const statement of rule.statements) {
    const outcome = run(walk, statement)
    if (outcome !== 'continue') return outcome
  }
  return 'continue'
}

function run(walk: Walk, statement: Statement): Outcome {
  switch (statement.kind) {
    case 'match':
      return matches(walk, statement) ? 'continue' : 'break'
    case 'lookup': {
      const key = load(statement.left, walk)
      if (key === undefined) return 'break'
      return isIn(walk, statement.set, key) === statement.not ? 'break' : 'continue'
    }
    case 'vmap': {
      const key = load(statement.key, walk)
      const found = key === undefined ? undefined : findIn(walk, statement.map, key)
      if (found?.value?.kind !== 'verdict') return 'break'
      walk.element = found.line
      return verdictOf(found.value.verdict)
    }
    case 'verdict':
      return verdictOf(statement.verdict)
    case 'mark':
      return setMark(walk, statement.value)
    case 'ctMark':
      return setCtMark(walk, statement.value)
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return translate(walk, statement)
    case 'reject':
      return { kind: 'reject', with: statement.with[walk.skb.packet.src.family] }
    case 'update': {
      const key = load(statement.key, walk)
      const set = resolveNftSet(walk.table, walk.chain, statement.set)
      if (set === undefined) return { kind: 'notModelled', text: `the set ${statement.set} does not exist` }
      if (key === undefined) return 'break'
      const { netfilterState, host } = walk.skb.ns
      const { action, timeout } = statement
      return updateSet(netfilterState.nftSets, set, { action, key, timeout, now: host.kernel.now() })
        ? 'continue'
        : 'break'
    }
    case 'limit':
      return withinLimit(walk.skb.ns.netfilterState.meters, statement, walk.skb) ? 'continue' : 'break'
    case 'quota':
      return withinQuota(walk.skb.ns.netfilterState.meters, statement, walk.skb) ? 'continue' : 'break'
    case 'counter':
    case 'log':
    case 'nftrace':
      return 'continue'
    case 'notrack':
      walk.skb.ct ??= { state: 'untracked', direction: 'original', entry: undefined }
      return 'continue'
    case 'notModelled':
      return { kind: 'notModelled', text: statement.text }
    default:
      return statement satisfies never
  }
}

function verdictOf(verdict: NftVerdict): Outcome {
  return verdict.kind === 'continue' ? 'continue' : verdict
}

function matches(walk: Walk, statement: Extract<Statement, { kind: 'match' }>): boolean {
  const [left] = load(statement.left, walk) ?? []
  if (left === undefined) return false
  const { right, comparison } = statement
  if (statement.anyBit && right.kind === 'value')
    return (((left as number) & (right.data as number)) !== 0) === (comparison === '==')
  switch (comparison) {
    case '==':
      return matchesOperand(right, left)
    case '!=':
      return !matchesOperand(right, left)
    case '<':
      return right.kind === 'value' && orderOf(left, right.data) < 0
    case '>':
      return right.kind === 'value' && orderOf(left, right.data) > 0
    case '<=':
      return right.kind === 'value' && orderOf(left, right.data) <= 0
    case '>=':
      return right.kind === 'value' && orderOf(left, right.data) >= 0
    default:
      return comparison satisfies never
  }
}

function isIn(walk: Walk, set: SetRef, key: readonly Data[]): boolean {
  if (findIn(walk, set, key) !== undefined) return true
  const named = set.kind === 'named' ? resolveNftSet(walk.table, walk.chain, set.name) : undefined
  if (named === undefined) return false
  const { netfilterState, host } = walk.skb.ns
  return isRemembered(netfilterState.nftSets, named, { key, now: host.kernel.now() })
}

const anonymousIndexes = new WeakMap<SetRef, (key: readonly Data[]) => FoundElement | undefined>()

function findIn(walk: Walk, set: SetRef, key: readonly Data[]): FoundElement | undefined {
  if (set.kind === 'named') return resolveNftSet(walk.table, walk.chain, set.name)?.find(key)
  let index = anonymousIndexes.get(set)
  if (index === undefined) {
    index = indexElements(set.elements)
    anonymousIndexes.set(set, index)
  }
  return index(key)
}

const dataOf = (value: ElementValue | undefined): readonly Data[] | undefined =>
  value?.kind === 'data' ? value.data : undefined

function setMark(walk: Walk, value: Expression): Outcome {
  const [mark] = load(value, walk) ?? []
  if (typeof mark !== 'number') return 'break'
  const { skb } = walk
  walk.done.push({ kind: 'mark.set', before: skb.mark, after: mark })
  skb.mark = mark
  return 'continue'
}

/** nft_ct_set_eval: what has no entry passes as it is. */
function setCtMark(walk: Walk, value: Expression): Outcome {
  const [mark] = load(value, walk) ?? []
  if (typeof mark !== 'number') return 'break'
  const entry = walk.skb.ct?.entry
  if (entry !== undefined) entry.mark = mark
  return 'continue'
}

/** nft_nat_eval, nft_masq_eval, nft_redir_eval. */
function translate(walk: Walk, nat: NatStatement): Outcome {
  const target = natTarget(walk, nat)
  if (target === undefined) return 'break'
  if (walk.base.base?.type !== 'nat' || !isNatHook(nat.kind, walk.state.hook))
    return { kind: 'notModelled', text: `${nat.kind} in the chain ${walk.base.name}, which nft refuses` }
  return { kind: 'natted', ...setUpNatTarget(target, walk) }
}

function natTarget(walk: Walk, nat: NatStatement): NatTarget | undefined {
  const { kind, random, persistent, ports } = nat
  const options = { ports, random, randomFully: nat.fullyRandom, persistent }
  if (nat.address === undefined) return { kind, range: { ...options, addresses: undefined } }
  if (nat.address.kind === 'addresses') return { kind, range: { ...options, addresses: nat.address } }
  const [address, port] = load(nat.address, walk) ?? []
  if (typeof address !== 'object') return undefined
  const own = typeof port === 'number' ? { min: port, max: port } : ports
  return { kind, range: { ...options, addresses: { min: address, max: address }, ports: own } }
}

function decide(walk: Walk, rule: NftRule, outcome: RuleVerdict | NatVerdict): NfVerdict | undefined {
  switch (outcome.kind) {
    case 'natted':
      record(walk, rule, { kind: 'nat', which: outcome.which })
      return outcome.accepted ? ACCEPT : dropBy(walk, rule)
    case 'accept':
      record(walk, rule, outcome)
      return ACCEPT
    case 'drop':
      record(walk, rule, outcome)
      return dropBy(walk, rule)
    case 'reject':
      record(walk, rule, outcome)
      recordDrop(walk, originOf(walk, rule), `reject with ${outcome.with}`)
      return outcome
    case 'return':
      record(walk, rule, outcome)
      walk.triedFrom = walk.chain.lines.length
      return leaveChain(walk)
    case 'jump':
    case 'goto':
      return enterChain(walk, rule, outcome)
    case 'notModelled':
      return notModelled(walk, rule, outcome.text)
    case 'continue':
    case 'nat':
      return goOn(walk, rule, { kind: 'continue' })
    default:
      return outcome satisfies never
  }
}

function goOn(walk: Walk, rule: NftRule, verdict: RuleVerdict): undefined {
  record(walk, rule, verdict)
  walk.at++
  walk.triedFrom = walk.at
  return undefined
}

function enterChain(
  walk: Walk,
  rule: NftRule,
  verdict: { readonly kind: 'jump' | 'goto'; readonly chain: string },
): NfVerdict | undefined {
  const chain = resolveNftChain(walk.table, walk.chain, verdict.chain)
  if (chain === undefined) return notModelled(walk, rule, `the chain ${verdict.chain} does not exist`)
  if (++walk.jumps > MOST_JUMPS) return notModelled(walk, rule, `the chain ${verdict.chain} comes back to itself`)
  record(walk, rule, verdict)
  walk.led = walk.element ?? walk.led
  if (verdict.kind === 'jump') walk.callers.push({ chain: walk.chain, at: walk.at + 1 })
  walk.chain = chain
  walk.at = 0
  walk.triedFrom = 0
  return undefined
}

/** No rule was left. */
function endChain(walk: Walk): NfVerdict | undefined {
  if (walk.chain !== walk.base) recordEnd(walk, 'RETURN')
  return leaveChain(walk)
}

/** Back to the caller; without one the base chain's policy decides. */
function leaveChain(walk: Walk): NfVerdict | undefined {
  const caller = walk.callers.pop()
  if (caller !== undefined) {
    walk.chain = caller.chain
    walk.at = caller.at
    walk.triedFrom = caller.at
    return undefined
  }
  if (walk.chain !== walk.base) {
    walk.chain = walk.base
    walk.triedFrom = walk.base.lines.length
  }
  const policy = walk.base.base?.policy === 'drop' ? 'DROP' : 'ACCEPT'
  recordEnd(walk, policy)
  if (policy === 'ACCEPT') return ACCEPT
  recordDrop(walk, undefined, `policy of ${walk.table.name} ${walk.base.name}`)
  return DROP
}

function dropBy(walk: Walk, rule: NftRule): NfVerdict {
  recordDrop(walk, originOf(walk, rule), walk.entry())
  return DROP
}

function notModelled(walk: Walk, rule: NftRule, text: string): NfVerdict {
  record(walk, rule, { kind: 'notModelled', text })
  return { kind: 'notModelled', table: walk.table.name, chain: walk.chain.name, text }
}

/** A rule over a map, and a chain that maps lead to, stand for many objects; the element that was found says for which. */
function originOf(walk: Walk, rule: NftRule): NftRule['origin'] {
  const shared = rule.origin.for === undefined ? walk.led?.origin : undefined
  return walk.element?.origin ?? shared ?? rule.origin
}

function record(walk: Walk, rule: NftRule, verdict: RuleVerdict): void {
  const { skb, chain, element } = walk
  skb.ns.host.kernel.record(skb, {
    kind: 'nft.match',
    table: walk.table.name,
    chain: chain.name,
    index: walk.at + 1,
    rule,
    verdict,
    ...(element === undefined ? {} : { element: { set: element.set, key: element.key } }),
    rules: chain.rules,
    triedFrom: walk.triedFrom + 1,
    origin: originOf(walk, rule),
  })
  tell(walk)
}

/** What the statements did; they did it also where the rule then did not match. */
function tell(walk: Walk): void {
  if (walk.done.length === 0) return
  for (const body of walk.done) walk.skb.ns.host.kernel.record(walk.skb, body)
  walk.done = []
}

function recordEnd(walk: Walk, policy: 'ACCEPT' | 'DROP' | 'RETURN'): void {
  const { skb, chain } = walk
  skb.ns.host.kernel.record(skb, {
    kind: 'nft.end',
    table: walk.table.name,
    chain: chain.name,
    policy,
    rules: chain.rules,
    triedFrom: walk.triedFrom + 1,
  })
}

function recordDrop({ skb }: Walk, origin: NftRule['origin'] | undefined, detail: string): void {
  const drop = { kind: 'drop', reason: 'NETFILTER_DROP', detail } as const
  skb.ns.host.kernel.record(skb, origin === undefined ? drop : { ...drop, origin })
}
