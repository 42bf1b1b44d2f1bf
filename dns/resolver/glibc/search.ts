import { type Message, query as newQuery } from '../../message.ts'
import { checkName, countDots, fqdn } from '../../name.ts'
import { RCODE, rcodeName } from '../../record.ts'
import { noteDecision } from '../exchange.ts'
import type { LookupIo, Waiting } from '../lookup.ts'
import { noteCandidate } from '../told.ts'
import { type Queries, type ResState, type Sent, send } from './send.ts'

/** h_errno of netdb.h. */
export type HostError = 'HOST_NOT_FOUND' | 'TRY_AGAIN' | 'NO_RECOVERY' | 'NO_DATA'

export type Searched =
  | { readonly ok: true; readonly name: string; readonly replies: readonly Message[] }
  | { readonly ok: false; readonly error: HostError }

/** RESOLV_EDNS_BUFFER_SIZE of resolv/resolv-internal.h. */
const EDNS_SIZE = 1200

/**
 * One name without a search list: __res_context_query of resolv/res_query.c. With no-aaaa a lone AAAA query becomes one
 * for A, of which only counts whether the name is there.
 */
export function* resQuery(io: LookupIo, state: ResState, name: string, types: Types): Waiting<Answered> {
  const instead = types.length === 1 && types[0] === 'AAAA' && state.conf.flags.has('no-aaaa')
  const queries = queriesFor(io, state, name, instead ? INSTEAD_OF_AAAA : types)
  if (!queries) return { ok: false, error: 'NO_RECOVERY', why: 'the name cannot be put into a message', rcode: 0 }
  const sent: Sent = yield* send(io, state, queries)
  if (!sent.ok) {
    const why = sent.lastRcode === RCODE.NOERROR ? sent.errno : rcodeName(sent.lastRcode)
    return { ok: false, error: 'TRY_AGAIN', why, rcode: sent.lastRcode, refused: sent.errno === 'ECONNREFUSED' }
  }
  const first = instead && sent.first ? { ...sent.first, answers: [] } : sent.first
  const one = first ?? sent.second
  const two = sent.second ?? first
  if (!one || !two) return { ok: false, error: 'TRY_AGAIN', why: 'no usable reply', rcode: 0 }
  const replies = first && sent.second ? [first, sent.second] : [one]
  if (hasAnswers(one) || hasAnswers(two)) return { ok: true, name, replies }
  const rcode = one.rcode === RCODE.NOERROR ? two.rcode : one.rcode
  return {
    ok: false,
    error: hostError(rcode),
    why: rcode === RCODE.NOERROR ? 'NODATA' : rcodeName(rcode),
    rcode: one.rcode,
  }
}

/** Told by its identity: this query has no EDNS. */
const INSTEAD_OF_AAAA: Types = ['A']

export type Types = readonly [string] | readonly [string, string]

type Answered =
  | { readonly ok: true; readonly name: string; readonly replies: readonly Message[] }
  | {
      readonly ok: false
      readonly error: HostError
      readonly why: string
      /** The code in the first answer buffer. */
      readonly rcode: number
      /** Nobody is listening at any server. */
      readonly refused?: boolean
    }

const hasAnswers = (message: Message): boolean => message.rcode === RCODE.NOERROR && message.answers.length > 0

function hostError(rcode: number): HostError {
  switch (rcode) {
    case RCODE.NXDOMAIN:
      return 'HOST_NOT_FOUND'
    case RCODE.SERVFAIL:
      return 'TRY_AGAIN'
    case RCODE.NOERROR:
      return 'NO_DATA'
    default:
      return 'NO_RECOVERY'
  }
}

function queriesFor(io: LookupIo, state: ResState, name: string, types: Types): Queries | undefined {
  if (!checkName(name).ok) return undefined
  const { flags } = state.conf
  const edns = { size: EDNS_SIZE, version: 0, dnssecOk: false, options: [] }
  const one = (type: string): Message =>
    newQuery(
      io.draw(`${name} ${type}`, 0x10000),
      { name, type },
      {
        flags: { authenticData: flags.has('trust-ad') },
        ...(flags.has('edns0') && types !== INSTEAD_OF_AAAA && { edns }),
      },
    )
  const [first, second] = types
  return second === undefined ? [one(first)] : [one(first), one(second)]
}

