import { type Ip, sameIp } from '../../packet/ip.ts'
import type { NatRange } from './iptables/rule.ts'
import { jhash2 } from './jhash.ts'
import type { Tuple } from './tuple.ts'

const wordsOf = (ip: Ip): readonly number[] => (ip.family === 4 ? [ip.d] : [ip.a, ip.b, ip.c, ip.d])

/** An address as the kernel's union nf_inet_addr lies in a little-endian machine's memory: four words. */
function memoryWords(ip: Ip): number[] {
  const words = wordsOf(ip).map(swapBytes)
  return [...words, 0, 0, 0].slice(0, 4)
}

const swapBytes = (word: number): number =>
  (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0

/** (value * size) / 2^32. */
const scale = (value: number, size: number): number => Number((BigInt(value) * BigInt(size)) >> 32n)

/**
 * find_best_ips_proto: of a range of addresses the one that the hash of source and destination points to, so that a
 * client keeps its address; as a little-endian Linux computes it. Undefined where the range names no address.
 */
export function bestAddress(tuple: Tuple, range: NatRange, manip: 'src' | 'dst'): Ip | undefined {
  const { addresses } = range
  if (addresses === undefined || sameIp(addresses.min, addresses.max)) return addresses?.min
  const minWords = wordsOf(addresses.min)
  const maxWords = wordsOf(addresses.max)
  const destination = memoryWords(tuple.dst)
  const last = minWords.length - 1
  let hash = jhash2(memoryWords(tuple.src), range.persistent ? 0 : (destination[last] ?? 0))
  let free = false
  const chosen: number[] = []
  for (const [i, min] of minWords.entries()) {
    const max = maxWords[i] ?? 0
    const word = free ? scale(hash, 0xffffffff) : (min + scale(hash, (max - min + 1) >>> 0)) >>> 0
    chosen.push(word)
    if (word !== max) free = true
    // The destination is itself being written, word by word, where it is the end that is rewritten.
    const mixed = manip === 'dst' ? swapBytes(word) : (destination[i] ?? 0)
    if (!range.persistent) hash = (hash ^ mixed) >>> 0
  }
  const [a = 0, b = 0, c = 0, d = 0] = addresses.min.family === 4 ? [0, 0, 0, ...chosen] : chosen
  return { family: addresses.min.family, a, b, c, d }
}
