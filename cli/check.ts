import { type CheckVerdict, check as checkSnapshot } from '../cluster/check.ts'
import type { Diagnostic } from '../cluster/source.ts'
import { build, type Unmodelled } from '../engine/build.ts'
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
  const [limits, wrong] = [built.diagnostics.filter(isLimit), built.diagnostics.filter((one) => !isLimit(one))]
  const report = checkSnapshot(
    { ...loaded, diagnostics: [...loaded.diagnostics, ...wrong] },
    { assumptions: built.assumptions, limits: [...built.notModelled.map(limitOf), ...limits] },
  )
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

const isLimit = ({ code }: Diagnostic): boolean => code.endsWith('-not-modelled')

const limitOf = ({ part, what, missing, evidence }: Unmodelled): Diagnostic => ({
  severity: 'note',
  code: `${part}-not-modelled`,
  message: `${what} is not modelled: ${missing} (seen: ${evidence})`,
})
