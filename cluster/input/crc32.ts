/** CRC-32 of gzip and zip (RFC 1952 8), eight bytes a step. */
const TABLES: readonly Uint32Array[] = tablesOf()

function tablesOf(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
    return value
  })
  const tables = [first]
  for (let k = 1; k < 8; k++) {
    const before = tables[k - 1] ?? first
    tables.push(before.map((value) => (value >>> 8) ^ (first[value & 0xff] ?? 0)))
  }
  return tables
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** Goes on with `crc` (0 at first) over more bytes. */
export function crc32(crc: number, bytes: Uint8Array): number {
  let value = ~crc
  let i = 0
  const steps = bytes.length - 7
  for (; i < steps; i += 8) {
    const a = (bytes[i] as number) | ((bytes[i + 1] as number) << 8)
    const b = ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24)
    const low = value ^ (a | b)
    value =
      (T7[low & 0xff] as number) ^
      (T6[(low >>> 8) & 0xff] as number) ^
      (T5[(low >>> 16) & 0xff] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[bytes[i + 4] as number] as number) ^
      (T2[bytes[i + 5] as number] as number) ^
      (T1[bytes[i + 6] as number] as number) ^
      (T0[bytes[i + 7] as number] as number)
  }
  for (; i < bytes.length; i++) value = (value >>> 8) ^ (T0[(value ^ (bytes[i] as number)) & 0xff] as number)
  return ~value >>> 0
}
