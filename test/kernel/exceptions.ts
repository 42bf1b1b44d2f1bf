import type { Frame, IpPacket, Tcp, TcpOption } from '../../packet/packet.ts'

/**
 * Where the two sides may differ: each by one rule, with its reason, counted in the report. Everything else must be
 * equal.
 */
export const EXCEPTIONS = {
  'group reports': 'A machine announces its multicast groups and looks for routers by itself; our model does neither, and no answer depends on it.',
  'tcp clock':
    "TCP timestamps count the wall clock's milliseconds from a random start; ours count virtual ones. The start is fed, what passes after it is not.",
  'conntrack clock': 'The seconds that an entry has left are read some milliseconds later in the kernel, and rounded down.',
  'loopback checksum': 'The loopback device leaves checksums to the reader; they are not compared there.',
} as const

export type ExceptionName = keyof typeof EXCEPTIONS

/** Milliseconds that a TCP clock may be ahead or behind: what a probe takes, and one tick. */
const CLOCK_TOLERANCE = 60

/** Our frame with the kernel's TCP timestamps, where they differ by no more than time can. */
export function withKernelClock(ours: Frame | IpPacket, kernel: Frame | IpPacket, tolerance = CLOCK_TOLERANCE): Frame | IpPacket {
  if ('kind' in ours) return 'kind' in kernel ? packetWithClock(ours, kernel, tolerance) : ours
  if ('kind' in kernel || ours.payload.kind !== 'ip' || kernel.payload.kind !== 'ip') return ours
  return { ...ours, payload: packetWithClock(ours.payload, kernel.payload, tolerance) }
}

function packetWithClock(ours: IpPacket, kernel: IpPacket, tolerance: number): IpPacket {
  const [mine, theirs] = [ours.payload, kernel.payload]
  if (mine.kind === 'tcp' && theirs.kind === 'tcp') return { ...ours, payload: tcpWithClock(mine, theirs, tolerance) }
  if (mine.kind !== 'udp' || theirs.kind !== 'udp') return ours
  if (mine.payload.kind !== 'vxlan' || theirs.payload.kind !== 'vxlan') return ours
  const frame = withKernelClock(mine.payload.frame, theirs.payload.frame, tolerance)
  if ('kind' in frame) return ours
  return { ...ours, payload: { ...mine, payload: { ...mine.payload, frame } } }
}

function tcpWithClock(ours: Tcp, kernel: Tcp, tolerance: number): Tcp {
  const theirs = kernel.options.find((option) => option.kind === 'timestamps')
  if (theirs === undefined) return ours
  const near = (x: number, y: number) => Math.abs(((x - y) << 0)) <= tolerance
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
