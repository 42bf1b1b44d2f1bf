import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { load } from '../load.ts'
import { loadText } from '../testing/load-text.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const utf16 = (text: string, mark: readonly number[], high: number) =>
  Uint8Array.from([...mark, ...[...text].flatMap((c) => (high === 1 ? [c.charCodeAt(0), 0] : [0, c.charCodeAt(0)]))])
void loadText
void load
void gzipSync
void utf16
void bytes
describe('x', () => {
  it('y', () => expect(1).toBe(1))
})
