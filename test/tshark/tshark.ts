import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Wireshark's dissectors as a judge of our capture files. */

export type Row = Readonly<Record<string, readonly string[]>>

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
  execFileSync('tshark', args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })

/** `TShark (Wireshark) 4.0.17`, or undefined where it is not installed. */
export function tsharkVersion(): string | undefined {
  try {
    return run(['--version']).split('\n')[0]
  } catch {
    return undefined
  }
}

const CHECK_EVERYTHING = [
  ...['-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'],
  ...['-o', 'sctp.checksum:CRC 32c', '-o', 'tcp.relative_sequence_numbers:FALSE'],
  ...['-d', 'udp.port==8472,vxlan'],
]

/** The headers that packet/ knows. Switching all others off leaves random payloads unread. */
const OUR_PROTOCOLS = new Set(
  'frame eth raw ethertype arp ip ipv6 ipv6.fraghdr ipv6.hopopts icmp icmpv6 tcp udp sctp vxlan data _ws.malformed _ws.expert'.split(
    ' ',
  ),
)

export interface DissectOptions {
  /** `headers`: nothing above the headers that packet/ knows. */
  readonly depth: 'headers' | 'everything'
  /** Whether fragments are put together, and the whole looked at with the last. */
  readonly fragments: 'alone' | 'joined'
  /** Addresses as they are, unless said. */
  readonly names?: 'from the file'
}

/** For each packet of the file every value of every field, in the order of the headers, outermost first. */
export function dissect(file: Uint8Array, fields: readonly string[], options: DissectOptions): readonly Row[] {
  const folder = mkdtempSync(join(tmpdir(), 'podwalk-tshark-'))
  try {
    const path = join(folder, 'frames.pcapng')
    writeFileSync(path, file)
    const text = run(
      [
        ...(options.names === 'from the file' ? ['-N', 'n'] : ['-n']),
        ...['-r', path, ...CHECK_EVERYTHING],
        ...['ip', 'ipv6'].flatMap((name) => ['-o', `${name}.defragment:${options.fragments === 'joined'}`]),
        ...['-T', 'fields', '-E', 'separator=\x1f', '-E', 'occurrence=a', '-E', 'aggregator=\x1e'],
        ...fields.flatMap((field) => ['-e', field]),
      ],
      options.depth === 'headers' ? { XDG_CONFIG_HOME: onlyOurProtocols(folder) } : {},
    )
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => rowOf(line, fields))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function rowOf(line: string, fields: readonly string[]): Row {
  const cells = line.split('\x1f')
  return Object.fromEntries(
    fields.map((field, i) => {
      const cell = cells[i] ?? ''
      return [field, cell === '' ? [] : cell.split('\x1e')]
    }),
  )
}

let protocols: readonly string[] | undefined

/** A configuration folder that switches off every protocol but ours. */
function onlyOurProtocols(folder: string): string {
  protocols ??= run(['-G', 'protocols'])
    .split('\n')
    .map((line) => line.split('\t')[2] ?? '')
  const others = protocols.filter((name) => name !== '' && !OUR_PROTOCOLS.has(name))
  mkdirSync(join(folder, 'wireshark'))
  writeFileSync(join(folder, 'wireshark', 'disabled_protos'), others.map((name) => `${name}\n`).join(''))
  return folder
}

const CHECKED = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp'] as const
const statusOf = (protocol: string): string => `${protocol}.checksum.status`
const BAD = '0'
const GOOD = '1'

/** What Wireshark finds malformed, and each checksum it finds wrong: `3: udp.checksum.status is bad`. */
export function complaintsOf(file: Uint8Array, options: DissectOptions): readonly string[] {
  const statuses = CHECKED.map(statusOf)
  const rows = dissect(file, ['_ws.malformed', ...statuses], options)
  return rows.flatMap((row, i) => [
    ...(row['_ws.malformed']?.length ? [`${i + 1}: malformed`] : []),
    ...statuses.filter((field) => row[field]?.includes(BAD)).map((field) => `${i + 1}: ${field} is bad`),
  ])
}

/** How many checksums Wireshark found right: a judge that looked at nothing has no complaints either. */
export function rightChecksums(file: Uint8Array, options: DissectOptions): Record<(typeof CHECKED)[number], number> {
  const rows = dissect(file, CHECKED.map(statusOf), options)
  const count = (field: string) => rows.flatMap((row) => row[field] ?? []).filter((status) => status === GOOD).length
  return Object.fromEntries(CHECKED.map((protocol) => [protocol, count(statusOf(protocol))])) as never
}
