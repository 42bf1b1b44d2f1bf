const LINE_FEED = 10

const standsAt = (bytes: Uint8Array, at: number, word: string): boolean => {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false
  return true
}

/** Whether a word stands first, blanks aside. Bytes are compared, for nobody knows yet what a file holds. */
export function beginsWith(bytes: Uint8Array, word: string): boolean {
  const ink = bytes.findIndex((byte) => byte > 0x20)
  return ink >= 0 && standsAt(bytes, ink, word)
}

/** Whether a line begins with a word. */
export function hasLine(bytes: Uint8Array, word: string): boolean {
  for (let at = 0; at >= 0 && at < bytes.length; ) {
    if (standsAt(bytes, at, word)) return true
    const feed = bytes.indexOf(LINE_FEED, at)
    if (feed < 0) return false
    at = feed + 1
  }
  return false
}
