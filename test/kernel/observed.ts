import type { Frame, IpPacket } from '../../packet/packet.ts'
import type { KernelFdb, KernelNeighbour, SocketEvent } from './agent.ts'
import type { ListedEntry } from './conntrack-line.ts'

/** What one side did with a scenario, in the form that is compared. */
export interface Observed {
  readonly refused: number
  readonly frames: readonly ObservedFrame[]
  /** By place (`node1/root`), in order: `filter/FORWARD:2`, `filter/FORWARD:end`. */
  readonly rules: Readonly<Record<string, readonly string[]>>
  /** Rules by the packet that went by them, and where NAT sent it then; only of the kernel. */
  readonly passes?: Readonly<Record<string, readonly ObservedPass[]>>
  readonly sockets: readonly SocketEvent[]
  readonly conntrack: Readonly<Record<string, readonly ListedEntry[]>>
  readonly neighbours: Readonly<Record<string, readonly KernelNeighbour[]>>
  readonly fdb: Readonly<Record<string, readonly KernelFdb[]>>
}

export interface ObservedPass {
  readonly rules: readonly string[]
  readonly becomes: string | undefined
}

export interface ObservedFrame {
  /** `node1/root veth-a rx`. */
  readonly tap: string
  /** Milliseconds since the first frame. */
  readonly ms: number
  /** Undefined where the bytes could not be read. */
  readonly frame: Frame | IpPacket | undefined
}
