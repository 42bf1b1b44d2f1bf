import type { MemberSink } from './archive.ts'
import { type ByteSource, bytesAt, rangeSource } from './byte-source.ts'

const BLOCK = 512
const CHECKSUM_AT = 148
const CHECKSUM_SIZE = 8
/** A long name or a pax header; more is no name. */
const MOST_META = 1 << 20

const decoder = new TextDecoder()

function field(block: Uint8Array, start: number, size: number): string {
  const bytes = block.subarray(start, start + size)
  const end = bytes.indexOf(0)
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Octal text, or GNU's base 256 for numbers that are too large for it (first bit set). */
function numberIn(block: Uint8Array, start: number, size: number): number {
  const first = block[start] ?? 0
  if (first & 0x80) {
    let value = first & 0x7f
    for (let i = start + 1; i < start + size; i++) value = value * 256 + (block[i] ?? 0)
    return value
  }
  const text = field(block, start, size).trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : text === '' ? 0 : Number.NaN
}

/** True where the first 512 bytes are a header of tar: their sum stands in it (POSIX pax, ustar; also what is older). */
export function isTar(block: Uint8Array): boolean {
  if (block.length < BLOCK || block[0] === 0) return false
  const stored = numberIn(block, CHECKSUM_AT, CHECKSUM_SIZE)
  let sum = CHECKSUM_SIZE * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < CHECKSUM_AT || i >= CHECKSUM_AT + CHECKSUM_SIZE) sum += block[i] ?? 0
  return sum === stored
}

/** What the headers before a file's own say of it. */
interface Said {
  path?: string
  size?: number
}

/** Reads ustar, pax (POSIX.1-2001) and GNU archives. */
export function readTar(source: ByteSource, sink: MemberSink): void {
  let at = 0
  let said: Said = {}
  for (;;) {
    const block = bytesAt(source, at, BLOCK)
    if (block.length < BLOCK) return block.length === 0 && at > 0 ? undefined : sink.damaged('it is cut off')
    if (block.every((byte) => byte === 0)) return
    const size = said.size ?? numberIn(block, 124, 12)
    if (!isTar(block) || !Number.isSafeInteger(size) || size < 0)
      return sink.damaged(`there is no header where the next file should begin (offset ${at})`)
    const type = String.fromCharCode(block[156] ?? 0)
    const start = at + BLOCK
    at = start + Math.ceil(size / BLOCK) * BLOCK
    if (type === 'x' || type === 'L') {
      const meta = bytesAt(source, start, Math.min(size, MOST_META))
      said = type === 'x' ? { ...said, ...paxOf(meta) } : { ...said, path: field(meta, 0, meta.length) }
      continue
    }
    // A pax header of the whole archive, and the target of a long link: neither names a file.
    if (type === 'g' || type === 'K') continue
    const name = said.path ?? nameOf(block)
    said = {}
    if (type === '0' || type === '\0' || type === '7')
      sink.member({ name, source: rangeSource(source, { start, size }) })
    else if (type === '1' || type === '2') sink.skipped(name, 'a link')
    else if (type === 'S') sink.skipped(name, 'a sparse file')
  }
}

function nameOf(block: Uint8Array): string {
  const name = field(block, 0, 100)
  const prefix = field(block, 257, 6) === 'ustar' ? field(block, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Records of `LENGTH KEY=VALUE\n`, the length being that of the whole record in bytes. */
function paxOf(bytes: Uint8Array): Said {
  const said: Said = {}
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at)
    const length = space < 0 ? Number.NaN : Number(decoder.decode(bytes.subarray(at, space)))
    if (!(length > 0)) break
    const record = decoder.decode(bytes.subarray(space + 1, at + length - 1))
    const equals = record.indexOf('=')
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)]
    if (key === 'path') said.path = value
    if (key === 'size' && /^\d+$/.test(value)) said.size = Number(value)
    at += length
  }
  return said
}
