import type { SocketAddress } from '../../../../linux/process.ts'
import { parsed } from '../../../../packet/parsed.ts'
import { type Message, query, replyTo } from '../../../message.ts'
import { decodeHeader, decodeMessage } from '../../../message-decode.ts'
import { encodeMessage } from '../../../message-encode.ts'
import { isSubdomain, lowerName } from '../../../name.ts'
import { RCODE, rcodeName } from '../../../record.ts'
import type {
  Controller,
  EffectResult,
  Handler,
  Next,
  Outcome,
  Plugin,
  Request,
  ServerAccess,
  Serving,
} from '../../plugin.ts'
import { addressText, type ForwardOptions, parseForwards } from './options.ts'

/** The forward plugin of CoreDNS 1.15: plugin/forward and plugin/pkg/proxy. */
export const forward: Plugin = {
  name: 'forward',
  setup(controller) {
    const stanzas = parseForwards(controller)
    if (!stanzas.ok) return stanzas
    return parsed(stanzas.value.map((options) => handler(controller, options)))
  },
}

const SECOND = 1_000_000_000
/** One query may take so long in all. */
const DEADLINE = 5 * SECOND
/** Questions per upstream before it gives up (defaultConnectAttemptsPerUpstream). */
const ATTEMPTS_PER_UPSTREAM = 2

/** An upstream, and what is known of its health. */
interface Upstream {
  readonly address: SocketAddress
  fails: number
  probing: boolean
}

function handler({ line }: Controller, options: ForwardOptions): Handler {
  const upstreams: readonly Upstream[] = options.upstreams.map((address) => ({ address, fails: 0, probing: false }))
  let concurrent = 0
  let turn = 0

  return {
    plugin: 'forward',
    line,
    *serve(request, next) {
      if (!isOurs(request.name)) return yield* next(request)
      if (options.maxConcurrent > 0 && concurrent >= options.maxConcurrent) {
        note(request, 'failed', `REFUSED: more than ${options.maxConcurrent} queries under way (max_concurrent)`)
        const error = `concurrent queries exceeded maximum ${options.maxConcurrent}`
        return { kind: 'code', rcode: RCODE.REFUSED, error }
      }
      concurrent++
      try {
        return yield* exchange(request, next)
      } finally {
        concurrent--
      }
    },
  }

  function isOurs(name: string): boolean {
    if (!isSubdomain(options.from, name)) return false
    return name === options.from || !options.except.some((zone) => isSubdomain(zone, name))
  }

  function* exchange(request: Request, next: Next): Serving {
    const { server } = request
    const list = inOrder(server)
    const deadline = server.now() + DEADLINE
    const maxAttempts = options.maxConnectAttempts ?? ATTEMPTS_PER_UPSTREAM * list.length
    let fails = 0
    let failovers = 0
    let at = 0
    let attempts = 0
    let error: string | undefined
    while (server.now() < deadline && (maxAttempts === 0 || attempts < maxAttempts)) {
      if (at >= list.length) {
        at = 0
        fails = 0
      }
      let upstream = list[at++]
      if (!upstream) break
      if (isDown(upstream)) {
        fails++
        if (fails < upstreams.length) continue
        if (options.failFast) break
        upstream = upstreams[server.draw('forward', upstreams.length)] ?? upstream
      }
      request.metadata?.set('forward/upstream', addressText(upstream.address))
      const asked = yield* ask(request, upstream)
      if (asked.kind === 'invalid') return { kind: 'code', rcode: RCODE.FORMERR, error: asked.error }
      if (asked.kind === 'error') {
        error = asked.error
        if (options.maxFails !== 0 && !upstream.probing)
          yield { kind: 'background', work: probe(server, upstream, options) }
        attempts++
        if (maxAttempts > 0 && attempts >= maxAttempts) break
        if (fails < upstreams.length) continue
        break
      }
      const { reply } = asked
      if (!answersTo(request, reply)) {
        note(request, 'failed', `the reply of ${addressText(upstream.address)} is to another question: FORMERR`)
        return { kind: 'reply', by: 'forward', message: replyTo(request.message, RCODE.FORMERR) }
      }
      if (options.failover.includes(reply.rcode) && ++failovers < upstreams.length) continue
      const isNoData = options.nextOnNoData && reply.rcode === RCODE.NOERROR && reply.answers.length === 0
      if (next.leadsTo === 'forward' && (options.alternate.includes(reply.rcode) || isNoData))
        return yield* next(request)
      note(request, 'answered', `${rcodeName(reply.rcode)} from ${addressText(upstream.address)}`)
      return { kind: 'reply', by: 'forward', message: reply } satisfies Outcome
    }
    const why = error ?? 'no healthy proxies'
    note(request, 'failed', `SERVFAIL: ${why}`)
    return { kind: 'code', rcode: RCODE.SERVFAIL, error: why }
  }

  type Asked =
    | { readonly kind: 'reply'; readonly reply: Message }
    | { readonly kind: 'error'; readonly error: string }
    /** A query that cannot be written. */
    | { readonly kind: 'invalid'; readonly error: string }

  function* ask(request: Request, { address }: Upstream): Serving<Asked> {
    const { server, message } = request
    let transport: 'udp' | 'tcp' = options.forceTcp ? 'tcp' : options.preferUdp ? 'udp' : request.transport
    for (;;) {
      const id = server.draw(`forward ${request.name} ${request.question.type}`, 0x10000)
      const encoded = encodeMessage({ ...message, id })
      if (!encoded.ok) return { kind: 'invalid', error: `dns: ${encoded.reason}` }
      note(request, 'asked', `${addressText(address)} over ${transport}`)
      const result = yield {
        kind: 'exchange',
        to: address,
        transport,
        bytes: encoded.value,
        patience: options.readTimeout * SECOND,
        expire: options.expire * SECOND,
      }
      if (result.kind !== 'reply') return { kind: 'error', error: failure(result, transport, address) }
      const reply = readReply(request, result.bytes, transport)
      if (!reply) return { kind: 'error', error: 'dns: bad reply' }
      if (reply.flags.truncated && transport === 'udp' && options.preferUdp) {
        transport = 'tcp'
        continue
      }
      return { kind: 'reply', reply: { ...reply, id: message.id } }
    }
  }

  function inOrder(server: ServerAccess): readonly Upstream[] {
    if (upstreams.length < 2 || options.policy === 'sequential') return upstreams
    if (options.policy === 'round_robin') {
      const first = ++turn % upstreams.length
      return [...upstreams.slice(first, first + 1), ...upstreams.slice(0, first), ...upstreams.slice(first + 1)]
    }
    const rest = [...upstreams]
    const order: Upstream[] = []
    while (rest.length > 0) order.push(...rest.splice(server.draw('forward', rest.length), 1))
    return order
  }

  function isDown({ fails }: Upstream): boolean {
    return options.maxFails > 0 && fails > options.maxFails
  }

  function note(request: Request, action: 'answered' | 'asked' | 'failed', detail: string): void {
    request.server.note({ kind: 'dns.plugin', plugin: 'forward', line, question: request.question, action, detail })
  }
}

