import { parsed } from '../../../packet/parsed.ts'
import { type Plugin, pluginError } from '../plugin.ts'

/** errors { consolidate DURATION REGEXP }: logs what the plugins behind it report (plugin/errors). */
export const errors: Plugin = {
  name: 'errors',
  setup(controller) {
    const { words, line } = controller
    let count = 0
    while (words.next()) {
      if (count++ > 0) return pluginError('errors', 'this plugin can only be used once per Server Block')
      const args = words.remaining()
      if (args.length > 1 || (args.length === 1 && args[0] !== 'stdout'))
        return pluginError('errors', args.length > 1 ? words.argumentError() : `invalid log file: ${args[0]}`)
      while (words.nextInBlock()) {
        const property = words.word()
        if (property === 'stacktrace') continue
        if (property !== 'consolidate') return pluginError('errors', words.argumentError())
        if (words.remaining().length < 2) return pluginError('errors', words.argumentError())
        controller.notModelled('errors: consolidate')
      }
    }
    return parsed([
      {
        plugin: 'errors',
        line,
        *serve(request, next) {
          const outcome = yield* next(request)
          if (outcome.kind === 'silence' || outcome.error === undefined) return outcome
          const rcode = outcome.kind === 'code' ? outcome.rcode : outcome.message.rcode
          const { name, type } = request.question
          request.server.note({
            kind: 'dns.plugin',
            plugin: 'errors',
            line,
            question: request.question,
            action: 'failed',
            detail: `[ERROR] plugin/errors: ${rcode} ${name} ${type}: ${outcome.error}`,
          })
          return outcome
        },
      },
    ])
  },
}
