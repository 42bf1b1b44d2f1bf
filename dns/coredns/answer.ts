import type { ConfigLine, DnsStep } from '../step.ts'
import type { Effect, EffectResult, Serving } from './plugin.ts'
import type { Arrival, Server } from './server.ts'

/** How a server that has no sockets gets what it asks for; without it every upstream is out of reach. */
export type Exchange = (effect: Effect & { readonly kind: 'exchange' }) => EffectResult

const OUT_OF_REACH: EffectResult = { kind: 'error', errno: 'ENETUNREACH' }

/**
 * Answers one message at once: for a judge, a bench, or a server whose sockets are real. Work beside the answer (a
 * prefetch) is done before it returns; nothing sleeps. Undefined where nothing is sent.
 */
export function answer(
  server: Server,
  arrival: Arrival,
  exchange: Exchange = () => OUT_OF_REACH,
): Uint8Array | undefined {
  return drive(server.handle(arrival), exchange)
}

/** A reply, what happened on the way, and who made it. */
export interface Explained {
  /** Undefined: nothing is sent. */
  readonly bytes: Uint8Array | undefined
  readonly steps: readonly DnsStep[]
  readonly by: Answerer | undefined
}

/** Who answered: a plugin with its line of the Corefile, and the object it answered from with its place in the input. */
export interface Answerer {
  readonly plugin: string
  readonly line: ConfigLine | undefined
  readonly object: string | undefined
  readonly source: string | undefined
  readonly detail: string
}

/** `answer`, with who answered. */
export function explainedAnswer(server: Server, arrival: Arrival, exchange: Exchange = () => OUT_OF_REACH): Explained {
  return drive(explaining(server, arrival), exchange) ?? { bytes: undefined, steps: [], by: undefined }
}

/**
 * The same for a driver of its own, which may do other work while an upstream is asked: queries that are under way
 * together keep their steps apart, as these are taken whenever one of them waits.
 */
export function* explaining(server: Server, arrival: Arrival): Serving<Explained> {
  const serving = server.handle(arrival)
  const steps: DnsStep[] = []
  let step = serving.next()
  for (;;) {
    steps.push(...server.takenNotes())
    if (step.done) return { bytes: step.value, steps, by: whoAnswered(steps) }
    step = serving.next(yield step.value)
  }
}

/** Who made the last reply among these steps; undefined: the server itself, or nobody. */
export function whoAnswered(steps: readonly DnsStep[]): Answerer | undefined {
  const told = steps.findLast((step) => step.kind === 'dns.answer')
  const plugin = told?.kind === 'dns.answer' ? told.by : undefined
  if (plugin === undefined) return undefined
  const own = steps.findLast((step) => step.kind === 'dns.plugin' && step.plugin === plugin && step.action !== 'stored')
  if (own?.kind !== 'dns.plugin') return { plugin, line: undefined, object: undefined, source: undefined, detail: '' }
  return { plugin, line: own.line, object: own.object, source: own.source, detail: own.detail }
}

function drive<Result>(serving: Serving<Result>, exchange: Exchange): Result | undefined {
  const beside: Serving<void>[] = []
  let step = serving.next()
  while (!step.done) {
    const effect = step.value
    switch (effect.kind) {
      case 'exchange':
        step = serving.next(exchange(effect))
        break
      case 'background':
        beside.push(effect.work)
        step = serving.next({ kind: 'done' })
        break
      case 'sleep':
      case 'exit':
        return undefined
    }
  }
  for (const work of beside) drive(work, exchange)
  return step.value
}
