import { typeCode } from '../../record.ts'
import { type MuslVersion, SINCE } from './version.ts'

/** A query as its octets; what is asked may be no name at all. */
export interface RawQuery {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
}

const HEADER = 12
const MAX_NAME = 253
const MAX_LABEL = 63
const RECURSION_DESIRED = 1
const AUTHENTIC_DATA = 32

/**
 * __res_mkquery (src/network/res_mkquery.c): undefined where it refuses. Before 1.2.4 a name that ends in two dots
 * becomes a question whose second dot is read as the length of a label.
 */
export function muslQuery(
  { id, name, type }: Omit<RawQuery, 'bytes'>,
  version: MuslVersion,
  flags: { readonly authenticData: boolean } = { authenticData: false },
): RawQuery | undefined {
  const given = new TextEncoder().encode(name)
  const octets = name.endsWith('.') ? given.subarray(0, -1) : given
  if (octets.length > MAX_NAME) return undefined
  if (version >= SINCE.tcp && octets.at(-1) === DOT) return undefined
  const bytes = new Uint8Array(HEADER + 5 + octets.length + (octets.length > 0 ? 1 : 0))
  bytes[0] = id >> 8
  bytes[1] = id & 0xff
  bytes[2] = RECURSION_DESIRED
  bytes[3] = flags.authenticData ? AUTHENTIC_DATA : 0
  bytes[5] = 1
  bytes.set(octets, HEADER + 1)
  let i = HEADER + 1
  while (bytes[i] !== undefined && bytes[i] !== 0) {
    let end = i
    while (bytes[end] !== 0 && bytes[end] !== DOT) end++
    if (end === i || end - i > MAX_LABEL) return undefined
    bytes[i - 1] = end - i
    i = end + 1
  }
  bytes[i + 1] = typeCode(type) ?? 0
  bytes[i + 3] = 1
  return { id, name, type, bytes }
}

const DOT = 0x2e
