import { parsed } from '../../../packet/parsed.ts'
import { RCODE } from '../../record.ts'
import { type Plugin, pluginError } from '../plugin.ts'
import { kindOf } from '../reply-kind.ts'

/** minimal: leaves out of an answer what was not asked for (plugin/minimal). */
export const minimal: Plugin = {
  name: 'minimal',
  setup({ words, line }) {
    words.next()
    if (words.nextArgument()) return pluginError('minimal', words.argumentError())
    return parsed([
      {
        plugin: 'minimal',
        line,
        *serve(request, next) {
          const outcome = yield* next(request)
          if (outcome.kind !== 'reply') return outcome
          // An error beside a reply: it hands on the error and writes nothing.
          if (outcome.error !== undefined) return { kind: 'code', rcode: RCODE.NOERROR, error: outcome.error }
          const { message } = outcome
          if (kindOf(message) !== 'answer') return outcome
          const { edns: _, ...bare } = message
          if (message.authorities.length + message.additionals.length > 0) {
            const { question, server } = request
            const detail = 'authority and additional sections left out'
            server.note({ kind: 'dns.plugin', plugin: 'minimal', line, question, action: 'changed', detail })
          }
          return { ...outcome, message: { ...bare, authorities: [], additionals: [] } }
        },
      },
    ])
  },
}
