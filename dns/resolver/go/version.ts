/** Minor of Go 1.x. */
export type GoVersion = number

/** The newest that was read. */
export const GO: GoVersion = 26

/** What changed between releases of the package net. */
export const SINCE = {
  /** `options trust-ad` sets AD. */
  trustAd: 20,
  /** An empty answer with an additional record is no lame referral; TC over TCP is taken as it is. */
  additionalIsNoReferral: 22,
} as const
