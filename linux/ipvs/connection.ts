import { type Ip, ipKey } from '../../packet/ip.ts'
import { PROTOCOL } from '../../packet/packet.ts'
import type { DestinationState } from './destination.ts'
import type { ServiceState } from './ipvs-state.ts'

/** One client's connection to a virtual server, or a template of persistence: struct ip_vs_conn. */
export interface IpvsConnection {
  readonly protocol: number
  readonly client: Endpoint
  readonly virtual: Endpoint
  readonly real: Endpoint
  readonly destination: DestinationState
  readonly service: ServiceState
  readonly template: boolean
  /** The template that it was made after (cp->control). */
  readonly control: IpvsConnection | undefined
  /** Connections made after this template that still live (n_control). */
  controlled: number
  state: string
  /** It is not counted as active (IP_VS_CONN_F_INACTIVE). */
  inactive: boolean
  /** No answer has been seen, nor will be where they do not come back this way (IP_VS_CONN_F_NOOUTPUT). */
  noOutput: boolean
  /** It is tied to a conntrack entry (IP_VS_CONN_F_NFCT). */
  usesConntrack: boolean
  /** Nanoseconds that it lives after a packet. */
  timeout: number
  expiresAt: number
  inPackets: number
}

export interface Endpoint {
  readonly ip: Ip
  readonly port: number
}

const keyOf = (protocol: number, x: Endpoint, y: Endpoint): string =>
  `${protocol}|${ipKey(x.ip)}|${x.port}|${ipKey(y.ip)}|${y.port}`

/** ip_vs_conn_in_get: protocol, the client's end, the virtual end. */
export const clientKey = keyOf

/** ip_vs_conn_out_get: protocol, the real server's end, the client's end. */
export const serverKey = keyOf

/** A template stands apart from connections by its flag: a client has port 0 there. */
export const templateKey = (protocol: number, client: Endpoint, virtual: Endpoint): string =>
  `template|${keyOf(protocol, client, virtual)}`

/** ip_vs_state_name; UDP has one state. */
export const FIRST_STATE = 'NONE'

export const PROTOCOL_NAME: ReadonlyMap<number, 'TCP' | 'UDP' | 'SCTP'> = new Map([
  [PROTOCOL.tcp, 'TCP'],
  [PROTOCOL.udp, 'UDP'],
  [PROTOCOL.sctp, 'SCTP'],
])
