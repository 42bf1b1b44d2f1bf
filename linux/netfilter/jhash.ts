/** Bob Jenkins' lookup3 hash over 32-bit words, as Linux include/linux/jhash.h (jhash2) defines it. */
export const jhash2 = (words: readonly number[], seed: number): number =>
  hashWords(words, (words.length * 4 + seed) >>> 0)

/** `start`: what the first three words are added to, over JHASH_INITVAL. */
function hashWords(words: readonly number[], start: number): number {
  let a = (INITIAL + start) >>> 0
  let b = a
  let c = a
  let at = 0
  for (; words.length - at > 3; at += 3) {
    a = add(a, words[at])
    b = add(b, words[at + 1])
    c = add(c, words[at + 2])
    a = (sub(a, c) ^ rotate(c, 4)) >>> 0
    c = add(c, b)
    b = (sub(b, a) ^ rotate(a, 6)) >>> 0
    a = add(a, c)
    c = (sub(c, b) ^ rotate(b, 8)) >>> 0
    b = add(b, a)
    a = (sub(a, c) ^ rotate(c, 16)) >>> 0
    c = add(c, b)
    b = (sub(b, a) ^ rotate(a, 19)) >>> 0
    a = add(a, c)
    c = (sub(c, b) ^ rotate(b, 4)) >>> 0
    b = add(b, a)
  }
  const rest = words.length - at
  if (rest === 0) return c
  if (rest > 2) c = add(c, words[at + 2])
  if (rest > 1) b = add(b, words[at + 1])
  a = add(a, words[at])
  c = sub((c ^ b) >>> 0, rotate(b, 14))
  a = sub((a ^ c) >>> 0, rotate(c, 11))
  b = sub((b ^ a) >>> 0, rotate(a, 25))
  c = sub((c ^ b) >>> 0, rotate(b, 16))
  a = sub((a ^ c) >>> 0, rotate(c, 4))
  b = sub((b ^ a) >>> 0, rotate(a, 14))
  return sub((c ^ b) >>> 0, rotate(b, 24))
}

/** jhash: the same over octets, which fill words from their lowest end; those of the last may be missing. */
export function jhash(octets: readonly number[], seed: number): number {
  const words: number[] = []
  for (let at = 0; at < octets.length; at += 4)
    words.push(
      ((octets[at] ?? 0) |
        ((octets[at + 1] ?? 0) << 8) |
        ((octets[at + 2] ?? 0) << 16) |
        ((octets[at + 3] ?? 0) << 24)) >>>
        0,
    )
  return hashWords(words, (octets.length + seed) >>> 0)
}

/** JHASH_INITVAL. */
const INITIAL = 0xdeadbeef

const add = (x: number, y: number | undefined): number => (x + (y ?? 0)) >>> 0
const sub = (x: number, y: number): number => (x - y) >>> 0
const rotate = (x: number, by: number): number => ((x << by) | (x >>> (32 - by))) >>> 0
