import type { Directive } from './order.ts'
import type { Plugin } from './plugin.ts'
import { cache } from './plugins/cache/cache.ts'
import { errors } from './plugins/errors.ts'
import { forward } from './plugins/forward/forward.ts'
import { hosts } from './plugins/hosts.ts'
import { kubernetes } from './plugins/kubernetes/kubernetes.ts'
import { loadbalance } from './plugins/loadbalance.ts'
import { log } from './plugins/log.ts'
import { loop } from './plugins/loop.ts'
import { health, prometheus, ready, reload } from './plugins/no-op.ts'
import { cancel, debug, metadata, multisocket, pprof, timeouts, trace } from './plugins/silent.ts'

/** The plugins that are emulated. A directive that is not here is real, but not modelled. */
export const plugins = {
  metadata,
  cancel,
  timeouts,
  multisocket,
  reload,
  debug,
  trace,
  pprof,
  ready,
  health,
  prometheus,
  errors,
  log,
  loadbalance,
  cache,
  hosts,
  kubernetes,
  loop,
  forward,
} as const satisfies Partial<Record<Directive, Plugin>>
