import { cniPlugins } from '../cni/registry.ts'
import { PROXY_MODE_NAMES } from '../proxy/proxy-mode.ts'
import { proxyModes } from '../proxy/registry.ts'
import { NEWEST_MODELLED } from '../proxy/versions.ts'
import { print } from './terminal.ts'

export const VERSION = '0.1.0'

/** `podwalk version`. */
export function version(): number {
  const missing = PROXY_MODE_NAMES.filter((name) => !(name in proxyModes))
  print(
    [
      `podwalk ${VERSION}`,
      `pod networks   ${Object.keys(cniPlugins).join(', ')}`,
      `kube-proxy     ${Object.keys(proxyModes).join(', ')} (up to ${NEWEST_MODELLED}); not modelled: ${missing.join(', ')}`,
      `node           ${process.version}`,
    ].join('\n'),
  )
  return 0
}
