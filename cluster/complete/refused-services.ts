import { formatIp, type Ip, ipKey, sameIp } from '../../packet/ip.ts'
import { contains, lastIp, type Prefix } from '../../packet/prefix.ts'
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
 * addresses and node ports that another Service has (the one that stands first in the input keeps them). It stops at the
 * first of these steps that fails (pkg/registry/core/service/storage/alloc.go allocateCreate).
 */
export function refusedServices(
  services: readonly Found<ServiceDraft>[],
  of: {
    readonly ranges: readonly Prefix[]
    readonly sources: SourceTexts
    /** The names of those that keep what they ask for: others are refused for what they are. */
    readonly keeps: ReadonlySet<string>
  },
): Diagnostic[] {
  const { ranges, sources, keeps } = of
  const ips = new Set<number | string>()
  const nodePorts = new Set<number>()
  const inOrder = [...services].sort(
    (x, y) => Number(y.recorded) - Number(x.recorded) || byText(x.at.file, y.at.file) || x.at.offset - y.at.offset,
  )
  return inOrder.flatMap((found) => {
    const { draft, recorded } = found
    const problems = recorded || draft.addressesRefused ? [] : refusalsOf(draft, { ranges, ips, nodePorts })
    const name = `Service ${draft.meta.namespace}/${draft.meta.name}`
    if (problems.length === 0 && keeps.has(name)) {
      for (const ip of draft.clusterIPs) ips.add(ipKey(ip))
      for (const { nodePort } of draft.ports) if (nodePort !== 0) nodePorts.add(nodePort)
      if (draft.healthCheckNodePort !== 0) nodePorts.add(draft.healthCheckNodePort)
    }
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
  readonly nodePorts: ReadonlySet<number>
}

function refusalsOf(draft: ServiceDraft, taken: Taken): readonly Refusal[] {
  if (draft.type === 'ExternalName') return []
  for (const step of [refusedFamilies, refusedAddresses, refusedNodePorts]) {
    const problems = step(draft, taken)
    if (problems.length > 0) return problems
  }
  return []
}

function refusedFamilies(draft: ServiceDraft, { ranges }: Taken): readonly Refusal[] {
  const families = [...new Set(ranges.map(({ address }) => familyOfIp(address)))]
  const listed = JSON.stringify(draft.clusterIPTexts)
  const inferred = draft.clusterIPs.flatMap((ip, i): Refusal[] => {
    const family = familyOfIp(ip)
    if (i < draft.ipFamilies.length || families.includes(family)) return []
    const text = `Invalid value: ${listed}: ${family} is not configured on this cluster`
    return [{ path: ['spec', 'clusterIPs', i], code: 'family-unknown', text }]
  })
  if (inferred.length > 0 || (draft.headless && draft.selector === undefined)) return inferred
  const dual: Refusal = {
    path: ['spec', 'ipFamilyPolicy'],
    code: 'family-policy',
    text: 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  }
  const unknown = draft.ipFamilies.flatMap((family, i): Refusal[] =>
    families.includes(family)
      ? []
      : [
          {
            path: ['spec', 'ipFamilies', i],
            code: 'family-unknown',
            text: `Invalid value: "${family}": not configured on this cluster`,
          },
        ],
  )
  return [...(draft.ipFamilyPolicy === 'RequireDualStack' && families.length < 2 ? [dual] : []), ...unknown]
}

function refusedAddresses(draft: ServiceDraft, { ranges, ips }: Taken): readonly Refusal[] {
  const families = [...new Set(ranges.map(({ address }) => familyOfIp(address)))]
  const { ipFamilies } = defaultService(draft, families)
  // The API server has put an empty text for each that is still to be given.
  const open = ipFamilies.slice(draft.clusterIPTexts.length).map(() => '')
  const listed = JSON.stringify([...draft.clusterIPTexts, ...open])
  for (const ip of draft.clusterIPs) {
    const why = `Invalid value: ${listed}: failed to allocate IP ${formatIp(ip)}:`
    const path = ['spec', 'clusterIPs']
    const first = ranges[0]
    const isApi = first !== undefined && ipKey(kubernetesServiceIp(first)) === ipKey(ip) && !isKubernetes(draft)
    if (!ranges.some((range) => isHost(range, ip)))
      return [
        { path, code: 'cluster-ip-outside', text: `${why} the provided network does not match the current range` },
      ]
    if (isApi || ips.has(ipKey(ip)))
      return [{ path, code: 'cluster-ip-taken', text: `${why} provided IP is already allocated` }]
  }
  return []
}

/** The first address of a range is its network's and is not given out, nor is the last one of IPv4. */
const isHost = (range: Prefix, ip: Ip): boolean =>
  contains(range, ip) && !sameIp(range.address, ip) && (ip.family === 6 || !sameIp(lastIp(range), ip))

/** A number is asked for once, unless two ports of one number share it. */
function refusedNodePorts(draft: ServiceDraft, { nodePorts }: Taken): readonly Refusal[] {
  if (draft.type !== 'NodePort' && draft.type !== 'LoadBalancer') return []
  const { first, last } = NODE_PORTS
  const own = new Set<number>()
  const given = new Map<number, number>()
  const problem = (number: number): string | undefined => {
    if (number < first || number > last)
      return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
    return nodePorts.has(number) || own.has(number) ? 'provided port is already allocated' : undefined
  }
  const isOpen = draft.type === 'NodePort' || draft.allocateLoadBalancerNodePorts
  for (const [i, { port, nodePort }] of draft.ports.entries()) {
    if (nodePort === 0 && !isOpen) continue
    const known = given.get(port)
    const asked = known === undefined ? requestedFor(port, draft.ports.slice(i)) : nodePort
    if (asked === 0 || asked === known) continue
    const why = problem(asked)
    if (why !== undefined)
      return [{ path: ['spec', 'ports', i, 'nodePort'], code: codeOf(why), text: `Invalid value: ${asked}: ${why}` }]
    own.add(asked)
    if (known === undefined) given.set(port, asked)
  }
  const health = draft.healthCheckNodePort
  const why =
    draft.type === 'LoadBalancer' && draft.externalTrafficPolicy === 'Local' && health !== 0
      ? problem(health)
      : undefined
  if (why === undefined) return []
  const text = `Internal error: failed to allocate requested HealthCheck NodePort ${health}: ${why}`
  return [{ path: ['spec', 'healthCheckNodePort'], code: codeOf(why), text }]
}

/** The node port that is asked for by the first port of a number that asks for one. */
const requestedFor = (port: number, ports: ServiceDraft['ports']): number =>
  ports.find((one) => one.port === port && one.nodePort !== 0)?.nodePort ?? 0

const codeOf = (why: string): string => (why.endsWith('allocated') ? 'node-port-taken' : 'node-port-range')

const isKubernetes = ({ meta }: ServiceDraft): boolean => meta.namespace === 'default' && meta.name === 'kubernetes'
