import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIVE_RETRIES } from '../live-retries.ts'
import { type Hello, type KernelAgent, startAgent } from './agent.ts'
import { missingNeeds, unexpectedlyMissing } from './capability.ts'
import { judge } from './judge.ts'
import { runInKernel } from './record.ts'
import { comparedAnything, differencesText } from './report.ts'
import { SCENARIOS } from './scenario/all.ts'
import { truthOf } from './truth.ts'

/** A few live ones, so that the whole chain is exercised; `npm run kernel` runs them all. */
const LIVE = [
  'bridge-v4-tcp',
  'bridge-v6-tcp',
  'flannel-vxlan-ping',
  'flannel-udp-ping',
  'service-vxlan-brnf1-remote-tcp',
  'service-vxlan-brnf0-local-udp',
]

const isRoot = process.getuid?.() === 0
if (!isRoot && process.env.CI === undefined) console.log('kernel: not compared live, as that takes root')

describe.skipIf(!isRoot && process.env.CI === undefined)('the running kernel', () => {
  let agent: KernelAgent
  let hello: Hello

  beforeAll(async () => {
    agent = startAgent()
    hello = await agent.hello()
    const needs = missingNeeds(hello.capabilities)
    if (needs.length > 0) console.log(`kernel: not compared live: ${needs.join('; ')}`)
  })
  afterAll(() => agent.close())

  it('can do what a judge needs, where one is asked for', () => {
    if (process.env.CI !== undefined) expect(unexpectedlyMissing(hello.capabilities)).toEqual([])
  })

  it.each(LIVE)('does what our model does: %s', { retry: LIVE_RETRIES }, async (name) => {
    if (missingNeeds(hello.capabilities).length > 0) return
    const scenario = SCENARIOS.find((one) => one.name === name)!
    const judged = judge(scenario, truthOf(await runInKernel(agent, scenario)))
    expect(comparedAnything(judged)).toBe(true)
    expect(judged.differences.length === 0 ? '' : differencesText(name, judged)).toBe('')
  })
})
