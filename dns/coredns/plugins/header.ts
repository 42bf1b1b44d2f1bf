import { type Parsed, parsed } from '../../../packet/parsed.ts'
import type { Flags, Message } from '../../message.ts'
import { type Controller, type Plugin, pluginError } from '../plugin.ts'
import { changed } from '../request.ts'

/** Sets or clears one flag. */
interface Rule {
  readonly flag: keyof Flags
  readonly value: boolean
}

interface HeaderOptions {
  readonly query: readonly Rule[]
  readonly response: readonly Rule[]
}

const FLAGS: Readonly<Record<string, keyof Flags>> = {
  aa: 'authoritative',
  ra: 'recursionAvailable',
  rd: 'recursionDesired',
}

/** header { query|response set|clear FLAGS... }: changes flags on the way in and out (plugin/header). */
export const header: Plugin = {
  name: 'header',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { query, response } = options.value
    const { line } = controller
    return parsed([
      {
        plugin: 'header',
        line,
        *serve(request, next) {
          const inside = query.length > 0 ? changed(request, withFlags(request.message, query)) : request
          const outcome = yield* next(inside)
          if (outcome.kind !== 'reply' || response.length === 0) return outcome
          const { question, server } = request
          const detail = response.map(({ flag, value }) => `${flag} ${value ? 'set' : 'cleared'}`).join(', ')
          server.note({ kind: 'dns.plugin', plugin: 'header', line, question, action: 'changed', detail })
          return { ...outcome, message: withFlags(outcome.message, response) }
        },
      },
    ])
  },
}

const withFlags = (message: Message, rules: readonly Rule[]): Message => ({
  ...message,
  flags: { ...message.flags, ...Object.fromEntries(rules.map(({ flag, value }) => [flag, value])) },
})

function parseOptions({ words }: Controller): Parsed<HeaderOptions> {
  const wrong = (text: string) => pluginError('header', `setting up rule: ${text}`)
  while (words.next()) {
    const rules: { query: Rule[]; response: Rule[] } = { query: [], response: [] }
    while (words.nextInBlock()) {
      const selector = words.word().toLowerCase()
      if (selector !== 'query' && selector !== 'response')
        return wrong(`invalid selector=${selector} should be query or response`)
      const [action, ...names] = words.remaining()
      if (action === undefined || action === '') return wrong('no flag action provided')
      if (names.length === 0) return wrong('invalid length for flags, at least one should be provided')
      const verb = action.toLowerCase()
      if (verb !== 'set' && verb !== 'clear') return wrong(`unknown flag action=${verb}, should be set or clear`)
      for (const name of names.map((text) => text.toLowerCase())) {
        const flag = FLAGS[name]
        if (!flag) return wrong(`unknown/unsupported flag=${name}`)
        rules[selector].push({ flag, value: verb === 'set' })
      }
    }
    if (rules.query.length + rules.response.length > 0) return parsed(rules)
  }
  return pluginError('header', words.argumentError())
}
