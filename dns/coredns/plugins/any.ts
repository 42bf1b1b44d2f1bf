import { parsed } from '../../../packet/parsed.ts'
import { replyTo } from '../../message.ts'
import { type Plugin, pluginError } from '../plugin.ts'

/** What RFC 8482 §4.2 says in place of all records, and for how long. */
const CPU = 'ANY obsoleted'
const OS = 'See RFC 8482'
const TTL = 8482

/** any: answers ANY with one HINFO record (plugin/any). */
export const any: Plugin = {
  name: 'any',
  setup({ words, line }) {
    words.next()
    if (words.nextArgument()) return pluginError('any', words.argumentError())
    if (words.nextInBlock()) return pluginError('any', words.error(`unknown property '${words.word()}'`))
    return parsed([
      {
        plugin: 'any',
        line,
        *serve(request, next) {
          const { question, server } = request
          if (question.type !== 'ANY') return yield* next(request)
          const detail = 'ANY is answered with HINFO (RFC 8482)'
          server.note({ kind: 'dns.plugin', plugin: 'any', line, question, action: 'answered', detail })
          const answers = [{ name: question.name, ttl: TTL, class: 'IN', type: 'HINFO', cpu: CPU, os: OS } as const]
          return { kind: 'reply', by: 'any', message: { ...replyTo(request.message), answers } }
        },
      },
    ])
  },
}
