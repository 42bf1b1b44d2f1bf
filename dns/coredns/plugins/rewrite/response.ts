import type { Edns, Message } from '../../../message.ts'
import type { ResourceRecord } from '../../../record.ts'
import type { Serving } from '../../plugin.ts'
import { changed, lookUp } from '../../request.ts'
import type { ResponseRule } from './rule.ts'

/** A reply while rules work on it. */
interface Draft {
  rcode: number
  truncated: boolean
  answers: readonly Cell[]
  edns: Edns | undefined
}

/** A record in its place: rules go on with it even where an alias has put others in the answer. */
interface Cell {
  record: ResourceRecord
}

/** Internal lookups that one query may lead to (maxCNAMERewriteDepth). */
const MAX_DEPTH = 8
/** The DO bit where it stands in an OPT record's TTL. */
const DO_BIT = 0x8000

/** All rules over all records, the last rule first; the authority section before the answers (reverter.go WriteMsg). */
export function* rewritten(message: Message, rules: readonly ResponseRule[]): Serving<Message> {
  if (rules.length === 0) return message
  const backwards = [...rules].reverse()
  const draft: Draft = {
    rcode: message.rcode,
    truncated: message.flags.truncated,
    answers: message.answers.map(cellOf),
    edns: message.edns,
  }
  const answers = draft.answers
  const authorities = message.authorities.map(cellOf)
  const additionals = message.additionals.map(cellOf)
  for (const cell of [...authorities, ...answers, ...additionals]) yield* through(cell, backwards, draft)
  const records = message.authorities.length + message.answers.length + message.additionals.length
  if (records === 0 || draft.edns) for (const rule of backwards) overOpt(rule, draft)
  const { edns: _, ...bare } = message
  return {
    ...bare,
    rcode: draft.rcode,
    flags: { ...message.flags, truncated: draft.truncated },
    answers: draft.answers.map(recordOf),
    authorities: authorities.map(recordOf),
    additionals: additionals.map(recordOf),
    ...(draft.edns && { edns: draft.edns }),
  }
}

const cellOf = (record: ResourceRecord): Cell => ({ record })
const recordOf = ({ record }: Cell): ResourceRecord => record

/** An OPT is a record as others are: a rule for TTLs changes its flags. */
function overOpt(rule: ResponseRule, draft: Draft): void {
  if (rule.kind === 'rcode' && draft.rcode === rule.from) draft.rcode = rule.to
  if (rule.kind !== 'ttl' || !draft.edns) return
  const ttl = clamped(draft.edns.dnssecOk ? DO_BIT : 0, rule)
  draft.edns = { ...draft.edns, dnssecOk: (ttl & DO_BIT) !== 0 }
}

const clamped = (ttl: number, { min, max }: { readonly min: number; readonly max: number }): number =>
  ttl < min ? min : Math.min(ttl, max)

function* through(cell: Cell, rules: readonly ResponseRule[], draft: Draft): Serving<void> {
  for (const rule of rules)
    switch (rule.kind) {
      case 'name':
        cell.record = { ...cell.record, name: rule.rewrite(cell.record.name) }
        break
      case 'value':
        cell.record = withValue(cell.record, rule.rewrite)
        break
      case 'ttl':
        cell.record = { ...cell.record, ttl: clamped(cell.record.ttl, rule) }
        break
      case 'rcode':
        if (draft.rcode === rule.from) draft.rcode = rule.to
        break
      case 'cname':
        yield* retarget(cell, rule, draft)
        break
      case 'removeOption':
      case 'restoreOption':
        break
    }
}

/** The name in a record's data, where it has one. */
function withValue(record: ResourceRecord, rewrite: (text: string) => string): ResourceRecord {
  switch (record.type) {
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'DNAME':
    case 'SRV':
      return { ...record, target: rewrite(record.target) }
    case 'MX':
      return { ...record, exchange: rewrite(record.exchange) }
    case 'SOA':
      return { ...record, mname: rewrite(record.mname) }
    default:
      return record
  }
}

/** The alias, and instead of what follows it the answers for its new target. */
function* retarget(cell: Cell, { rule, request }: ResponseRule & { kind: 'cname' }, draft: Draft): Serving<void> {
  const { record } = cell
  const target = record.type === 'CNAME' ? rule.target(record.target) : undefined
  if (record.type !== 'CNAME' || target === undefined || request.depth > MAX_DEPTH) return
  const { message } = request.shared
  const [question = request.question] = message.questions
  const asked = changed(request, { ...message, questions: [{ ...question, name: target }] })
  const reply = yield* lookUp(asked, target, { type: question.type, depth: request.depth + 1 })
  if (!reply) return
  const kept: Cell[] = []
  for (const one of draft.answers) {
    if (one.record.type !== 'CNAME') continue
    kept.push(one)
    if (one.record.target !== record.target) continue
    one.record = { ...one.record, target }
    break
  }
  draft.answers = [...kept, ...reply.answers.map(cellOf)]
  draft.truncated = reply.flags.truncated
}

/** The client's own EDNS options, for the OPT that goes back. */
export function revertedOptions(query: Message, rules: readonly ResponseRule[]): Message {
  let { edns } = query
  if (!edns) return query
  for (const rule of [...rules].reverse()) {
    if (rule.kind === 'removeOption') {
      const at = edns.options.findIndex(({ code }) => code === rule.code)
      edns = { ...edns, options: edns.options.filter((_, i) => i !== at) }
    } else if (rule.kind === 'restoreOption') {
      const at = edns.options.findIndex(({ code }) => code === rule.option.code)
      edns = { ...edns, options: edns.options.map((option, i) => (i === at ? rule.option : option)) }
    }
  }
  return { ...query, edns }
}
