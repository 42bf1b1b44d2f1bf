import type { Message } from '../../../message.ts'
import { lowerName } from '../../../name.ts'
import { RCODE, type ResourceRecord, typeOf } from '../../../record.ts'
import { hasSoa, type Kind, kindOf } from '../../reply-kind.ts'

/** Whether a reply holds a record of the asked type at the end of the chain of aliases that begins at the question. */
export function answersQuestion({ rcode, questions, answers }: Message): boolean {
  const [question] = questions
  if (rcode !== RCODE.NOERROR || !question || answers.length === 0) return false
  const { name, type, class: cls } = question
  const ofClass = answers.filter((record) => cls === 'ANY' || record.class === cls)
  const isAt = (record: ResourceRecord, owner: string) => lowerName(record.name) === lowerName(owner)
  if (type === 'ANY') return ofClass.some((record) => isAt(record, name))
  if (type === 'CNAME') return aliasTarget(ofClass, name).kind === 'target'
  const end = canonicalName(ofClass, name)
  return end !== undefined && ofClass.some((record) => typeOf(record) === type && isAt(record, end))
}

type Target =
  | { readonly kind: 'target'; readonly name: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'several' }

/** Where an alias leads: a name may have one target only (RFC 2181 §10.1). */
function aliasTarget(records: readonly ResourceRecord[], owner: string): Target {
  let target: string | undefined
  for (const record of records) {
    if (record.type !== 'CNAME' || lowerName(record.name) !== lowerName(owner)) continue
    if (target !== undefined && lowerName(target) !== lowerName(record.target)) return { kind: 'several' }
    target = record.target
  }
  return target === undefined ? { kind: 'none' } : { kind: 'target', name: target }
}

/** Undefined: aliases in a circle, or one with two targets. */
function canonicalName(records: readonly ResourceRecord[], start: string): string | undefined {
  const seen = new Set<string>()
  for (let name = start; !seen.has(lowerName(name)); ) {
    seen.add(lowerName(name))
    const target = aliasTarget(records, name)
    if (target.kind === 'several') return undefined
    if (target.kind === 'none') return name
    name = target.name
  }
  return undefined
}

/** Answers came, but not to the question. */
const isNoData = (reply: Message): boolean => reply.answers.length > 0 && !answersQuestion(reply)

/** The kind of a reply as the cache sees it: aliases that lead nowhere, with an SOA, are NODATA. */
export function cacheKind(reply: Message): Kind {
  const kind = kindOf(reply)
  return kind === 'answer' && hasSoa(reply) && isNoData(reply) ? 'noData' : kind
}

/** Whether a reply of that kind may be kept at all (cache.go key). */
export function isCacheable(reply: Message, kind: Kind): boolean {
  if (reply.flags.truncated || reply.questions.length === 0) return false
  if (kind === 'other' || kind === 'meta' || kind === 'update') return false
  if (kind === 'nameError') return hasSoa(reply)
  return kind !== 'answer' || hasSoa(reply) || !isNoData(reply)
}
