import { nearest } from '../cluster/nearest.ts'
import { isShownNoun, SHOWN, show as showIn } from '../render/show.ts'
import { EXIT } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'

export interface ShowOptions extends SnapshotOptions {
  readonly node?: string
  readonly pod?: string
  readonly namespace?: string
  readonly six?: boolean
  readonly table?: string
}

export const NOUNS = Object.keys(SHOWN).join(', ')

/** `podwalk show NOUN --node N` or `--pod P`. */
export function show(noun: string, options: ShowOptions): number {
  if (!isShownNoun(noun)) {
    const near = nearest(noun, Object.keys(SHOWN))
    throw new Stop(`show does not know "${noun}"`, {
      todo: `${near === undefined ? '' : `did you mean ${near}? `}choose one of ${NOUNS}`,
    })
  }
  const shown = showIn(openBuilt(options), noun, {
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.pod === undefined ? {} : { pod: options.pod }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.table === undefined ? {} : { table: options.table }),
    family: options.six === true ? 6 : 4,
  })
  if (!shown.ok) throw new Stop(shown.reason, { todo: `podwalk show ${noun} --node NODE or --pod POD` })
  print(shown.value)
  return EXIT.yes
}
