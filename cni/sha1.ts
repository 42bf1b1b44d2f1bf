/**
 * SHA-1 of a text's UTF-8 bytes as 40 lower-case hexadecimal digits (FIPS 180-4 §6.1). Calico derives interface
 * names and tunnel MACs from it; nothing here is about security.
 */
export function sha1(text: string): string {
  const message = padded(new TextEncoder().encode(text))
  const h = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0])
  const w = new Uint32Array(80)
  const view = new DataView(message.buffer)
  for (let block = 0; block < message.length; block += 64) {
    for (let t = 0; t < 16; t++) w[t] = view.getUint32(block + 4 * t)
    for (let t = 16; t < 80; t++) w[t] = rotate(at(w, t - 3) ^ at(w, t - 8) ^ at(w, t - 14) ^ at(w, t - 16), 1)
    compress(h, w)
  }
  return Array.from(h, (word) => word.toString(16).padStart(8, '0')).join('')
}

function compress(h: Uint32Array, w: Uint32Array): void {
  let [a, b, c, d, e] = [at(h, 0), at(h, 1), at(h, 2), at(h, 3), at(h, 4)]
  for (let t = 0; t < 80; t++) {
    const next = (rotate(a, 5) + choose(t, b, c, d) + e + at(w, t)) >>> 0
    e = d
    d = c
    c = rotate(b, 30)
    b = a
    a = next
  }
  for (const [i, word] of [a, b, c, d, e].entries()) h[i] = at(h, i) + word
}

/** f_t plus the round constant K_t. */
function choose(t: number, b: number, c: number, d: number): number {
  if (t < 20) return ((b & c) | (~b & d)) + 0x5a827999
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1
  if (t < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
  return (b ^ c ^ d) + 0xca62c1d6
}

/** The message with its 1 bit, zeros and 64-bit length, a multiple of 64 octets. */
function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = Math.ceil((bytes.length + 9) / 64) * 64
  const message = new Uint8Array(length)
  message.set(bytes)
  message[bytes.length] = 0x80
  const view = new DataView(message.buffer)
  view.setUint32(length - 8, Math.floor(bytes.length / 0x20000000))
  view.setUint32(length - 4, (bytes.length << 3) >>> 0)
  return message
}

const at = (words: Uint32Array, i: number): number => words[i] ?? 0
const rotate = (word: number, bits: number): number => ((word << bits) | (word >>> (32 - bits))) >>> 0
