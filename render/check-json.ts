import type { CheckReport } from '../cluster/check.ts'
import { formatIp } from '../packet/ip.ts'
import { formatPrefix } from '../packet/prefix.ts'

export const CHECK_API_VERSION = 'podwalk/v1'

/** What `podwalk check` found, as JSON. The schema is check-schema.ts. */
export function renderCheckJson({ verdict, cluster, kinds, computed, input, findings, limits }: CheckReport): string {
  const { facts } = cluster
  const document = {
    apiVersion: CHECK_API_VERSION,
    kind: 'Check',
    verdict,
    cluster: {
      kubernetesVersion: facts.kubernetesVersion,
      dnsDomain: facts.dnsDomain,
      podCIDRs: facts.podCIDRs.map(formatPrefix),
      serviceCIDRs: facts.serviceCIDRs.map(formatPrefix),
      clusterDNS: facts.clusterDNS.map(formatIp),
      cni: facts.cni,
    },
    kinds,
    computed,
    missing: input.lacking,
    empty: input.empty,
    skipped: input.skipped,
    files: input.files,
    layouts: input.layouts,
    findings,
    limits,
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}
