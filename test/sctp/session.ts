import type { ProcessEvent, Syscall } from '../../linux/process.ts'
import { ip } from '../../packet/ip.ts'

/** What our machine does in a session with the real stack, and what was recorded of it. */
export interface Plan {
  readonly name: string
  readonly family: 4 | 6
  /** For iptables-restore on the router. */
  readonly rules: string
  /** The program in the server's namespace; `-`: none, so that its kernel knows no SCTP. */
  readonly program: readonly string[]
  /** What is typed into the program once it has connected. */
  readonly typed?: string
  readonly calls: readonly Syscall[]
  readonly on: (event: ProcessEvent) => readonly Syscall[]
  /** What our programs have to be told. */
  readonly told: readonly string[]
}

export interface Recorded {
  /** What went over our cable, and how time passed for our machine, in order. */
  readonly cable: readonly ({ readonly in: string } | { readonly out: string } | { readonly passNs: number })[]
  /** What the router's two cards saw: `rc` is ours, `rs` the server's. */
  readonly router: readonly { readonly link: 'rc' | 'rs'; readonly out: boolean; readonly frame: string }[]
  /** Lines of `conntrack -E -p sctp` on the router. */
  readonly conntrack: readonly string[]
}

const FD = 3
const DIAMETER = 3868
const ECHO = 7

const natRules = (lines: readonly string[]): string =>
  [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ...lines,
    'COMMIT',
    '',
  ].join('\n')

const SERVER = { 4: '10.0.2.2', 6: '[fd00:2::2]' } as const
const VIP = { 4: '10.96.0.50', 6: 'fd00:96::50' } as const

/** As kube-proxy sends a Service's packets on: to another address and port, from the router's own. */
const service = (family: 4 | 6): string =>
  natRules([
    `-A PREROUTING -d ${VIP[family]}/${family === 4 ? 32 : 128} -p sctp -m sctp --dport ${DIAMETER} -j DNAT --to-destination ${SERVER[family]}:${ECHO}`,
    `-A POSTROUTING -p sctp -m sctp --dport ${ECHO} -j MASQUERADE`,
  ])

const client = (family: 4 | 6): readonly Syscall[] => [
  { kind: 'socket', fd: FD, family, type: 'sctp' },
  { kind: 'bind', fd: FD, port: 40_000 },
  { kind: 'connect', fd: FD, to: { ip: ip(VIP[family]), port: DIAMETER } },
]

const listener: readonly Syscall[] = [
  { kind: 'socket', fd: FD, family: 6, type: 'sctp' },
  { kind: 'bind', fd: FD, port: DIAMETER },
  { kind: 'listen', fd: FD },
]

const sendAndClose =
  (octets: number) =>
  (event: ProcessEvent): readonly Syscall[] => {
    const bytes = new Uint8Array(octets).fill(0x61)
    if (event.kind === 'connected') return [{ kind: 'send', fd: FD, bytes }]
    return event.kind === 'data' ? [{ kind: 'close', fd: FD }] : []
  }

const echo = (event: ProcessEvent): readonly Syscall[] => {
  if (event.kind === 'data') return [{ kind: 'send', fd: event.fd, bytes: event.bytes }]
  return event.kind === 'closed' ? [{ kind: 'close', fd: event.fd }] : []
}

const ECHO_SERVER = ['/usr/lib/usrsctp/echo_server']
const FAMILIES = [4, 6] as const

/** What a machine does whose kernel has no SCTP; an ICMPv6 parameter problem, which it is in IPv6, is not acted upon. */
const NO_SCTP: Plan = {
  name: 'a machine without SCTP, IPv4',
  family: 4,
  rules: service(4),
  program: ['-'],
  calls: client(4),
  on: sendAndClose(7),
  told: ['error ENOPROTOOPT'],
}

const OF_FAMILIES: readonly Plan[] = FAMILIES.flatMap((family): readonly Plan[] => [
  {
    name: `client of a Service, IPv${family}`,
    family,
    rules: service(family),
    program: ECHO_SERVER,
    calls: client(family),
    on: sendAndClose(7),
    told: ['connected', 'data 7'],
  },
  {
    name: `a message of 3000 octets, IPv${family}`,
    family,
    rules: service(family),
    program: ECHO_SERVER,
    calls: client(family),
    on: sendAndClose(3000),
    told: ['connected', 'data 3000'],
  },
  {
    name: `server, IPv${family}`,
    family,
    rules: natRules([`-A POSTROUTING -p sctp -m sctp --dport ${DIAMETER} -j MASQUERADE`]),
    program: ['/usr/lib/usrsctp/client', family === 4 ? '10.0.1.2' : 'fd00:1::2', String(DIAMETER)],
    typed: 'hello\n',
    calls: listener,
    on: echo,
    told: ['accepted', 'data 6', 'closed'],
  },
])

export const PLANS: readonly Plan[] = [...OF_FAMILIES, NO_SCTP]
