import { formatIp } from '../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { type Message, replyTo } from '../../message.ts'
import { fqdn, isSubdomain, joinName, labelsOf, leftOf, longestZone, lowerName } from '../../name.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import {
  type Controller,
  type ExternalSource,
  type Next,
  type Outcome,
  type Plugin,
  pluginError,
  type Request,
  type Serving,
} from '../plugin.ts'
import { lookUp } from '../request.ts'
import { type Entry, sharedWeight } from '../service-backend.ts'
import { addressOfReverse, type FallThrough, fallsThrough, fallThroughOf, isReverse, zonesOf } from '../zones.ts'

interface ExternalOptions {
  readonly zones: readonly string[]
  readonly ttl: number
  /** The label under the zone where its name servers live. */
  readonly apex: string
  /** Headless services without an external address are served with their endpoints. */
  readonly headless: boolean
  readonly fallThrough: FallThrough
}

type Editable = { -readonly [Key in keyof ExternalOptions]: ExternalOptions[Key] }

const HOSTMASTER = 'hostmaster'

/** k8s_external ZONES... { apex; ttl; headless; fallthrough }: services by their external addresses (plugin/k8s_external). */
export const k8sExternal: Plugin = {
  name: 'k8s_external',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { line } = controller
    let source: ExternalSource | undefined
    return parsed([
      {
        plugin: 'k8s_external',
        line,
        offers: { names: () => namesIn(options.value, source) },
        link(block) {
          const kubernetes = block.find(({ plugin }) => plugin === 'kubernetes')
          if (!kubernetes) return 'plugin/k8s_external: kubernetes plugin not loaded'
          source = kubernetes.offers?.external
          return undefined
        },
        *serve(request, next) {
          const zone = longestZone(options.value.zones, request.name)
          if (zone === undefined || !source) return yield* next(request)
          const outcome = yield* serve({ request, zone, source, options: options.value }, next)
          if (outcome.kind === 'reply' && outcome.by === 'k8s_external') {
            const { question, server } = request
            const { answers } = outcome.message
            const detail = answers.length > 0 ? `${answers.length} records` : 'no such record'
            server.note({ kind: 'dns.plugin', plugin: 'k8s_external', line, question, action: 'answered', detail })
          }
          return outcome
        },
      },
    ])
  },
}

function* namesIn({ zones, apex, headless }: ExternalOptions, source: ExternalSource | undefined) {
  for (const zone of zones) {
    if (isReverse(zone)) continue
    yield { name: zone, types: ['SOA', 'NS'] }
    yield { name: joinName('ns1', apex, zone), types: ['A', 'AAAA'] }
    for (const name of source?.names(headless) ?? [])
      yield {
        name: lowerName(joinName(name, zone)),
        types: name.startsWith('_') ? ['SRV'] : ['A', 'AAAA', 'CNAME', 'SRV'],
      }
  }
}

interface Asked {
  readonly request: Request
  readonly zone: string
  readonly source: ExternalSource
  readonly options: ExternalOptions
}

function* serve(asked: Asked, next: Next): Serving<Outcome> {
  const { request, zone, source, options } = asked
  const { name, question } = request
  for (const own of options.zones) {
    if (name === own) return answered(apexReply(asked))
    if (isSubdomain(`${options.apex}.${own}`, name)) return answered(belowApex(asked))
  }
  const address = question.type === 'PTR' ? addressOfReverse(name) : undefined
  const reversed = address ? source.reverse(address) : []
  const found = address
    ? { entries: reversed, rcode: reversed.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN }
    : source.services({ name, type: question.type }, { zone, headless: options.headless })
  if (found.entries.length === 0) {
    if (found.rcode === RCODE.NXDOMAIN && fallsThrough(options.fallThrough, name)) return yield* next(request)
    return answered({ ...empty(request), rcode: found.rcode, authorities: [soa(asked)] })
  }
  const reply = yield* recordsOf(asked, found.entries)
  return answered(reply.answers.length > 0 ? reply : { ...reply, authorities: [soa(asked)] })
}

const answered = (message: Message): Outcome => ({ kind: 'reply', by: 'k8s_external', message })

function empty({ message }: Request): Message {
  const reply = replyTo(message)
  return { ...reply, flags: { ...reply.flags, authoritative: true } }
}

const soa = ({ zone, options, source }: Asked): ResourceRecord => ({
  name: zone,
  ttl: options.ttl,
  class: 'IN',
  type: 'SOA',
  mname: joinName('ns1', options.apex, zone),
  rname: joinName(HOSTMASTER, options.apex, zone),
  serial: source.serial,
  refresh: 7200,
  retry: 1800,
  expire: 86400,
  minimum: options.ttl,
})

function serverAddresses({ source, zone, options }: Asked, name: string): readonly ResourceRecord[] {
  return source.addresses(zone, options.headless).map((address) => ({
    name,
    ttl: options.ttl,
    class: 'IN',
    type: address.family === 4 ? 'A' : 'AAAA',
    address,
  }))
}

function apexReply(asked: Asked): Message {
  const { request, zone, options } = asked
  const reply = empty(request)
  switch (request.question.type) {
    case 'SOA':
      return { ...reply, answers: [soa(asked)] }
    case 'NS': {
      const target = joinName('ns1', options.apex, zone)
      const additionals = serverAddresses(asked, joinName('ns1', options.apex, request.question.name))
      return {
        ...reply,
        answers: [{ name: zone, ttl: options.ttl, class: 'IN', type: 'NS', target }],
        additionals,
      }
    }
    default:
      return { ...reply, authorities: [soa(asked)] }
  }
}

