import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { IptablesOp } from '../../op.ts'
import { type IptablesBlock, once, type RuleLine } from '../block.ts'
import { iptablesOps } from '../testing/router.ts'
import { printRule } from './print.ts'
import {
  applyIptablesOp,
  finishRulesets,
  listTables,
  newRulesetBuilder,
  type Ruleset,
  resolveChain,
} from './ruleset.ts'

const origin = { by: 'test' }

function build(ops: readonly IptablesOp[]): {
  readonly rulesets: Readonly<Record<4 | 6, Ruleset>>
  readonly trouble: string[]
} {
  const builder = newRulesetBuilder()
  const trouble = ops.flatMap((op) => applyIptablesOp(builder, { ...op, origin }) ?? [])
  return { rulesets: finishRulesets(builder), trouble }
}

const fromText = (text: string, family: 4 | 6 = 4) => build(iptablesOps(family, text) as IptablesOp[])

function saved(ruleset: Ruleset): string[] {
  return listTables(ruleset).flatMap(({ name, chains }) => [
    `*${name}`,
    ...chains.map((chain) => `:${chain.name} ${chain.policy ?? '-'}`),
    ...chains.flatMap((chain) =>
      [...chain.rules].map((rule) => `-A ${chain.name} ${printRule(ruleset.family, rule)}`.trim()),
    ),
  ])
}

describe('ops become tables', () => {
  const on = { family: 4, table: 'filter' } as const

  it('a table that something is put into has its built-in chains; others do not exist', () => {
    const { rulesets } = build([{ kind: 'chain.new', ...on, chain: 'X' }])
    expect(saved(rulesets[4])).toEqual(['*filter', ':INPUT ACCEPT', ':FORWARD ACCEPT', ':OUTPUT ACCEPT', ':X -'])
    expect(rulesets[6].tables.size).toBe(0)
  })

  it('inserted rules stand before appended ones, the newest first', () => {
    const rule = (kind: 'rule.append' | 'rule.insert', args: string) => ({ kind, ...on, chain: 'INPUT', args }) as const
    const { rulesets } = build([
      rule('rule.append', '-i a'),
      rule('rule.insert', '-i b'),
      rule('rule.append', '-i c'),
      rule('rule.insert', '-i d'),
    ])
    expect(saved(rulesets[4]).slice(4)).toEqual(['-A INPUT -i d', '-A INPUT -i b', '-A INPUT -i a', '-A INPUT -i c'])
  })

  it('a chain that exists stays as it is', () => {
    const { rulesets, trouble } = build([
      { kind: 'rule.append', ...on, chain: 'INPUT', args: '-i a' },
      { kind: 'chain.new', ...on, chain: 'INPUT' },
      { kind: 'chain.new', ...on, chain: 'X' },
      { kind: 'rule.append', ...on, chain: 'X', args: '-i x' },
      { kind: 'chain.new', ...on, chain: 'X' },
    ])
    expect(saved(rulesets[4]).slice(4)).toEqual([':X -', '-A INPUT -i a', '-A X -i x'])
    expect(trouble).toEqual([])
  })

  it('what iptables would refuse is said', () => {
    const block: IptablesBlock = {
      dispatch: [{ table: 'nat', chain: 'NOWHERE', args: '', origin }],
      entries: [],
      chains: () => [],
    }
    const { trouble, rulesets } = build([
      { kind: 'rule.append', ...on, chain: 'NOWHERE', args: '-j DROP' },
      { kind: 'rule.insert', ...on, table: 'nat', chain: 'FORWARD', args: '-j DROP' },
      { kind: 'chain.new', ...on, chain: 'X' },
      { kind: 'chain.policy', ...on, chain: 'X', policy: 'DROP' },
      { kind: 'chain.policy', ...on, chain: 'FORWARD', policy: 'DROP' },
      { kind: 'rules.block', family: 4, block },
    ])
    expect(trouble).toEqual([
      'filter NOWHERE: there is no such chain',
      'nat FORWARD: there is no such chain',
      'filter X: only a built-in chain has a policy',
      'nat NOWHERE: there is no such chain',
    ])
    expect(rulesets[4].tables.get('filter')?.chains.get('FORWARD')?.policy).toBe('DROP')
  })

  it('are listed in the order of iptables-save, whatever the order of the ops', () => {
    const { rulesets } = fromText(
      '*nat\n:b - [0:0]\n:B - [0:0]\n:a-b - [0:0]\n:a - [0:0]\n*raw\n:x - [0:0]\n*filter\n:x - [0:0]\n*mangle\n:x - [0:0]',
    )
    expect(listTables(rulesets[4]).map(({ name }) => name)).toEqual(['mangle', 'raw', 'filter', 'nat'])
    expect(listTables(rulesets[4])[3]?.chains.map(({ name }) => name)).toEqual([
      'PREROUTING',
      'INPUT',
      'OUTPUT',
      'POSTROUTING',
      'B',
      'a',
      'a-b',
      'b',
    ])
  })
})

