import { keyOf } from '../cluster/cluster.ts'
import { findOne } from '../cluster/find-object.ts'
import { nearest } from '../cluster/nearest.ts'
import type { Built } from '../engine/build.ts'
import { isShownNoun, SHOWN_NOUNS, type ShownAs, show as showIn } from '../render/show.ts'
import { EXIT } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'

export interface ShowOptions extends SnapshotOptions {
  readonly node?: string
  readonly pod?: string
  readonly namespace?: string
  readonly six?: boolean
  readonly table?: string
  readonly service?: string
  readonly origin?: boolean
  readonly as?: ShownAs
  readonly zone?: string
}

export const NOUNS = SHOWN_NOUNS.join(', ')

/** `podwalk show NOUN --node N` or `--pod P`. */
export function show(noun: string, options: ShowOptions): number {
  if (!isShownNoun(noun)) {
    const near = nearest(noun, SHOWN_NOUNS)
    throw new Stop(`show does not know "${noun}"`, {
      todo: `${near === undefined ? '' : `did you mean ${near}? `}choose one of ${NOUNS}`,
    })
  }
  const built = openBuilt(options)
  const shown = showIn(built, noun, {
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.pod === undefined ? {} : { pod: options.pod }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.table === undefined ? {} : { table: options.table }),
    ...(options.service === undefined ? {} : { service: serviceKey(built, options.service, options.namespace) }),
    ...(options.origin === undefined ? {} : { origin: options.origin }),
    ...(options.as === undefined ? {} : { as: options.as }),
    ...(options.zone === undefined ? {} : { zone: options.zone }),
    family: options.six === true ? 6 : 4,
  })
  if (!shown.ok) throw new Stop(shown.reason, { todo: `podwalk show ${noun} --node NODE or --pod POD` })
  print(shown.value)
  return EXIT.yes
}

function serviceKey({ cluster }: Built, said: string, namespace = 'default'): string {
  const [name = '', own] = said
    .replace(/^svc\//, '')
    .split('/')
    .reverse()
  const service = findOne('svc', cluster.services, { namespace: own, name, fallback: namespace })
  if (!service.ok) throw new Stop(`--service ${said}: ${service.reason}`, { todo: 'for example: --service my-nginx' })
  return keyOf(service.value.meta)
}
