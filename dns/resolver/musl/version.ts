/** A release of musl as a number that can be compared: 1.2.4 is 10204. */
export type MuslVersion = number

export const muslVersion = (major: number, minor: number, patch: number): MuslVersion =>
  major * 10_000 + minor * 100 + patch

/** What changed between releases of musl's resolver (its WHATSNEW). */
export const SINCE = {
  /** AI_ADDRCONFIG is honoured. */
  addrConfig: muslVersion(1, 1, 20),
  /** Of A and AAAA either one that fails makes the lookup fail. */
  bothMustAnswer: muslVersion(1, 2, 1),
  /** TCP after truncation, EAI_NODATA, names with empty labels refused, AAAA before A in the unsorted result. */
  tcp: muslVersion(1, 2, 4),
} as const

/** musl's gai_strerror (src/network/gai_strerror.c). */
export const MUSL_MESSAGE = {
  EAI_NONAME: 'Name does not resolve',
  EAI_NODATA: 'Name has no usable address',
  EAI_AGAIN: 'Try again',
  EAI_FAIL: 'Non-recoverable error',
  EAI_SYSTEM: 'System error',
  EAI_ADDRFAMILY: 'Unknown error',
} as const
