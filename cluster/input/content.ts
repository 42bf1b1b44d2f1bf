import type { Diagnostic } from '../source.ts'
import type { ItemSink, SourceFile } from './item.ts'
import { readJsonItems } from './json-items.ts'
import { readYamlItems } from './yaml-items.ts'

/** What a file is, told by its first bytes and never by its name. */
export type Content = 'empty' | 'gzip' | 'tar' | 'zip' | 'binary' | 'json' | 'yaml'

const GZIP_MAGIC = [0x1f, 0x8b]
const ZIP_MAGIC = [0x50, 0x4b, 0x03, 0x04]
/** "ustar" at offset 257 (POSIX tar header). */
const TAR_MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72]
const TAR_MAGIC_OFFSET = 257
const SNIFFED = 4096

const startsWith = (bytes: Uint8Array, magic: readonly number[], at = 0): boolean =>
  magic.every((byte, i) => bytes[at + i] === byte)

export const isGzip = (bytes: Uint8Array): boolean => startsWith(bytes, GZIP_MAGIC)

export function sniff(bytes: Uint8Array): Content {
  if (isGzip(bytes)) return 'gzip'
  if (startsWith(bytes, ZIP_MAGIC)) return 'zip'
  if (startsWith(bytes, TAR_MAGIC, TAR_MAGIC_OFFSET)) return 'tar'
  const head = bytes.subarray(0, SNIFFED)
  if (
    head.some(
      (byte) => byte === 0 || (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 0x1e),
    )
  )
    return 'binary'
  const ink = bytes.findIndex((byte) => byte > 0x20)
  if (ink < 0) return 'empty'
  // `{` with a quote behind it is JSON; kubectl's KYAML writes its keys without quotes.
  const first = String.fromCharCode(bytes[ink] ?? 0)
  if (first === '[') return 'json'
  if (first !== '{') return 'yaml'
  const rest = bytes.subarray(ink + 1)
  const next = rest.find((byte) => byte > 0x20)
  return next === undefined || next === 0x22 || next === 0x7d ? 'json' : 'yaml'
}

export interface Unpacking {
  /** Unpacks gzip; absent where the caller cannot (then a gzip file is a diagnostic). Throws on a damaged file. */
  readonly gunzip?: (bytes: Uint8Array) => Uint8Array
}

/** The plain text bytes of an input: unpacked, in UTF-8, without byte order mark. Undefined where that fails. */
export function unpack(
  file: SourceFile,
  unpacking: Unpacking,
  diagnose: (diagnostic: Diagnostic) => void,
): SourceFile | undefined {
  let bytes = file.bytes
  if (isGzip(bytes)) {
    const unpacked = gunzipped(file, unpacking, diagnose)
    if (unpacked === undefined) return undefined
    bytes = unpacked
  }
  return { name: file.name, bytes: plainUtf8(bytes) }
}

function gunzipped(
  file: SourceFile,
  { gunzip }: Unpacking,
  diagnose: (diagnostic: Diagnostic) => void,
): Uint8Array | undefined {
  const at = { file: file.name, line: 1 }
  if (gunzip === undefined) {
    const message = `a gzip file cannot be unpacked here`
    diagnose({ severity: 'error', code: 'gzip-unsupported', message, at, suggestion: 'unpack it first' })
    return undefined
  }
  try {
    return gunzip(file.bytes)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const message = `the gzip file is damaged: ${reason}`
    diagnose({ severity: 'error', code: 'gzip-damaged', message, at, suggestion: 'collect the file again' })
    return undefined
  }
}

/** Drops a byte order mark; turns UTF-16 (what PowerShell writes with `>`) into UTF-8. */
function plainUtf8(bytes: Uint8Array): Uint8Array {
  if (startsWith(bytes, [0xef, 0xbb, 0xbf])) return bytes.subarray(3)
  const wide = startsWith(bytes, [0xff, 0xfe]) ? 'utf-16le' : startsWith(bytes, [0xfe, 0xff]) ? 'utf-16be' : undefined
  if (wide === undefined) return bytes
  return new TextEncoder().encode(new TextDecoder(wide).decode(bytes))
}

/** Reads all objects of a file that `unpack` gave. */
export function readItems(file: SourceFile, sink: ItemSink): void {
  const content = sniff(file.bytes)
  if (content === 'json') readJsonItems(file, sink)
  else if (content === 'yaml') readYamlItems(file, sink)
  else sink.diagnose(unreadable(file, content))
}

function unreadable({ name }: SourceFile, content: Exclude<Content, 'json' | 'yaml'>): Diagnostic {
  const at = { file: name, line: 1 }
  switch (content) {
    case 'empty':
      return { severity: 'warning', code: 'file-empty', message: `the file is empty`, at }
    case 'tar':
    case 'zip': {
      const message = `archives are not read yet`
      return {
        severity: 'error',
        code: 'archive-unsupported',
        message,
        at,
        suggestion: 'unpack it and give the directory',
      }
    }
    default: {
      const message = `a binary file, neither YAML nor JSON`
      const suggestion = 'give what `kubectl get ... -o yaml` or `-o json` prints'
      return { severity: 'error', code: 'file-binary', message, at, suggestion }
    }
  }
}
