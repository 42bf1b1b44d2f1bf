import type { Directive } from './order.ts'
import type { Plugin } from './plugin.ts'
import { cache } from './plugins/cache/cache.ts'
import { errors } from './plugins/errors.ts'
import { forward } from './plugins/forward/forward.ts'
import { kubernetes } from './plugins/kubernetes/kubernetes.ts'
import { loadbalance } from './plugins/loadbalance.ts'
import { loop } from './plugins/loop.ts'
import { health, prometheus, ready, reload } from './plugins/no-op.ts'

/** The plugins that are emulated. A directive that is not here is real, but not modelled. */
export const plugins = {
  reload,
  ready,
  health,
  prometheus,
  errors,
  loadbalance,
  cache,
  kubernetes,
  loop,
  forward,
} as const satisfies Partial<Record<Directive, Plugin>>
