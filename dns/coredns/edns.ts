import type { Edns, Message } from '../message.ts'
import type { Request } from './plugin.ts'

/**
 * The OPT that goes into a reply: one iff the query had one, with its size and DO (Request.SizeAndDo). Options of the
 * query, such as a cookie, are not sent back; those a plugin put into the reply stay.
 */
export function replyEdns(request: Message, reply: Message): Edns | undefined {
  const asked = request.edns
  if (!asked) return undefined
  if (reply.edns)
    return { ...reply.edns, version: 0, size: asked.size, dnssecOk: reply.edns.dnssecOk || asked.dnssecOk }
  return { ...asked, version: 0, options: [] }
}

/** Octets the client takes: 64K over TCP; over UDP 512, or what EDNS says if that is more (Request.Size). */
export function clientSize({ message, transport }: Request): number {
  if (transport === 'tcp') return 0xffff
  return Math.max(message.edns?.size ?? 512, 512)
}
