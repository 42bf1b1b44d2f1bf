import type { Ip } from '../../packet/ip.ts'
import type { IpvsForward } from '../op.ts'
import type { Origin } from '../origin.ts'

/** A real server at run time: struct ip_vs_dest. */
export interface DestinationState {
  readonly address: Ip
  readonly port: number
  readonly forward: IpvsForward
  /** 0: none. */
  readonly upperThreshold: number
  readonly lowerThreshold: number
  readonly origin: Origin
  readonly stats: IpvsStats
  weight: number
  /** The last weight that was not 0: `mh` fills its table by it. */
  lastWeight: number
  /** Connections in the state ESTABLISHED, and in any other (for UDP: all are inactive). */
  active: number
  inactive: number
  /** Templates of persistence. */
  persistent: number
  /** IP_VS_DEST_F_OVERLOAD. */
  overloaded: boolean
  /** IP_VS_DEST_F_AVAILABLE: it has not been deleted. */
  available: boolean
}

export interface IpvsStats {
  connections: number
  inPackets: number
  outPackets: number
  inOctets: number
  outOctets: number
}

export const newStats = (): IpvsStats => ({ connections: 0, inPackets: 0, outPackets: 0, inOctets: 0, outOctets: 0 })

/** ip_vs_dest_conn_overhead: an active connection costs as much as 256 inactive ones. */
export const overheadOf = ({ active, inactive }: DestinationState): number => active * 256 + inactive
