import { expect, it } from 'vitest'
import { appended } from '../packet/octets.ts'
import { framed, unframed } from './stream.ts'

it('messages come off a stream whatever the pieces', () => {
  const messages = [Uint8Array.of(1, 2, 3), Uint8Array.of(4), new Uint8Array(300).fill(7)]
  const stream = messages.map(framed).reduce(appended)
  for (let size = 1; size < stream.length; size += 7) {
    const found: Uint8Array[] = []
    let rest: Uint8Array = new Uint8Array(0)
    for (let at = 0; at < stream.length; at += size) {
      const taken = unframed(appended(rest, stream.subarray(at, at + size)))
      found.push(...taken.messages)
      rest = taken.rest
    }
    expect(found.map((bytes) => [...bytes])).toEqual(messages.map((bytes) => [...bytes]))
    expect(rest).toHaveLength(0)
  }
})
