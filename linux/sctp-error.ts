import { get32 } from '../packet/octets.ts'
import { ICMP4, ICMP6, type Icmp, type IpPacket, type Sctp } from '../packet/packet.ts'
import { CHUNK_TYPE } from '../packet/sctp-chunk.ts'
import { icmpErrno } from './icmp-errno.ts'
import type { Netns } from './netns.ts'
import { retransmitAll } from './sctp-data.ts'
import { type AssociatedSocket, findAssociation } from './sctp-lookup.ts'
import { failAssociation } from './sctp-shutdown.ts'
import { startTimer } from './sctp-timer.ts'
import type { IpSkb } from './skb.ts'
import { fail } from './socket.ts'

/** ICMP errors about SCTP packets, after sctp_v4_err and sctp_v6_err (Linux net/sctp/input.c, ipv6.c). */

/** sctp_err_lookup: the association whose packet is quoted, if the tag is right: of an INIT, the one that it offers. */
export function quotedAssociation(ns: Netns, quoted: IpPacket, sctp: Sctp): AssociatedSocket | undefined {
  const socket = findAssociation(ns, {
    local: { ip: quoted.src, port: sctp.srcPort },
    remote: { ip: quoted.dst, port: sctp.dstPort },
  })
  if (socket === undefined) return undefined
  const { verificationTag } = sctp
  if (verificationTag !== 0) return verificationTag === socket.sctp.peerTag ? socket : undefined
  return offeredTag(sctp) === socket.sctp.myTag ? socket : undefined
}

function offeredTag({ chunk }: Sctp): number | undefined {
  if (chunk.kind === 'init') return chunk.initiateTag
  const isCutInit = chunk.kind === 'other' && chunk.type === CHUNK_TYPE.init && chunk.body.length >= 4
  return isCutInit ? get32(chunk.body, 0) : undefined
}

/**
 * A protocol that nobody speaks ends the attempt, 50 ms later where connect() is under way; every other error is only
 * noted (sk_err_soft), and as SCTP never looks at it again the attempt goes on until its time is up.
 */
export function sctpError(
  skb: IpSkb,
  quoted: IpPacket,
  { sctp, icmp }: { readonly sctp: Sctp; readonly icmp: Icmp },
): void {
  const { ns } = skb
  const socket = quotedAssociation(ns, quoted, sctp)
  if (socket === undefined) return
  const association = socket.sctp
  const from = { ip: skb.packet.src, cause: skb.id }
  if (isProtocolUnreachable(icmp, quoted.src.family)) {
    if (association.state !== 'cookieWait') return
    if (socket.backlog === undefined) return failAssociation(ns, socket, { errno: 'ENOPROTOOPT', from })
    return startTimer(ns, socket, 'unreachable', UNREACHABLE_DELAY)
  }
  if (icmp.body.kind === 'error' && icmp.body.mtu > 0) {
    if (icmp.body.mtu >= association.pathMtu) return
    association.pathMtu = icmp.body.mtu
    if (socket.backlog === undefined) retransmitAll(ns, socket, association, 'path MTU')
    return
  }
  const errno = icmpErrno(icmp, quoted.src.family)?.errno
  if (errno !== undefined && socket.recvErr && socket.backlog === undefined) fail(ns, socket, errno, from)
}

/** HZ / 20. */
const UNREACHABLE_DELAY = 50_000_000

/** ICMP_PROT_UNREACH; ICMPV6_PARAMPROB with ICMPV6_UNK_NEXTHDR. */
function isProtocolUnreachable({ type, code }: Icmp, family: 4 | 6): boolean {
  return family === 4 ? type === ICMP4.unreachable && code === 2 : type === ICMP6.parameterProblem && code === 1
}
