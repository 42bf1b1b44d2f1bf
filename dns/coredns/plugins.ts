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
import { health, pprof, prometheus, ready } from './plugins/http-endpoint.ts'
import { k8sExternal } from './plugins/k8s-external.ts'
import { kubernetes } from './plugins/kubernetes/kubernetes.ts'
import { loadbalance } from './plugins/loadbalance.ts'
import { local } from './plugins/local.ts'
import { log } from './plugins/log/log.ts'
import { loop } from './plugins/loop.ts'
import { metadata } from './plugins/metadata.ts'
import { minimal } from './plugins/minimal.ts'
import { nsid } from './plugins/nsid.ts'
import { bind, cancel, debug, multisocket, reload, root, timeouts, trace } from './plugins/process.ts'
import { rewrite } from './plugins/rewrite/rewrite.ts'
import { template } from './plugins/template/template.ts'
import { tls } from './plugins/tls.ts'
import { transfer } from './plugins/transfer.ts'
import { view } from './plugins/view.ts'
import { whoami } from './plugins/whoami.ts'

/** The plugins that are emulated. A directive that is not here is real, but not modelled. */
export const plugins = {
  root,
  metadata,
  cancel,
  tls,
  timeouts,
  multisocket,
  reload,
  nsid,
  bufsize,
  bind,
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
