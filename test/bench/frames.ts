import { emitFrame } from '../../packet/emit.ts'
import { lengthOfFrame } from '../../packet/length.ts'
import { parseFrame } from '../../packet/parse.ts'
import { must } from '../../packet/parsed.ts'
import { captured } from '../../packet/testing/captures.ts'

export interface FramesBench {
  readonly frame: string
  readonly octets: number
  readonly emitNs: number
  readonly parseNs: number
  readonly lengthNs: number
}

const FRAMES = ['TCP data', 'TCP SYN ACK over IPv6', 'VXLAN carrying an echo request'] as const

/** Nanoseconds to emit, to parse and to measure frames as they cross a link. */
export function benchFrames(times = 200_000): readonly FramesBench[] {
  return FRAMES.map((name) => {
    const bytes = captured(name)
    const frame = must(parseFrame(bytes))
    return {
      frame: name,
      octets: bytes.length,
      emitNs: nanoseconds(times, () => emitFrame(frame)),
      parseNs: nanoseconds(times, () => parseFrame(bytes)),
      lengthNs: nanoseconds(times, () => lengthOfFrame(frame)),
    }
  })
}

/** The mean of one call, after as many calls to warm up. */
function nanoseconds(times: number, call: () => unknown): number {
  for (let i = 0; i < times; i++) call()
  const start = performance.now()
  for (let i = 0; i < times; i++) call()
  return Math.round(((performance.now() - start) * 1e6) / times)
}
