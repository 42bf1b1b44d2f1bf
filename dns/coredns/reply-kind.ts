import type { Message } from '../message.ts'
import { RCODE, typeOf } from '../record.ts'

/** What a reply is, for keeping it and for the log (pkg/response Typify). */
export type Kind = 'answer' | 'nameError' | 'noData' | 'serverError' | 'delegation' | 'other'

export function kindOf(reply: Message): Kind {
  const { rcode, answers, authorities } = reply
  const type = reply.questions[0]?.type
  if (type === 'AXFR' || type === 'IXFR') return 'other'
  const soa = authorities.some((record) => record.type === 'SOA')
  if (rcode === RCODE.NOERROR && answers.length > 0) return 'answer'
  if (soa && rcode === RCODE.NOERROR) return 'noData'
  if (rcode === RCODE.NXDOMAIN) return soa && !answers.some((record) => record.type === 'CNAME') ? 'nameError' : 'other'
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'serverError'
  if (rcode === RCODE.NOERROR) return authorities.some((record) => record.type === 'NS') ? 'delegation' : 'answer'
  return 'other'
}

/** Nothing but aliases came although another type was asked for, and no SOA says that this is all. */
export function isUnfinished({ rcode, answers, authorities, questions }: Message): boolean {
  const type = questions[0]?.type ?? ''
  if (rcode !== RCODE.NOERROR || answers.length === 0 || type === 'CNAME' || type === 'ANY') return false
  return !answers.some((record) => typeOf(record) === type) && !authorities.some((record) => record.type === 'SOA')
}
