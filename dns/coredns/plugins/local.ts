import { type Ip, LOOPBACK_V4, LOOPBACK_V6 } from '../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { type Message, replyTo } from '../../message.ts'
import { longestZone } from '../../name.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import { type Controller, type Plugin, pluginError, type Request } from '../plugin.ts'

const TTL = 604800
const LOCALHOST = 'localhost.'
/** Zones that are answered here whatever stands behind (RFC 6303). */
const ZONES = [LOCALHOST, '0.in-addr.arpa.', '127.in-addr.arpa.', '255.in-addr.arpa.']
const LOOPBACK_NAME = '1.0.0.127.in-addr.arpa.'

/** local { localhost_prefix on|off }: localhost and the reverse zones of the own machine (plugin/local). */
export const local: Plugin = {
  name: 'local',
  setup(controller) {
    const prefix = parseOptions(controller)
    if (!prefix.ok) return prefix
    const { line } = controller
    return parsed([
      {
        plugin: 'local',
        line,
        *serve(request, next) {
          const message = reply(request, prefix.value)
          if (!message) return yield* next(request)
          const { question, server } = request
          const detail = 'names of the own machine are answered here'
          server.note({ kind: 'dns.plugin', plugin: 'local', line, question, action: 'answered', detail })
          return { kind: 'reply', by: 'local', message }
        },
      },
    ])
  },
}

function reply(request: Request, prefix: 'on' | 'off'): Message | undefined {
  const { name, question, message } = request
  const empty = replyTo(message)
  const isBelow = name.length > LOCALHOST.length
  if (isBelow && (name.endsWith(`.${LOCALHOST}`) || (prefix === 'on' && name.startsWith(LOCALHOST)))) {
    const loopback = addressRecord(question)
    return loopback ? { ...empty, answers: [loopback] } : { ...empty, authorities: [soa(question.name)] }
  }
  const own = longestZone(ZONES, name)
  if (own === undefined) return undefined
  const zone = question.name.slice(-own.length)
  if (name === own) {
    const apex = apexRecord(request)
    return apex ? { ...empty, answers: [apex] } : { ...empty, authorities: [soa(question.name)] }
  }
  if (name !== LOOPBACK_NAME) return { ...empty, rcode: RCODE.NXDOMAIN, authorities: [soa(zone)] }
  if (question.type !== 'PTR') return { ...empty, authorities: [soa(zone)] }
  return { ...empty, answers: [{ ...head(question.name), type: 'PTR', target: LOCALHOST }] }
}

function apexRecord({ name, question }: Request): ResourceRecord | undefined {
  switch (question.type) {
    case 'A':
    case 'AAAA':
      return name === LOCALHOST ? addressRecord(question) : undefined
    case 'SOA':
      return soa(question.name)
    case 'NS':
      return { ...head(question.name), type: 'NS', target: LOCALHOST }
    default:
      return undefined
  }
}

const LOOPBACK: Readonly<Record<string, Ip>> = { A: LOOPBACK_V4, AAAA: LOOPBACK_V6 }

function addressRecord({ name, type }: Request['question']): ResourceRecord | undefined {
  const address = LOOPBACK[type]
  return address && { ...head(name), type: address.family === 4 ? 'A' : 'AAAA', address }
}

const head = (name: string) => ({ name, ttl: TTL, class: 'IN' })

const soa = (origin: string): ResourceRecord => ({
  ...head(origin),
  type: 'SOA',
  mname: LOCALHOST,
  rname: 'root.localhost.',
  serial: 1,
  refresh: 0,
  retry: 0,
  expire: 0,
  minimum: TTL,
})

function parseOptions({ words }: Controller): Parsed<'on' | 'off'> {
  let prefix: 'on' | 'off' = 'on'
  while (words.next()) {
    if (words.remaining().length > 0) return pluginError('local', words.argumentError())
    while (words.nextInBlock()) {
      const property = words.word()
      if (property !== 'localhost_prefix') return pluginError('local', words.error(`unknown property '${property}'`))
      const [value, ...more] = words.remaining()
      if (value === undefined || more.length > 0) return pluginError('local', words.argumentError())
      if (value !== 'on' && value !== 'off')
        return pluginError('local', words.error(`localhost_prefix expects 'on' or 'off', got ${JSON.stringify(value)}`))
      prefix = value
    }
  }
  return parsed(prefix)
}
