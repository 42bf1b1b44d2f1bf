import { emitIp } from '../../packet/emit.ts'
import {
  type Frame,
  type IcmpBody,
  type IpPacket,
  TCP_FLAG,
  type Tcp,
  type TcpOption,
  type Udp,
} from '../../packet/packet.ts'
import { parseIpPacket } from '../../packet/parse.ts'
import { readTcp } from '../../packet/tcp.ts'

/**
 * Where the two sides may differ: each by one rule, with its reason, counted in the report. Everything else must be
 * equal.
 */
export const EXCEPTIONS = {
  'group reports':
    'A machine announces its multicast groups and looks for routers by itself; our model does neither, and no answer depends on it.',
  'tcp clock':
    "TCP timestamps count the wall clock's milliseconds from a random start; ours count virtual ones. The start is fed, what passes after it is not.",
  'shared ip ids':
    'Identifications that a machine counts for an address pair jump ahead by a random number below the ticks since the last one (ip_idents_reserve); no virtual time passes between ours.',
  'tcp window':
    'The receive window follows from the memory that the kernel keeps for each queued segment; ours does not count memory. Compared in the handshake, where it is fixed.',
  'idle chain':
    'A built-in chain without rules that accepts is walked by the kernel and left out by us: nothing can happen in it.',
  'conntrack clock':
    'The seconds that an entry has left are read some milliseconds later in the kernel, and rounded down.',
  'loopback checksum':
    'The loopback device leaves transport checksums to the reader, so an ICMP error there quotes one that was never computed.',
} as const

export type ExceptionName = keyof typeof EXCEPTIONS

/** Milliseconds that a TCP clock may be ahead or behind: what a probe takes, and one tick. */
const CLOCK_TOLERANCE = 60

/** A TCP segment of ours changed by what the kernel's at the same place says; the same one where nothing is. */
export type TcpChange = (ours: Tcp, kernel: Tcp) => Tcp

/** A frame of ours with its TCP segment changed, however deep it is wrapped. */
export function changeTcp(ours: Frame | IpPacket, kernel: Frame | IpPacket, change: TcpChange): Frame | IpPacket {
  if ('kind' in ours) return 'kind' in kernel ? changeInPacket(ours, kernel, change) : ours
  if ('kind' in kernel || ours.payload.kind !== 'ip' || kernel.payload.kind !== 'ip') return ours
  return { ...ours, payload: changeInPacket(ours.payload, kernel.payload, change) }
}

function changeInPacket(ours: IpPacket, kernel: IpPacket, change: TcpChange): IpPacket {
  const [mine, theirs] = [ours.payload, kernel.payload]
  if (mine.kind === 'tcp' && theirs.kind === 'tcp') return { ...ours, payload: change(mine, theirs) }
  if (mine.kind === 'raw' && theirs.kind === 'raw' && mine.protocol === TCP && (ours.fragment?.offset ?? 0) === 0)
    return { ...ours, payload: { ...mine, bytes: changeInPart(mine.bytes, theirs.bytes, change) } }
  if (mine.kind === 'tcp' && theirs.kind === 'raw') {
    // Quoted in an ICMP error and cut: the header is whole.
    const cut = readTcp(theirs.bytes, 0, theirs.bytes.length)
    return cut.ok ? { ...ours, payload: change(mine, cut.value) } : ours
  }
  const inner = forwarded(ours, kernel)
  if (inner !== undefined && mine.kind === 'udp') {
    const bytes = emitIp(changeInPacket(inner.ours, inner.kernel, change))
    return { ...ours, payload: { ...mine, payload: { kind: 'data', bytes } } }
  }
  if (mine.kind === 'udp' && theirs.kind === 'udp') return { ...ours, payload: changeInUdp(mine, theirs, change) }
  if (mine.kind !== 'icmp' || theirs.kind !== 'icmp') return ours
  const body = changeQuoted(mine.body, theirs.body, (quoted, other) => changeInPacket(quoted, other, change))
  return { ...ours, payload: { ...mine, body } }
}

/** What an ICMP error or a redirect quotes. */
function changeQuoted(
  ours: IcmpBody,
  kernel: IcmpBody,
  change: (ours: IpPacket, kernel: IpPacket) => IpPacket,
): IcmpBody {
  if (ours.kind !== kernel.kind || !('quote' in ours) || !('quote' in kernel)) return ours
  return { ...ours, quote: { ...ours.quote, packet: change(ours.quote.packet, kernel.quote.packet) } }
}

const TCP = 6
const TCP_CHECKSUM = 16

