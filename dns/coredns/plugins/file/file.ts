import { type Parsed, parsed } from '../../../../packet/parsed.ts'
import { type Message, replyTo } from '../../../message.ts'
import { longestZone } from '../../../name.ts'
import { OPCODE, RCODE } from '../../../record.ts'
import { durationSeconds } from '../../duration.ts'
import { type Controller, type Handler, type Outcome, type Plugin, pluginError, type Request } from '../../plugin.ts'
import { type FallThrough, fallsThrough, fallThroughOf, zonesOf } from '../../zones.ts'
import { type Lookup, lookUpInZone } from './lookup.ts'
import { emptyZone, readZone, transferOf, type ZoneData } from './zone.ts'

interface FileOptions {
  readonly zones: ReadonlyMap<string, ZoneData>
  readonly fallThrough: FallThrough
}

/** file DBFILE [ZONES...] { reload; fallthrough }: zones from zone files (plugin/file of CoreDNS 1.15). */
export const file: Plugin = {
  name: 'file',
  setup(controller) {
    const options = parseOptions(controller)
    return options.ok ? parsed([handler(controller, options.value)]) : options
  },
}

function handler({ line }: Controller, { zones, fallThrough }: FileOptions): Handler {
  const names = [...zones.keys()]
  return {
    plugin: 'file',
    line,
    offers: {
      transfer: (name, serial) => {
        const zone = zones.get(name)
        return zone && transferOf(zone, serial)
      },
      *names() {
        for (const zone of zones.values()) {
          if (zone.soa) yield { name: zone.origin, types: ['SOA', 'NS'] }
          for (const [name, types] of zone.names) yield { name, types: [...types.keys()] }
        }
      },
    },
    *serve(request, next) {
      const { name, question, message, server } = request
      const zone = zones.get(longestZone(names, name) ?? '')
      if (!zone) return next.leadsTo === undefined ? { kind: 'code', rcode: RCODE.REFUSED } : yield* next(request)
      if (question.type === 'AXFR' || question.type === 'IXFR') return { kind: 'code', rcode: RCODE.REFUSED }
      // Only a secondary heeds a NOTIFY.
      if (message.opcode === OPCODE.NOTIFY) return { kind: 'silence' }
      const found = yield* lookUpInZone(zone, request)
      if (found.wildcard !== undefined) request.metadata?.set('zone/wildcard', found.wildcard)
      const note = (action: 'answered' | 'fellThrough', detail: string) =>
        server.note({ kind: 'dns.plugin', plugin: 'file', line, question, action, detail })
      const isNothing = found.answers.length === 0 && (found.result === 'nameError' || found.result === 'success')
      if (isNothing && fallsThrough(fallThrough, name)) {
        note('fellThrough', `zone ${zone.origin} has no such name`)
        return yield* next(request)
      }
      note('answered', `zone ${zone.origin}: ${found.answers.length} records, ${found.result}`)
      return outcomeOf(request, found)
    },
  }
}

function outcomeOf({ message }: Request, { answers, authorities, additionals, result }: Lookup): Outcome {
  if (result === 'failure' && answers.length === 0) return { kind: 'code', rcode: RCODE.SERVFAIL }
  const rcode = result === 'nameError' ? RCODE.NXDOMAIN : result === 'failure' ? RCODE.SERVFAIL : RCODE.NOERROR
  const reply = replyTo(message, rcode)
  const authoritative = result !== 'delegation' || answers.length > 0
  const whole: Message = { ...reply, flags: { ...reply.flags, authoritative }, answers, authorities, additionals }
  return { kind: 'reply', by: 'file', message: whole }
}

function parseOptions(controller: Controller): Parsed<FileOptions> {
  const { words, world } = controller
  const zones = new Map<string, ZoneData>()
  let fallThrough: FallThrough
  let missing: string | undefined
  let reload = 60
  while (words.next()) {
    if (!words.nextArgument()) return pluginError('file', words.argumentError())
    const name = words.word()
    const args = words.remaining()
    const path = name.startsWith('/') || controller.root === undefined ? name : `${controller.root}/${name}`
    const text = world.file(path)
    if (text === undefined) missing = path
    for (const origin of args.length > 0 ? zonesOf(args) : controller.zones) {
      zones.set(origin, emptyZone(origin))
      if (missing !== undefined || text === undefined) continue
      const read = readZone(text, { origin, file: path, read: world.file })
      if (!read.ok) return pluginError('file', read.reason)
      zones.set(origin, read.value.zone)
      for (const what of read.value.notModelled) controller.notModelled(`file ${path}: record type ${what}`)
    }
    while (words.nextInBlock()) {
      const property = words.word()
      if (property === 'fallthrough') fallThrough = fallThroughOf(words.remaining())
      else if (property === 'reload') {
        const [value] = words.remaining()
        if (value === undefined) return pluginError('file', 'reload duration value is expected')
        const seconds = durationSeconds(value)
        if (seconds === undefined)
          return pluginError('file', `plugin/file: time: invalid duration ${JSON.stringify(value)}`)
        reload = seconds
      } else if (property === 'upstream') words.remaining()
      else if (property !== 'reload_by_mtime') return pluginError('file', words.error(`unknown property '${property}'`))
    }
  }
  if (missing === undefined) return parsed({ zones, fallThrough })
  const failed = `open ${missing}: no such file or directory`
  if (reload === 0) return pluginError('file', `plugin/file: ${failed}`)
  controller.notModelled(`file: ${failed}; CoreDNS tries again every ${reload} s`)
  return parsed({ zones, fallThrough })
}