describe('a block', () => {
  const line = (chain: string, args: string): RuleLine => ({ table: 'nat', chain, args, origin })

  function service(): { block: IptablesBlock; made: () => number } {
    let made = 0
    const chains = once(() => {
      made++
      return [
        { table: 'nat', chain: 'SVC', rules: [line('SVC', '-j SEP')] },
        {
          table: 'nat',
          chain: 'SEP',
          rules: [line('SEP', '-p tcp -j DNAT --to-destination 10.0.0.1:80'), line('SEP', '-j MARK-MASQ')],
        },
      ] as const
    })
    const block: IptablesBlock = {
      dispatch: [line('SERVICES', '-d 10.9.9.9/32 -p tcp -m tcp --dport 80 -j SVC')],
      entries: [{ table: 'nat', chain: 'SVC' }],
      chains,
    }
    return { block, made: () => made }
  }

  const machine = (block: IptablesBlock, family: 4 | 6 = 4) =>
    build([
      { kind: 'chain.new', family, table: 'nat', chain: 'SERVICES' },
      { kind: 'chain.new', family, table: 'nat', chain: 'MARK-MASQ' },
      { kind: 'rule.append', family, table: 'nat', chain: 'POSTROUTING', args: '-j MASQUERADE' },
      { kind: 'rules.block', family, block },
    ]).rulesets[family]

  it('is made when somebody jumps into it, once, for every machine', () => {
    const { block, made } = service()
    const [one, two] = [machine(block), machine(block)]
    const chain = (ruleset: Ruleset, ...names: string[]) =>
      names.reduce((from, name) => {
        const table = ruleset.tables.get('nat')
        const next = table === undefined || from === undefined ? undefined : resolveChain(table, from, name)
        return next
      }, ruleset.tables.get('nat')?.chains.get('SERVICES'))
    expect(one.tables.get('nat')?.chains.get('SERVICES')?.rules).toHaveLength(1)
    expect(one.tracker()?.chain.name).toBe('POSTROUTING')
    expect(made()).toBe(0)
    const sep = chain(one, 'SVC', 'SEP')
    expect(sep?.rules).toHaveLength(2)
    expect(chain(two, 'SVC', 'SEP')).toBe(sep)
    expect(chain(two, 'SVC', 'SEP', 'MARK-MASQ')).toBe(two.tables.get('nat')?.chains.get('MARK-MASQ'))
    expect(chain(two, 'SEP'), 'only the entries can be jumped to from outside').toBeUndefined()
    expect(made()).toBe(1)
  })

  it('gives two machines the same rule objects, in the dispatch chain too', () => {
    const { block } = service()
    const rules = [machine(block), machine(block)].map((ruleset) =>
      ruleset.tables.get('nat')?.chains.get('SERVICES')?.rules.at(0),
    )
    expect(rules[0]).toBeDefined()
    expect(rules[0]).toBe(rules[1])
  })

  it('is read anew for the other family', () => {
    const { block } = service()
    const [six, four] = [machine(block, 6), machine(block, 4)]
    expect(six.tables.get('nat')?.chains.get('SERVICES')?.rules.at(0)?.target?.kind).toBe('notModelled')
    expect(four.tables.get('nat')?.chains.get('SERVICES')?.rules.at(0)?.target?.kind).toBe('jump')
  })

  it('is printed with the other chains', () => {
    expect(saved(machine(service().block)).slice(5)).toEqual([
      ':MARK-MASQ -',
      ':SEP -',
      ':SERVICES -',
      ':SVC -',
      '-A POSTROUTING -j MASQUERADE',
      '-A SEP -p tcp -j DNAT --to-destination 10.0.0.1:80',
      '-A SEP -j MARK-MASQ',
      '-A SERVICES -d 10.9.9.9/32 -p tcp -m tcp --dport 80 -j SVC',
      '-A SVC -j SEP',
    ])
  })

  it('is asked whether connections are tracked only where no other rule tells', () => {
    const { block, made } = service()
    const { rulesets } = build([
      { kind: 'chain.new', family: 4, table: 'nat', chain: 'SERVICES' },
      { kind: 'rules.block', family: 4, block },
    ])
    expect(rulesets[4].tracker()).toMatchObject({ chain: { name: 'SEP' }, index: 1 })
    expect(made()).toBe(1)
  })
})

const dump = join(process.env.PODWALK_CASES ?? '../shared/cases', 'kube-proxy/real/kubeadm-15-everything-iptables.json')
if (!existsSync(dump)) console.warn(`skipped: no recorded ruleset at ${dump}`)

describe('a recorded ruleset', () => {
  it.skipIf(!existsSync(dump) && process.env.CI === undefined).each([4, 6] as const)(
    'is listed in its own order (IPv%s)',
    (family) => {
      const { expected } = JSON.parse(readFileSync(dump, 'utf8')) as { expected: Record<string, string> }
      const text = expected[family === 4 ? 'iptables-save' : 'ip6tables-save'] ?? ''
      const { rulesets, trouble } = fromText(text, family)
      expect(trouble).toEqual([])
      const lines = text.split('\n').filter((line) => /^[*:-]/.test(line))
      expect(saved(rulesets[family])).toEqual(lines.map((line) => line.replace(/ \[\d+:\d+\]$/, '')))
      expect(lines.length).toBeGreaterThan(40)
    },
  )
})
