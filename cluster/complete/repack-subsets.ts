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

/**
 * Subsets put together again by what they offer (pkg/api/v1/endpoints RepackSubsets): an address keeps the fields of
 * its first mention, one that is both ready and not ready is not ready, and ports of equal addresses share a subset.
 */
export function repackSubsets(subsets: readonly EndpointSubset[]): Repacked[] {
  const first = new Map<string, EndpointAddress>()
  const byPort = new Map<string, { port: EndpointsPort | undefined; ready: Map<string, boolean> }>()
  const put = (address: EndpointAddress, port: EndpointsPort | undefined, ready: boolean) => {
    const key = `${ipKey(address.ip)} ${JSON.stringify(address.targetRef ?? null)}`
    if (!first.has(key)) first.set(key, address)
    const name = JSON.stringify(port ?? null)
    const entry = byPort.get(name) ?? { port, ready: new Map() }
    byPort.set(name, entry)
    if (entry.ready.get(key) !== false) entry.ready.set(key, ready)
  }
  for (const subset of subsets)
    for (const port of subset.ports.length === 0 ? [undefined] : subset.ports) {
      for (const address of subset.addresses) put(address, port, true)
      for (const address of subset.notReadyAddresses) put(address, port, false)
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
