import { parsed } from '../../../packet/parsed.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import { type Plugin, pluginError, type Request } from '../plugin.ts'

/** loadbalance [round_robin]: shuffles addresses and mail exchangers in each section (plugin/loadbalance). */
export const loadbalance: Plugin = {
  name: 'loadbalance',
  setup(controller) {
    const { words, line } = controller
    while (words.next()) {
      const [policy, ...more] = words.remaining()
      if (policy === 'weighted') controller.notModelled('loadbalance: weighted')
      else if (policy !== undefined && policy !== 'round_robin')
        return pluginError('loadbalance', words.error(`unknown policy: ${policy}`))
      else if (more.length > 0) return pluginError('loadbalance', words.error('unknown property for round_robin'))
    }
    return parsed([
      {
        plugin: 'loadbalance',
        line,
        *serve(request, next) {
          const outcome = yield* next(request)
          if (outcome.kind !== 'reply' || outcome.message.rcode !== RCODE.NOERROR) return outcome
          const { type } = request.question
          if (type === 'AXFR' || type === 'IXFR') return outcome
          const { message } = outcome
          const answers = shuffled(request, message.answers)
          const authorities = shuffled(request, message.authorities)
          const additionals = shuffled(request, message.additionals)
          return { ...outcome, message: { ...message, answers, authorities, additionals } }
        },
      },
    ])
  },
}

/** Aliases first, then others, then the addresses and the exchangers in random order. */
function shuffled(request: Request, records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  if (records.length < 2) return records
  const aliases: ResourceRecord[] = []
  const others: ResourceRecord[] = []
  const hosts: ResourceRecord[] = []
  const exchangers: ResourceRecord[] = []
  for (const record of records)
    if (record.type === 'CNAME') aliases.push(record)
    else if (record.type === 'A' || record.type === 'AAAA') hosts.push(record)
    else if (record.type === 'MX') exchangers.push(record)
    else others.push(record)
  shuffle(request, hosts)
  shuffle(request, exchangers)
  return [...aliases, ...others, ...hosts, ...exchangers]
}

function shuffle(request: Request, records: ResourceRecord[]): void {
  for (let i = 0; i + 1 < records.length; i++) {
    const with_ = i + request.server.draw(`loadbalance ${request.name}`, records.length - i)
    const [here, there] = [records[i], records[with_]]
    if (here && there) {
      records[i] = there
      records[with_] = here
    }
  }
}
