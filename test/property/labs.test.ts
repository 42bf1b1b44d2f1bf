import { describe, expect, test } from 'vitest'
import type { Conversation } from '../../engine/conversation.ts'
import { checkTrace } from '../../engine/trace.ts'
import { emitFrame, emitIp } from '../../packet/emit.ts'
import { verifyChecksums, verifyIpChecksums } from '../../packet/verify-checksums.ts'
import { captureOf, capturePoints } from '../../render/capture.ts'
import { renderConversationJson } from '../../render/conversation-json.ts'
import { renderConversation } from '../../render/conversation-text.ts'
import { renderPcapng } from '../../render/pcapng.ts'
import { LAB_NAMES, labWalks } from '../labs.ts'

/** What holds for every question of every lab. */

const bytesOf = (answer: Conversation): readonly string[] => [
  renderConversation(answer, { detail: 'rules' }),
  renderConversationJson(answer, 'headers'),
  Buffer.from(renderPcapng(captureOf(answer, { at: capturePoints(answer), names: [] }))).toString('base64'),
]

describe.each(LAB_NAMES)('%s', (lab) => {
  const answers = [...labWalks(lab)]

  test('the same question and seed give the same bytes', () => {
    const again = [...labWalks(lab)]
    for (const [i, { answer, probe }] of answers.entries()) {
      const second = again[i]?.answer
      expect(second, probe.name).toBeDefined()
      if (second !== undefined) expect(bytesOf(second), probe.name).toEqual(bytesOf(answer))
    }
  })

  test('every trace reads as a way', () => {
    for (const { answer } of answers) for (const trace of answer.packets) expect(checkTrace(trace)).toEqual([])
  })

  test('every frame on every link has right checksums', () => {
    let frames = 0
    for (const { answer } of answers)
      for (const step of answer.steps) {
        if (step.kind !== 'link.rx' && step.kind !== 'link.tx') continue
        frames++
        const wrong =
          'kind' in step.frame ? verifyIpChecksums(emitIp(step.frame)) : verifyChecksums(emitFrame(step.frame))
        expect(wrong).toEqual([])
      }
    expect(frames).toBeGreaterThan(500)
  })

  test('no walk goes round', () => {
    for (const { answer, probe } of answers) expect(answer.disposition.kind, probe.name).not.toBe('loop')
  })

  test('the client only ever hears from whom it called', () => {
    for (const { answer } of answers) {
      const dial = answer.steps.findLast((step) => step.kind === 'client.dial')
      const { outcome } = answer
      if (dial?.kind === 'client.dial' && (outcome.kind === 'connected' || outcome.kind === 'answered'))
        expect(outcome.peer).toEqual(dial.to)
    }
  })
})
