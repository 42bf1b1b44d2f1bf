import { type Op, ROOT_NETNS } from '../../linux/op.ts'

/** A machine as its ops alone. */
export interface LabMachine {
  readonly name: string
  readonly ops: readonly Op[]
}

/** A namespace of one machine. */
export interface Place {
  readonly host: string
  readonly netns: string
}

/** The namespaces of a machine in the order its ops make them; the machine's own is first. */
export function netnsOf(ops: readonly Op[]): readonly string[] {
  return [...new Set([ROOT_NETNS, ...ops.map((op) => op.netns)])]
}
