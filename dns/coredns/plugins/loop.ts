import { LOOPBACK_V4, LOOPBACK_V6 } from '../../../packet/ip.ts'
import { parsed } from '../../../packet/parsed.ts'
import { query } from '../../message.ts'
import { encodeMessage } from '../../message-encode.ts'
import { isSubdomain, joinName, lowerName } from '../../name.ts'
import { type Plugin, pluginError, type ServerAccess, type Serving } from '../plugin.ts'
import { addressText } from './forward/options.ts'

const SECOND = 1_000_000_000
/** The question is repeated until a reply comes, this long. */
const TRYING = 30 * SECOND
/** Its own question coming back counts until this long after the reply. */
const WATCHING = 2 * SECOND
/** How often it may be seen: once from itself, once more by chance. */
const MAX_SEEN = 2

/**
 * loop: asks itself for a random HINFO name at the start; if that comes back more than twice, the process ends
 * (plugin/loop). A forward to the stub of systemd-resolved, which in the pod is the pod itself, ends here.
 */
export const loop: Plugin = {
  name: 'loop',
  setup({ words, line, zones }) {
    let count = 0
    while (words.next()) {
      if (count++ > 0) return pluginError('loop', 'this plugin can only be used once per Server Block')
      if (words.nextArgument()) return pluginError('loop', words.argumentError())
    }
    const zone = zones[0] ?? '.'
    let name: string | undefined
    let watchedUntil = Number.POSITIVE_INFINITY
    let seen = 0
    return parsed([
      {
        plugin: 'loop',
        line,
        *serve(request, next) {
          const { question, server } = request
          const watching = name !== undefined && server.now() < watchedUntil
          if (question.type !== 'HINFO' || !watching || !isSubdomain(zone, request.name)) return yield* next(request)
          if (request.name === lowerName(name ?? '')) seen++
          if (seen > MAX_SEEN)
            yield {
              kind: 'exit',
              text: `[FATAL] plugin/loop: Loop (${addressText(request.client)} -> :${server.port}) detected for zone "${zone}", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${name}"`,
            }
          return yield* next(request)
        },
        *start(server) {
          const own = joinName(randomLabel(server), randomLabel(server), zone)
          name = own
          yield* askItself(server, own)
          watchedUntil = server.now() + WATCHING
        },
      },
    ])
  },
}

const randomLabel = (server: ServerAccess): string =>
  `${server.draw('loop', 0x7fffffff)}${String(server.draw('loop', 1_000_000_000)).padStart(9, '0')}`

function* askItself(server: ServerAccess, name: string): Serving<void> {
  const deadline = server.now() + TRYING
  const address = server.families.includes(4) ? LOOPBACK_V4 : LOOPBACK_V6
  while (server.now() < deadline) {
    const bytes = encodeMessage(query(server.draw('loop id', 0x10000), { name, type: 'HINFO' }))
    if (!bytes.ok) return
    const to = { ip: address, port: server.port }
    const result = yield { kind: 'exchange', to, transport: 'udp', bytes: bytes.value, patience: 2 * SECOND, expire: 0 }
    if (result.kind === 'reply') return
    yield { kind: 'sleep', duration: SECOND }
  }
}
