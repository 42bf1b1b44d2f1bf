import { type Parsed, parsed } from '../../../packet/parsed.ts'
import type { Message } from '../../message.ts'
import { fqdn, isSubdomain, leftOf, longestZone, lowerName } from '../../name.ts'
import { RCODE } from '../../record.ts'
import {
  type Controller,
  type Next,
  type Outcome,
  type Plugin,
  pluginError,
  type Request,
  type Serving,
} from '../plugin.ts'
import { parseClientConfig } from '../resolv-conf.ts'
import { zonesOf } from '../zones.ts'

/** Where the search path comes from. */
type Source =
  /** `@kubernetes`: of the pod that asks. */
  { readonly kind: 'plugin'; readonly name: string } | { readonly kind: 'file'; readonly path: readonly string[] }

interface AutopathOptions {
  readonly zones: readonly string[]
  readonly source: Source
}

/** autopath [ZONES...] RESOLV-CONF|@PLUGIN: walks the client's search path on the server (plugin/autopath). */
export const autopath: Plugin = {
  name: 'autopath',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { zones, source } = options.value
    const { line } = controller
    let pathOf = (_: Request): readonly string[] | undefined => (source.kind === 'file' ? source.path : undefined)
    return parsed([
      {
        plugin: 'autopath',
        line,
        link(block) {
          if (source.kind === 'file') return undefined
          const other = block.find(({ plugin }) => plugin === source.name)
          if (!other) return undefined
          const { searchPath } = other.offers ?? {}
          if (!searchPath) return `plugin/autopath: ${source.name} does not implement the AutoPather interface`
          pathOf = searchPath
          return undefined
        },
        *serve(request, next) {
          const path = longestZone(zones, request.name) === undefined ? undefined : pathOf(request)
          const first = path?.[0]
          if (!path || first === undefined || !isSubdomain(first, request.name)) return yield* next(request)
          return yield* walk(request, next, path)
        },
      },
    ])

    function* walk(request: Request, next: Next, path: readonly string[]): Serving<Outcome> {
      const { question, server } = request
      const [zone = '.'] = path
      const base = leftOf(question.name, zone)
      if (base === '') {
        const error = `trimzone: overshot qname: ${question.name}for zone ${zone}`
        return { kind: 'code', rcode: RCODE.SERVFAIL, error }
      }
      // The plugins behind it share one copy of the query.
      const shared = { message: request.message }
      let first: Outcome | undefined
      for (const suffix of path) {
        const name = `${base}.${suffix}`
        const message = { ...request.message, questions: [{ ...question, name }] }
        shared.message = message
        const asked = { ...request, message, question: { ...question, name }, name: lowerName(name), shared }
        const outcome = yield* next(asked)
        if (outcome.kind !== 'silence' && outcome.error !== undefined)
          return { kind: 'code', rcode: outcome.kind === 'code' ? outcome.rcode : RCODE.NOERROR, error: outcome.error }
        first ??= outcome
        if (outcome.kind !== 'reply' || outcome.message.rcode === RCODE.NXDOMAIN) continue
        const detail = `${name} is the first name of the search path that exists`
        server.note({ kind: 'dns.plugin', plugin: 'autopath', line, question, action: 'changed', detail })
        return { ...outcome, message: withAlias(outcome.message, question.name) }
      }
      const detail = `none of ${path.length} names of the search path exists`
      server.note({ kind: 'dns.plugin', plugin: 'autopath', line, question, action: 'passed', detail })
      return first ?? { kind: 'silence' }
    }
  },
}

/** The alias that lets the client take a reply about another name (autopath/cname.go). */
function withAlias(message: Message, original: string): Message {
  const other = message.answers.find(({ name }) => lowerName(name) !== lowerName(original))
  const alias = other && { name: original, ttl: other.ttl, class: 'IN', type: 'CNAME' as const, target: other.name }
  const [question] = message.questions
  return {
    ...message,
    questions: question ? [{ ...question, name: original }] : message.questions,
    answers: alias ? [alias, ...message.answers] : message.answers,
  }
}

function parseOptions({ words, world, zones }: Controller): Parsed<AutopathOptions> {
  let options: AutopathOptions = { zones: [], source: { kind: 'file', path: [] } }
  while (words.next()) {
    const args = words.remaining()
    const last = args.at(-1)
    if (last === undefined) return pluginError('autopath', 'no resolv-conf specified')
    const own = args.length > 1 ? zonesOf(args.slice(0, -1)) : zones
    if (last.startsWith('@')) {
      options = { zones: own, source: { kind: 'plugin', name: last.slice(1) } }
      continue
    }
    const text = world.file(last)
    if (text === undefined)
      return pluginError('autopath', `failed to parse ${JSON.stringify(last)}: open ${last}: no such file or directory`)
    const path = [...parseClientConfig(text).search.map((name) => lowerName(fqdn(name))), '']
    options = { zones: own, source: { kind: 'file', path } }
  }
  return parsed(options)
}
