import { formatIp, parseIp } from '../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { type Message, replyTo } from '../../message.ts'
import { longestZone } from '../../name.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import { type Controller, type Handler, type Outcome, type Plugin, pluginError, type Request } from '../plugin.ts'
import { zonesOf } from '../zones.ts'

interface TransferRule {
  readonly zones: readonly string[]
  /** Addresses that may transfer, as text; `*` is everyone. */
  readonly to: readonly string[]
}

/** transfer [ZONES...] { to ADDRESS... }: whole zones over TCP (plugin/transfer). */
export const transfer: Plugin = {
  name: 'transfer',
  setup(controller) {
    const rules = parseRules(controller)
    if (!rules.ok) return rules
    const { line } = controller
    let sources: readonly Handler[] = []
    return parsed([
      {
        plugin: 'transfer',
        line,
        link(block) {
          sources = block.filter(({ offers }) => offers?.transfer)
          return undefined
        },
        *serve(request, next) {
          const { question, server } = request
          if (question.type !== 'AXFR' && question.type !== 'IXFR') return yield* next(request)
          const outcome = answer(request, rules.value, sources)
          if (!outcome) return yield* next(request)
          const detail = outcome.kind === 'reply' ? `${question.type} of ${request.name}` : 'refused'
          server.note({ kind: 'dns.plugin', plugin: 'transfer', line, question, action: 'answered', detail })
          return outcome
        },
      },
    ])
  },
}

/** Undefined: it is for the next plugin. */
function answer(request: Request, rules: readonly TransferRule[], sources: readonly Handler[]): Outcome | undefined {
  const { question, message, client, transport } = request
  if (transport !== 'tcp') return { kind: 'code', rcode: RCODE.REFUSED }
  const rule = ruleFor(rules, request.name)
  if (!rule) return undefined
  if (!rule.to.some((to) => to === '*' || to === formatIp(client.ip)))
    return { kind: 'reply', by: 'transfer', message: replyTo(message, RCODE.REFUSED) }
  let serial = 0
  if (question.type === 'IXFR') {
    const [soa, ...more] = message.authorities
    if (soa?.type !== 'SOA' || more.length > 0) return { kind: 'code', rcode: RCODE.SERVFAIL }
    serial = soa.serial
  }
  for (const { offers } of sources) {
    const records = offers?.transfer?.(request.name, serial)
    if (records) return { kind: 'reply', by: 'transfer', message: transferred(message, records) }
  }
  return undefined
}

/** The rule whose zone is the longest around the name. */
function ruleFor(rules: readonly TransferRule[], name: string): TransferRule | undefined {
  let best: { readonly rule: TransferRule; readonly zone: string } | undefined
  for (const rule of rules) {
    const zone = longestZone(rule.zones, name)
    if (zone === undefined) continue
    const wins = !best || zone.length > best.zone.length || (zone.length === best.zone.length && zone > best.zone)
    if (wins) best = { rule, zone }
  }
  return best?.rule
}

/** All in one message: larger zones, which CoreDNS sends in several, are cut. */
function transferred(query: Message, records: readonly ResourceRecord[]): Message {
  const reply = replyTo(query)
  // A lone SOA is the answer to an IXFR for a zone that has not changed.
  return { ...reply, flags: { ...reply.flags, authoritative: records.length > 1 }, answers: records }
}

function parseRules({ words, zones }: Controller): Parsed<readonly TransferRule[]> {
  const rules: TransferRule[] = []
  // Some of its errors carry the plugin's name twice.
  const twice = (text: string) => pluginError('transfer', `plugin/transfer: ${words.error(text).message}`)
  while (words.next()) {
    const args = words.remaining()
    const to: string[] = []
    let source: string | undefined
    while (words.nextInBlock()) {
      const property = words.word()
      const values = words.remaining()
      if (property === 'to') {
        if (values.length === 0) return pluginError('transfer', words.argumentError())
        for (const value of values) {
          const host = value === '*' ? parsed(value) : hostOf(value)
          if (!host.ok) return pluginError('transfer', host.reason)
          to.push(host.value)
        }
      } else if (property === 'source') {
        if (values.length !== 1) return pluginError('transfer', words.argumentError())
        if (source !== undefined) return twice('source already specified')
        source = values[0] ?? ''
        if (!parseIp(source).ok) return twice(`invalid source address ${JSON.stringify(source)}`)
      } else return twice(`unknown property ${JSON.stringify(property)}`)
    }
    if (to.length === 0) return twice("'to' is required")
    rules.push({ zones: args.length > 0 ? zonesOf(args) : zones, to })
  }
  return parsed(rules)
}

/** parse.HostPort: an address, with or without a port. */
function hostOf(text: string): Parsed<string> {
  if (parseIp(text).ok) return parsed(text)
  const host = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(text)
  const address = host?.[1] ?? host?.[2] ?? text
  return host && parseIp(address).ok ? parsed(address) : refused(`must specify an IP address: \`${address}'`)
}
