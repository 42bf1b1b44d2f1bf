import { keyOf } from '../cluster/cluster.ts'
import { findOne } from '../cluster/find-object.ts'
import { nearest } from '../cluster/nearest.ts'
import type { Built } from '../engine/build.ts'
import type { Network } from '../engine/network.ts'
import { isOfTraffic, isShownNoun, SHOWN_NOUNS, type ShownAs, show as showIn } from '../render/show.ts'
import { EXIT } from './exit-code.ts'
import { openBuilt, type SnapshotOptions } from './snapshot.ts'
import { print, Stop } from './terminal.ts'
import { askThen, type ThenOptions } from './then.ts'

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
  /** What is asked before the tables are looked at. */
  readonly from?: string
  readonly to?: string
  readonly protocol?: NonNullable<ThenOptions['protocol']>
  readonly sourcePort?: number
  readonly seed: number
  readonly then?: readonly string[]
  readonly anew?: boolean
  readonly repeat?: number
  readonly every: number
  readonly stats?: boolean
  readonly connections?: boolean
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
  const { built, after } = asked(openBuilt(options), noun, options)
  const shown = showIn(built, noun, {
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.pod === undefined ? {} : { pod: options.pod }),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.table === undefined ? {} : { table: options.table }),
    ...(options.service === undefined ? {} : { service: serviceKey(built, options.service, options.namespace) }),
    ...(options.origin === undefined ? {} : { origin: options.origin }),
    ...(options.as === undefined ? {} : { as: options.as }),
    ...(options.zone === undefined ? {} : { zone: options.zone }),
    ...(after === undefined ? {} : { after }),
    ...(options.connections === true ? { ipvs: 'connections' } : options.stats === true ? { ipvs: 'stats' } : {}),
    family: options.six === true ? 6 : 4,
  })
  if (!shown.ok) {
    const lacksTraffic = after === undefined && isOfTraffic(noun) && (options.node ?? options.pod) !== undefined
    throw new Stop(shown.reason, {
      todo: lacksTraffic ? EXAMPLE(noun) : `podwalk show ${noun} --node NODE or --pod POD`,
    })
  }
  print(shown.value)
  return EXIT.yes
}

/** The machines as they are when the question has been asked, if one is: as often, and over such changes, as is said. */
function asked(built: Built, noun: string, options: ShowOptions): { built: Built; after?: Network } {
  const { from, to, then } = options
  if (from === undefined && to === undefined) {
    if (then === undefined) return { built }
    throw new Stop('--then changes a cluster in which something was asked', { todo: EXAMPLE(noun) })
  }
  if (from === undefined || to === undefined)
    throw new Stop(`${from === undefined ? '--from' : '--to'} is missing: who asks whom?`, { todo: EXAMPLE(noun) })
  const { stages, network } = askThen(built, { ...options, from, to, namespace: options.namespace ?? 'default' })
  return { built: stages.at(-1)?.built ?? built, after: network }
}

const EXAMPLE = (noun: string): string => `podwalk show ${noun} --node NODE --from pod/client --to svc/my-nginx`

function serviceKey({ cluster }: Built, said: string, namespace = 'default'): string {
  const [name = '', own] = said
    .replace(/^svc\//, '')
    .split('/')
    .reverse()
  const service = findOne('svc', cluster.services, { namespace: own, name, fallback: namespace })
  if (!service.ok) throw new Stop(`--service ${said}: ${service.reason}`, { todo: 'for example: --service my-nginx' })
  return keyOf(service.value.meta)
}
