import { type Parsed, parsed } from '../../../packet/parsed.ts'
import type { Edns, Message } from '../../message.ts'
import { type Controller, type Plugin, pluginError, type Request } from '../plugin.ts'

/** The code of the EDNS option (RFC 5001 §2.3). */
const NSID = 3

/** nsid [DATA]: tells a query with the NSID option who answers (plugin/nsid). */
export const nsid: Plugin = {
  name: 'nsid',
  setup(controller) {
    const data = parseData(controller)
    if (!data.ok) return data
    const option = { code: NSID, bytes: new TextEncoder().encode(data.value) }
    const { line } = controller
    return parsed([
      {
        plugin: 'nsid',
        line,
        *serve(request, next) {
          const asked = request.message.edns?.options.some(({ code }) => code === NSID)
          const outcome = yield* next(request)
          if (!asked || outcome.kind !== 'reply') return outcome
          const { question, server } = request
          const detail = `NSID ${data.value}`
          server.note({ kind: 'dns.plugin', plugin: 'nsid', line, question, action: 'changed', detail })
          return { ...outcome, message: withOption(request, outcome.message, option) }
        },
      },
    ])
  },
}

function withOption({ shared }: Request, message: Message, option: Edns['options'][number]): Message {
  const size = shared.message.edns?.size
  const edns = message.edns ?? (size === undefined ? undefined : { size, version: 0, dnssecOk: true, options: [] })
  if (!edns) return message
  const has = edns.options.some(({ code }) => code === NSID)
  const options = has ? edns.options.map((one) => (one.code === NSID ? option : one)) : [...edns.options, option]
  return { ...message, edns: { ...edns, options } }
}

function parseData({ words, world }: Controller): Parsed<string> {
  let data = world.hostname
  let count = 0
  while (words.next()) {
    if (count++ > 0) return pluginError('nsid', 'this plugin can only be used once per Server Block')
    const args = words.remaining()
    if (args.length > 0) data = args.join(' ')
  }
  return parsed(data)
}
