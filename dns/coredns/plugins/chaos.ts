import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { replyTo } from '../../message.ts'
import type { ResourceRecord } from '../../record.ts'
import { type Controller, type Plugin, pluginError, type Request } from '../plugin.ts'

/** `CoreDNS-` and the version, told where the Corefile names none. */
const VERSION = 'CoreDNS-1.15.0'
/** Octets of a character-string. */
const MAX_TEXT = 255

interface ChaosOptions {
  readonly version: string
  /** Undefined: those that CoreDNS was built with. */
  readonly authors: readonly string[] | undefined
}

/** chaos [VERSION] [AUTHORS...]: tells of itself in class CH (plugin/chaos). */
export const chaos: Plugin = {
  name: 'chaos',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { line, world } = controller
    if (!options.value.authors) controller.notModelled('chaos: the authors that CoreDNS was built with')
    return parsed([
      {
        plugin: 'chaos',
        line,
        *serve(request, next) {
          const { question } = request
          const answers = question.class === 'CH' && question.type === 'TXT' ? texts(request) : undefined
          if (!answers) return yield* next(request)
          const detail = `${request.name} in class CH`
          request.server.note({ kind: 'dns.plugin', plugin: 'chaos', line, question, action: 'answered', detail })
          return { kind: 'reply', by: 'chaos', message: { ...replyTo(request.message), answers } }
        },
      },
    ])

    function texts(request: Request): readonly ResourceRecord[] | undefined {
      switch (request.name) {
        case 'authors.bind.':
          return inRandomOrder(request, options.ok ? (options.value.authors ?? []) : []).map((author) =>
            text(request, author),
          )
        case 'version.bind.':
        case 'version.server.':
          return [text(request, options.ok ? options.value.version : VERSION)]
        case 'hostname.bind.':
        case 'id.server.':
          return [text(request, cut(world.hostname))]
        default:
          return undefined
      }
    }
  },
}

const cut = (text: string): string => text.slice(0, MAX_TEXT)

const text = ({ question }: Request, words: string): ResourceRecord => ({
  name: question.name,
  ttl: 0,
  class: 'CH',
  type: 'TXT',
  strings: [new TextEncoder().encode(words)],
})

function inRandomOrder({ server }: Request, all: readonly string[]): readonly string[] {
  const rest = [...all]
  const order: string[] = []
  while (rest.length > 0) order.push(...rest.splice(server.draw('chaos authors', rest.length), 1))
  return order
}

function parseOptions({ words }: Controller): Parsed<ChaosOptions> {
  words.next()
  const [version, ...authors] = words.remaining()
  if (words.nextInBlock()) return pluginError('chaos', words.error(`unknown property '${words.word()}'`))
  return parsed({
    version: version === undefined ? VERSION : authors.length === 0 ? cut(version) : version,
    authors: authors.length === 0 ? undefined : [...new Set(authors)].map(cut).sort(),
  })
}