/** A name with the search list: __res_context_search of resolv/res_query.c. */
export function* resSearch(io: LookupIo, state: ResState, name: string, types: Types): Waiting<Searched> {
  const { ndots, search, flags } = state.conf
  const dots = countDots(name)
  const trailing = name.endsWith('.')
  const asIs = fqdn(name)
  let asIsError: HostError | undefined
  let last: HostError = 'HOST_NOT_FOUND'
  if (dots >= ndots || trailing) {
    const why = trailing
      ? 'it ends in a dot: as it is, and nothing else'
      : `${dots} dots, ndots is ${ndots}: as it is first`
    noteCandidate(io, asIs, why)
    const answer = yield* resQuery(io, state, asIs, types)
    if (answer.ok) return answer
    noteDecision(
      io,
      asIs,
      answer.why,
      trailing ? 'give up' : search.length > 0 ? 'go through the search list' : 'give up',
    )
    if (trailing) return { ok: false, error: answer.error }
    asIsError = answer.error
    last = answer.error
  }
  const outcome = yield* throughList({ io, state, name, types, dots })
  if (outcome.found) return outcome.found
  if (outcome.stop) return { ok: false, error: 'TRY_AGAIN' }
  last = outcome.last ?? last
  const searched = search.length > 0
  if ((dots > 0 || !searched || !flags.has('no-tld-query')) && asIsError === undefined && !outcome.rootOnList) {
    noteCandidate(io, asIs, searched ? 'last, as it is' : 'as it is: there is no search list')
    const answer = yield* resQuery(io, state, asIs, types)
    if (answer.ok) return answer
    noteDecision(io, asIs, answer.why, 'give up')
    last = answer.error
  }
  if (asIsError) return { ok: false, error: asIsError }
  if (outcome.gotNoData) return { ok: false, error: 'NO_DATA' }
  if (outcome.gotServfail) return { ok: false, error: 'TRY_AGAIN' }
  return { ok: false, error: last }
}

interface ListSearch {
  readonly io: LookupIo
  readonly state: ResState
  readonly name: string
  readonly types: Types
  readonly dots: number
}

interface ListOutcome {
  readonly found?: Searched & { readonly ok: true }
  /** Nobody listens at any server: no further name is tried. */
  readonly stop?: boolean
  readonly rootOnList: boolean
  readonly gotNoData: boolean
  readonly gotServfail: boolean
  readonly last?: HostError
}

function* throughList({ io, state, name, types, dots }: ListSearch): Waiting<ListOutcome> {
  const { search, ndots } = state.conf
  let rootOnList = false
  let gotNoData = false
  let gotServfail = false
  let last: HostError | undefined
  for (const [i, domain] of search.entries()) {
    const root = domain === '.' || domain === ''
    if (root) rootOnList = true
    const candidate = root ? fqdn(name) : fqdn(`${name}.${domain.replace(/^\./, '')}`)
    const few = dots < ndots ? `${dots} dots, ndots is ${ndots}: ` : ''
    noteCandidate(io, candidate, `${few}search domain ${i + 1} of ${search.length}`)
    const answer = yield* resQuery(io, state, candidate, types)
    if (answer.ok) return { found: answer, rootOnList, gotNoData, gotServfail }
    last = answer.error
    if (answer.refused) {
      noteDecision(io, candidate, answer.why, 'give up: no server is listening')
      return { stop: true, rootOnList, gotNoData, gotServfail }
    }
    const more = i + 1 < search.length ? 'try the next search domain' : 'the search list is through'
    if (answer.error === 'NO_DATA') gotNoData = true
    else if (answer.error === 'TRY_AGAIN' && answer.rcode === RCODE.SERVFAIL) gotServfail = true
    else if (answer.error !== 'HOST_NOT_FOUND') {
      noteDecision(io, candidate, answer.why, 'leave the search list')
      break
    }
    noteDecision(io, candidate, answer.why, more)
  }
  return { rootOnList, gotNoData, gotServfail, ...(last && { last }) }
}
