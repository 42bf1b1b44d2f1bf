import { traceSchema } from '../render/trace-schema.ts'
import { EXIT } from './exit-code.ts'
import { print } from './terminal.ts'

/** `podwalk trace-schema`: JSON Schema of what `trace -o json` prints. */
export function schema(): number {
  print(`${JSON.stringify(traceSchema, undefined, 2)}\n`)
  return EXIT.yes
}
