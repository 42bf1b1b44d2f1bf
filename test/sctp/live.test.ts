import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LIVE_RETRIES } from '../live-retries.ts'
import { caseFile } from './case-file.ts'
import { recordedRouter, replayRouter } from './judge.ts'
import { record } from './record.ts'
import { PLANS } from './session.ts'

/**
 * Our SCTP against a real one (usrsctp), through the NAT and conntrack of the real kernel. With RECORD=1 what was seen
 * becomes the recorded cases.
 */
const missing = ['/usr/lib/usrsctp/echo_server', '/usr/sbin/conntrack'].filter((path) => !existsSync(path))
const isRoot = process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0
const reason = !isRoot ? 'not root, or no ip netns' : missing.length > 0 ? `there is no ${missing.join(', ')}` : ''
if (reason !== '') console.warn(`SCTP against the real stack is skipped: ${reason}`)

describe.skipIf(reason !== '' && process.env.CI === undefined)(
  'a real stack understands us, and the kernel what passes it',
  () => {
    test.each(PLANS)('$name', { retry: LIVE_RETRIES }, async (plan) => {
      const { recorded, told } = await record(plan)
      expect(told).toEqual(plan.told)
      expect(replayRouter(plan, recorded)).toEqual(recordedRouter(recorded))
      if (process.env.RECORD === '1') writeFileSync(caseFile(plan.name), `${JSON.stringify(recorded, null, 1)}\n`)
    })
  },
)
