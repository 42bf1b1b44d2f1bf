import { LOOPBACK_V4 } from '../../packet/ip.ts'
import type { Message } from '../message.ts'
import { query } from '../message.ts'
import { decodeMessage } from '../message-decode.ts'
import { encodeMessage } from '../message-encode.ts'
import { compareNames, isSubdomain } from '../name.ts'
import { type ResourceRecord, typeOf } from '../record.ts'
import { recordText } from '../record-text.ts'
import { type Answerer, explainedAnswer } from './answer.ts'
import type { Handler } from './plugin.ts'
import type { Server } from './server.ts'

/** A record that the server serves, with who answers for it. */
export interface ServedRecord {
  readonly record: ResourceRecord
  readonly by: Answerer | undefined
}

/**
 * All records a server would answer from its own data, in canonical order: every name its plugins know is asked of the
 * server itself, so that what stands in front of them (rewrite, acl, hosts) has its say. Names that exist only by rule,
 * such as `pods insecure`, cannot be listed. `zone` keeps to names inside it.
 */
export function servedRecords(server: Server, zone = '.'): readonly ServedRecord[] {
  const handlers = new Set<Handler>([...server.listener.zones.values()].flat().flatMap((one) => one.handlers))
  const asked = new Set<string>()
  const found = new Map<string, ServedRecord>()
  for (const handler of handlers)
    for (const { name, types } of handler.offers?.names?.() ?? []) {
      if (!isSubdomain(zone, name)) continue
      for (const type of types) {
        const key = `${name} ${type}`
        if (asked.has(key)) continue
        asked.add(key)
        for (const served of ask(server, { name, type })) found.set(recordText(served.record), served)
      }
    }
  return [...found.values()].sort(
    (a, b) =>
      compareNames(a.record.name, b.record.name) ||
      order(typeOf(a.record), typeOf(b.record)) ||
      order(recordText(a.record), recordText(b.record)),
  )
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The answers with the question's own name and type: what an alias leads to is listed under its own name. */
function ask(server: Server, question: { readonly name: string; readonly type: string }): readonly ServedRecord[] {
  const bytes = encodeMessage(query(0, question))
  if (!bytes.ok) return []
  const client = { ip: LOOPBACK_V4, port: 0 }
  const told = explainedAnswer(server, { bytes: bytes.value, client, transport: 'tcp' })
  const reply = told.bytes && decodeMessage(told.bytes)
  if (!reply?.ok) return []
  return ownAnswers(reply.value, question).map((record) => ({ record, by: told.by }))
}

const ownAnswers = ({ answers }: Message, { name, type }: { readonly name: string; readonly type: string }) =>
  answers.filter((record) => record.name === name && typeOf(record) === type)
