import { TCP_FLAG, type Tcp } from '../../packet/packet.ts'

/**
 * The states of a TCP connection as a director sees them, Linux net/netfilter/ipvs/ip_vs_proto_tcp.c (tcp_states). The
 * tables are those of the kernel, state by state in the order of STATES.
 */
const STATES = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'SYNACK',
] as const

/** `input`: from the client; `inputOnly`: from the client where answers do not come back through the director. */
export type IpvsDirection = 'input' | 'output' | 'inputOnly'

type Event = 'syn' | 'fin' | 'ack' | 'rst'

const row = (text: string): readonly string[] => text.split(' ').map((short) => LONG[short as keyof typeof LONG])

const LONG = {
  NO: 'NONE',
  ES: 'ESTABLISHED',
  SS: 'SYN_SENT',
  SR: 'SYN_RECV',
  FW: 'FIN_WAIT',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  LI: 'LISTEN',
  SA: 'SYNACK',
} as const

const NEXT: Readonly<Record<IpvsDirection, Readonly<Record<Event, readonly string[]>>>> = {
  input: {
    syn: row('SR ES ES SR SR SR SR SR SR SR SR'),
    fin: row('CL CW SS TW TW TW CL CW LA LI TW'),
    ack: row('CL ES SS ES FW TW CL CW CL LI ES'),
    rst: row('CL CL CL SR CL CL CL CL LA LI SR'),
  },
  output: {
    syn: row('SS ES SS SR SS SS SS SS SS LI SR'),
    fin: row('TW FW SS TW FW TW CL TW LA LI TW'),
    ack: row('ES ES SS ES FW TW CL CW LA ES ES'),
    rst: row('CL CL SS CL CL TW CL CL CL CL CL'),
  },
  inputOnly: {
    syn: row('SR ES ES SR SR SR SR SR SR SR SR'),
    fin: row('CL FW SS TW FW TW CL CW LA LI TW'),
    ack: row('CL ES SS ES FW TW CL CW CL LI ES'),
    rst: row('CL CL CL SR CL CL CL CL LA LI CL'),
  },
}

/** Seconds that a connection lives after a packet that left it in the state (tcp_timeouts). */
export const TCP_TIMEOUTS: Readonly<Record<string, number>> = {
  NONE: 2,
  ESTABLISHED: 900,
  SYN_SENT: 120,
  SYN_RECV: 60,
  FIN_WAIT: 120,
  TIME_WAIT: 120,
  CLOSE: 10,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
  LISTEN: 120,
  SYNACK: 120,
}

/** tcp_state_idx, set_tcp_state: a segment without any of these flags ends it. */
export function nextTcpState(state: string, direction: IpvsDirection, { flags }: Tcp): string {
  const event = eventOf(flags)
  return event === undefined
    ? 'CLOSE'
    : (NEXT[direction][event][(STATES as readonly string[]).indexOf(state)] ?? 'CLOSE')
}

function eventOf(flags: number): Event | undefined {
  if ((flags & TCP_FLAG.rst) !== 0) return 'rst'
  if ((flags & TCP_FLAG.syn) !== 0) return 'syn'
  if ((flags & TCP_FLAG.fin) !== 0) return 'fin'
  return (flags & TCP_FLAG.ack) !== 0 ? 'ack' : undefined
}
