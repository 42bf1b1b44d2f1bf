import type { ProcessContext, ProcessResult, Program, SocketAddress } from '../../linux/process.ts'
import { emitIp } from '../../packet/emit.ts'
import { formatIp, type Ip, parseIp, readIp } from '../../packet/ip.ts'
import { ICMP4, type IpPacket } from '../../packet/packet.ts'
import { parseIpPacket } from '../../packet/parse.ts'
import { contains, type Prefix, parsePrefix } from '../../packet/prefix.ts'

/** What the forwarder did with one packet, for the trace. */
export type FlanneldNote =
  | {
      readonly kind: 'flanneld.forward'
      /** Which way it crossed: read from the tun device and sent as a datagram, or the reverse. */
      readonly from: 'tun' | 'udp'
      readonly destination: Ip
      readonly nextHop?: SocketAddress
      readonly ttlBefore: number
      readonly ttlAfter: number
    }
  | {
      readonly kind: 'flanneld.discard'
      readonly from: 'tun' | 'udp'
      readonly destination: Ip
      readonly reason: 'ttl'
    }
  | { readonly kind: 'flanneld.unreachable'; readonly destination: Ip; readonly answered: boolean }

export interface UdpForwarderState {
  /** Address of the tun device: source of the ICMP errors the forwarder makes. */
  readonly address: Ip
  readonly routes: readonly { readonly subnet: Prefix; readonly nextHop: SocketAddress }[]
}

const TUN = 3
const SOCKET = 4

type Result = ProcessResult<UdpForwarderState, FlanneldNote>

/**
 * flanneld's forwarder of the UDP backend (pkg/backend/udp/proxy_amd64.c): whole IPv4 packets from the tun device
 * into datagrams and back, by a route table of its own. It takes one from the TTL in each direction and says nothing
 * when that leaves none.
 *
 * Arguments: `device`, `address` (the tun device's), `listen` (`address:port`), `routes` (`subnet=address` and so
 * on, joined by blanks; the port is that of `listen`).
 */
export const udpForwarder: Program<UdpForwarderState, FlanneldNote> = {
  name: 'flanneld-udp',
  start,
  step(state, event) {
    if (event.kind !== 'data' || event.bytes.length < MIN_HEADER) return { state, syscalls: [] }
    return event.fd === TUN ? tunToUdp(state, event.bytes) : udpToTun(state, event.bytes)
  },
}

const MIN_HEADER = 20

function start({ args }: ProcessContext): Result {
  const address = parseIp(args.address ?? '')
  const listen = parseListen(args.listen ?? '')
  if (!address.ok || listen === undefined) return { state: NO_STATE, syscalls: [{ kind: 'exit', code: 1 }] }
  return {
    state: { address: address.value, routes: parseRoutes(args.routes ?? '', listen.port) },
    syscalls: [
      { kind: 'tun', fd: TUN, device: args.device ?? 'flannel0' },
      { kind: 'socket', fd: SOCKET, family: 4, type: 'udp' },
      { kind: 'bind', fd: SOCKET, ip: listen.ip, port: listen.port },
    ],
  }
}

const NO_STATE: UdpForwarderState = { address: { family: 4, a: 0, b: 0, c: 0, d: 0 }, routes: [] }

function parseListen(text: string): SocketAddress | undefined {
  const colon = text.lastIndexOf(':')
  const ip = parseIp(text.slice(0, colon))
  return ip.ok ? { ip: ip.value, port: Number(text.slice(colon + 1)) } : undefined
}

function parseRoutes(text: string, port: number): UdpForwarderState['routes'] {
  return text.split(' ').flatMap((entry) => {
    const [left = '', right = ''] = entry.split('=')
    const subnet = parsePrefix(left)
    const ip = parseIp(right)
    return subnet.ok && ip.ok ? [{ subnet: subnet.value, nextHop: { ip: ip.value, port } }] : []
  })
}

function tunToUdp(state: UdpForwarderState, bytes: Uint8Array): Result {
  const destination = destinationOf(bytes)
  const route = state.routes.find(({ subnet }) => contains(subnet, destination))
  if (route === undefined) return netUnreachable(state, bytes, destination)
  const forwarded = decrementTtl(bytes)
  if (forwarded === undefined) return discard(state, 'tun', destination)
  return {
    state,
    syscalls: [{ kind: 'send', fd: SOCKET, bytes: forwarded, to: route.nextHop }],
    notes: [{ ...forwardNote('tun', bytes, forwarded), nextHop: route.nextHop }],
  }
}