/** How long one probe may take (proxy/health.go). */
const PROBE_TIMEOUT = SECOND
/** Probing goes on for ever in CoreDNS; so long here, so that a run comes to its end. */
const PROBE_LIMIT = 60 * SECOND

/** Asks for NS records until a reply comes, counting the misses. */
function* probe(server: ServerAccess, upstream: Upstream, { health, forceTcp }: ForwardOptions): Serving<void> {
  upstream.probing = true
  const end = server.now() + PROBE_LIMIT
  while (server.now() < end) {
    const flags = { recursionDesired: health.recursionDesired }
    const bytes = encodeMessage(
      query(server.draw('forward probe', 0x10000), { name: health.domain, type: 'NS' }, { flags }),
    )
    if (!bytes.ok) break
    const result = yield {
      kind: 'exchange',
      to: upstream.address,
      transport: forceTcp ? 'tcp' : 'udp',
      bytes: bytes.value,
      patience: PROBE_TIMEOUT,
      expire: 0,
    }
    if (result.kind === 'reply') {
      upstream.fails = 0
      break
    }
    upstream.fails++
    yield { kind: 'sleep', duration: Math.max(health.interval, MIN_INTERVAL) * SECOND }
  }
  upstream.probing = false
}

/** An interval of 0 would never let the clock go on. */
const MIN_INTERVAL = 0.001

/** A reply as the client's buffer takes it: one that is larger than was advertised is an empty one with TC. */
function readReply(request: Request, bytes: Uint8Array, transport: 'udp' | 'tcp'): Message | undefined {
  const room = Math.max(request.message.edns?.size ?? 512, 512)
  if (transport === 'udp' && bytes.length > room) {
    const header = decodeHeader(bytes)
    const empty = replyTo(request.message)
    return { ...empty, flags: { ...(header?.flags ?? empty.flags), truncated: true } }
  }
  const decoded = decodeMessage(bytes)
  return decoded.ok ? decoded.value : undefined
}

/** request.Match. */
function answersTo({ name, question }: Request, reply: Message): boolean {
  const [told] = reply.questions
  if (!told || reply.questions.length !== 1 || !reply.flags.response) return false
  return lowerName(told.name) === name && told.type === question.type && told.class === question.class
}

/** Go's words for a failed exchange, without the socket's own address: a program does not learn its port. */
function failure(
  result: EffectResult & { kind: 'timeout' | 'error' | 'done' },
  transport: string,
  to: SocketAddress,
): string {
  if (result.kind === 'error') {
    const words = {
      ECONNREFUSED: 'connection refused',
      ENETUNREACH: 'network is unreachable',
      EHOSTUNREACH: 'no route to host',
    }
    const text = (words as Readonly<Record<string, string>>)[result.errno] ?? result.errno
    const verb = transport === 'tcp' ? 'dial' : 'read'
    return `${verb} ${transport} ${addressText(to)}: ${verb === 'dial' ? 'connect' : 'read'}: ${text}`
  }
  return `read ${transport} ${addressText(to)}: i/o timeout`
}
