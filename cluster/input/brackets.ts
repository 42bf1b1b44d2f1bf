/**
 * Finds where JSON values end, without knowing what they say: brackets are counted and strings skipped. What JSON has
 * no words for but KYAML has (keys without quotes, comments) is let through; whoever parses the value decides.
 */

export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d
export const OPEN_BRACKET = 0x5b
export const CLOSE_BRACKET = 0x5d
const BACKSLASH = 0x5c
export const HASH = 0x23
const LINE_FEED = 10
const RECORD_SEPARATOR = 0x1e

/** The bytes at hand end inside the value. */
export const UNFINISHED = -1
/** What stands there is no object as JSON or KYAML write it. */
export const MALFORMED = -2

/** Objects of the API nest about 20 deep, schemas in them 60. Deeper ones are not parsed: recursion ends somewhere. */
export const MOST_DEPTH = 500

/** The first byte that is no blank and in no comment, or the length. */
export function skipBlank(bytes: Uint8Array, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === 0x20 || byte === LINE_FEED || byte === 13 || byte === 9 || byte === RECORD_SEPARATOR) continue
    if (byte !== HASH) break
    const feed = bytes.indexOf(LINE_FEED, at)
    if (feed < 0) return bytes.length
    at = feed
  }
  return at
}

/** The index behind the string that opens at `at`. */
export function stringEnd(bytes: Uint8Array, at: number): number {
  for (let i = at + 1; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === QUOTE) return i + 1
    if (byte === BACKSLASH) i++
  }
  return UNFINISHED
}

/** The index behind the brackets that open at `at`. `shape.depth` becomes the deepest nesting seen. */
export function bracketsEnd(bytes: Uint8Array, at: number, shape: { depth: number }): number {
  let depth = 0
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i] as number
    if (byte <= 0x20) continue
    if (byte === QUOTE) {
      i = stringEnd(bytes, i) - 1
      if (i < 0) return UNFINISHED
    } else if (byte === HASH) {
      if (!isBlank(bytes[i - 1])) continue
      i = bytes.indexOf(LINE_FEED, i)
      if (i < 0) return UNFINISHED
    } else if ((byte | 0x20) === OPEN_BRACE) {
      if (++depth > shape.depth) shape.depth = depth
    } else if ((byte | 0x20) === CLOSE_BRACE && --depth === 0) return i + 1
  }
  return UNFINISHED
}

const isBlank = (byte: number | undefined): boolean => byte === undefined || byte <= 0x20

/** The index behind the value at `at`. A number or word that the bytes end in may go on, unless they are the last. */
export function valueEnd(bytes: Uint8Array, at: number, shape: Shape): number {
  const first = bytes[at]
  if (first === QUOTE) return stringEnd(bytes, at)
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return bracketsEnd(bytes, at, shape)
  const end = wordEnd(bytes, at)
  if (end === bytes.length && !shape.ended) return UNFINISHED
  return end > at ? end : MALFORMED
}

export function wordEnd(bytes: Uint8Array, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte <= 0x20 || byte === COMMA || byte === COLON || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break
  }
  return at
}

/** What was seen of a value on the way to its end. */
export interface Shape {
  depth: number
  /** The bytes at hand are the last of the file. */
  ended: boolean
  kind: string
  apiVersion: string
}

export const emptyShape = (ended: boolean): Shape => ({ depth: 0, ended, kind: '', apiVersion: '' })

/** The index behind the object that opens at `at`; notes its kind on the way. */
export function objectEnd(bytes: Uint8Array, start: number, shape: Shape): number {
  let at = skipBlank(bytes, start + 1)
  for (;;) {
    if (at >= bytes.length) return UNFINISHED
    if (bytes[at] === CLOSE_BRACE) {
      shape.depth++
      return at + 1
    }
    const quoted = bytes[at] === QUOTE
    const keyEnd = quoted ? stringEnd(bytes, at) : wordEnd(bytes, at)
    if (keyEnd < 0 || (!quoted && keyEnd === bytes.length)) return UNFINISHED
    const key = quoted ? jsonText(bytes, at, keyEnd) : wordText(bytes, at, keyEnd)
    const colon = skipBlank(bytes, keyEnd)
    if (colon >= bytes.length) return UNFINISHED
    if (bytes[colon] !== COLON) return MALFORMED
    const value = skipBlank(bytes, colon + 1)
    if (value >= bytes.length) return UNFINISHED
    const end = valueEnd(bytes, value, shape)
    if (end < 0) return end
    if (key === 'kind' || key === 'apiVersion') shape[key] = nameText(bytes, value, end)
    at = skipBlank(bytes, end)
    if (bytes[at] === COMMA) at = skipBlank(bytes, at + 1)
    else if (at < bytes.length && bytes[at] !== CLOSE_BRACE) return MALFORMED
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The longest key or kind that means anything to anyone. */
const LONGEST_NAME = 256

/** What a JSON string says; `''` where it is none. */
export function jsonText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > LONGEST_NAME) return ''
  const text = decoder.decode(bytes.subarray(start + 1, end - 1))
  if (!text.includes('\\')) return text
  try {
    return String(JSON.parse(`"${text}"`))
  } catch {
    return ''
  }
}

/** A kind or version: a JSON string, or in YAML a word that begins as they do. */
export function nameText(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] === QUOTE) return jsonText(bytes, start, end)
  const word = wordText(bytes, start, end)
  return /^(?:[A-Z]|[a-z0-9.-]+\/|v\d)/.test(word) ? word : ''
}

const wordText = (bytes: Uint8Array, start: number, end: number): string =>
  end - start > LONGEST_NAME ? '' : decoder.decode(bytes.subarray(start, end))
