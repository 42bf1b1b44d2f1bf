import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emitFrame, emitIp } from './emit.ts'
import { lengthOfFrame, lengthOfIp } from './length.ts'
import { parseFrame, parseIpPacket } from './parse.ts'
import { parsed } from './parsed.ts'
import { arbitraryFrame, arbitraryPacket } from './testing/arbitrary.ts'

describe('emit and parse are inverse', () => {
  test('parse(emit(frame)) is the frame', () => {
    fc.assert(
      fc.property(arbitraryFrame(), (frame) => {
        expect(parseFrame(emitFrame(frame))).toEqual(parsed(frame))
      }),
      { numRuns: 1000 },
    )
  })

  test('parse(emit(packet)) is the packet', () => {
    fc.assert(
      fc.property(arbitraryPacket(), (packet) => {
        expect(parseIpPacket(emitIp(packet))).toEqual(parsed(packet))
      }),
      { numRuns: 1000 },
    )
  })

  test('lengthOf tells what emit gives', () => {
    fc.assert(
      fc.property(arbitraryFrame(2), (frame) => {
        expect(lengthOfFrame(frame)).toBe(emitFrame(frame).length)
        if (frame.payload.kind === 'ip') expect(lengthOfIp(frame.payload)).toBe(emitIp(frame.payload).length)
      }),
    )
  })
})
