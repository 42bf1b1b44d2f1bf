import type { Frame, IpPacket } from '../../packet/packet.ts'

/** The ethertype that no dissector claims (IEEE 802). */
export const LOCAL_EXPERIMENTAL = 0x88b5

/** Frames whose every octet Wireshark reads as we mean it: no random octets where a protocol expects a structure. */
export function isSound(frame: Frame): boolean {
  const payload = frame.payload
  switch (payload.kind) {
    case 'ip':
      return isSoundPacket(payload)
    case 'arp':
      return payload.operation === 1 || payload.operation === 2
    case 'other':
      return payload.etherType === LOCAL_EXPERIMENTAL
  }
}

function isSoundPacket({ src, options, fragment, payload }: IpPacket): boolean {
  if (options !== undefined || fragment?.offset === 0) return false
  switch (payload.kind) {
    case 'tcp':
      return payload.options.every(({ kind }) => kind !== 'other') && once(payload.options)
    case 'udp':
      if (payload.noChecksum && src.family === 6) return false
      return payload.payload.kind === 'data' || isSound(payload.payload.frame)
    case 'sctp':
      if (payload.further !== undefined) return false
      return payload.chunk.kind !== 'other' && (payload.chunk.kind === 'abort' || payload.chunk.parameters.length === 0)
    case 'icmp':
      if (payload.body.kind === 'other') return false
      return !('quote' in payload.body) || isSoundQuote(payload.body.quote.packet)
    case 'ip':
      return isSoundPacket(payload)
    case 'raw':
      return fragment === undefined ? payload.protocol >= 150 : payload.bytes.length > 0
  }
}

/** Of a TCP packet in an error Wireshark does not tell the length. */
const isSoundQuote = (quoted: IpPacket): boolean =>
  isSoundPacket(quoted) &&
  quoted.payload.kind !== 'tcp' &&
  !(quoted.payload.kind === 'raw' && quoted.payload.wholeLength !== undefined)

const once = (options: readonly { readonly kind: string }[]): boolean => {
  const kinds = options.map(({ kind }) => kind).filter((kind) => kind !== 'nop')
  return new Set(kinds).size === kinds.length
}
