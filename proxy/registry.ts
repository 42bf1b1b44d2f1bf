import type { KubeProxyConfig } from './config.ts'
import { iptablesMode } from './iptables/compile.ts'
import { ipvsMode } from './ipvs/compile.ts'
import { nftablesMode } from './nftables/compile.ts'
import { PROXY_MODE_NAMES, type ProxyMode, type ProxyModeName } from './proxy-mode.ts'
import { userspaceMode } from './userspace/compile.ts'
import { proxyFeatures } from './versions.ts'

/** Every mode. A new one is a folder and a line here. */
export const proxyModes = {
  iptables: iptablesMode,
  nftables: nftablesMode,
  ipvs: ipvsMode,
  userspace: userspaceMode,
} as const satisfies Record<ProxyModeName, ProxyMode>

/** The compiler of a mode; undefined where `proxyNotModelled` says what is missing. */
export function findProxyMode(name: string): ProxyMode | undefined {
  return Object.hasOwn(proxyModes, name) ? proxyModes[name as keyof typeof proxyModes] : undefined
}

/** What stands between a configuration and its rules. */
export interface ProxyNotModelled {
  /** `kube-proxy mode ipvs`. */
  readonly what: string
  /** What exactly is missing, in words that follow "not modelled: ". */
  readonly missing: string
  /** Where it was seen. */
  readonly evidence: string
}

/** What is missing for this configuration; undefined where there is a compiler for its mode. */
export function proxyNotModelled(config: KubeProxyConfig): ProxyNotModelled | undefined {
  const { mode, version } = config
  const evidence = config.source ?? 'no kube-proxy configuration in the input'
  const what = `kube-proxy mode ${mode}`
  if (findProxyMode(mode) === undefined) return { what, missing: `known are ${PROXY_MODE_NAMES.join(', ')}`, evidence }
  if (mode === 'nftables' && !proxyFeatures(version).nftModelled)
    return { what: `${what} of ${version}`, missing: 'its tables before 1.30, when the mode was new', evidence }
  return undefined
}
