import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownCasesFolder } from './cases-folder.ts'
import { type ControllersCase, type ControllersFile, replayControllers } from './controllers.ts'

interface Recorded extends ControllersCase {
  readonly services?: readonly Recording[]
  readonly endpointSlices?: readonly Recording[]
  readonly endpoints?: readonly Recording[]
  readonly namespaceLabels?: Readonly<Record<string, string>>
  readonly refused?: readonly { readonly kind: string; readonly name: string; readonly message: string }[]
}

interface Recording {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [key: string]: unknown
}

const file = JSON.parse(readFileSync(join(ownCasesFolder('snapshots'), 'controllers.json'), 'utf8')) as ControllersFile
const cases = file.cases as readonly Recorded[]

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(entries.sort(([x], [y]) => (x < y ? -1 : 1)).map(([key, entry]) => [key, sorted(entry)]))
}
const asSet = (values: readonly unknown[]): string[] => values.map((value) => JSON.stringify(sorted(value))).sort()

/** Addresses and ports that were not asked for are chance. */
function serviceShape(one: Recorded, { metadata, spec }: Recording): unknown {
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

function sliceShape({ metadata, addressType, ports, endpoints }: Recording): unknown {
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
function endpointsShape({ metadata, subsets }: Recording): unknown {
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

describe('what a real API server and its controllers made of manifests', () => {
  it('is a file of 54 cases', () => expect(cases.length).toBe(54))

  it.each(cases.map((one) => [one.name, one] as const))('%s', (name, one) => {
    const ours = replayControllers(file, one) as unknown as Recorded & {
      refused: readonly { messages: readonly string[] }[]
    }
    expect(asSet((ours.services ?? []).map((service) => serviceShape(one, service)))).toEqual(
      asSet((one.services ?? []).map((service) => serviceShape(one, service))),
    )
    expect(asSet(ours.refused.map(({ kind, name }) => `${kind}/${name}`))).toEqual(
      asSet((one.refused ?? []).map(({ kind, name }) => `${kind}/${name}`)),
    )
    const [recorded, made] = [one.endpointSlices ?? [], ours.endpointSlices ?? []]
    // Which five of the 105 endpoints are in the second slice is chance.
    if (name === 'many') {
      const sizes = (slices: readonly Recording[]) =>
        slices.map(({ endpoints }) => (endpoints as unknown[]).length).sort()
      const all = (slices: readonly Recording[]) =>
        slices.flatMap((slice) => (sliceShape(slice) as { endpoints: string[] }).endpoints).sort()
      expect([sizes(made), all(made)]).toEqual([sizes(recorded), all(recorded)])
    } else expect(asSet(made.map(sliceShape))).toEqual(asSet(recorded.map(sliceShape)))
    expect(asSet((ours.endpoints ?? []).map(endpointsShape))).toEqual(asSet((one.endpoints ?? []).map(endpointsShape)))
    expect(ours.namespaceLabels).toEqual(one.namespaceLabels)
  })

  it("refuses in the API server's own words", () => {
    const said = cases.flatMap((one) => {
      const ours = replayControllers(file, one).refused as readonly { name: string; messages: readonly string[] }[]
      return (one.refused ?? []).map(({ name, message }) => {
        const reason = message.slice(message.indexOf('is invalid: ') + 'is invalid: '.length)
        const own = (ours.find((other) => other.name === name)?.messages ?? []).map((text) =>
          text.slice(text.indexOf('is invalid: ') + 'is invalid: '.length),
        )
        return { recorded: reason, ours: own.length === 1 ? own[0]! : `[${own.join(', ')}]` }
      })
    })
    // The API server says twice, in two ways, that a name is no address.
    const differing = said.filter(({ recorded, ours }) => recorded !== ours && !recorded.includes('db.example.com'))
    expect(differing).toEqual([])
    expect(said.length).toBe(27)
  })
})
