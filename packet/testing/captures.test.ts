import { describe, expect, test } from 'vitest'
import { emitFrame } from '../emit.ts'
import { lengthOfFrame } from '../length.ts'
import { parseFrame } from '../parse.ts'
import { must } from '../parsed.ts'
import { layersOf } from '../text.ts'
import { verifyChecksums } from '../verify-checksums.ts'
import { CAPTURES, octetsOf } from './captures.ts'

describe.each(CAPTURES)('$name, as the kernel sent it', ({ hex, layers }) => {
  const bytes = octetsOf(hex)
  const frame = must(parseFrame(bytes))

  test('says what tcpdump says', () => {
    expect(layersOf(frame)).toEqual(layers)
  })

  test('is emitted again octet by octet', () => {
    expect(Buffer.from(emitFrame(frame)).toString('hex')).toBe(hex)
    expect(lengthOfFrame(frame)).toBe(bytes.length)
  })

  test('has right checksums', () => {
    expect(verifyChecksums(bytes)).toEqual([])
  })

  test('is refused wherever it is cut off, or is the shorter frame it then is', () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = parseFrame(bytes.subarray(0, length))
      expect(cut.ok).toBe(false)
    }
  })
})

test('every kind of header was captured', () => {
  const words = CAPTURES.flatMap(({ layers }) => layers).map((line) => line.split(' ')[0])
  expect(new Set(words)).toEqual(
    new Set([
      'Ethernet',
      'ARP',
      'IPv4',
      'IPv6',
      'ICMP',
      'ICMPv6',
      'TCP',
      'UDP',
      'VXLAN',
      'about',
      'protocol',
      'ICMP,',
      'ICMPv6,',
    ]),
  )
})
