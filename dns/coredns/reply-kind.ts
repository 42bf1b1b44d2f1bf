import type { Message } from '../message.ts'
import { OPCODE, RCODE } from '../record.ts'

/** What a reply is, for keeping it and for the log (pkg/response Typify). */
export type Kind =
  | 'answer'
  | 'nameError'
  | 'noData'
  | 'serverError'
  | 'delegation'
  /** A zone transfer, or a NOTIFY. */
  | 'meta'
  | 'update'
  | 'other'

export function kindOf(reply: Message): Kind {
  const { rcode, answers, authorities, opcode } = reply
  if (opcode === OPCODE.UPDATE) return 'update'
  const type = reply.questions[0]?.type
  if (opcode === OPCODE.NOTIFY || type === 'AXFR' || type === 'IXFR') return 'meta'
  if (answers.length > 0 && rcode === RCODE.NOERROR) return 'answer'
  if (answers.length > 0 && rcode === RCODE.NXDOMAIN) return 'other'
  if (rcode === RCODE.NOERROR && hasSoa(reply)) return 'noData'
  if (rcode === RCODE.NXDOMAIN) return 'nameError'
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'serverError'
  if (rcode !== RCODE.NOERROR) return 'other'
  return authorities.some((record) => record.type === 'NS') ? 'delegation' : 'answer'
}

export const hasSoa = ({ authorities }: Message): boolean => authorities.some((record) => record.type === 'SOA')
