// biome-ignore lint/style/useNodejsImportProtocol: bundlers for the browser give this name the buffer package, as dns-packet needs it.
import { Buffer } from 'buffer'
import dnsPacket from 'dns-packet'
import { readIp, writeIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'
import { type RecordData, typeName } from './record.ts'

/** A record type's codec in dns-packet: both ways with the two octets of RDLENGTH in front. */
interface Codec {
  encode(data: unknown, buffer?: Buffer, offset?: number): Buffer
  decode(buffer: Buffer, offset: number): unknown
}

/** dns-packet 5.6.1 exports the codecs of single record types; its published types leave them out. */
const codecOf = (dnsPacket as unknown as { readonly record: (type: string) => Codec }).record

/** The octets of a record's data without compression, RDLENGTH not included. Names must have been checked. */
export function encodeRdata(data: RecordData): Uint8Array {
  switch (data.type) {
    case 'A':
    case 'AAAA': {
      const bytes = new Uint8Array(data.address.family === 4 ? 4 : 16)
      writeIp(bytes, 0, data.address)
      return bytes
    }
    case 'other':
      return data.bytes
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
      return coded(data.type, data.target)
    case 'TXT':
      return coded(
        'TXT',
        data.strings.map((octets) => Buffer.from(octets)),
      )
    case 'SOA':
    case 'SRV':
    case 'MX':
    case 'HINFO':
    case 'CAA':
      return coded(data.type, data)
  }
}

const coded = (type: string, data: unknown): Uint8Array => codecOf(type).encode(data).subarray(2)

/**
 * Reads a record's data that starts at `at` (behind RDLENGTH) and is `length` long; `bytes` is the whole message, for
 * the pointers in it. A type we do not take apart keeps its octets.
 */
export function decodeRdata(code: number, bytes: Uint8Array, at: number, length: number): Parsed<RecordData> {
  const type = typeName(code)
  switch (type) {
    case 'A':
      return length === 4 ? parsed({ type, address: readIp(bytes, at, 4) }) : refused(`A record of ${length} octets`)
    case 'AAAA':
      return length === 16
        ? parsed({ type, address: readIp(bytes, at, 6) })
        : refused(`AAAA record of ${length} octets`)
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
    case 'SOA':
    case 'SRV':
    case 'MX':
    case 'TXT':
    case 'HINFO':
    case 'CAA':
      break
    default:
      return parsed({ type: 'other', code, bytes: bytes.slice(at, at + length) })
  }
  try {
    // A view that ends with the record keeps a codec from reading into the next one.
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, at + length)
    return parsed(typed(type, codecOf(type).decode(view, at - 2)))
  } catch (error) {
    return refused(`${type} record: ${error instanceof Error ? error.message : String(error)}`)
  }
}

type Coded = 'NS' | 'CNAME' | 'PTR' | 'DNAME' | 'SOA' | 'SRV' | 'MX' | 'TXT' | 'HINFO' | 'CAA'

/** What dns-packet decoded, as our data: its names come without the final dot. */
function typed(type: Coded, value: unknown): RecordData {
  const field = value as Readonly<Record<string, string & number>>
  const name = (text: string | undefined) => (text === undefined || text === '.' ? '.' : `${text}.`)
  switch (type) {
    case 'NS':
    case 'CNAME':
    case 'PTR':
    case 'DNAME':
      return { type, target: name(value as string) }
    case 'SOA':
      return {
        type,
        mname: name(field.mname),
        rname: name(field.rname),
        serial: field.serial ?? 0,
        refresh: field.refresh ?? 0,
        retry: field.retry ?? 0,
        expire: field.expire ?? 0,
        minimum: field.minimum ?? 0,
      }
    case 'SRV':
      return {
        type,
        priority: field.priority ?? 0,
        weight: field.weight ?? 0,
        port: field.port ?? 0,
        target: name(field.target),
      }
    case 'MX':
      return { type, preference: field.preference ?? 0, exchange: name(field.exchange) }
    case 'TXT':
      return { type, strings: (value as readonly Buffer[]).map((octets) => new Uint8Array(octets)) }
    case 'HINFO':
      return { type, cpu: field.cpu ?? '', os: field.os ?? '' }
    case 'CAA':
      return { type, flags: field.flags ?? 0, tag: field.tag ?? '', value: field.value ?? '' }
  }
}