/** The head of a segment that was cut: its checksum covers more than is here, and is changed with what changes. */
function changeInPart(ours: Uint8Array, kernel: Uint8Array, change: TcpChange): Uint8Array {
  const [mine, theirs] = [readTcp(ours, 0, ours.length), readTcp(kernel, 0, kernel.length)]
  if (!mine.ok || !theirs.ok) return ours
  const changed = change(mine.value, theirs.value)
  const header = (((ours[12] ?? 0) >> 4) * 4) & ~1
  const bytes = ours.slice()
  const wanted = kernel.slice(0, header)
  const word = (from: Uint8Array, at: number) => ((from[at] ?? 0) << 8) | (from[at + 1] ?? 0)
  const windowAt = 14
  let sum = ~word(ours, TCP_CHECKSUM) & 0xffff
  for (let at = 0; at < header; at += 2) {
    if (at === TCP_CHECKSUM || word(ours, at) === word(wanted, at)) continue
    const isWindow = at === windowAt
    const may = isWindow ? changed.window !== mine.value.window : at >= 20 && changed.options !== mine.value.options
    if (!may) continue
    sum += (~word(ours, at) & 0xffff) + word(wanted, at)
    bytes.set(wanted.subarray(at, at + 2), at)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  const checksum = ~sum & 0xffff
  bytes.set([checksum >> 8, checksum & 255], TCP_CHECKSUM)
  return bytes
}

function changeInUdp(ours: Udp, kernel: Udp, change: TcpChange): Udp {
  const [mine, theirs] = [ours.payload, kernel.payload]
  if (mine.kind === 'vxlan' && theirs.kind === 'vxlan') {
    const frame = changeTcp(mine.frame, theirs.frame, change)
    return 'kind' in frame ? ours : { ...ours, payload: { ...mine, frame } }
  }
  return ours
}

/** The packets that datagrams of flanneld's forwarder carry. */
function forwarded(ours: IpPacket, kernel: IpPacket): { ours: IpPacket; kernel: IpPacket } | undefined {
  const [mine, theirs] = [ours.payload, kernel.payload]
  if (mine.kind !== 'udp' || theirs.kind !== 'udp' || mine.dstPort !== FLANNEL_UDP) return undefined
  if (mine.payload.kind !== 'data' || theirs.payload.kind !== 'data') return undefined
  const [inner, other] = [parseIpPacket(mine.payload.bytes), parseIpPacket(theirs.payload.bytes)]
  return inner.ok && other.ok ? { ours: inner.value, kernel: other.value } : undefined
}

/** Ours with the kernel's identifications, where they are ahead by no more than `ticks`. */
export function withKernelIds(ours: Frame | IpPacket, kernel: Frame | IpPacket, ticks: number): Frame | IpPacket {
  if ('kind' in ours) return 'kind' in kernel ? idsInPacket(ours, kernel, ticks) : ours
  if ('kind' in kernel || ours.payload.kind !== 'ip' || kernel.payload.kind !== 'ip') return ours
  return { ...ours, payload: idsInPacket(ours.payload, kernel.payload, ticks) }
}

function idsInPacket(ours: IpPacket, kernel: IpPacket, ticks: number): IpPacket {
  const ahead = (kernel.id - ours.id) & 0xffff
  const id = ours.src.family === 4 && ahead <= ticks ? kernel.id : ours.id
  const [mine, theirs] = [ours.payload, kernel.payload]
  if (
    mine.kind === 'udp' &&
    theirs.kind === 'udp' &&
    mine.payload.kind === 'vxlan' &&
    theirs.payload.kind === 'vxlan'
  ) {
    const frame = withKernelIds(mine.payload.frame, theirs.payload.frame, ticks)
    if (!('kind' in frame)) return { ...ours, id, payload: { ...mine, payload: { ...mine.payload, frame } } }
  }
  const inner = forwarded(ours, kernel)
  if (inner !== undefined && mine.kind === 'udp') {
    const bytes = emitIp(idsInPacket(inner.ours, inner.kernel, ticks))
    return { ...ours, id, payload: { ...mine, payload: { kind: 'data', bytes } } }
  }
  if (mine.kind === 'icmp' && theirs.kind === 'icmp') {
    const body = changeQuoted(mine.body, theirs.body, (quoted, other) => idsInPacket(quoted, other, ticks))
    return { ...ours, id, payload: { ...mine, body } }
  }
  return { ...ours, id }
}

const ETHERNET = 14
const ICMP = 8
/** Where the checksum stands in the transport header, by protocol. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6 }

/** Octets of ours (an Ethernet frame on lo) with the checksum that the kernel's ICMP error quotes. */
export function withQuotedChecksum(ours: Uint8Array, kernel: Uint8Array): Uint8Array {
  const v4 = ours[12] === 0x08
  const icmp = ETHERNET + (v4 ? 20 : 40)
  const quoted = icmp + ICMP
  const protocol = ours[quoted + (v4 ? 9 : 6)] ?? 0
  const at = quoted + (v4 ? ((ours[quoted] ?? 0) & 15) * 4 : 40) + (CHECKSUM_AT[protocol] ?? 0)
  const changed = ours.slice()
  if (CHECKSUM_AT[protocol] === undefined || at + 2 > changed.length) return ours
  for (const place of [at, at + 1, icmp + 2, icmp + 3]) changed[place] = kernel[place] ?? 0
  return changed
}

/** flanneld's datagrams carry whole IP packets. */
export const FLANNEL_UDP = 8285

/** Ours with the kernel's window, once the handshake is over. */
export const withKernelWindow: TcpChange = (ours, kernel) =>
  (ours.flags & TCP_FLAG.syn) === 0 && (ours.flags & TCP_FLAG.rst) === 0 ? { ...ours, window: kernel.window } : ours

/** Ours with the kernel's timestamps, where they differ by no more than time can. */
export const withKernelClock: TcpChange = (ours, kernel) => {
  const theirs = kernel.options.find((option) => option.kind === 'timestamps')
  if (theirs === undefined) return ours
  const near = (x: number, y: number) => Math.abs((x - y) | 0) <= CLOCK_TOLERANCE
  const options = ours.options.map((option): TcpOption => {
    if (option.kind !== 'timestamps') return option
    return {
      ...option,
      value: near(option.value, theirs.value) ? theirs.value : option.value,
      echo: near(option.echo, theirs.echo) ? theirs.echo : option.echo,
    }
  })
  return { ...ours, options }
}
