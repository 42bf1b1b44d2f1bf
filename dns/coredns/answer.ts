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
