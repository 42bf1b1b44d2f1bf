import { fnv1a } from './fnv.ts'

/** The letters of random name suffixes: no vowels, no 0, 1, 3 (k8s.io/apimachinery pkg/util/rand). */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX_LENGTH = 5
/** A generated name keeps 63 characters with its suffix (pkg/storage/names). */
const MAX_BASE = 63 - SUFFIX_LENGTH

/** SafeEncodeString: each byte becomes a letter of the alphabet. */
const safeEncode = (text: string): string =>
  [...text].map((letter) => ALPHABET[letter.charCodeAt(0) % ALPHABET.length]).join('')

/**
 * What stands for pod-template-hash: the form of the real one (a 32-bit FNV-1a hash in decimal, encoded), over our text
 * of the template, so the letters differ from the real cluster's.
 */
export const templateHash = (template: unknown): string => safeEncode(String(fnv1a(JSON.stringify(template))))

/** A generated name: the base, and five letters that `seed` decides. */
export function generatedName(base: string, seed: string): string {
  let hash = fnv1a(seed)
  let suffix = ''
  for (let i = 0; i < SUFFIX_LENGTH; i++) {
    suffix += ALPHABET[hash % ALPHABET.length]
    hash = fnv1a(`${seed}/${i}/${hash}`)
  }
  return base.slice(0, MAX_BASE) + suffix
}
