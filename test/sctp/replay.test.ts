import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { verifyChecksums } from '../../packet/verify-checksums.ts'
import { caseFile } from './case-file.ts'
import { recordedRouter, recordedSent, replayMachine, replayRouter } from './judge.ts'
import { PLANS, type Recorded } from './session.ts'

/** What was recorded of the real stack and the real kernel; see test/cases/sctp. */
describe.each(PLANS)('$name', (plan) => {
  const recorded: Recorded = JSON.parse(readFileSync(caseFile(plan.name), 'utf8'))

  test('our machine says the same to the real stack, octet for octet, and its program hears the same', () => {
    const { sent, told } = replayMachine(plan, recorded)
    expect(sent).toEqual(recordedSent(recorded))
    expect(told).toEqual(plan.told)
  })

  test('our router translates and tracks as the kernel does, checksums included', () => {
    expect(replayRouter(plan, recorded)).toEqual(recordedRouter(recorded))
  })

  test('every checksum is right', () => {
    const frames = recorded.router.map(({ frame }) => Buffer.from(frame, 'hex'))
    expect(frames.flatMap((frame) => verifyChecksums(frame))).toEqual([])
  })
})
