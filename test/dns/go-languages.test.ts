import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compileExpression } from '../../dns/coredns/expression/evaluate.ts'
import { compileTemplate } from '../../dns/coredns/go-template/execute.ts'
import type { Struct } from '../../dns/coredns/go-template/value.ts'
import { compileRegexp } from '../../dns/coredns/regexp/regexp.ts'
import { recordText } from '../../dns/record-text.ts'
import { parseZoneFile } from '../../dns/zone-file/parser.ts'
import { ROOT } from '../command-line.ts'

interface Recorded {
  readonly regexps: readonly {
    readonly pattern: string
    readonly text?: string
    readonly groups?: readonly string[]
    readonly error?: string
  }[]
  readonly templates: readonly {
    readonly template: string
    readonly out: string
    readonly error?: string
    readonly fails?: boolean
  }[]
  readonly expressions: readonly {
    readonly expr: string
    readonly value: unknown
    readonly error?: string
    readonly fails?: boolean
  }[]
  readonly zones: readonly { readonly zone: string; readonly records: readonly string[]; readonly error?: string }[]
}

const recorded: Recorded = JSON.parse(readFileSync(join(ROOT, 'test/cases/go/languages.json'), 'utf8'))

describe('regular expressions as Go has them', () => {
  it.each(recorded.regexps)('$pattern on $text', ({ pattern, text = '', groups, error }) => {
    const compiled = compileRegexp(pattern)
    if (error !== undefined) expect(compiled).toEqual({ ok: false, reason: error })
    else expect(compiled.ok && compiled.value.find(text)).toEqual(groups)
  })

  it('a long text and a nested repetition end at once', () => {
    const compiled = compileRegexp('(a*)*b')
    expect(compiled.ok && compiled.value.matches('a'.repeat(5000))).toBe(false)
  })
})

const DATA: Struct = {
  type: '*main.data',
  fields: {
    Name: 'n.test.',
    Match: ['whole', '1', '2'],
    Group: new Map([
      ['a', 'x'],
      ['1', 'y'],
    ]),
    N: 7,
    B: false,
    Q: { type: 'struct', fields: { Name: 'q.' } },
  },
  methods: { Meta: (label) => `m:${label}` },
}

describe('templates as Go has them', () => {
  it.each(recorded.templates)('$template', ({ template, out, error, fails = false }) => {
    const compiled = compileTemplate('answer', template)
    if (error !== undefined) {
      expect(compiled).toEqual({ ok: false, reason: error })
      return
    }
    const text = compiled.ok ? compiled.value.execute(DATA) : compiled
    if (fails) expect(text.ok).toBe(false)
    else expect(text).toEqual({ ok: true, value: out })
  })
})

/** Types are not checked before an expression runs: what is of the wrong one comes to nothing then. */
const UNTYPED = new Set(['name() == nil'])
const FUNCTIONS = { name: () => 'www.test.', n: () => 7, yes: () => true }

describe('expressions as expr has them', () => {
  it.each(recorded.expressions.filter(({ expr }) => !UNTYPED.has(expr)))('$expr', ({ expr, value, error, fails }) => {
    const compiled = compileExpression(expr, { functions: Object.keys(FUNCTIONS), variables: [] })
    if (error !== undefined) {
      expect(compiled).toEqual({ ok: false, reason: error })
      return
    }
    const result = compiled.ok ? compiled.value.run({ functions: FUNCTIONS, variables: {} }) : compiled
    expect(result).toEqual(fails ? undefined : value)
  })
})

/** Of a type without a name miekg/dns writes the class as a number, and the data in capitals. */
const asWeWrite = (line: string): string =>
  line.includes(' CLASS1 ') ? line.replace(' CLASS1 ', ' IN ').replace(/[0-9A-F]+$/, (hex) => hex.toLowerCase()) : line

/** A file that ends in the middle of a record: miekg/dns takes it without data, or names a piece it had read before. */
const CUT_SHORT = new Set(['$TTL 5\na A\n', '$TTL 5\na NS\n', '$TTL 5\na SRV 1 2 3\n', '$TTL 5\na TXT "x\n'])

describe('zone files as miekg/dns reads them', () => {
  it.each(recorded.zones.filter(({ zone }) => !CUT_SHORT.has(zone)))('$zone', ({ zone, records, error }) => {
    const read = parseZoneFile({ text: zone, file: 'db', origin: 'z.test.', read: () => undefined })
    if (error !== undefined) expect(read).toEqual({ ok: false, reason: error })
    else expect(read.ok && read.value.records.map(recordText)).toEqual(records.map(asWeWrite))
  })
})
