/** The newest kube-proxy whose rules were compared with the real program's. */
export const NEWEST_MODELLED = 'v1.36.3'

/** Where kube-proxy's behaviour differs between releases. The Service model and the writers ask here, nowhere else. */
export interface ProxyFeatures {
  /** A `/0` in loadBalancerSourceRanges means "no firewall" (1.34; before, it was one rule among the others). */
  readonly anySourceRangeDisablesFirewall: boolean
  /** EndpointSlice node hints are honoured (gate PreferSameTrafficDistribution: on since 1.34). */
  readonly nodeHints: boolean
  /** Zone hints count only for Services with a topology annotation (until gate ServiceTrafficDistribution, on since 1.31). */
  readonly hintsNeedAnnotation: boolean
}

/** @param version `v1.36.3`, `1.33`, `v1.30.2+k3s1`; what cannot be read counts as the newest. */
export function proxyFeatures(version: string): ProxyFeatures {
  const minor = minorOf(version)
  return {
    anySourceRangeDisablesFirewall: minor >= 34,
    nodeHints: minor >= 34,
    hintsNeedAnnotation: minor < 31,
  }
}

function minorOf(version: string): number {
  const match = /^v?1\.(\d+)/.exec(version)
  return match === null ? minorOf(NEWEST_MODELLED) : Number(match[1])
}
