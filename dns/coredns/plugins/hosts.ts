import { type Family, formatIp, type Ip } from '../../../packet/ip.ts'
import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { replyTo } from '../../message.ts'
import { fqdn, labelsOf, longestZone, lowerName } from '../../name.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import { type HostsLine, parseHostsFile } from '../../resolver/hosts-file.ts'
import { reverseName } from '../../resolver/reverse-name.ts'
import { durationSeconds } from '../duration.ts'
import { type Controller, type Handler, type Plugin, pluginError, type Request } from '../plugin.ts'
import { addressOfReverse, type FallThrough, fallsThrough, fallThroughOf, zonesOf } from '../zones.ts'

/** A `hosts` stanza. */
interface HostsOptions {
  readonly zones: readonly string[]
  readonly lines: readonly HostsLine[]
  /** Lines that stand in the Corefile itself. */
  readonly inline: readonly HostsLine[]
  readonly ttl: number
  /** Not with `no_reverse`, which holds for lines of the Corefile too. */
  readonly reverse: boolean
  readonly fallThrough: FallThrough
  /** Types other than addresses and pointers fall through too. */
  readonly fallThroughUnsupported: boolean
}

type Editable = { -readonly [Key in keyof HostsOptions]: HostsOptions[Key] }

const DEFAULT_FILE = '/etc/hosts'
const DEFAULT_TTL = 3600

/** hosts [FILE [ZONES...]] { lines of its own; ttl; no_reverse; reload; fallthrough }: plugin/hosts of CoreDNS 1.15. */
export const hosts: Plugin = {
  name: 'hosts',
  setup(controller) {
    const options = parseOptions(controller)
    return options.ok ? parsed([handler(controller, options.value)]) : options
  },
}

function handler({ line }: Controller, options: HostsOptions): Handler {
  const all = [...options.lines, ...options.inline]
  // Lines of the file and of the Corefile are searched by themselves, as are the two families.
  const sources = [options.lines, options.inline].flatMap((lines) => [byFamily(lines, 4), byFamily(lines, 6)])

  return {
    plugin: 'hosts',
    line,
    offers: { names },
    *serve(request, next) {
      const { name, question } = request
      const isPointer = question.type === 'PTR'
      if (longestZone(options.zones, name) === undefined && !isPointer) return yield* next(request)
      const answers = isPointer ? pointers(name) : addresses(name, question.type)
      if (isPointer && answers.length === 0) return yield* next(request)
      const isUnsupported = !isPointer && question.type !== 'A' && question.type !== 'AAAA'
      if (isUnsupported && options.fallThroughUnsupported && fallsThrough(options.fallThrough, name))
        return yield* next(request)
      if (answers.length === 0 && addressesOf(name).length === 0) {
        if (fallsThrough(options.fallThrough, name)) {
          note(request, 'fellThrough', 'no such host')
          return yield* next(request)
        }
        note(request, 'failed', 'SERVFAIL: no such host, and no fallthrough')
        return { kind: 'code', rcode: RCODE.SERVFAIL }
      }
      note(request, 'answered', answers.length > 0 ? `${answers.length} of its hosts` : 'the host has no such record')
      const reply = replyTo(request.message)
      return {
        kind: 'reply',
        by: 'hosts',
        message: { ...reply, flags: { ...reply.flags, authoritative: true }, answers },
      }
    },
  }

  function* names() {
    for (const names of sources) for (const name of names.keys()) yield { name, types: ['A', 'AAAA'] }
    for (const { address } of all) yield { name: reverseName(address), types: ['PTR'] }
  }

  function addresses(name: string, type: string): readonly ResourceRecord[] {
    const family = type === 'A' ? 4 : type === 'AAAA' ? 6 : undefined
    return addressesOf(name)
      .filter((ip) => ip.family === family)
      .map((address) => ({ name, ttl: options.ttl, class: 'IN', type: address.family === 4 ? 'A' : 'AAAA', address }))
  }

  /** Exactly, else by a line for `*` in the place of the first label. */
  function addressesOf(name: string): readonly Ip[] {
    const wildcard = `*.${labelsOf(name).slice(1).join('.')}.`
    return sources.flatMap((names) => names.get(name) ?? names.get(wildcard) ?? [])
  }

  function pointers(name: string): readonly ResourceRecord[] {
    const address = addressOfReverse(name)
    if (!address) return []
    const wanted = formatIp(address)
    const lines = options.reverse ? all.filter((one) => formatIp(one.address) === wanted) : []
    const targets = new Set(lines.flatMap(({ names }) => names.map((text) => lowerName(fqdn(text)))))
    return [...targets].map((target) => ({ name, ttl: options.ttl, class: 'IN', type: 'PTR', target }))
  }

  function note(request: Request, action: 'answered' | 'fellThrough' | 'failed', detail: string): void {
    request.server.note({ kind: 'dns.plugin', plugin: 'hosts', line, question: request.question, action, detail })
  }
}

