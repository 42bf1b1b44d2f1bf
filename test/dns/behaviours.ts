import { replyTo } from '../../dns/message.ts'
import { RCODE } from '../../dns/record.ts'
import { type Answerer, recordOf } from './scripted-server.ts'

/**
 * What a server does, by `NAME TYPE` or `NAME`; anything else does not exist. A list is records: `A 10.0.0.1`, or whole
 * ones with ` IN ` in them. A number is a response code.
 */
export type Behaviours = Readonly<Record<string, Behaviour>>

export type Behaviour =
  | readonly string[]
  | number
  /** No answer. */
  | 'drop'
  /** Empty, and neither authoritative nor with recursion. */
  | 'lame'
  /** Cut over UDP, over TCP 10.0.0.1 and fd00::1. */
  | 'tc'
  /** An answer to another query. */
  | 'wrongId'
  | 'wrongName'
  /** Records, but recursion is not available. */
  | { readonly withoutRecursion: readonly string[] }

export interface BehavingServer {
  readonly behaviours: Behaviours
  readonly authoritative?: boolean
  /** Told of each query: `A x.s1.test. tcp`. */
  readonly log?: (query: string) => void
}

export function answererOf({ behaviours, authoritative = false, log }: BehavingServer): Answerer {
  return (query, transport) => {
    const [question] = query.questions
    if (!question) return undefined
    const { name, type } = question
    log?.(`${type} ${name}${transport === 'tcp' ? ' tcp' : ''}`)
    const behaviour = behaviours[`${name} ${type}`] ?? behaviours[name] ?? RCODE.NXDOMAIN
    const empty = replyTo(query)
    const reply = { ...empty, flags: { ...empty.flags, authoritative, recursionAvailable: true } }
    const records = (texts: readonly string[]) =>
      texts.map((text) => recordOf(text.includes(' IN ') ? text : `${name} 5 IN ${text}`))
    if (typeof behaviour === 'number') return { ...reply, rcode: behaviour }
    switch (behaviour) {
      case 'drop':
        return undefined
      case 'lame':
        return empty
      case 'tc':
        if (transport === 'udp') return { ...reply, flags: { ...reply.flags, truncated: true } }
        return { ...reply, answers: records(type === 'A' ? ['A 10.0.0.1'] : type === 'AAAA' ? ['AAAA fd00::1'] : []) }
      case 'wrongId':
        return { ...reply, id: query.id ^ 1, answers: records(['A 10.66.66.66']) }
      case 'wrongName':
        return { ...reply, questions: [{ ...question, name: `not-${name}` }], answers: records(['A 10.66.66.66']) }
    }
    if ('withoutRecursion' in behaviour)
      return { ...reply, flags: empty.flags, answers: records(behaviour.withoutRecursion) }
    return { ...reply, answers: records(behaviour) }
  }
}
