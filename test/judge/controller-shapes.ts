import type { ControllersCase } from './controllers.ts'

/** A case with what came of it. */
export interface Recorded extends ControllersCase {
  readonly services?: readonly Recording[]
  readonly endpointSlices?: readonly Recording[]
  readonly endpoints?: readonly Recording[]
  readonly namespaceLabels?: Readonly<Record<string, string>>
  readonly refused?: readonly { readonly kind: string; readonly name: string; readonly message: string }[]
}

export interface Recording {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [key: string]: unknown
}

export const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(entries.sort(([x], [y]) => (x < y ? -1 : 1)).map(([key, entry]) => [key, sorted(entry)]))
}
export const asSet = (values: readonly unknown[]): string[] =>
  values.map((value) => JSON.stringify(sorted(value))).sort()

/** Addresses and ports that were not asked for are chance. */
export function serviceShape(one: Recorded, { metadata, spec }: Recording): unknown {
  const given = one.applied.find(({ kind, metadata: { name } }) => kind === 'Service' && name === metadata.name)
  const asked = (given as unknown as { spec: { clusterIP?: string; ports?: { nodePort?: number }[] } }).spec
  const shape = structuredClone(spec) as {
    clusterIP?: string
    clusterIPs?: string[]
    healthCheckNodePort?: number
    ports?: { nodePort?: number }[]
  }
  if (asked.clusterIP === undefined) {
    if (shape.clusterIP !== undefined) shape.clusterIP = 'allocated'
    if (shape.clusterIPs !== undefined) shape.clusterIPs = shape.clusterIPs.map(() => 'allocated')
  }
  if (shape.healthCheckNodePort !== undefined) shape.healthCheckNodePort = 1
  for (const [i, port] of (shape.ports ?? []).entries())
    if (asked.ports?.[i]?.nodePort === undefined && port.nodePort) port.nodePort = 1
  return { name: metadata.name, shape }
}

type Endpoints = readonly { readonly targetRef?: { readonly kind: string; readonly name: string } }[] | null

export function sliceShape({ metadata, addressType, ports, endpoints }: Recording): unknown {
  return {
    family: addressType,
    service: metadata.labels?.['kubernetes.io/service-name'],
    managedBy: metadata.labels?.['endpointslice.kubernetes.io/managed-by'],
    headless: metadata.labels?.['service.kubernetes.io/headless'],
    ports: ports ?? [],
    endpoints: asSet(
      ((endpoints as Endpoints) ?? []).map(({ targetRef, ...endpoint }) => ({
        ...endpoint,
        conditions: (endpoint as { conditions?: object }).conditions ?? {},
        target: targetRef && `${targetRef.kind}/${targetRef.name}`,
      })),
    ),
  }
}

interface Subset {
  readonly addresses?: readonly unknown[]
  readonly notReadyAddresses?: readonly unknown[]
  readonly ports?: readonly unknown[]
}

/** The order of subsets and of their ports is that of a hash. */
export function endpointsShape({ metadata, subsets }: Recording): unknown {
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    subsets: asSet(
      ((subsets as readonly Subset[] | undefined) ?? []).map(({ addresses, notReadyAddresses, ports }) => ({
        addresses: asSet((addresses ?? []).map(withoutUid)),
        notReady: asSet((notReadyAddresses ?? []).map(withoutUid)),
        ports: asSet(ports ?? []),
      })),
    ),
  }
}

const withoutUid = (address: unknown): unknown => {
  const { targetRef, ...rest } = address as { targetRef?: { kind: string; name: string } }
  return { ...rest, target: targetRef && `${targetRef.kind}/${targetRef.name}` }
}