function byFamily(lines: readonly HostsLine[], family: Family): ReadonlyMap<string, readonly Ip[]> {
  const found = new Map<string, Ip[]>()
  for (const { address, names } of lines)
    if (address.family === family)
      for (const name of names.map((text) => lowerName(fqdn(text))))
        found.set(name, [...(found.get(name) ?? []), address])
  return found
}

function parseOptions(controller: Controller): Parsed<HostsOptions> {
  const { words, world } = controller
  let options: Editable | undefined
  while (words.next()) {
    if (options) return pluginError('hosts', 'this plugin can only be used once per Server Block')
    const args = words.remaining()
    const [file = DEFAULT_FILE, ...zones] = args
    options = {
      zones: zones.length > 0 ? zonesOf(zones) : controller.zones,
      lines: parseHostsFile(withoutScopes(world.file(file) ?? '')),
      inline: [],
      ttl: DEFAULT_TTL,
      reverse: true,
      fallThrough: undefined,
      fallThroughUnsupported: false,
    }
    while (words.nextInBlock()) {
      const property = words.word()
      const rest = words.remaining()
      switch (property) {
        case 'fallthrough':
          options.fallThrough = fallThroughOf(rest)
          break
        case 'fallthrough_unsupported':
          options.fallThroughUnsupported = true
          break
        case 'no_reverse':
          options.reverse = false
          break
        case 'ttl': {
          const ttl = Number(rest[0])
          if (rest.length === 0) return pluginError('hosts', words.error('ttl needs a time in second'))
          if (!/^[+-]?\d+$/.test(rest[0] ?? ''))
            return pluginError('hosts', words.error('ttl needs a number of second'))
          if (ttl <= 0 || ttl > 65535) return pluginError('hosts', words.error('ttl provided is invalid'))
          options.ttl = ttl
          break
        }
        case 'reload': {
          const seconds = durationSeconds(rest[0] ?? '')
          if (rest.length !== 1)
            return pluginError('hosts', words.error('reload needs a duration (zero seconds to disable)'))
          if (seconds === undefined)
            return pluginError('hosts', words.error(`invalid duration for reload '${rest[0]}'`))
          if (seconds < 0) return pluginError('hosts', words.error("invalid negative duration for reload '"))
          break
        }
        default:
          options.inline = [...options.inline, ...parseHostsFile(withoutScopes([property, ...rest].join(' ')))]
      }
    }
  }
  if (options?.fallThroughUnsupported && options.fallThrough === undefined)
    return pluginError('hosts', words.error('fallthrough_unsupported requires fallthrough'))
  return options ? parsed(options) : pluginError('hosts', 'no stanza')
}

/** `fe80::1%eth0` counts without its zone. */
const withoutScopes = (text: string): string => text.replace(/^(\s*[0-9a-fA-F:.]+)%\S+/gm, '$1')
