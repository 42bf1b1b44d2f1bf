import type { Netns } from './netns.ts'
import { RTO_MAX, type SctpAssociation, type SctpTimerName } from './sctp-association.ts'
import type { Socket } from './socket.ts'

/** Timers of an association. One that was started anew or stopped finds another turn when it goes off. */

export function startTimer(ns: Netns, socket: Socket, what: SctpTimerName, afterNs: number): void {
  const { sctp } = socket
  if (sctp === undefined || sctp.state === 'listen') return
  const timer = sctp.timers[what]
  timer.turn++
  timer.pending = true
  const { kernel } = ns.host
  const at = kernel.now() + afterNs
  kernel.emit({ kind: 'timer', at, ns, timer: { kind: 'sctp', socket: socket.id, what, turn: timer.turn } })
}

export function stopTimer({ timers }: SctpAssociation, ...names: readonly SctpTimerName[]): void {
  for (const name of names) {
    timers[name].turn++
    timers[name].pending = false
  }
}

/** RFC 9260 §6.3.3 rule E2. */
export const doubled = (timeout: number): number => Math.min(timeout * 2, RTO_MAX)
