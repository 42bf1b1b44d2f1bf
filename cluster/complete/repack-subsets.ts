import { ipKey } from '../../packet/ip.ts'
import type { EndpointAddress, EndpointSubset, EndpointsPort } from '../objects.ts'
import { byText } from '../order.ts'

/** An address and whether it takes traffic. */
export interface Reachable {
  readonly address: EndpointAddress
  readonly ready: boolean
}

export interface Repacked {
  readonly ports: readonly EndpointsPort[]
  readonly addresses: readonly Reachable[]
}

/** What tells addresses and ports apart beside what they say. */
export interface Identities {
  /** Whom an address is for: two of them may share it. */
  readonly owner: (address: EndpointAddress) => string
  /** Ports that are written twice are the same; unless they have an appProtocol, which Go compares by its pointer. */
  readonly written: boolean
}

/**
 * Subsets put together again by what they offer (pkg/api/v1/endpoints RepackSubsets): an address keeps the fields of
 * its first mention, one that is both ready and not ready is not ready, and ports of equal addresses share a subset.
 */
export function repackSubsets(subsets: readonly EndpointSubset[], { owner, written }: Identities): Repacked[] {
  const first = new Map<string, EndpointAddress>()
  const byPort = new Map<string, { port: EndpointsPort | undefined; ready: Map<string, boolean> }>()
  const put = (address: EndpointAddress, of: { port: EndpointsPort | undefined; name: string; ready: boolean }) => {
    const key = `${ipKey(address.ip)} ${owner(address)}`
    if (!first.has(key)) first.set(key, address)
    const entry = byPort.get(of.name) ?? { port: of.port, ready: new Map() }
    byPort.set(of.name, entry)
    if (entry.ready.get(key) !== false) entry.ready.set(key, of.ready)
  }
  for (const [i, subset] of subsets.entries())
    for (const port of subset.ports.length === 0 ? [undefined] : subset.ports) {
      const own = written && port?.appProtocol !== undefined ? ` ${i}` : ''
      const name = `${JSON.stringify(port ?? null)}${own}`
      for (const address of subset.addresses) put(address, { port, name, ready: true })
      for (const address of subset.notReadyAddresses) put(address, { port, name, ready: false })
    }
  const groups = new Map<string, { ports: EndpointsPort[]; ready: Map<string, boolean> }>()
  for (const { port, ready } of byPort.values()) {
    const key = JSON.stringify([...ready].sort(([x], [y]) => byText(x, y)))
    const group = groups.get(key) ?? { ports: [], ready }
    groups.set(key, group)
    if (port !== undefined) group.ports.push(port)
  }
  return [...groups.values()].map(({ ports, ready }) => ({
    ports,
    addresses: [...ready].flatMap(([key, isReady]) => {
      const address = first.get(key)
      return address === undefined ? [] : [{ address, ready: isReady }]
    }),
  }))
}
