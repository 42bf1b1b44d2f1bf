import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { type Controller, type Plugin, pluginError } from '../plugin.ts'
import { changed } from '../request.ts'

/** What dnsflagday.net/2020 recommends. */
const DEFAULT = 1232
const MIN = 512
const MAX = 4096

/** bufsize [SIZE]: makes the size that a query advertises no larger (plugin/bufsize). */
export const bufsize: Plugin = {
  name: 'bufsize',
  setup(controller) {
    const { line } = controller
    const limit = parseSize(controller)
    if (!limit.ok) return limit
    return parsed([
      {
        plugin: 'bufsize',
        line,
        *serve(request, next) {
          const { message, question, server } = request
          const { edns } = message
          if (!edns || edns.size <= limit.value) return yield* next(request)
          const detail = `EDNS size ${edns.size} becomes ${limit.value}`
          server.note({ kind: 'dns.plugin', plugin: 'bufsize', line, question, action: 'changed', detail })
          return yield* next(changed(request, { ...message, edns: { ...edns, size: limit.value } }))
        },
      },
    ])
  },
}

/** Its errors carry the plugin's name twice. */
function parseSize({ words }: Controller): Parsed<number> {
  words.next()
  const args = words.remaining()
  const [text] = args
  if (text === undefined) return parsed(DEFAULT)
  const size = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (args.length > 1 || !(size >= MIN && size <= MAX))
    return pluginError('bufsize', `plugin/bufsize: ${words.argumentError().message}`)
  return parsed(size)
}
