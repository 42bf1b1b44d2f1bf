import { iptablesMode } from './iptables/compile.ts'
import { PROXY_MODE_NAMES, type ProxyMode, type ProxyModeName } from './proxy-mode.ts'

/** The modes that can be compiled. A new one is a folder and a line here. */
export const proxyModes = {
  iptables: iptablesMode,
} as const satisfies Partial<Record<ProxyModeName, ProxyMode>>

/** Modes that exist but are not modelled yet: what a node in such a mode does cannot be told. */
export const unmodelledProxyModes: readonly ProxyModeName[] = PROXY_MODE_NAMES.filter((name) => !(name in proxyModes))

/** Undefined: to be answered with "not modelled: kube-proxy mode NAME". */
export function findProxyMode(name: string): ProxyMode | undefined {
  return Object.hasOwn(proxyModes, name) ? proxyModes[name as keyof typeof proxyModes] : undefined
}
