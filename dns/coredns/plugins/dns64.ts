import { type Ip, ipBytes, readIp } from '../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { formatPrefix, type Prefix, parsePrefix, prefix } from '../../../packet/prefix.ts'
import { type Message, replyTo } from '../../message.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import { type Controller, type Plugin, pluginError, type Request } from '../plugin.ts'
import { kindOf } from '../reply-kind.ts'
import { lookUp } from '../request.ts'

interface Dns64Options {
  readonly prefix: Prefix
  /** Even where there are AAAA records. */
  readonly translateAll: boolean
  /** For clients that ask over IPv4 too. */
  readonly allowIpv4: boolean
}

/** Lengths a prefix may have (RFC 6052 §2.2). */
const LENGTHS = [32, 40, 48, 56, 64, 96]
/** TTL limit where no SOA is known (RFC 6147 §5.1.7). */
const TTL_WITHOUT_SOA = 600

/** dns64 [PREFIX] { prefix; translate_all; allow_ipv4 }: AAAA records out of A records (plugin/dns64). */
export const dns64: Plugin = {
  name: 'dns64',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { line } = controller
    return parsed([
      {
        plugin: 'dns64',
        line,
        *serve(request, next) {
          const { question, server } = request
          if (!isEligible(request, options.value)) return yield* next(request)
          const outcome = yield* next(request)
          if (outcome.kind !== 'reply' || !needsTranslation(outcome.message, options.value)) return outcome
          const found = yield* lookUp(request, request.name, { type: 'A' })
          if (!found) return { kind: 'code', rcode: RCODE.SERVFAIL, error: 'dns64: upstream returned no response' }
          const detail = `no AAAA record of its own: made from A records with ${formatPrefix(options.value.prefix)}`
          server.note({ kind: 'dns.plugin', plugin: 'dns64', line, question, action: 'answered', detail })
          const message = synthesized(request, { original: outcome.message, found, prefix: options.value.prefix })
          return { kind: 'reply', by: 'dns64', message }
        },
      },
    ])
  },
}

const isEligible = ({ client, question }: Request, { allowIpv4 }: Dns64Options): boolean =>
  (allowIpv4 || client.ip.family === 6) && question.type === 'AAAA' && question.class === 'IN'

function needsTranslation(reply: Message, { translateAll }: Dns64Options): boolean {
  if (kindOf(reply) === 'nameError') return false
  return translateAll || !reply.answers.some((record) => record.type === 'AAAA')
}

/** Its A records translated, the rest of the reply as it came (RFC 6147 §5.3). */
function synthesized(
  { shared }: Request,
  state: { readonly original: Message; readonly found: Message; readonly prefix: Prefix },
): Message {
  const { original, found } = state
  const soa = original.authorities.findLast((record) => record.type === 'SOA')
  const maxTtl = soa?.ttl ?? TTL_WITHOUT_SOA
  const answers = found.answers.map((record): ResourceRecord => {
    if (record.type !== 'A') return record
    const address = embedded(state.prefix, record.address)
    return { name: record.name, ttl: Math.min(record.ttl, maxTtl), class: record.class, type: 'AAAA', address }
  })
  const reply = replyTo(shared.message, found.rcode)
  return {
    ...reply,
    flags: { ...reply.flags, truncated: found.flags.truncated },
    answers,
    authorities: found.authorities,
    additionals: found.additionals,
    ...(found.edns && { edns: found.edns }),
  }
}

/** An IPv4 address inside a prefix, around octet 8, which stays zero (RFC 6052 §2.2). */
export function embedded({ address, length }: Prefix, inner: Ip): Ip {
  const bytes = new Uint8Array(16)
  bytes.set(ipBytes(address).subarray(0, length / 8))
  let at = length / 8
  for (const octet of ipBytes(inner)) {
    if (at === 8) at++
    bytes[at++] = octet
  }
  return readIp(bytes, 0, 6)
}

function parseOptions({ words }: Controller): Parsed<Dns64Options> {
  const options = { prefix: prefix('64:ff9b::/96'), translateAll: false, allowIpv4: false }
  const wrong = (error: Parameters<typeof pluginError>[1]) => pluginError('dns64', error)
  while (words.next()) {
    const args = words.remaining()
    const [text] = args
    if (args.length > 1) return wrong(words.argumentError())
    if (text !== undefined) {
      const given = parseDns64Prefix(words, text)
      if (!given.ok) return wrong(given.reason)
      options.prefix = given.value
      continue
    }
    while (words.nextInBlock()) {
      const property = words.word()
      if (property === 'translate_all') options.translateAll = true
      else if (property === 'allow_ipv4') options.allowIpv4 = true
      else if (property === 'prefix') {
        if (!words.nextArgument()) return wrong(words.argumentError())
        const given = parseDns64Prefix(words, words.word())
        if (!given.ok) return wrong(given.reason)
        options.prefix = given.value
      } else return wrong(words.error(`unknown property '${property}'`))
    }
  }
  return parsed(options)
}

function parseDns64Prefix(words: Controller['words'], text: string): Parsed<Prefix> {
  const given = parsePrefix(text, 'mask')
  if (!given.ok) return refused(`invalid CIDR address: ${text}`)
  const shown = JSON.stringify(formatPrefix(given.value))
  if (given.value.address.family === 4) return refused(words.error(`invalid netmask 32 IPv6 address: ${shown}`).message)
  if (!LENGTHS.includes(given.value.length)) return refused(words.error(`invalid prefix length ${shown}`).message)
  return given
}
