/**
 * SHA-256, FIPS 180-4. Written out here because chain names need it and the engine also runs where there is no
 * `node:crypto`. Messages are short (a name and an address), so the whole message is padded in one buffer.
 */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (§4.2.2). */
const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
])

/** The initial hash value (§5.3.3). */
const INITIAL = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const

const BLOCK = 64
const LENGTH_FIELD = 8

/** Working space, written anew by every call: a digest is made for each endpoint of a cluster. */
const schedule = new Int32Array(64)
const state = new Int32Array(8)
let padded = new Uint8Array(4 * BLOCK)

/** The 32-byte digest of the first `bytes` bytes of `message`. */
export function sha256(message: Uint8Array, bytes = message.length): Uint8Array {
  const length = padMessage(message, bytes)
  state.set(INITIAL)
  for (let at = 0; at < length; at += BLOCK) hashBlock(at)
  const digest = new Uint8Array(32)
  for (let i = 0; i < 32; i++) digest[i] = at32(state, i >>> 2) >>> (24 - 8 * (i & 3))
  return digest
}

/** §5.1.1: a one bit, zeros, and the length in bits as a 64-bit number, to a whole number of blocks. */
function padMessage(message: Uint8Array, bytes: number): number {
  const length = Math.ceil((bytes + 1 + LENGTH_FIELD) / BLOCK) * BLOCK
  if (padded.length < length) padded = new Uint8Array(length)
  for (let i = 0; i < bytes; i++) padded[i] = at8(message, i)
  padded[bytes] = 0x80
  padded.fill(0, bytes + 1, length - LENGTH_FIELD)
  writeWord(length - 8, Math.floor(bytes / 0x20000000))
  writeWord(length - 4, bytes << 3)
  return length
}

function writeWord(at: number, word: number): void {
  padded[at] = word >>> 24
  padded[at + 1] = word >>> 16
  padded[at + 2] = word >>> 8
  padded[at + 3] = word
}

/** §6.2.2 for the block at `at`; adds to the state. */
function hashBlock(at: number): void {
  const bytes = padded
  const w = schedule
  for (let t = 0; t < 16; t++) {
    const i = at + 4 * t
    w[t] = (at8(bytes, i) << 24) | (at8(bytes, i + 1) << 16) | (at8(bytes, i + 2) << 8) | at8(bytes, i + 3)
  }
  for (let t = 16; t < 64; t++) {
    const x = at32(w, t - 15)
    const y = at32(w, t - 2)
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[t] = (at32(w, t - 16) + s0 + at32(w, t - 7) + s1) | 0
  }
  let a = at32(state, 0)
  let b = at32(state, 1)
  let c = at32(state, 2)
  let d = at32(state, 3)
  let e = at32(state, 4)
  let f = at32(state, 5)
  let g = at32(state, 6)
  let h = at32(state, 7)
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at32(K, t) + at32(w, t)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  state[0] = at32(state, 0) + a
  state[1] = at32(state, 1) + b
  state[2] = at32(state, 2) + c
  state[3] = at32(state, 3) + d
  state[4] = at32(state, 4) + e
  state[5] = at32(state, 5) + f
  state[6] = at32(state, 6) + g
  state[7] = at32(state, 7) + h
}

const at8 = (bytes: Uint8Array, i: number): number => bytes[i] ?? 0
const at32 = (words: Int32Array, i: number): number => words[i] ?? 0