/** `dns.<zone>` and `ns1.dns.<zone>`; nothing else exists there. */
function belowApex(asked: Asked): Message {
  const { request, zone } = asked
  const labels = labelsOf(`${leftOf(request.name, zone)}.`)
  const reply = empty(request)
  const negative = { ...reply, authorities: [soa(asked)] }
  if (labels.length === 1) return negative
  if (labels.length !== 2 || labels[0] !== 'ns1') return { ...negative, rcode: RCODE.NXDOMAIN }
  const { name, type } = request.question
  const answers = serverAddresses(asked, name).filter((record) => record.type === type)
  return answers.length > 0 ? { ...reply, answers } : negative
}

function* recordsOf(asked: Asked, entries: readonly Entry[]): Serving<Message> {
  const { request, options } = asked
  const reply = empty(request)
  switch (request.question.type) {
    case 'A':
    case 'AAAA':
      return yield* addressReply(asked, entries)
    case 'SRV':
      return yield* srvReply(asked, entries)
    case 'PTR': {
      const [zone = '.'] = options.zones
      const names = new Set(entries.flatMap(({ host }) => (host.kind === 'alias' ? [host.name] : [])))
      const head = { name: request.question.name, ttl: options.ttl, class: 'IN', type: 'PTR' as const }
      return { ...reply, answers: [...names].map((name) => ({ ...head, target: joinName(name, zone) })) }
    }
    default:
      return reply
  }
}

function* addressReply({ request, options }: Asked, entries: readonly Entry[]): Serving<Message> {
  const reply = empty(request)
  const { name, type } = request.question
  const answers: ResourceRecord[] = []
  const seen = new Set<string>()
  let truncated = false
  for (const { host, ttl } of entries) {
    if (host.kind === 'alias') {
      answers.push({ name, ttl, class: 'IN', type: 'CNAME', target: fqdn(host.name) })
      const found = yield* lookUp(request, fqdn(host.name), { type })
      answers.push(...(found?.answers ?? []))
      truncated ||= found?.flags.truncated ?? false
    } else if (host.kind === 'address' && (host.ip.family === 4 ? 'A' : 'AAAA') === type) {
      const text = formatIp(host.ip)
      if (seen.has(text)) continue
      seen.add(text)
      answers.push({ name, ttl: options.ttl, class: 'IN', type, address: host.ip })
    }
  }
  return { ...reply, flags: { ...reply.flags, truncated }, answers }
}

function* srvReply({ request, options }: Asked, entries: readonly Entry[]): Serving<Message> {
  const answers: ResourceRecord[] = []
  const additionals: ResourceRecord[] = []
  const seen = new Set<string>()
  const isFirst = (key: string): boolean => !seen.has(key) && seen.add(key).has(key)
  const weight = sharedWeight(entries.length)
  for (const { host, port, ttl, owner } of entries) {
    if (port === -1) continue
    const target = host.kind === 'alias' ? fqdn(host.name) : owner
    const head = { name: request.question.name, ttl, class: 'IN', type: 'SRV' as const }
    if (isFirst(`${target} ${port}`)) answers.push({ ...head, priority: 0, weight, port, target })
    if (host.kind === 'address') {
      if (!isFirst(`${target} ${formatIp(host.ip)}`)) continue
      const type = host.ip.family === 4 ? 'A' : 'AAAA'
      additionals.push({ name: target, ttl: options.ttl, class: 'IN', type, address: host.ip })
    } else if (host.kind === 'alias' && isFirst(`${target} ${target}`))
      for (const type of ['A', 'AAAA']) {
        const found = yield* lookUp(request, target, { type })
        additionals.push(...(found?.answers ?? []))
      }
  }
  return { ...empty(request), answers, additionals }
}

function parseOptions({ words, zones }: Controller): Parsed<ExternalOptions> {
  const options: Editable = { zones, ttl: 5, apex: 'dns', headless: false, fallThrough: undefined }
  const wrong = (error: Parameters<typeof pluginError>[1]) => pluginError('k8s_external', error)
  while (words.next()) {
    const args = words.remaining()
    options.zones = args.length > 0 ? zonesOf(args) : zones
    while (words.nextInBlock()) {
      const property = words.word()
      switch (property) {
        case 'ttl': {
          const [text] = words.remaining()
          if (text === undefined) return wrong(words.argumentError())
          if (!/^[+-]?\d+$/.test(text)) return wrong(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
          const ttl = Number(text)
          if (ttl < 0 || ttl > 3600) return wrong(words.error(`ttl must be in range [0, 3600]: ${ttl}`))
          options.ttl = ttl
          break
        }
        case 'apex': {
          const [text] = words.remaining()
          if (text === undefined) return wrong(words.argumentError())
          options.apex = text
          break
        }
        case 'headless':
          options.headless = true
          break
        case 'fallthrough':
          options.fallThrough = fallThroughOf(words.remaining())
          break
        default:
          return wrong(words.error(`unknown property '${property}'`))
      }
    }
  }
  return parsed(options)
}
