import type { HostConfig } from '../linux/host-config.ts'
import type { Program } from '../linux/process.ts'
import type { Ip } from '../packet/ip.ts'
import type { Mac } from '../packet/mac.ts'

/** All machines of a walk and the cables between them, before anything has happened. Shared by every run. */
export interface Blueprint {
  /** Machines by name; each is compiled when first asked for. */
  readonly hosts: ReadonlyMap<string, () => HostConfig>
  readonly segments: ReadonlyMap<string, Segment>
  /** The program behind a name in `process.start`. */
  readonly program: (name: string, args: Readonly<Record<string, string>>) => Program | undefined
}

/** One layer-2 network: a switch that knows where every MAC is. */
export interface Segment {
  readonly name: string
  readonly ports: readonly SegmentPort[]
  /** Frames for nobody here leave for a place that the input does not describe. */
  readonly outside: boolean
  /** UDP destination ports that something on the way drops. */
  readonly blockedUdpPorts: readonly number[]
  /**
   * Cables and switch are of one kernel, as the kernel judge builds them: what the sender's socket noted on a packet
   * arrives with it, and the switch waits for its turn on the CPU.
   */
  readonly virtual?: boolean
}

/** A network card plugged into a segment; known without compiling its machine. */
export interface SegmentPort {
  readonly host: string
  readonly link: string
  readonly mac: Mac
  /** Addresses that answer here, to wake only the machine that is asked. */
  readonly addresses: readonly Ip[]
}
