import type { IpPacket } from './packet.ts'

/** What a reader of either IP header found. Offsets are into the bytes it was given. */
export interface IpHeader extends Omit<IpPacket, 'kind' | 'payload' | 'fragment' | 'options'> {
  readonly fragment: IpPacket['fragment'] | undefined
  readonly options: Uint8Array | undefined
  /** The number that says what the payload is. */
  readonly protocol: number
  readonly payloadAt: number
  /** Where the payload ends by the header's own length field; beyond the bytes where they were cut. */
  readonly payloadEnd: number
}

/** A part of a packet, which cannot be taken apart. An IPv6 fragment that is the whole packet (RFC 6946) can. */
export const isPart = (header: { readonly fragment?: IpPacket['fragment'] | undefined }): boolean =>
  header.fragment !== undefined && (header.fragment.more || header.fragment.offset > 0)
