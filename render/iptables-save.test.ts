import { describe, expect, it } from 'vitest'
import { applyOps } from '../linux/apply.ts'
import { USUAL_CAPABILITIES } from '../linux/host-facts.ts'
import { type IptablesOp, type IptablesTable, type Op, ROOT_NETNS } from '../linux/op.ts'
import type { Family } from '../packet/ip.ts'
import { renderIptablesSave } from './iptables-save.ts'

const op = (body: IptablesOp): Op => ({ ...body, netns: ROOT_NETNS, origin: { by: 'test' } })
const newChain = (table: IptablesTable, chain: string, family: Family = 4) =>
  op({ kind: 'chain.new', family, table, chain })
const append = (table: IptablesTable, chain: string, args: string, family: Family = 4) =>
  op({ kind: 'rule.append', family, table, chain, args })

const rulesetOf = (ops: readonly Op[], family: Family = 4) =>
  applyOps('host', ops, USUAL_CAPABILITIES).netns.get(ROOT_NETNS)!.netfilter.iptables[family]

describe('renderIptablesSave', () => {
  it('prints nothing where no table was used', () => {
    expect(renderIptablesSave(rulesetOf([]))).toBe('')
    expect(renderIptablesSave(rulesetOf([newChain('nat', 'X', 6)]))).toBe('')
  })

  it('prints built-in chains by hook with their policies, then chains by name, then the rules in that order', () => {
    const ops = [
      newChain('filter', 'b'),
      newChain('filter', 'B'),
      newChain('filter', 'a'),
      append('filter', 'b', '-m comment --comment "x y" -p udp -d 10.0.0.1 --dport 53 -j a'),
      append('filter', 'FORWARD', '-j b'),
      append('filter', 'FORWARD', ''),
      op({ kind: 'chain.policy', family: 4, table: 'filter', chain: 'FORWARD', policy: 'DROP' }),
      op({ kind: 'rule.insert', family: 4, table: 'filter', chain: 'FORWARD', args: '-j B' }),
    ]
    expect(renderIptablesSave(rulesetOf(ops))).toBe(`*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:B - [0:0]
:a - [0:0]
:b - [0:0]
-A FORWARD -j B
-A FORWARD -j b
-A FORWARD
-A b -d 10.0.0.1/32 -p udp -m comment --comment "x y" -m udp --dport 53 -j a
COMMIT
`)
  })

  it('prints the tables in the order of the backend', () => {
    const ops = (['nat', 'filter', 'mangle', 'raw'] as const).map((table) => newChain(table, 'X'))
    const tables = (text: string) => [...text.matchAll(/^\*(\w+)$/gm)].map((match) => match[1])
    expect(tables(renderIptablesSave(rulesetOf(ops)))).toEqual(['mangle', 'raw', 'filter', 'nat'])
    expect(tables(renderIptablesSave(rulesetOf(ops), { backend: 'legacy' }))).toEqual([
      'filter',
      'nat',
      'mangle',
      'raw',
    ])
  })

  it('prints IPv6 rules with IPv6 masks', () => {
    const ops = [newChain('nat', 'X', 6), append('nat', 'X', '-s fd00::1 -m recent --set --name R -j RETURN', 6)]
    expect(renderIptablesSave(rulesetOf(ops, 6), { backend: 'legacy' })).toContain(
      '\n-A X -s fd00::1/128 -m recent --set --name R --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j RETURN\n',
    )
  })
})
