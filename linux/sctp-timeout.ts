import type { Netns } from './netns.ts'
import { MAX_INIT_RETRANSMITS, MAX_RETRANSMITS, type SctpAssociation, type SctpTimerName } from './sctp-association.ts'
import { acknowledge, retransmitAll } from './sctp-data.ts'
import { heartbeatDue, strike } from './sctp-heartbeat.ts'
import { makeAbort, makeInit, makeShutdown } from './sctp-make-chunk.ts'
import { reply } from './sctp-output.ts'
import { failAssociation } from './sctp-shutdown.ts'
import { doubled, startTimer } from './sctp-timer.ts'
import type { Socket } from './socket.ts'

/** What happens when a timer goes off (Linux net/sctp/sm_sideeffect.c, sm_statefuns.c). */
export function sctpTimer(ns: Netns, id: number, what: SctpTimerName, turn: number): void {
  const socket = ns.state.sockets.sockets.get(id)
  const association = socket?.sctp
  if (socket === undefined || association === undefined || association.state === 'listen') return
  const timer = association.timers[what]
  if (timer.turn !== turn || !timer.pending) return
  timer.pending = false
  switch (what) {
    case 't1Init':
    case 't1Cookie':
      return handshakeTimeout(ns, socket, association, what)
    case 't2Shutdown':
      return shutdownTimeout(ns, socket, association)
    case 't3Rtx':
      return dataTimeout(ns, socket, association)
    case 't5Guard':
      reply(ns, socket, association, makeAbort())
      return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
    case 'sack':
      return acknowledge(ns, socket, association, { when: 'at once' })
    case 'heartbeat':
      return heartbeatDue(ns, socket, association)
    case 'unreachable':
      if (association.state === 'cookieWait') failAssociation(ns, socket, { errno: 'ENOPROTOOPT' })
  }
}

/** sctp_sf_t1_init_timer_expire, sctp_sf_t1_cookie_timer_expire: nine in all, at most a minute apart. */
function handshakeTimeout(ns: Netns, socket: Socket, association: SctpAssociation, what: 't1Init' | 't1Cookie'): void {
  if (association.initErrors + 1 > MAX_INIT_RETRANSMITS) return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
  association.initErrors++
  association.initTimeout = doubled(association.initTimeout)
  startTimer(ns, socket, what, association.initTimeout)
  const { cookie } = association
  reply(ns, socket, association, what === 't1Init' ? makeInit(socket, association) : { kind: 'cookieEcho', cookie })
}

/** sctp_sf_t2_timer_expire. */
function shutdownTimeout(ns: Netns, socket: Socket, association: SctpAssociation): void {
  if (association.errors >= MAX_RETRANSMITS) return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
  strike(ns, socket, association, 'packet')
  startTimer(ns, socket, 't2Shutdown', association.rto)
  const isAnswer = association.state === 'shutdownAckSent'
  reply(ns, socket, association, isAnswer ? { kind: 'shutdownAck' } : makeShutdown(association))
}

/** sctp_sf_do_6_3_3_rtx. */
function dataTimeout(ns: Netns, socket: Socket, association: SctpAssociation): void {
  if (association.errors >= MAX_RETRANSMITS) return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
  strike(ns, socket, association, 'packet')
  retransmitAll(ns, socket, association, 'timeout')
}
