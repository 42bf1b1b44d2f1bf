import type { Frame, IpPacket } from '../../packet/packet.ts'
import type { KernelFdb, KernelNeighbour, SocketEvent } from './agent.ts'
import type { ListedEntry } from './conntrack-line.ts'

/** What one side did with a scenario, in the form that is compared. */
export interface Observed {
  readonly refused: number
  readonly frames: readonly ObservedFrame[]
  /** By place (`node1/root`), in order: `filter/FORWARD:2`, `filter/FORWARD:end`. */
  readonly rules: Readonly<Record<string, readonly string[]>>
  readonly sockets: readonly SocketEvent[]
  readonly conntrack: Readonly<Record<string, readonly ListedEntry[]>>
  readonly neighbours: Readonly<Record<string, readonly KernelNeighbour[]>>
  readonly fdb: Readonly<Record<string, readonly KernelFdb[]>>
}

export interface ObservedFrame {
  /** `node1/root veth-a rx`. */
  readonly tap: string
  /** Milliseconds since the first frame. */
  readonly ms: number
  /** Undefined where the bytes could not be read. */
  readonly frame: Frame | IpPacket | undefined
}
