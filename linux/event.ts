import type { Ip } from '../packet/ip.ts'
import type { Frame } from '../packet/packet.ts'
import type { Link, Netns } from './netns.ts'
import type { ProcessEvent } from './process.ts'
import type { FragmentUser } from './reassembly.ts'
import type { SctpTimerName } from './sctp-association.ts'
import type { Skb } from './skb.ts'

/** What a machine leaves to happen later. Who runs the machine queues it and hands it back to `handle`. */
export type MachineEvent =
  /** netif_rx: the packet waits on the backlog of the CPU. A tunnel's packets too, without GRO (gro_cells_receive). */
  | { readonly kind: 'backlog'; readonly skb: Skb }
  /** A frame left by a network card; the fabric finds where it arrives. */
  | {
      readonly kind: 'wire'
      readonly link: Link
      readonly frame: Frame
      readonly id: number
      readonly flowHash?: string | undefined
    }
  | { readonly kind: 'timer'; readonly at: number; readonly ns: Netns; readonly timer: Timer }
  /** A program that waits in a system call is given its event, once the backlog is empty. */
  | {
      readonly kind: 'wake'
      readonly ns: Netns
      readonly process: string
      readonly event: ProcessEvent
      readonly cause?: number
      /** It is what a system call answered: the program learns of it before anything that waits. */
      readonly atOnce?: boolean
    }

/** A timer that has been overtaken finds another `turn` in the thing it was for, and does nothing. */
export type Timer =
  | { readonly kind: 'neighbor'; readonly link: string; readonly ip: Ip; readonly turn: number }
  | {
      readonly kind: 'tcp'
      readonly socket: number
      readonly what: 'retransmit' | 'delayedAck' | 'timeWait'
      readonly turn: number
    }
  | { readonly kind: 'sctp'; readonly socket: number; readonly what: SctpTimerName; readonly turn: number }
  | { readonly kind: 'fragments'; readonly user: FragmentUser; readonly key: string; readonly began: number }
  | { readonly kind: 'process'; readonly process: string; readonly id: string; readonly turn: number }
