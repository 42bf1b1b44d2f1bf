import type { IpPacket } from '../packet/packet.ts'
import { PROTOCOL } from '../packet/packet.ts'
import { type Chunk, sctpOf } from '../packet/sctp-chunk.ts'
import { flowLabelOf } from './flow-label.ts'
import { defaultTtl, ipSend } from './ip-output.ts'
import { routeOutput } from './route.ts'
import { ECT0 } from './sctp-output.ts'
import type { IpSkb } from './skb.ts'

/**
 * Packets "out of the blue" (RFC 9260 §8.4), after sctp_rcv_ootb, sctp_sf_ootb, sctp_sf_tabort_8_4_8 and
 * sctp_sf_shut_8_4_5 (Linux net/sctp/input.c, sm_statefuns.c): an ABORT or a SHUTDOWN COMPLETE from the address that was
 * asked, by a socket of the kernel's own.
 */
export function refuse(skb: IpSkb, chunks: readonly Chunk[]): void {
  const { ns, packet } = skb
  const { payload } = packet
  if (payload.kind !== 'sctp') return
  const answer = answerTo(chunks, payload.verificationTag)
  if (answer === undefined) return
  const route = routeOutput(ns, { dst: packet.src, src: packet.dst })
  if (route.kind !== 'ok') return
  const { family } = packet.src
  const ports = { srcPort: payload.dstPort, dstPort: payload.srcPort }
  const sent: IpPacket = {
    kind: 'ip',
    src: packet.dst,
    dst: packet.src,
    ttl: defaultTtl(ns, family),
    tos: ECT0,
    id: 0,
    dontFragment: family === 4,
    flowLabel: flowLabelOf(ns, { src: packet.dst, dst: packet.src, protocol: PROTOCOL.sctp, ...ports }),
    payload: sctpOf({ ...ports, tag: answer.tag }, [answer.chunk]),
  }
  ipSend(ns, { packet: sent, by: 'kernel', cause: skb.id }, route)
}

interface Answer {
  readonly tag: number
  readonly chunk: Chunk
}

/** Undefined: nothing is said. An INIT tells the tag to answer with; other packets have their own sent back (T bit). */
function answerTo(chunks: readonly Chunk[], tag: number): Answer | undefined {
  const has = (kind: Chunk['kind']): boolean => chunks.some((chunk) => chunk.kind === kind)
  const [first] = chunks
  if (has('abort') || has('shutdownComplete')) return undefined
  if (chunks.slice(1).some(({ kind }) => kind === 'init')) return undefined
  const causes = new Uint8Array(0)
  if (first?.kind === 'init') return { tag: first.initiateTag, chunk: { kind: 'abort', reflected: false, causes } }
  if (has('shutdownAck')) return { tag, chunk: { kind: 'shutdownComplete', reflected: true } }
  if (has('cookieAck')) return undefined
  return { tag, chunk: { kind: 'abort', reflected: true, causes } }
}
