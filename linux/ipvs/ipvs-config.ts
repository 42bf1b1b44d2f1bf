import { type Ip, ipKey, sameIp } from '../../packet/ip.ts'
import { PROTOCOL } from '../../packet/packet.ts'
import type { IpvsDestinationSpec, IpvsOp, IpvsProtocol, IpvsServiceKey, IpvsServiceSpec } from '../op.ts'
import type { Origin } from '../origin.ts'

/** The virtual servers of one namespace as they were configured; shared by every run (Linux net/netfilter/ipvs). */
export interface IpvsConfig {
  /** In the order they were added. */
  readonly services: readonly IpvsService[]
  /** By `serviceKey`. */
  readonly byAddress: ReadonlyMap<string, IpvsService>
  /** Seconds, as `ipvsadm --set` left them; 0: the kernel's own. */
  readonly timeouts: IpvsTimeouts
}

export interface IpvsTimeouts {
  readonly tcp: number
  readonly tcpFin: number
  readonly udp: number
}

export interface IpvsService extends IpvsServiceSpec {
  readonly origin: Origin
  /** In the order they were added; the kernel's list begins with the one added last. */
  readonly destinations: readonly IpvsDestination[]
}

export interface IpvsDestination extends IpvsDestinationSpec {
  readonly origin: Origin
}

export const IPVS_PROTOCOL: Readonly<Record<IpvsProtocol, number>> = {
  TCP: PROTOCOL.tcp,
  UDP: PROTOCOL.udp,
  SCTP: PROTOCOL.sctp,
}

export const serviceKey = (protocol: number, address: Ip, port: number): string =>
  `${protocol}|${ipKey(address)}|${port}`

export const keyOfService = ({ protocol, address, port }: IpvsServiceKey): string =>
  serviceKey(IPVS_PROTOCOL[protocol], address, port)

/** While ops come in. */
export interface IpvsBuilder {
  readonly services: Map<
    string,
    { readonly spec: IpvsServiceSpec & { origin: Origin }; destinations: IpvsDestination[] }
  >
  timeouts: IpvsTimeouts
}

export const newIpvsBuilder = (): IpvsBuilder => ({ services: new Map(), timeouts: { tcp: 0, tcpFin: 0, udp: 0 } })

/** Does what ipvsadm(8) would; answers with its complaint where the kernel refuses. */
export function applyIpvsOp(builder: IpvsBuilder, op: IpvsOp & { readonly origin: Origin }): string | undefined {
  switch (op.kind) {
    case 'ipvs.timeouts': {
      const { tcp, tcpFin, udp } = op
      const { timeouts } = builder
      builder.timeouts = { tcp: tcp || timeouts.tcp, tcpFin: tcpFin || timeouts.tcpFin, udp: udp || timeouts.udp }
      return undefined
    }
    case 'ipvs.service': {
      const key = keyOfService(op.service)
      if (builder.services.has(key)) return 'Service already exists'
      builder.services.set(key, { spec: { ...op.service, origin: op.origin }, destinations: [] })
      return undefined
    }
    case 'ipvs.destination': {
      const service = builder.services.get(keyOfService(op.service))
      if (service === undefined) return 'Service not defined'
      const { address, port } = op.destination
      if (service.destinations.some((other) => other.port === port && sameIp(other.address, address)))
        return 'Destination already exists'
      service.destinations.push({ ...op.destination, origin: op.origin })
      return undefined
    }
  }
}

export function finishIpvs(builder: IpvsBuilder): IpvsConfig {
  const byAddress = new Map<string, IpvsService>()
  for (const [key, { spec, destinations }] of builder.services) byAddress.set(key, { ...spec, destinations })
  return { services: [...byAddress.values()], byAddress, timeouts: builder.timeouts }
}
