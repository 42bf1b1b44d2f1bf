import type { Step } from '../engine/step.ts'
import { printRule } from '../linux/netfilter/iptables/print.ts'
import type { Rule } from '../linux/netfilter/iptables/rule.ts'
import type { Expression, Statement } from '../linux/netfilter/nftables/expression.ts'
import { printNftRule } from '../linux/netfilter/nftables/print-rule.ts'
import type { NftRule } from '../linux/netfilter/nftables/ruleset.ts'

/** A rule of iptables or of nft that matched. */
export type RuleStep = Extract<Step, { kind: 'rule.match' | 'nft.match' }>
export type ChainEndStep = Extract<Step, { kind: 'chain.end' | 'nft.end' }>

export const isRuleStep = (step: Step): step is RuleStep => step.kind === 'rule.match' || step.kind === 'nft.match'

/** As the rule's own tool prints it. */
export const ruleText = (rule: Rule | NftRule): string =>
  'statements' in rule ? printNftRule(rule) : printRule(rule.family, rule)

/** Of the tests of a rule those that people want to know of: its comment, its chance, what was remembered. */
export function ruleNotes(step: RuleStep): readonly string[] {
  return step.kind === 'nft.match' ? nftNotes(step) : iptablesNotes(step.rule)
}

function iptablesNotes(rule: Rule): readonly string[] {
  const notes: string[] = []
  for (const match of rule.matches) {
    if (match.kind === 'comment') notes.push(`"${match.text}"`)
    if (match.kind === 'statistic' && match.mode === 'random') notes.push(chance(match.threshold / 2 ** 31))
    if (match.kind === 'recent') notes.push('(recent: the client came here before)')
  }
  return notes
}

const chance = (probability: number): string => `(by chance, ${Number((probability * 100).toFixed(1))} %)`

function nftNotes({ rule, element }: Extract<Step, { kind: 'nft.match' }>): readonly string[] {
  const choices = choicesOf(rule)
  return [
    ...(rule.comment === undefined ? [] : [`"${rule.comment}"`]),
    ...(element === undefined ? [] : [`@${element.set} { ${element.key} }`]),
    ...(choices > 1 ? [chance(1 / choices)] : []),
    ...(rule.statements.some(asksWhoCame) ? ['(a set remembers the client)'] : []),
  ]
}

/** How many outcomes a rule chooses between by chance; 0 where it does not. */
export function choicesOf(rule: NftRule): number {
  for (const statement of rule.statements)
    for (const expression of expressionsOf(statement))
      if (expression.kind === 'numgen' && expression.mode === 'random') return expression.mod
  return 0
}

function expressionsOf(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case 'vmap':
      return [statement.key]
    case 'dnat':
    case 'snat':
      return statement.address?.kind === 'map' ? [statement.address.key] : []
    default:
      return []
  }
}

/** A lookup of the source alone, as rules of affinity have it. */
const asksWhoCame = (statement: Statement): boolean =>
  statement.kind === 'lookup' &&
  !statement.not &&
  statement.set.kind === 'named' &&
  statement.left.kind === 'payload' &&
  statement.left.field === 'saddr'
