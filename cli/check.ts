import { type CheckVerdict, check as checkSnapshot } from '../cluster/check.ts'
import { build } from '../engine/build.ts'
import { renderCheckJson } from '../render/check-json.ts'
import { renderCheck } from '../render/check-text.ts'
import { EXIT } from './exit-code.ts'
import { openToCheck, type SnapshotOptions } from './snapshot.ts'
import { type ColorChoice, paintFor, print } from './terminal.ts'

export interface CheckOptions extends SnapshotOptions, ColorChoice {
  readonly output: 'text' | 'wide' | 'json'
  readonly ascii?: boolean
}

const CODE: Readonly<Record<CheckVerdict, number>> = { sound: EXIT.yes, problems: EXIT.no, unknown: EXIT.unknown }

/** `podwalk check`: what a snapshot holds, what is filled in, what is missing, what is wrong. Returns the exit code. */
export function check(options: CheckOptions): number {
  const loaded = openToCheck(options)
  const built = build(loaded.cluster, options.proxy === undefined ? {} : { proxyMode: options.proxy })
  const report = checkSnapshot({ ...loaded, diagnostics: [...loaded.diagnostics, ...built.diagnostics] })
  if (options.output === 'json') print(renderCheckJson(report))
  else
    print(
      renderCheck(report, {
        width: options.output === 'wide' ? Number.POSITIVE_INFINITY : 80,
        paint: paintFor(options),
        ascii: options.ascii ?? false,
      }),
    )
  return CODE[report.verdict]
}
