const REPLACED: Readonly<Record<string, string>> = { '✓': '+', '✗': 'x', '…': '~', '→': '->', '≠': '!' }

/** The same text without a character outside ASCII (`--ascii`, `LANG=C`). */
export const toAscii = (text: string): string => text.replace(/[✓✗…→≠]/g, (character) => REPLACED[character] ?? '?')
