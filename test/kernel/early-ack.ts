import type { Frame, IpPacket, Tcp } from '../../packet/packet.ts'
import { TCP_FLAG } from '../../packet/packet.ts'
import type { Observed } from './observed.ts'

/**
 * Where a FIN is acknowledged alone by the kernel and together with the answering FIN by us, a tick fell before the
 * reader had its turn. Answers the sequence number that our segment acknowledges.
 */
export function earlyAck(ours: Observed, kernel: Observed): number | undefined {
  for (const [i, mine] of ours.frames.entries()) {
    const theirs = kernel.frames[i]
    if (mine.tap !== theirs?.tap) return undefined
    const [segment, other] = [tcpOf(mine.frame), tcpOf(theirs.frame)]
    if (segment === undefined || other === undefined || finOf(segment) === finOf(other)) continue
    return finOf(segment) && other.data.length === 0 ? segment.ack : undefined
  }
  return undefined
}

const finOf = ({ flags }: Tcp): boolean => (flags & TCP_FLAG.fin) !== 0

function tcpOf(frame: Frame | IpPacket | undefined): Tcp | undefined {
  const packet = frame === undefined || 'kind' in frame ? frame : frame.payload
  if (packet?.kind !== 'ip') return undefined
  const { payload } = packet
  return payload.kind === 'tcp' ? payload : undefined
}
