import type { Reading } from './reading.ts'
import { lineHere, standsAt } from './yaml-lines.ts'

/**
 * `kubectl cluster-info dump` without a directory prints the logs of all containers between its lists, each between two
 * such lines (staging/src/k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go).
 */
const START = '==== START logs for container '
const END = '==== END logs for container '

export const atLogSection = (reading: Reading, index: number): boolean => standsAt(reading, index, START)

/** Goes behind the section at `reading.at`, unread. Answers what its first line calls it. */
export function skipLogSection(reading: Reading): string {
  const first = lineHere(reading)
  const head = first === undefined ? '' : headOf(reading.window.bytes.subarray(first.start + START.length, first.end))
  reading.keep = -1
  for (let line = lineHere(reading); line !== undefined; line = lineHere(reading)) {
    const isEnd = standsAt(reading, line.start, END)
    reading.at = line.end
    if (isEnd) break
  }
  return head
}

/** `coredns of pod kube-system/coredns-abc`. */
const headOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/ ?=*\s*$/, '')
