import { changesSchema } from '../render/changes-schema.ts'
import { checkSchema } from '../render/check-schema.ts'
import { dnsSchema } from '../render/dns-schema.ts'
import { traceSchema } from '../render/trace-schema.ts'
import { EXIT } from './exit-code.ts'
import { print } from './terminal.ts'

const SCHEMAS = { trace: traceSchema, changes: changesSchema, check: checkSchema, dns: dnsSchema } as const

/** `podwalk schema`: JSON Schema of what `trace`, `trace --then`, `check` or `dns` prints with -o json. */
export function schema(what: keyof typeof SCHEMAS): number {
  print(`${JSON.stringify(SCHEMAS[what], undefined, 2)}\n`)
  return EXIT.yes
}
