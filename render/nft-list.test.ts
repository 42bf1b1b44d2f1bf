import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { applyOps } from '../linux/apply.ts'
import { USUAL_CAPABILITIES } from '../linux/host-facts.ts'
import { nftOps } from '../linux/netfilter/testing/nft-ops.ts'
import { type NftOp, type Op, ROOT_NETNS } from '../linux/op.ts'
import { nftLines } from './nft-command.ts'
import { renderNftRuleset } from './nft-list.ts'

const recorded = (name: string) => readFileSync(join(import.meta.dirname, '../test/cases/nftables', name), 'utf8')

const opsOf = (text: string): Op[] =>
  nftOps(text).map((op) => ({ ...op, netns: ROOT_NETNS, origin: { by: 'test' } }) as Op)

function listing(text: string): { readonly listed: string; readonly refused: readonly string[] } {
  const config = applyOps('machine', opsOf(text), USUAL_CAPABILITIES)
  return {
    listed: renderNftRuleset(config.netns.get(ROOT_NETNS)?.netfilter.nftables ?? []),
    refused: config.refused.map(({ error }) => error),
  }
}

describe('nft list ruleset', () => {
  it('is what nft 1.0.6 prints', () => {
    expect(listing(recorded('ruleset.nft'))).toEqual({ listed: recorded('ruleset.txt'), refused: [] })
  })

  it('of nothing is nothing', () => expect(listing('').listed).toBe(''))
})

describe('the lines for nft -f', () => {
  it('say what was read', () => {
    const lines = recorded('ruleset.nft').trim().split('\n')
    expect(opsOf(lines.join('\n')).flatMap((op) => nftLines(op as NftOp))).toEqual(lines)
  })
})

describe('a change', () => {
  const BASE = `add table ip t
    add set ip t s { type ipv4_addr ; }
    add element ip t s { 10.0.0.1 }
    add chain ip t c
    add rule ip t c drop`

  it.each([
    ['of a table that is there changes nothing', 'add table ip t', /chain c/],
    ['of a chain that is there changes nothing', 'add chain ip t c', /drop/],
    ['empties a chain', 'flush chain ip t c', /chain c \{\n\t\}/],
    ['empties a set', 'flush set ip t s', /set s \{\n\t\ttype ipv4_addr\n\t\}/],
    ['empties all chains', 'flush table ip t', /10\.0\.0\.1[\s\S]*chain c \{\n\t\}/],
    ['takes an element away', 'delete element ip t s { 10.0.0.1 }', /set s \{\n\t\ttype ipv4_addr\n\t\}/],
    ['takes a chain away', 'delete chain ip t c', /^((?!chain)[\s\S])*$/],
    ['takes a set away', 'delete set ip t s', /^((?!set s)[\s\S])*$/],
    ['takes a table away', 'delete table ip t', /^$/],
    ['adds what is there once', 'add element ip t s { 10.0.0.1 }', /elements = \{ 10\.0\.0\.1 \}/],
  ])('%s', (_, line, expected) => {
    const { listed, refused } = listing(`${BASE}\n${line}`)
    expect(refused).toEqual([])
    expect(listed).toMatch(expected)
  })

  it.each([
    'add rule ip t nowhere drop',
    'add chain ip nowhere c',
    'add element ip t nowhere { 10.0.0.1 }',
    'flush chain ip t nowhere',
    'flush set ip t nowhere',
    'flush table ip6 t',
    'delete chain ip t nowhere',
    'delete set ip t nowhere',
    'delete element ip t s { 10.0.0.2 }',
    'delete element ip t nowhere { 10.0.0.2 }',
  ])('of what is not there is refused: %s', (line) => {
    expect(listing(`${BASE}\n${line}`).refused).toEqual(['Error: Could not process rule: No such file or directory'])
  })

  it('of an element’s value is refused', () => {
    const map = 'add map ip t m { type ipv4_addr : verdict ; }\nadd element ip t m { 10.0.0.1 : drop }'
    expect(listing(`${BASE}\n${map}\nadd element ip t m { 10.0.0.1 : accept }`).refused).toEqual([
      'Error: Could not process rule: File exists',
    ])
  })

  it.each(['{ 10.0.0.1 . tcp }', '{ fd00::1 }', '{ 10.0.0.1 : drop }', '{ }'])(
    'that is no element is refused: %s',
    (text) => {
      expect(listing(`${BASE}\nadd element ip t s ${text}`).refused).toHaveLength(1)
    },
  )

  it('with a comment of more than 128 characters is refused', () => {
    const comment = (length: number) => `add element ip t s { 10.0.0.2 comment "${'c'.repeat(length)}" }`
    expect(listing(`${BASE}\n${comment(128)}`).refused).toEqual([])
    expect(listing(`${BASE}\n${comment(129)}`).refused).toEqual([
      'Error: comment too long, 128 characters maximum allowed',
    ])
  })
})
