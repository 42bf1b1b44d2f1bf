import type { Loaded } from '../cluster.ts'
import type { SourceFile } from '../input/item.ts'
import { type LoadOptions, load } from '../load.ts'

const encoder = new TextEncoder()

/** A file of a test. */
export const file = (name: string, text: string): SourceFile => ({ name, bytes: encoder.encode(text) })

/** Loads texts by file name; a single text is `in.yaml`. */
export function loadText(texts: string | Readonly<Record<string, string>>, options?: LoadOptions): Loaded {
  const named = typeof texts === 'string' ? { 'in.yaml': texts } : texts
  return load(
    Object.entries(named).map(([name, text]) => file(name, text)),
    options,
  )
}

/** `in.yaml:7 code message` of each diagnostic, for tables. */
export const told = ({ diagnostics }: Pick<Loaded, 'diagnostics'>): string[] =>
  diagnostics.map(({ at, code, message }) => `${at === undefined ? '' : `${at.file}:${at.line} `}${code} ${message}`)

/** Codes with their lines: `ip-invalid:7`. */
export const codes = ({ diagnostics }: Pick<Loaded, 'diagnostics'>): string[] =>
  diagnostics.map(({ at, code }) => `${code}:${at?.line ?? ''}`)

/** A node with an address and a podCIDR, in one line. */
export const node = (name: string, n: number): string =>
  `{apiVersion: v1, kind: Node, metadata: {name: ${name}}, spec: {podCIDRs: [10.244.${n}.0/24]}, status: {addresses: [{type: InternalIP, address: 192.168.40.18${n}}]}}\n---\n`
