import type { Edns, Message } from '../message.ts'
import type { Request } from './plugin.ts'

/**
 * The OPT that goes into a reply: one iff the query had one, with its size and DO (Request.SizeAndDo). Of the query's
 * options only those go back that a plugin has registered; those a plugin put into the reply stay.
 */
export function replyEdns({ shared, server }: Request, reply: Message): Edns | undefined {
  const asked = shared.message.edns
  if (!asked) return undefined
  if (reply.edns)
    return { ...reply.edns, version: 0, size: asked.size, dnssecOk: reply.edns.dnssecOk || asked.dnssecOk }
  const options = asked.options.filter(({ code }) => server.echoedOptions.has(code))
  return { ...asked, version: 0, options }
}

/** Octets the client takes: 64K over TCP; over UDP 512, or what EDNS says if that is more (Request.Size). */
export function clientSize({ shared, transport }: Request): number {
  if (transport === 'tcp') return 0xffff
  return Math.max(shared.message.edns?.size ?? 512, 512)
}
