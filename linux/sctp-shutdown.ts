import type { Netns } from './netns.ts'
import type { Errno } from './process.ts'
import { hasDataOut, MAX_RETRANSMITS, RTO_MAX, type SctpAssociation } from './sctp-association.ts'
import { makeMaxRetransAbort, makeShutdown } from './sctp-make-chunk.ts'
import { reply } from './sctp-output.ts'
import { startTimer, stopTimer } from './sctp-timer.ts'
import { fail, removeSocket, type Socket } from './socket.ts'

/** How an association ends (RFC 9260 §9), after Linux net/sctp/sm_statefuns.c and sm_sideeffect.c. */

/** sctp_sf_do_9_2_start_shutdown: everything is acknowledged. */
export function startShutdown(ns: Netns, socket: Socket, association: SctpAssociation, cause?: number): void {
  association.state = 'shutdownSent'
  startTimer(ns, socket, 't2Shutdown', association.rto)
  startTimer(ns, socket, 't5Guard', 5 * RTO_MAX)
  stopTimer(association, 'heartbeat')
  reply(ns, socket, association, makeShutdown(association), cause)
}

/** sctp_sf_do_9_2_shutdown_ack. */
export function sendShutdownAck(ns: Netns, socket: Socket, association: SctpAssociation, cause?: number): void {
  association.state = 'shutdownAckSent'
  startTimer(ns, socket, 't2Shutdown', association.rto)
  stopTimer(association, 'heartbeat')
  reply(ns, socket, association, { kind: 'shutdownAck' }, cause)
}

/** SCTP_EVENT_NO_PENDING_TSN: what waited for the last acknowledgement goes on. */
export function nothingPending(ns: Netns, socket: Socket, association: SctpAssociation, cause?: number): void {
  if (hasDataOut(association)) return
  if (association.state === 'shutdownPending') startShutdown(ns, socket, association, cause)
  else if (association.state === 'shutdownReceived') sendShutdownAck(ns, socket, association, cause)
}

/** SCTP_CMD_DELETE_TCB. The socket of a process that has not closed it stays, without an association. */
export function deleteAssociation(ns: Netns, socket: Socket, association: SctpAssociation): void {
  stopTimer(association, 't1Init', 't1Cookie', 't2Shutdown', 't3Rtx', 't5Guard', 'sack', 'heartbeat', 'unreachable')
  socket.sctp = undefined
  if (association.orphaned) removeSocket(ns, socket)
}

/**
 * SCTP_CMD_INIT_FAILED, SCTP_CMD_ASSOC_FAILED: it is over before its time. A peer that has kept silent too often is sent
 * an ABORT all the same.
 */
export function failAssociation(
  ns: Netns,
  socket: Socket,
  { errno, from }: { readonly errno: Errno; readonly from?: Parameters<typeof fail>[3] },
): void {
  const { sctp } = socket
  if (sctp === undefined || sctp.state === 'listen') return
  const opening = sctp.state === 'cookieWait' || sctp.state === 'cookieEchoed'
  if (!opening && sctp.errors >= MAX_RETRANSMITS) reply(ns, socket, sctp, makeMaxRetransAbort(), from?.cause)
  const { orphaned } = sctp
  sctp.orphaned = true
  deleteAssociation(ns, socket, sctp)
  if (!orphaned) fail(ns, socket, errno, from)
}
