import type { Sctp, SctpChunk } from '../../packet/packet.ts'
import type { IpvsDirection } from './tcp-states.ts'

/** The states of an SCTP association, Linux net/netfilter/ipvs/ip_vs_proto_sctp.c (sctp_states), by their printed names. */
const SHORT = ['NO', 'I1', 'IN', 'CS', 'CR', 'CW', 'CO', 'CE', 'ES', 'SS', 'SR', 'SA', 'RJ', 'CL'] as const

const NAMES: Readonly<Record<(typeof SHORT)[number], string>> = {
  NO: 'NONE',
  I1: 'INIT1',
  IN: 'INIT',
  CS: 'C-SENT',
  CR: 'C-REPLIED',
  CW: 'C-WAIT',
  CO: 'COOKIE',
  CE: 'C-ECHOED',
  ES: 'ESTABLISHED',
  SS: 'S-SENT',
  SR: 'S-RECEIVED',
  SA: 'S-ACK-SENT',
  RJ: 'REJECTED',
  CL: 'CLOSED',
}

const EVENTS = [
  'data',
  'init',
  'initAck',
  'cookieEcho',
  'cookieAck',
  'shutdown',
  'shutdownAck',
  'shutdownComplete',
  'error',
  'abort',
] as const

type Event = (typeof EVENTS)[number]

const NEXT: Readonly<Record<IpvsDirection, readonly string[]>> = {
  input: [
    'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    'I1 IN IN CS CR CW CO CE ES SS SR SA IN IN',
    'CW CW CW CS CR CO CO CE ES SS SR SA RJ CL',
    'CR IN IN CR CR CW CO CE ES SS SR SA RJ CL',
    'ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL',
    'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    'CL IN IN CS CR CW CO CE ES CL SR CL RJ CL',
    'CL CL CL CS CR CW CO CE ES SS SR CL RJ CL',
    'CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL',
    'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  ],
  output: [
    'ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    'CW CW CW CW CW CW CW CW ES CW CW CW CW CW',
    'CS CS CS CS CR CW CO CE ES SS SR SA RJ CL',
    'CE CE CE CE CE CE CE CE ES SS SR SA RJ CL',
    'ES ES ES ES ES ES ES ES ES SS SR SA RJ CL',
    'SS SS SS SS SS SS SS SS SS SS SR SA RJ CL',
    'SA SA SA SA SA CW CO CE ES SA SA SA RJ CL',
    'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    'CL CL CL CL CL CW CO CE ES SS SR SA RJ CL',
    'CL RJ CL CL CL CL CL CL CL CL CL CL CL CL',
  ],
  inputOnly: [
    'ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL',
    'I1 IN IN IN IN IN CO CE ES SS SR SA IN IN',
    'CE CE CE CE CE CE CO CE ES SS SR SA RJ CL',
    'ES ES ES ES ES ES CO CE ES SS SR SA RJ CL',
    'ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL',
    'SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL',
    'CL IN IN CS CR CW CO CE CL CL SR CL RJ CL',
    'CL CL CL CL CL CW CO CE ES SS CL CL RJ CL',
    'CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL',
    'CL CL CL CL CL RJ CL CL CL CL CL CL CL CL',
  ],
}

/** IP_VS_SCTP_MAX_RTO. */
const MAX_RTO = 61

/** Seconds (sctp_timeouts). */
export const SCTP_TIMEOUTS: Readonly<Record<string, number>> = {
  NONE: 2,
  INIT1: 4,
  INIT: MAX_RTO,
  'C-SENT': MAX_RTO,
  'C-REPLIED': MAX_RTO,
  'C-WAIT': MAX_RTO,
  COOKIE: MAX_RTO,
  'C-ECHOED': MAX_RTO,
  ESTABLISHED: 900,
  'S-SENT': MAX_RTO,
  'S-RECEIVED': MAX_RTO,
  'S-ACK-SENT': MAX_RTO,
  REJECTED: 4,
  CLOSED: MAX_RTO,
}

/** Chunk types that are not data to a director (sctp_events); RFC 9260 3.2. */
const EVENT_OF_TYPE: ReadonlyMap<number, Event> = new Map([
  [1, 'init'],
  [2, 'initAck'],
  [6, 'abort'],
  [7, 'shutdown'],
  [8, 'shutdownAck'],
  [9, 'error'],
  [10, 'cookieEcho'],
  [11, 'cookieAck'],
  [14, 'shutdownComplete'],
])

/** set_sctp_state; a bundled ABORT after a cookie counts as the abort it is. */
export function nextSctpState(state: string, direction: IpvsDirection, sctp: Sctp): string {
  const event = EVENTS.indexOf(eventOf(sctp))
  const at = SHORT.findIndex((short) => NAMES[short] === state)
  const next = NEXT[direction][event]?.split(' ')[at]
  return next === undefined ? state : NAMES[next as (typeof SHORT)[number]]
}

const ABORT = 6

function eventOf({ chunk, further }: Sctp): Event {
  const event = EVENT_OF_TYPE.get(typeOf(chunk)) ?? 'data'
  return (event === 'cookieEcho' || event === 'cookieAck') && further?.[0] === ABORT ? 'abort' : event
}

function typeOf(chunk: SctpChunk): number {
  switch (chunk.kind) {
    case 'init':
      return 1
    case 'initAck':
      return 2
    case 'abort':
      return ABORT
    case 'other':
      return chunk.type
  }
}
