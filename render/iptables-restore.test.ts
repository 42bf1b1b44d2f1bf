import { expect, it } from 'vitest'
import type { Op, OpBody } from '../linux/op.ts'
import { iptablesRestoreText, iptablesTables } from './iptables-restore.ts'

const ops = (...bodies: readonly OpBody[]): Op[] =>
  bodies.map((body) => ({ ...body, netns: 'root', origin: { by: 'test' } }))
const rule = (chain: string, args: string): OpBody => ({ kind: 'rule.append', family: 4, table: 'filter', chain, args })

it('rules stand in the order given, inserted ones above what was there', () => {
  const tables = iptablesTables(
    ops(
      { kind: 'chain.policy', family: 4, table: 'filter', chain: 'FORWARD', policy: 'DROP' },
      rule('FORWARD', '-j ONE'),
      { kind: 'rule.insert', family: 4, table: 'filter', chain: 'FORWARD', args: '-j ZERO' },
      { kind: 'chain.new', family: 4, table: 'filter', chain: 'ONE' },
      rule('ONE', '-j ACCEPT'),
      rule('FORWARD', '-j TWO'),
      { kind: 'rule.append', family: 6, table: 'filter', chain: 'FORWARD', args: '-j SIX' },
    ),
    4,
  )
  expect(iptablesRestoreText(tables)).toBe(
    [
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD DROP [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':ONE - [0:0]',
      '-A FORWARD -j ZERO',
      '-A FORWARD -j ONE',
      '-A FORWARD -j TWO',
      '-A ONE -j ACCEPT',
      'COMMIT',
      '',
    ].join('\n'),
  )
})

it('tables come in the order raw, mangle, nat, filter; one that no op names is absent', () => {
  const named = ops(
    rule('INPUT', '-j ACCEPT'),
    { kind: 'chain.new', family: 4, table: 'raw', chain: 'R' },
    { kind: 'chain.new', family: 4, table: 'nat', chain: 'N' },
  )
  const text = iptablesRestoreText(iptablesTables(named, 4))
  expect(text.match(/^\*\w+/gm)).toEqual(['*raw', '*nat', '*filter'])
  expect(iptablesRestoreText(iptablesTables(named, 6))).toBe('')
})

it('a chain that is made twice keeps its rules', () => {
  const twice = ops({ kind: 'chain.new', family: 4, table: 'nat', chain: 'X' })
  const tables = iptablesTables(
    [...twice, ...ops({ kind: 'rule.append', family: 4, table: 'nat', chain: 'X', args: '-j Y' }), ...twice],
    4,
  )
  expect(tables.get('nat')?.get('X')?.rules).toEqual(['-j Y'])
})
