import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySource } from './byte-source.ts'
import { lineAt, openWindow, readOn } from './byte-window.ts'

const MEGABYTE = 1 << 20
const source = (bytes: number) => memorySource(Uint8Array.from({ length: bytes }, (_, i) => (i % 10 === 9 ? 10 : 97)))

describe('the buffer of a window', () => {
  /** Sizes of the buffer while all is given up each time that it is read on. */
  function sizes(bytes: number, first: number): number[] {
    const window = openWindow(source(bytes), first)
    const found = [window.buffer.length]
    while (readOn(window, window.bytes.length)) found.push(window.buffer.length)
    return found
  }

  it('doubles up to the usual size, and stays there where nothing is kept', () =>
    expect(sizes(5 * MEGABYTE, MEGABYTE / 4).map((size) => size / MEGABYTE)).toEqual([0.25, 0.5, 1, 1, 1, 1, 1]))

  it('doubles further where more than half of it is kept, and not for half', () => {
    const window = openWindow(source(5 * MEGABYTE), MEGABYTE)
    expect(readOn(window, MEGABYTE / 2)).toBe(true)
    expect([window.buffer.length, window.bytes.length, window.offset]).toEqual([MEGABYTE, MEGABYTE, MEGABYTE / 2])
    expect(readOn(window, MEGABYTE / 2 - 1)).toBe(true)
    expect([window.buffer.length, window.bytes.length]).toEqual([2 * MEGABYTE, 2 * MEGABYTE])
  })

  it('holds the bytes and knows the lines, however it moved', () => {
    const all = source(3 * MEGABYTE)
    const window = openWindow(all, MEGABYTE / 4)
    let at = 0
    while (readOn(window, window.bytes.length >> 1)) at++
    expect(at).toBeGreaterThan(2)
    const whole = new Uint8Array(3 * MEGABYTE)
    all.read(0, whole)
    expect(Buffer.compare(window.bytes, whole.subarray(window.offset))).toBe(0)
    expect(lineAt(window, 0)).toBe(1 + whole.subarray(0, window.offset).filter((byte) => byte === 10).length)
    expect(window.ended).toBe(true)
    expect(readOn(window, 0)).toBe(false)
  })
})

it('counts line feeds among any bytes, from any place to any other', () =>
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 9, 10, 11, 0x0a ^ 0x80, 0x7f, 0x80, 0xff), { maxLength: 60 }),
      fc.array(fc.nat(60), { maxLength: 6 }),
      (bytes, places) => {
        const window = openWindow(memorySource(Uint8Array.from(bytes)), 64)
        for (const at of places.map((place) => Math.min(place, bytes.length)).sort((x, y) => x - y))
          expect(lineAt(window, at)).toBe(1 + bytes.slice(0, at).filter((byte) => byte === 10).length)
      },
    ),
    { numRuns: 400 },
  ))
