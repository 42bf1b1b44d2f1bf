/** An entry of the conntrack table without what differs from run to run; `text` is all that is compared but time. */
export interface ListedEntry {
  readonly text: string
  /** The text without what tells flows of the same kind apart (`keys`). */
  readonly shape: string
  /** Ports, or ICMP identifiers and types: original source and destination, then those of the reply. */
  readonly keys: readonly number[]
  /** Seconds it has left. */
  readonly timeout: number
}

export interface EntryParts {
  readonly original: TupleParts
  readonly reply: TupleParts
  /** Bits of enum ip_conntrack_status. */
  readonly status: number
  readonly mark: number
  readonly timeout: number
  readonly tcpState?: number | undefined
}

/** `src` and `dst` carry what the protocol tells flows apart by: ports, or the ICMP id and type. */
export interface TupleParts {
  readonly protocol: number
  readonly src: string
  readonly dst: string
  readonly srcKey: number
  readonly dstKey: number
}

const STATUS_BITS: readonly (readonly [number, string])[] = [
  [1, 'expected'],
  [2, 'seen-reply'],
  [4, 'assured'],
  [8, 'confirmed'],
  [16, 'src-nat'],
  [32, 'dst-nat'],
  [64, 'seq-adjust'],
  [128, 'src-nat-done'],
  [256, 'dst-nat-done'],
  [512, 'dying'],
  [1024, 'fixed-timeout'],
  [2048, 'template'],
  [4096, 'nat-clash'],
  [8192, 'helper'],
  [16384, 'offload'],
]

/** enum tcp_conntrack. */
export const TCP_STATES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const

export function listedEntry(entry: EntryParts): ListedEntry {
  const status = STATUS_BITS.filter(([bit]) => (entry.status & bit) !== 0).map(([, name]) => name)
  const state = entry.tcpState === undefined ? [] : [TCP_STATES[entry.tcpState] ?? `state ${entry.tcpState}`]
  const { original, reply } = entry
  const line = (keys: readonly (string | number)[]) =>
    [
      `protocol ${original.protocol}`,
      ...state,
      `${original.src} ${keys[0]} > ${original.dst} ${keys[1]}`,
      'answered by',
      `${reply.src} ${keys[2]} > ${reply.dst} ${keys[3]}`,
      `[${status.join(' ')}]`,
      `mark ${entry.mark}`,
    ].join(' ')
  const keys = [original.srcKey, original.dstKey, reply.srcKey, reply.dstKey]
  return { text: line(keys), shape: line(['*', '*', '*', '*']), keys, timeout: entry.timeout }
}

export const byText = (x: ListedEntry, y: ListedEntry): number => (x.text < y.text ? -1 : x.text > y.text ? 1 : 0)
