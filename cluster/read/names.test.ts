import { describe, expect, it } from 'vitest'
import { labelRule, portNameRule, subdomainRule } from './names.ts'

const ok = (problems: readonly string[]) => problems.length === 0

describe('names', () => {
  it.each([
    ['a', true, true, true],
    ['web-0', true, true, true],
    ['1st', true, true, true],
    ['80', true, true, false],
    ['a.b', false, true, false],
    ['a..b', false, false, false],
    ['-a', false, false, false],
    ['a-', false, false, false],
    ['a--b', true, true, false],
    ['A', false, false, false],
    ['a_b', false, false, false],
    ['', false, false, false],
    ['fifteen-letters', true, true, true],
    ['sixteen-letters-x', true, true, false],
    ['x'.repeat(63), true, true, false],
    ['x'.repeat(64), false, true, false],
    [`${`${'x'.repeat(62)}.`.repeat(4)}x`, false, true, false],
    [`${'x'.repeat(63)}.`.repeat(4), false, false, false],
  ])('"%s" as label %s, subdomain %s, port name %s', (name, label, subdomain, port) =>
    expect([ok(labelRule(name)), ok(subdomainRule(name)), ok(portNameRule(name))]).toEqual([label, subdomain, port]),
  )
})
