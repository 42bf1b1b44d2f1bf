/** Bits of the second header word, RFC 1035 §4.1.1 and RFC 4035 §3.1.6. */
export const FLAG_BIT = {
  response: 0x8000,
  authoritative: 0x400,
  truncated: 0x200,
  recursionDesired: 0x100,
  recursionAvailable: 0x80,
  authenticData: 0x20,
  checkingDisabled: 0x10,
} as const
/** The DO bit in the TTL of an OPT record (RFC 6891 §6.1.4). */
export const DNSSEC_OK = 0x8000
/** Octets of the header. */
export const HEADER = 12
/** The type of an OPT record. */
export const OPT = 41
/** Flags beside DO that CoreDNS sends back as they came. */
export const RESERVED_FLAGS = 0x7f00
