import type { Diagnostic } from '../source.ts'
import type { MemberSink } from './archive.ts'
import { type ByteSource, bytesAt, memorySource, wholeSource } from './byte-source.ts'
import { isRefusal } from './collector-errors.ts'
import { beginsWith, hasLine } from './first-bytes.ts'
import { gunzipped, isGzip } from './gzip.ts'
import type { Packing } from './inventory.ts'
import type { InputFile, TextFile } from './item.ts'
import { unreadPath } from './layouts.ts'
import { kindOfPath } from './resources.ts'
import { isTar, readTar } from './tar.ts'
import { isZip, readZip } from './zip.ts'

/** A text of the input, and how it was found. */
export interface OpenedText extends TextFile {
  readonly packing: readonly Packing[]
  /** The directory or archive it was found in; absent for a file that was named. */
  readonly below: string | undefined
  readonly head: Uint8Array
}

export interface OpenSink {
  /** Reads the text; what is wrong with its packing is known, and told, afterwards. */
  readonly text: (file: OpenedText) => void
  readonly diagnose: (diagnostic: Diagnostic) => void
  readonly skip: (file: string, why: { readonly code: string; readonly reason: string }) => void
}

interface Wrapped {
  readonly name: string
  readonly source: ByteSource
  readonly packing: readonly Packing[]
  readonly below: string | undefined
}

const SNIFFED = 4096
/** An archive in an archive in an archive is a must-gather of must-gathers; more is a trick. */
const MOST_PACKINGS = 8
/** The longest UTF-16 text that is turned into UTF-8. */
const MOST_WIDE = 1 << 27

/** Opens a file whatever it is packed in, told by its first bytes and never by its name. */
export function openFile(file: InputFile, sink: OpenSink): void {
  const source = 'source' in file ? file.source : memorySource(file.bytes)
  const below = 'source' in file ? file.below : undefined
  if (below !== undefined) {
    const why = unreadPath(file.name.startsWith(below) ? file.name.slice(below.length) : file.name)
    if (why !== undefined) return sink.skip(file.name, why)
  }
  open({ name: file.name, source, packing: [], below }, sink)
}

function open(file: Wrapped, sink: OpenSink): void {
  const head = bytesAt(file.source, 0, SNIFFED)
  if (file.packing.length > MOST_PACKINGS)
    return sink.diagnose(damaged(file, 'archive', `is packed more than ${MOST_PACKINGS} times over`))
  if (isGzip(head)) openGzip(file, sink)
  else if (isTar(head.subarray(0, 512))) openArchive(file, 'tar', sink)
  else if (isZip(head)) openArchive(file, 'zip', sink)
  else openText(file, head, sink)
}

function openGzip(file: Wrapped, sink: OpenSink): void {
  const source = gunzipped(file.source)
  if (source === undefined) return sink.diagnose(damaged(file, 'gzip', 'is cut off'))
  open({ ...file, source, packing: [...file.packing, 'gzip'] }, sink)
  const fault = source.fault()
  if (fault !== undefined) sink.diagnose(damaged(file, 'gzip', `is damaged: ${fault}`))
}

function openArchive(file: Wrapped, packing: 'tar' | 'zip', sink: OpenSink): void {
  const members: MemberSink = {
    member({ name, source }) {
      const why = unreadPath(name)
      const path = `${file.name}!${name}`
      if (why !== undefined) return sink.skip(path, why)
      open({ name: path, source, packing: [...file.packing, packing], below: file.name }, sink)
      const fault = source.fault()
      if (fault !== undefined) sink.diagnose(damaged({ name: path }, 'member', `is damaged: ${fault}`))
    },
    damaged: (reason) => sink.diagnose(damaged(file, packing, `is damaged: ${reason}`)),
    skipped: (name, reason) => sink.skip(`${file.name}!${name}`, { code: 'member-unreadable', reason }),
  }
  if (packing === 'tar') readTar(file.source, members)
  else readZip(file.source, members)
}

const TITLE = {
  gzip: 'the gzip file',
  tar: 'the tar archive',
  zip: 'the zip archive',
  member: 'the file',
  archive: 'the file',
}

function damaged({ name }: { readonly name: string }, what: keyof typeof TITLE, how: string): Diagnostic {
  return {
    severity: 'error',
    code: `${what}-damaged`,
    message: `${TITLE[what]} ${how}`,
    at: { file: name, line: 1 },
    suggestion: 'collect the file again; what could be unpacked is used',
  }
}

function openText(file: Wrapped, head: Uint8Array, sink: OpenSink): void {
  const source = utf8(file, head, sink)
  if (source === undefined) return
  const text = source === file.source ? head : bytesAt(source, 0, SNIFFED)
  const problem = unreadableText(file, text)
  if (problem === undefined) {
    const holds = kindOfPath(file.name)
    sink.text({ ...file, source, head: text, ...(holds === undefined ? {} : { holds }) })
  } else if (file.below === undefined) sink.diagnose(problem)
  else sink.skip(file.name, { code: problem.code, reason: problem.message })
}

/** Drops a byte order mark; turns UTF-16 (what PowerShell writes with `>`) into UTF-8. */
function utf8({ name, source }: Wrapped, head: Uint8Array, sink: OpenSink): ByteSource | undefined {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf)
    return { read: (offset, into) => source.read(offset + 3, into), fault: source.fault }
  const wide =
    head[0] === 0xff && head[1] === 0xfe ? 'utf-16le' : head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : ''
  if (wide === '') return source
  const bytes = wholeSource(source, MOST_WIDE)
  if (bytes !== undefined) return memorySource(new TextEncoder().encode(new TextDecoder(wide).decode(bytes)))
  sink.diagnose({
    severity: 'error',
    code: 'file-too-wide',
    message: `a UTF-16 text of more than ${MOST_WIDE >> 20} MB`,
    at: { file: name, line: 1 },
    suggestion: 'write it as UTF-8: in PowerShell, `... | Out-File -Encoding utf8 FILE`',
  })
  return undefined
}

/** Extensions that say "objects"; a file of a directory that has another must look like one. */
const OBJECT_FILE = /\.(json|ya?ml|kyaml|ndjson|jsonl)(\.gz)?$/i
const OBJECT_KEYS = ['apiVersion:', 'kind:', 'items:']

const looksLikeObjects = (name: string, head: Uint8Array): boolean =>
  OBJECT_FILE.test(name) ||
  ['{', '['].some((bracket) => beginsWith(head, bracket)) ||
  OBJECT_KEYS.some((key) => hasLine(head, key)) ||
  isRefusal(head)

function unreadableText({ name, below }: Wrapped, head: Uint8Array): Diagnostic | undefined {
  const at = { file: name, line: 1 }
  if (head.some(isControl)) {
    const message = `a binary file, neither YAML nor JSON`
    const suggestion = 'give what `kubectl get ... -o yaml` or `-o json` prints'
    return { severity: 'error', code: 'file-binary', message, at, suggestion }
  }
  if (!head.some((byte) => byte > 0x20))
    return { severity: 'warning', code: 'file-empty', message: `the file is empty`, at }
  if (below !== undefined && !looksLikeObjects(name, head))
    return { severity: 'note', code: 'no-object-file', message: `a text that is neither YAML nor JSON`, at }
  return undefined
}

/** Bytes that no text has: control characters but tab, line feed, form feed, carriage return and record separator. */
const isControl = (byte: number): boolean =>
  byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 0x1e
