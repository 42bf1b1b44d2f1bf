import type { MemberSink } from './archive.ts'
import { type ByteSource, bytesAt, rangeSource, sizeOf } from './byte-source.ts'
import { unpackedSource } from './unpacked-source.ts'

const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END = 0x06054b50
const END_SIZE = 22
const ZIP64_LOCATOR = 0x07064b50
const ZIP64_LOCATOR_SIZE = 20
const ZIP64_END = 0x06064b50
const ZIP64_EXTRA = 1
const MOST_COMMENT = 0xffff
/** Stands where the number is in the zip64 fields. */
const IN_ZIP64 = 0xffffffff

const STORED = 0
const DEFLATED = 8
const ENCRYPTED = 1

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && ((bytes[2] === 3 && bytes[3] === 4) || (bytes[2] === 5 && bytes[3] === 6))

/** Reads a zip archive by the directory at its end (PKWARE APPNOTE 6.3.10): stored and deflated members, zip64. */
export function readZip(source: ByteSource, sink: MemberSink): void {
  const directory = directoryOf(source)
  if (directory === undefined) return sink.damaged('its directory at the end is missing: it is cut off')
  let at = directory.start
  const decoder = new TextDecoder()
  for (let i = 0; i < directory.entries; i++) {
    const header = viewAt(source, at, 46)
    if (header === undefined || header.getUint32(0, true) !== CENTRAL_HEADER)
      return sink.damaged(`entry ${i + 1} of its directory is damaged`)
    const nameSize = header.getUint16(28, true)
    const extraSize = header.getUint16(30, true)
    const name = decoder.decode(bytesAt(source, at + 46, nameSize))
    const entry = entryOf(header, bytesAt(source, at + 46 + nameSize, extraSize))
    at += 46 + nameSize + extraSize + header.getUint16(32, true)
    if (name.endsWith('/')) continue
    const reason = unreadable(entry)
    if (reason !== undefined) sink.skipped(name, reason)
    else {
      const found = memberOf(source, entry)
      if (found === undefined) sink.damaged(`the header of ${name} is damaged`)
      else sink.member({ name, source: found })
    }
  }
}

interface Entry {
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly size: number
  readonly local: number
}

function unreadable({ flags, method }: Entry): string | undefined {
  if (flags & ENCRYPTED) return 'it is encrypted'
  if (method !== STORED && method !== DEFLATED)
    return `it is packed by method ${method}; only stored and deflated are read`
  return undefined
}

function viewAt(source: ByteSource, offset: number, size: number): DataView | undefined {
  if (!Number.isSafeInteger(offset) || offset < 0) return undefined
  const bytes = bytesAt(source, offset, size)
  return bytes.length < size ? undefined : new DataView(bytes.buffer, bytes.byteOffset, size)
}

const number64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true))

function directoryOf(source: ByteSource): { start: number; entries: number } | undefined {
  const size = sizeOf(source)
  const tailStart = Math.max(0, size - END_SIZE - MOST_COMMENT)
  const tail = bytesAt(source, tailStart, size - tailStart)
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length)
  for (let at = tail.length - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== END) continue
    const found = { start: view.getUint32(at + 16, true), entries: view.getUint16(at + 10, true) }
    const locator = viewAt(source, tailStart + at - ZIP64_LOCATOR_SIZE, ZIP64_LOCATOR_SIZE)
    if (locator?.getUint32(0, true) !== ZIP64_LOCATOR) return found
    const end = viewAt(source, number64(locator, 8), 56)
    if (end?.getUint32(0, true) !== ZIP64_END) return undefined
    return { start: number64(end, 48), entries: number64(end, 32) }
  }
  return undefined
}

function entryOf(header: DataView, extra: Uint8Array): Entry {
  let size = header.getUint32(24, true)
  let packed = header.getUint32(20, true)
  let local = header.getUint32(42, true)
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length)
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== ZIP64_EXTRA) continue
    // Only the fields that did not fit stand here, in this order.
    let field = at + 4
    const next = (known: number): number => {
      if (known !== IN_ZIP64 || field + 8 > extra.length) return known
      field += 8
      return number64(view, field - 8)
    }
    size = next(size)
    packed = next(packed)
    local = next(local)
    break
  }
  const flags = header.getUint16(8, true)
  return { flags, method: header.getUint16(10, true), crc: header.getUint32(16, true), packed, size, local }
}

function memberOf(source: ByteSource, { local, method, packed, size, crc }: Entry): ByteSource | undefined {
  const header = viewAt(source, local, 30)
  if (header?.getUint32(0, true) !== LOCAL_HEADER) return undefined
  const start = local + 30 + header.getUint16(26, true) + header.getUint16(28, true)
  if (method === STORED) return rangeSource(source, { start, size: packed })
  const end = { expected: { crc, size: size % 2 ** 32 }, next: undefined }
  return unpackedSource(source, { start, after: () => end })
}
