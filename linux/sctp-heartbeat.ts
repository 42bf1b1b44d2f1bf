import type { Netns } from './netns.ts'
import { HEARTBEAT_INTERVAL, MAX_RETRANSMITS, type SctpAssociation, SECOND } from './sctp-association.ts'
import { measured } from './sctp-data.ts'
import { drawTag, heartbeatNonce, makeHeartbeat } from './sctp-make-chunk.ts'
import { reply } from './sctp-output.ts'
import { failAssociation } from './sctp-shutdown.ts'
import { doubled, startTimer } from './sctp-timer.ts'
import type { Socket } from './socket.ts'

/** Whether the path still works (RFC 9260 §8.2, §8.3, RFC 7829), after Linux net/sctp/transport.c and sm_sideeffect.c. */

/**
 * sctp_transport_reset_hb_timer: up to a whole RTO by chance on top, in jiffies of a millisecond. A path that has just
 * lost something is asked every RTO.
 */
export function startHeartbeat(ns: Netns, socket: Socket, association: SctpAssociation): void {
  const entry = `heartbeat ${socket.local.port}`
  const site = { host: ns.host.name, netns: ns.name, purpose: 'sctp-heartbeat', entry } as const
  const jitter = ns.host.kernel.draw(site, Math.floor(association.rto / MILLISECOND)) * MILLISECOND
  startTimer(ns, socket, 'heartbeat', heartbeatAfter(association) + jitter)
}

const MILLISECOND = 1_000_000
/** HZ / 5. */
const LEAST = SECOND / 5

/** sctp_transport_timeout. */
function heartbeatAfter({ rto, path }: SctpAssociation): number {
  return Math.max(LEAST, rto / 2 + (path.state === 'potentiallyFailed' ? 0 : HEARTBEAT_INTERVAL))
}

/**
 * sctp_do_8_2_transport_strike: something has not been answered in time. The first heartbeat without an answer is no
 * reason to wait longer; net.sctp.pf_enable is 1 and pf_retrans 0, path_max_retrans 5.
 */
export function strike(ns: Netns, socket: Socket, association: SctpAssociation, what: 'packet' | 'heartbeat'): void {
  const { path } = association
  const counts = what === 'packet' || path.heartbeatOut
  if (counts) {
    association.errors++
    if (path.state !== 'inactive') path.errors++
  }
  if (path.state === 'active' && path.errors > 0 && path.errors < PATH_MAX_RETRANSMITS) {
    path.state = 'potentiallyFailed'
    startHeartbeat(ns, socket, association)
  }
  if (path.errors > PATH_MAX_RETRANSMITS) path.state = 'inactive'
  if (counts) association.rto = doubled(association.rto)
}

const PATH_MAX_RETRANSMITS = 5

/** sctp_generate_heartbeat_event, sctp_sf_sendbeat_8_3: where data has gone meanwhile it waits for the rest of its time. */
export function heartbeatDue(ns: Netns, socket: Socket, association: SctpAssociation): void {
  const now = ns.host.kernel.now()
  const idle = now - association.lastSent
  const after = heartbeatAfter(association)
  if (idle < after) return startTimer(ns, socket, 'heartbeat', after - idle)
  // Once a shutdown is under way, that is asked for instead.
  if (association.state === 'shutdownSent' || association.state === 'shutdownAckSent') return
  if (association.errors >= MAX_RETRANSMITS) return failAssociation(ns, socket, { errno: 'ETIMEDOUT' })
  const nonce = drawTag(ns, `heartbeat ${socket.local.port}`)
  strike(ns, socket, association, 'heartbeat')
  association.path.heartbeatOut = true
  association.heartbeat = { nonce, at: now }
  startHeartbeat(ns, socket, association)
  reply(ns, socket, association, makeHeartbeat(nonce))
}

/** sctp_sf_backbeat_8_3, sctp_cmd_transport_on. */
export function receiveHeartbeatAck(ns: Netns, association: SctpAssociation, body: Uint8Array): void {
  const { heartbeat, path } = association
  if (heartbeat === undefined || heartbeatNonce(body) !== heartbeat.nonce) return
  measured(association, ns.host.kernel.now() - heartbeat.at)
  association.heartbeat = undefined
  association.errors = 0
  path.errors = 0
  path.heartbeatOut = false
  path.state = 'active'
}
