import { expireConnections } from '../../linux/ipvs/connection-table.ts'
import { type IpvsConfig, type IpvsService, keyOfService } from '../../linux/ipvs/ipvs-config.ts'
import { type IpvsChange, sameServer, serversOf } from '../../linux/ipvs/service-change.ts'
import type { Netns } from '../../linux/netns.ts'

/** A real server of weight 0 that waits until its connections have ended (graceful_termination.go). */
export interface Draining {
  readonly service: IpvsService
  readonly server: IpvsService['destinations'][number]
}

export interface LaterSync {
  readonly changes: readonly IpvsChange[]
  readonly draining: readonly Draining[]
}

/**
 * What kube-proxy tells the kernel when its virtual servers shall be others (pkg/proxy/ipvs/proxier.go syncService,
 * syncEndpoint, cleanLegacyService): a real server of TCP that still has connections gets weight 0 and is looked after
 * again each minute; those of UDP and SCTP go at once.
 */
export function laterSync(
  ns: Netns,
  { before, after }: { readonly before: IpvsConfig; readonly after: IpvsConfig },
  draining: readonly Draining[],
): LaterSync {
  expireConnections(ns)
  const changes: IpvsChange[] = []
  const left: Draining[] = []
  for (const service of after.services) {
    const old = before.byAddress.get(keyOfService(service))
    if (old === undefined) {
      changes.push({ kind: 'addService', service })
      for (const server of service.destinations) changes.push({ kind: 'addServer', service, server })
      continue
    }
    if (specText(old) !== specText(service)) changes.push({ kind: 'editService', service })
    const waiting = draining.filter((one) => keyOfService(one.service) === keyOfService(service))
    syncServers(ns, { old, service, waiting }, { changes, left })
  }
  for (const service of before.services)
    if (!after.byAddress.has(keyOfService(service))) changes.push({ kind: 'deleteService', service })
  return { changes, draining: left }
}

const specText = ({ scheduler, flags = [], persistent, onePacket }: IpvsService): string =>
  JSON.stringify([scheduler, flags, persistent, onePacket])

function syncServers(
  ns: Netns,
  of: { readonly old: IpvsService; readonly service: IpvsService; readonly waiting: readonly Draining[] },
  out: { readonly changes: IpvsChange[]; readonly left: Draining[] },
): void {
  const { old, service, waiting } = of
  const there = serversOf(ns, old)
  const isWaiting = (server: Parameters<typeof sameServer>[0]) => waiting.some((one) => sameServer(one.server, server))
  for (const server of service.destinations) {
    if (!there.some((one) => sameServer(one, server))) out.changes.push({ kind: 'addServer', service, server })
    else if (isWaiting(server)) {
      // MoveRSOutofGracefulDeleteList: it is deleted, and added again.
      out.changes.push({ kind: 'deleteServer', service, server }, { kind: 'addServer', service, server })
    }
  }
  for (const server of there) {
    if (service.destinations.some((one) => sameServer(one, server))) continue
    const known =
      old.destinations.find((one) => sameServer(one, server)) ??
      waiting.find((one) => sameServer(one.server, server))?.server
    if (known === undefined) continue
    if (service.protocol !== 'TCP' || server.connections === 0) {
      out.changes.push({ kind: 'deleteServer', service, server: known })
      continue
    }
    if (server.weight !== 0) out.changes.push({ kind: 'setWeight', service, server: known, weight: 0 })
    out.left.push({ service, server: known })
  }
}

/** tryDeleteRs, each minute: real servers whose last connection has ended go. */
export function afterAMinute(ns: Netns, draining: readonly Draining[]): LaterSync {
  expireConnections(ns)
  const changes: IpvsChange[] = []
  const left: Draining[] = []
  for (const one of draining) {
    const { service, server } = one
    const now = serversOf(ns, service).find((other) => sameServer(other, server))
    if (now === undefined) continue
    if (now.connections === 0) changes.push({ kind: 'deleteServer', service, server })
    else left.push(one)
  }
  return { changes, draining: left }
}
