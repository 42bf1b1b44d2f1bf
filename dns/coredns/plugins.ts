import type { Directive } from './order.ts'
import type { Plugin } from './plugin.ts'
import { acl } from './plugins/acl.ts'
import { any } from './plugins/any.ts'
import { autopath } from './plugins/autopath.ts'
import { bufsize } from './plugins/bufsize.ts'
import { cache } from './plugins/cache/cache.ts'
import { chaos } from './plugins/chaos.ts'
import { dns64 } from './plugins/dns64.ts'
import { errors } from './plugins/errors.ts'
import { file } from './plugins/file/file.ts'
import { forward } from './plugins/forward/forward.ts'
import { header } from './plugins/header.ts'
import { hosts } from './plugins/hosts.ts'
import { k8sExternal } from './plugins/k8s-external.ts'
import { kubernetes } from './plugins/kubernetes/kubernetes.ts'
import { loadbalance } from './plugins/loadbalance.ts'
import { local } from './plugins/local.ts'
import { log } from './plugins/log/log.ts'
import { loop } from './plugins/loop.ts'
import { minimal } from './plugins/minimal.ts'
import { health, prometheus, ready, reload } from './plugins/no-op.ts'
import { nsid } from './plugins/nsid.ts'
import { rewrite } from './plugins/rewrite/rewrite.ts'
import { cancel, debug, metadata, multisocket, pprof, timeouts, trace } from './plugins/silent.ts'
import { template } from './plugins/template/template.ts'
import { transfer } from './plugins/transfer.ts'
import { view } from './plugins/view.ts'
import { whoami } from './plugins/whoami.ts'

/** The plugins that are emulated. A directive that is not here is real, but not modelled. */
export const plugins = {
  metadata,
  cancel,
  timeouts,
  multisocket,
  reload,
  nsid,
  bufsize,
  debug,
  trace,
  ready,
  health,
  pprof,
  prometheus,
  errors,
  log,
  local,
  dns64,
  any,
  chaos,
  loadbalance,
  rewrite,
  autopath,
  acl,
  cache,
  header,
  minimal,
  template,
  transfer,
  hosts,
  k8s_external: k8sExternal,
  kubernetes,
  file,
  loop,
  forward,
  whoami,
  view,
} as const satisfies Partial<Record<Directive, Plugin>>
