import { beginsWith } from './first-bytes.ts'
import { resourceNamed } from './resources.ts'

/** What a collector was told instead of a list. */
export interface CollectorError {
  readonly kind: string
  /** `forbidden`: nothing can be said of the kind. `absent`: the cluster does not have it. */
  readonly why: 'forbidden' | 'absent'
  readonly line: number
}

/** What kubectl prints first where it gets no list. */
const REFUSALS = [
  'Error from server',
  "error: the server doesn't have",
  'error: You must be logged in',
  'Unable to connect to the server',
]

export const isRefusal = (head: Uint8Array): boolean => REFUSALS.some((words) => beginsWith(head, words))

/** Whether a text is what kubectl or a support bundle wrote where something could not be collected. */
export const isCollectorErrors = (path: string, head: Uint8Array): boolean =>
  /(^|[-/!])errors?\.(txt|json)$/i.test(path) || isRefusal(head)

/** Reads the API server's refusals, one a line, in the words of apimachinery's errors.go and kubectl's mapper. */
export function collectorErrors(text: string): CollectorError[] {
  const found: CollectorError[] = []
  for (const [i, line] of text.split('\n').entries()) {
    const word =
      /([a-z0-9.]+)(?: "[^"]*")? is forbidden: User/.exec(line)?.[1] ??
      /cannot list resource \\?"([a-z0-9.]+)/.exec(line)?.[1]
    if (word !== undefined) add(word, 'forbidden', i + 1)
    const missing = /the server doesn't have a resource type \\?"([a-z0-9.]+)/.exec(line)?.[1]
    if (missing !== undefined) add(missing, 'absent', i + 1)
  }
  return found

  function add(word: string, why: CollectorError['why'], line: number): void {
    const resource = resourceNamed(word)
    if (resource !== undefined) found.push({ kind: resource.kind, why, line })
  }
}
