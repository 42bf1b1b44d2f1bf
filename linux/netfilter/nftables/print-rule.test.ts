import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { NftFamily } from './object.ts'
import { readNftRule } from './parse-rule.ts'
import { printNftRule } from './print-rule.ts'

/** What nft 1.0.6 lists of the rules it is given, recorded by record.py there. */
const { rules } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../test/cases/nftables/rules.json'), 'utf8'),
) as { readonly rules: readonly { readonly family: NftFamily; readonly given: string; readonly listed: string }[] }

describe('a rule', () => {
  it('there are many', () => expect(rules.length).toBeGreaterThan(500))

  it.each(rules.map(({ family, given, listed }) => [`${family} ${given}`, { family, given, listed }] as const))(
    'is listed as nft lists it: %s',
    (_, { family, given, listed }) => {
      const rule = readNftRule(family, given)
      expect(rule.statements.find(({ kind }) => kind === 'notModelled')).toBeUndefined()
      expect(printNftRule(rule)).toBe(listed)
    },
  )

  it.each(rules.map(({ family, listed }) => [listed, family] as const))(
    'is read from its listing: %s',
    (listed, family) => {
      const rule = readNftRule(family, listed)
      expect(rule.statements.find(({ kind }) => kind === 'notModelled')).toBeUndefined()
      // A set that several ranges became one in loses its braces when it is given anew, in nft too.
      expect(printNftRule(rule)).toBe(listed.replace(/((?:saddr|daddr|dport)(?: !=)?) \{ ([^{},]+) \}/, '$1 $2'))
    },
  )

  it.each([
    'dup to 10.0.0.9 accept',
    'limit rate 5/fortnight accept',
    'limit rate 5/second burst 0 packets accept',
    'limit rate 5 gbytes/second accept',
    'limit rate 0/second accept',
    'quota 5 packets drop',
    'log prefix loud',
    'jhash ip saddr mod 2 1 accept',
    'tcp flags & (fin|syn) == syn accept',
    'ip saddr 10.0.0.300 drop',
    'ip saddr { 10.0.0.1, drop',
    'ip saddr fd00::1 drop',
    'tcp dport 65536 drop',
    'tcp dport http drop',
    'ip daddr . tcp dport { 10.0.0.1 } drop',
    'ip daddr { 10.0.0.1 . 80 } drop',
    'meta mark set',
    'numgen random mod 0 vmap { 0 : drop }',
    'reject with icmp nothing',
    'update @s { ip saddr',
    'dnat to',
    'dnat to 10.0.0.1:80-',
    'masquerade to 80',
    'ct status sleepy',
    'jump',
    'fib saddr oif missing drop',
  ])('that is not emulated, or none, is kept as it is: %s', (text) => {
    const { statements } = readNftRule('ip', text)
    expect(statements.at(-1)).toMatchObject({ kind: 'notModelled' })
    expect(printNftRule(readNftRule('ip', text))).toBe(text)
  })

  it('is read up to what is not emulated', () => {
    expect(readNftRule('ip', 'tcp dport 22 counter dup to 10.0.0.9 accept').statements).toMatchObject([
      { kind: 'match' },
      { kind: 'counter' },
      { kind: 'notModelled', text: 'dup to 10.0.0.9 accept' },
    ])
  })
})
