import { sha256 } from './sha256.ts'

/** RFC 4648 §6. */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const utf8 = new TextEncoder()

/** Names of Kubernetes objects are ASCII; their bytes are put here. */
const ascii = new Uint8Array(512)

/**
 * The first `length` characters of the base32 text of a name's SHA-256: how kube-proxy makes names that fit a chain
 * (pkg/proxy/iptables/proxier.go portProtoHash, 16 characters; pkg/proxy/nftables/proxier.go hashAndTruncate, 8).
 */
export function nameHash(text: string, length: number): string {
  const digest = digestOf(text)
  const codes: number[] = []
  let bits = 0
  let held = 0
  for (let i = 0; codes.length < length && i < digest.length; i++) {
    bits = (bits << 8) | (digest[i] ?? 0)
    held += 8
    while (held >= 5 && codes.length < length) {
      held -= 5
      codes.push(BASE32.charCodeAt((bits >>> held) & 31))
    }
  }
  return String.fromCharCode(...codes)
}

function digestOf(text: string): Uint8Array {
  if (text.length > ascii.length) return sha256(utf8.encode(text))
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) return sha256(utf8.encode(text))
    ascii[i] = code
  }
  return sha256(ascii, text.length)
}
