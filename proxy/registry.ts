import type { KubeProxyConfig } from './config.ts'
import { iptablesMode } from './iptables/compile.ts'
import { ipvsMode } from './ipvs/compile.ts'
import { nftablesMode } from './nftables/compile.ts'
import { PROXY_MODE_NAMES, type ProxyMode, type ProxyModeName } from './proxy-mode.ts'

/** The modes that can be compiled. A new one is a folder and a line here. */
export const proxyModes = { iptables: iptablesMode, nftables: nftablesMode, ipvs: ipvsMode } as const satisfies Partial<
  Record<ProxyModeName, ProxyMode>
>

/** Modes that exist and are not compiled yet, and what a walk through them would need. */
const UNMODELLED: Readonly<Record<Exclude<ProxyModeName, keyof typeof proxyModes>, string>> = {
  userspace: "kube-proxy's own listening ports and the rules that lead to them",
}

export const unmodelledProxyModes: readonly ProxyModeName[] = PROXY_MODE_NAMES.filter((name) =>
  Object.hasOwn(UNMODELLED, name),
)

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
  const { mode } = config
  if (findProxyMode(mode) !== undefined) return undefined
  const missing = Object.hasOwn(UNMODELLED, mode) ? UNMODELLED[mode as keyof typeof UNMODELLED] : undefined
  return {
    what: `kube-proxy mode ${mode}`,
    missing: missing ?? `known are ${PROXY_MODE_NAMES.join(', ')}`,
    evidence: config.source ?? 'no kube-proxy configuration in the input',
  }
}
