import type { Ip } from '../packet/ip.ts'

/** A resource record (RFC 1035 §3.2.1). Names are absolute, in presentation form; TTL in seconds. */
export type ResourceRecord = { readonly name: string; readonly ttl: number; readonly class: string } & RecordData

export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: Ip }
  | { readonly type: 'NS' | 'CNAME' | 'PTR' | 'DNAME'; readonly target: string }
  | SoaData
  | SrvData
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: string }
  /** The octets of each character-string. */
  | { readonly type: 'TXT'; readonly strings: readonly Uint8Array[] }
  | { readonly type: 'HINFO'; readonly cpu: string; readonly os: string }
  | { readonly type: 'CAA'; readonly flags: number; readonly tag: string; readonly value: string }
  /** A type that is not taken apart (RFC 3597); `code` is its number. */
  | { readonly type: 'other'; readonly code: number; readonly bytes: Uint8Array }

export interface SoaData {
  readonly type: 'SOA'
  readonly mname: string
  readonly rname: string
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

export interface SrvData {
  readonly type: 'SRV'
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

/** Types by name: IANA "Domain Name System (DNS) Parameters". */
const TYPE_CODE: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  EID: 31,
  NIMLOC: 32,
  SRV: 33,
  ATMA: 34,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  NINFO: 56,
  RKEY: 57,
  TALINK: 58,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  UINFO: 100,
  UID: 101,
  GID: 102,
  UNSPEC: 103,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
  AMTRELAY: 260,
  TA: 32768,
  DLV: 32769,
}
const TYPE_NAME = new Map(Object.entries(TYPE_CODE).map(([name, code]) => [code, name]))

/** `HTTPS` of 65, `TYPE65280` of a number without a name (RFC 3597 §5). */
export const typeName = (code: number): string => TYPE_NAME.get(code) ?? `TYPE${code}`

/** The number of a type's name; undefined where there is none of that name. */
export function typeCode(name: string): number | undefined {
  const known = TYPE_CODE[name]
  if (known !== undefined) return known
  return numbered(name, 'TYPE')
}

const CLASS_CODE: Readonly<Record<string, number>> = { IN: 1, CS: 2, CH: 3, HS: 4, NONE: 254, ANY: 255 }
const CLASS_NAME = new Map(Object.entries(CLASS_CODE).map(([name, code]) => [code, name]))
export const className = (code: number): string => CLASS_NAME.get(code) ?? `CLASS${code}`
export const classCode = (name: string): number | undefined => CLASS_CODE[name] ?? numbered(name, 'CLASS')

function numbered(name: string, prefix: string): number | undefined {
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  const code = Number(digits)
  return /^\d{1,5}$/.test(digits) && code <= 0xffff ? code : undefined
}

/** The name of a record's type. */
export const typeOf = (record: RecordData): string => (record.type === 'other' ? typeName(record.code) : record.type)

/** Response codes by name (RFC 6895 §2.3), with the extended one of EDNS. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
} as const
export type RcodeName = keyof typeof RCODE
const RCODE_NAME = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]))
export const rcodeName = (code: number): string => RCODE_NAME.get(code) ?? `RCODE${code}`

/** Operation codes (RFC 6895 §2.2). */
export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const
