import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ProxyModeName } from '../../../proxy/proxy-mode.ts'
import { DIFFERENCES, inMode } from './differences.ts'
import { outcomeText } from './outcome.ts'
import { outcomesOf } from './walk.ts'
import { anyWorld, type Flow, flowsOf } from './world.ts'

/**
 * For random Services, what the emulated kernel does with the rules of a mode is what the API promises, but for the
 * differences that are named: delivered, refused, dropped or passed on; to which endpoints, how likely; masqueraded or
 * not.
 */

/** RUNS=5000 for the whole judgement. */
const RUNS = Number(process.env.RUNS ?? 150)

/** A mode joins here, and names its differences in `differences.ts`. */
const MODES: readonly ProxyModeName[] = ['iptables', 'nftables', 'ipvs']

const flowText = ({ from, to, service }: Flow): string => `${from} to ${to} of s${service.number}`

describe.each(MODES)('mode %s', (mode) => {
  const seen = new Map<string, number>()

  test('does what a Service promises', { timeout: RUNS * 1000 }, () => {
    fc.assert(
      fc.property(anyWorld, (world) => {
        const flows = flowsOf(world)
        const outcomes = outcomesOf(world, mode, flows)
        for (const [i, flow] of flows.entries()) {
          const { outcome, difference } = inMode(world, flow, mode)
          if (difference !== undefined) seen.set(difference.name, (seen.get(difference.name) ?? 0) + 1)
          const got = outcomes[i]
          expect(got && outcomeText(got), `${flowText(flow)}${difference ? `: ${difference.name}` : ''}`).toBe(
            outcomeText(outcome),
          )
        }
      }),
      { numRuns: RUNS, seed: 20200101 },
    )
  })

  test('every named difference came up', () => {
    const named = DIFFERENCES.filter(({ modes }) => modes.includes(mode)).map(({ name }) => name)
    expect(named.filter((name) => !seen.has(name))).toEqual([])
  })
})
