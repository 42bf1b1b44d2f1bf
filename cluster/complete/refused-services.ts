import { formatIp, ipKey } from '../../packet/ip.ts'
import { contains, type Prefix } from '../../packet/prefix.ts'
import { kubernetesServiceIp } from '../allocate/cluster-ip.ts'
import { NODE_PORTS } from '../allocate/node-port.ts'
import type { FieldPath } from '../input/field-path.ts'
import { formatFieldPath } from '../input/field-path.ts'
import { byText } from '../order.ts'
import type { Found } from '../read/object-kinds.ts'
import type { ServiceDraft } from '../read/service.ts'
import type { Diagnostic } from '../source.ts'
import type { SourceTexts } from '../source-texts.ts'
import { defaultService } from './service.ts'
import { familyOfIp } from './service-addresses.ts'

interface Refusal {
  readonly path: FieldPath
  readonly code: string
  readonly text: string
}

/**
 * What the API server refuses in Services for the cluster's sake: families and addresses that it does not have, and
 * addresses and node ports that another Service has (the one that stands first in the input keeps them).
 */
export function refusedServices(
  services: readonly Found<ServiceDraft>[],
  ranges: readonly Prefix[],
  sources: SourceTexts,
): Diagnostic[] {
  const ips = new Set<number | string>()
  const nodePorts = new Set<string>()
  const inOrder = [...services].sort(
    (x, y) => Number(y.recorded) - Number(x.recorded) || byText(x.at.file, y.at.file) || x.at.offset - y.at.offset,
  )
  return inOrder.flatMap((found) => {
    const problems = found.recorded ? [] : refusalsOf(found.draft, { ranges, ips, nodePorts })
    for (const ip of found.draft.clusterIPs) ips.add(ipKey(ip))
    for (const { nodePort, protocol } of found.draft.ports) if (nodePort !== 0) nodePorts.add(`${nodePort}/${protocol}`)
    const name = `Service ${found.draft.meta.namespace}/${found.draft.meta.name}`
    return problems.map(({ path, code, text }) => ({
      severity: 'error' as const,
      code,
      message: `${name} is invalid: ${formatFieldPath(path)}: ${text}`,
      at: sources.locate(found.at, path),
      object: name,
      refused: true,
    }))
  })
}

interface Taken {
  readonly ranges: readonly Prefix[]
  readonly ips: ReadonlySet<number | string>
  readonly nodePorts: ReadonlySet<string>
}

function refusalsOf(draft: ServiceDraft, { ranges, ips, nodePorts }: Taken): Refusal[] {
  if (draft.type === 'ExternalName') return []
  const problems: Refusal[] = []
  const add = (path: FieldPath, code: string, text: string) => problems.push({ path, code, text })
  const families = [...new Set(ranges.map(({ address }) => familyOfIp(address)))]
  const open = draft.headless && draft.selector === undefined
  const { ipFamilies, ipFamilyPolicy } = defaultService(draft, families)
  if (!open && ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    const why = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
    add(['spec', 'ipFamilyPolicy'], 'family-policy', why)
  }
  if (!open)
    for (const [i, family] of ipFamilies.entries())
      if (!families.includes(family) && (i === 0 || draft.ipFamilies.length > 1))
        add(['spec', 'ipFamilies', i], 'family-unknown', `Invalid value: "${family}": not configured on this cluster`)
  const listed = JSON.stringify(draft.clusterIPs.map(formatIp))
  for (const ip of draft.clusterIPs) {
    const why = `Invalid value: ${listed}: failed to allocate IP ${formatIp(ip)}:`
    const first = ranges[0]
    const isApi = first !== undefined && ipKey(kubernetesServiceIp(first)) === ipKey(ip) && !isKubernetes(draft)
    if (!ranges.some((range) => contains(range, ip)))
      add(['spec', 'clusterIPs'], 'cluster-ip-outside', `${why} the provided network does not match the current range`)
    else if (isApi || ips.has(ipKey(ip)))
      add(['spec', 'clusterIPs'], 'cluster-ip-taken', `${why} provided IP is already allocated`)
  }
  for (const [i, { nodePort, protocol }] of draft.ports.entries()) {
    if (nodePort === 0 || draft.type === 'ClusterIP') continue
    const at = ['spec', 'ports', i, 'nodePort']
    const { first, last } = NODE_PORTS
    if (nodePort < first || nodePort > last) {
      const range = `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
      add(at, 'node-port-range', `Invalid value: ${nodePort}: ${range}`)
    } else if (nodePorts.has(`${nodePort}/${protocol}`))
      add(at, 'node-port-taken', `Invalid value: ${nodePort}: provided port is already allocated`)
  }
  return problems
}

const isKubernetes = ({ meta }: ServiceDraft): boolean => meta.namespace === 'default' && meta.name === 'kubernetes'
