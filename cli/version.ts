import { cniPlugins } from '../cni/registry.ts'
import { resolverNames } from '../dns/resolver/registry.ts'
import { proxyModes } from '../proxy/registry.ts'
import { NEWEST_MODELLED } from '../proxy/versions.ts'
import { labelled } from '../render/columns.ts'
import { print } from './terminal.ts'

export const VERSION = '0.1.0'

/** `podwalk version`: what this is, and what it models. */
export function version(): number {
  const lines: readonly (readonly [label: string, text: string])[] = [
    ['podwalk', VERSION],
    ['pod networks', Object.keys(cniPlugins).join(', ')],
    ['kube-proxy', `${Object.keys(proxyModes).join(', ')} (up to ${NEWEST_MODELLED})`],
    ['resolvers', resolverNames.join(', ')],
    ['node', process.version],
  ]
  print(`${lines.flatMap(([label, text]) => labelled(label, text, { indent: 15, width: 80 })).join('\n')}\n`)
  return 0
}