function udpToTun(state: UdpForwarderState, bytes: Uint8Array): Result {
  const forwarded = decrementTtl(bytes)
  if (forwarded === undefined) return discard(state, 'udp', destinationOf(bytes))
  return {
    state,
    syscalls: [{ kind: 'send', fd: TUN, bytes: forwarded }],
    notes: [forwardNote('udp', bytes, forwarded)],
  }
}

const TTL = 8
const CHECKSUM = 10

/**
 * The packet with one less TTL and its header checksum patched (RFC 1624); undefined where nothing is left of it.
 * Done on the bytes: whatever else the packet holds goes through untouched.
 */
function decrementTtl(bytes: Uint8Array): Uint8Array | undefined {
  const ttl = ((bytes[TTL] ?? 0) - 1) & 0xff
  if (ttl === 0) return undefined
  const forwarded = Uint8Array.from(bytes)
  forwarded[TTL] = ttl
  const view = new DataView(forwarded.buffer)
  const sum = view.getUint16(CHECKSUM) + 0x100
  const folded = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(CHECKSUM, folded === 0xffff ? 0 : folded)
  return forwarded
}

const ICMP_TTL = 8

/** ICMP 3/0 from the tun device's address back into it; none about ICMP, none about later fragments (RFC 792). */
function netUnreachable(state: UdpForwarderState, bytes: Uint8Array, destination: Ip): Result {
  const parsed = parseIpPacket(bytes)
  const offender = parsed.ok ? parsed.value : undefined
  const isIcmp = bytes[9] === 1
  if (offender === undefined || isIcmp || (offender.fragment?.offset ?? 0) !== 0)
    return { state, syscalls: [], notes: [{ kind: 'flanneld.unreachable', destination, answered: false }] }
  const answer: IpPacket = {
    kind: 'ip',
    src: state.address,
    dst: offender.src,
    ttl: ICMP_TTL,
    tos: 0,
    id: 0,
    dontFragment: false,
    flowLabel: 0,
    payload: {
      kind: 'icmp',
      type: ICMP4.unreachable,
      code: 0,
      body: { kind: 'error', quote: { packet: offender, length: headerLength(bytes) + 8 }, mtu: 0 },
    },
  }
  return {
    state,
    syscalls: [{ kind: 'send', fd: TUN, bytes: emitIp(answer) }],
    notes: [{ kind: 'flanneld.unreachable', destination, answered: true }],
  }
}

const discard = (state: UdpForwarderState, from: 'tun' | 'udp', destination: Ip): Result => ({
  state,
  syscalls: [],
  notes: [{ kind: 'flanneld.discard', from, destination, reason: 'ttl' }],
})

const forwardNote = (from: 'tun' | 'udp', before: Uint8Array, after: Uint8Array) =>
  ({
    kind: 'flanneld.forward',
    from,
    destination: destinationOf(before),
    ttlBefore: before[TTL] ?? 0,
    ttlAfter: after[TTL] ?? 0,
  }) as const

const destinationOf = (bytes: Uint8Array): Ip => readIp(bytes, 16, 4)
const headerLength = (bytes: Uint8Array): number => ((bytes[0] ?? 0) & 15) * 4

/** One line for people. */
export function describeFlanneldNote(note: FlanneldNote): string {
  const to = formatIp(note.destination)
  switch (note.kind) {
    case 'flanneld.forward':
      return note.nextHop === undefined
        ? `flanneld unpacks the datagram for ${to} into flannel0, TTL ${note.ttlBefore} -> ${note.ttlAfter}`
        : `flanneld packs the packet for ${to} into a datagram to ${formatIp(note.nextHop.ip)}:${note.nextHop.port}, TTL ${note.ttlBefore} -> ${note.ttlAfter}`
    case 'flanneld.discard':
      return `flanneld discards the packet for ${to} silently: its TTL is used up`
    case 'flanneld.unreachable':
      return note.answered
        ? `flanneld has no peer for ${to}: it answers ICMP network unreachable`
        : `flanneld has no peer for ${to}, and says nothing`
  }
}
