import { deflateRawSync } from 'node:zlib'
import { crc32 } from '../input/crc32.ts'

/** Archives made by hand, so that a test can make every variant and break it. */

const encoder = new TextEncoder()
const BLOCK = 512

const asBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? encoder.encode(content) : content

export interface TarEntry {
  readonly name: string
  readonly content: string | Uint8Array
  /** ustar's type flag; a plain file unless said. */
  readonly type?: string
  /** `v7` has no magic, `gnu` another one. */
  readonly format?: 'ustar' | 'v7' | 'gnu'
  /** Puts the first part of the name where ustar keeps it. */
  readonly prefix?: string
  /** Writes the size in base 256. */
  readonly binarySize?: boolean
}

export function tarEntry({
  name,
  content,
  type = '0',
  format = 'ustar',
  prefix = '',
  binarySize = false,
}: TarEntry): Uint8Array {
  const body = asBytes(content)
  const block = new Uint8Array(BLOCK + Math.ceil(body.length / BLOCK) * BLOCK)
  const put = (at: number, text: string) => block.set(encoder.encode(text), at)
  put(0, name.slice(0, 100))
  put(100, '0000644\0')
  put(108, '0000000\0')
  put(116, '0000000\0')
  if (binarySize) {
    block[124] = 0x80
    new DataView(block.buffer).setUint32(132, body.length)
  } else put(124, `${body.length.toString(8).padStart(11, '0')}\0`)
  put(136, '00000000000\0')
  put(148, '        ')
  put(156, type)
  if (format === 'ustar') put(257, 'ustar\x0000')
  if (format === 'gnu') put(257, 'ustar  \0')
  put(345, prefix)
  const sum = block.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  block.set(body, BLOCK)
  return block
}

/** A pax record: its length counts itself. */
export function paxRecord(key: string, value: string): string {
  const rest = encoder.encode(` ${key}=${value}\n`).length
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return `${length} ${key}=${value}\n`
}

export const tarOf = (entries: readonly TarEntry[]): Uint8Array =>
  joined([...entries.map(tarEntry), new Uint8Array(2 * BLOCK)])

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export interface ZipEntry {
  readonly name: string
  readonly content: string | Uint8Array
  readonly method?: number
  readonly flags?: number
  /** Writes the sizes and the offset into zip64 fields. */
  readonly zip64?: boolean
}

const words = (...values: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Uint8Array => {
  const bytes = new Uint8Array(values.reduce((size, [width]) => size + width, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [width, value] of values) {
    if (width === 2) view.setUint16(at, value, true)
    else if (width === 4) view.setUint32(at, value, true)
    else view.setBigUint64(at, BigInt(value), true)
    at += width
  }
  return bytes
}

const LARGE = 0xffffffff

export function zipOf(entries: readonly ZipEntry[], { zip64End = false, comment = '' } = {}): Uint8Array {
  const locals: Uint8Array[] = []
  const central: Uint8Array[] = []
  let offset = 0
  for (const { name, content, method = 8, flags = 0, zip64 = false } of entries) {
    const plain = asBytes(content)
    const packed = method === 8 ? new Uint8Array(deflateRawSync(plain)) : plain
    const title = encoder.encode(name)
    const crc = crc32(0, plain)
    const common = [
      [2, 20],
      [2, flags],
      [2, method],
      [2, 0],
      [2, 0],
      [4, crc],
    ] as const
    const local = joined([
      words([4, 0x04034b50], ...common, [4, packed.length], [4, plain.length], [2, title.length], [2, 0]),
      title,
      packed,
    ])
    const extra = zip64 ? words([2, 1], [2, 24], [8, plain.length], [8, packed.length], [8, offset]) : new Uint8Array()
    const [size, length, start] = zip64 ? [LARGE, LARGE, LARGE] : [packed.length, plain.length, offset]
    central.push(
      joined([
        words([4, 0x02014b50], [2, 20], ...common, [4, size], [4, length], [2, title.length], [2, extra.length]),
        words([2, 0], [2, 0], [2, 0], [4, 0], [4, start]),
        title,
        extra,
      ]),
    )
    locals.push(local)
    offset += local.length
  }
  const directory = joined(central)
  const count = entries.length
  const end64 = zip64End
    ? joined([
        words(
          [4, 0x06064b50],
          [8, 44],
          [2, 45],
          [2, 45],
          [4, 0],
          [4, 0],
          [8, count],
          [8, count],
          [8, directory.length],
          [8, offset],
        ),
        words([4, 0x07064b50], [4, 0], [8, offset + directory.length], [4, 1]),
      ])
    : new Uint8Array()
  const end = words(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, zip64End ? LARGE : offset],
    [2, comment.length],
  )
  return joined([...locals, directory, end64, end, encoder.encode(comment)])
}
