import { type Parsed, parsed } from '../../../packet/parsed.ts'
import { contains, type Prefix, parsePrefix } from '../../../packet/prefix.ts'
import type { Message } from '../../message.ts'
import { RCODE, type ResourceRecord } from '../../record.ts'
import type { CorefileError } from '../corefile/dispenser.ts'
import { type Controller, type Plugin, pluginError, type Request } from '../plugin.ts'

interface LoadbalanceOptions {
  /** `weighted` takes its weights from a file: not modelled, and not shuffled. */
  readonly policy: 'round_robin' | 'weighted'
  /** Addresses in these come first, in this order. */
  readonly preferred: readonly Prefix[]
}

/** loadbalance [round_robin] { prefer CIDR... }: shuffles addresses and mail exchangers in each section (plugin/loadbalance). */
export const loadbalance: Plugin = {
  name: 'loadbalance',
  setup(controller) {
    const options = parseOptions(controller)
    if (!options.ok) return options
    const { policy, preferred } = options.value
    const { line } = controller
    return parsed([
      {
        plugin: 'loadbalance',
        line,
        *serve(request, next) {
          const outcome = yield* next(request)
          if (outcome.kind !== 'reply' || policy === 'weighted' || !isShuffled(outcome.message)) return outcome
          const { message } = outcome
          const answers = shuffled(request, message.answers)
          const authorities = shuffled(request, message.authorities)
          const additionals = shuffled(request, message.additionals)
          if (preferred.length === 0) return { ...outcome, message: { ...message, answers, authorities, additionals } }
          return {
            ...outcome,
            message: {
              ...message,
              answers: nearFirst(answers, preferred),
              authorities,
              additionals: nearFirst(additionals, preferred),
            },
          }
        },
      },
    ])
  },
}

function isShuffled({ rcode, questions }: Message): boolean {
  const type = questions[0]?.type
  return rcode === RCODE.NOERROR && type !== undefined && type !== 'AXFR' && type !== 'IXFR'
}

interface Sorted {
  readonly aliases: readonly ResourceRecord[]
  readonly addresses: ResourceRecord[]
  readonly exchangers: ResourceRecord[]
  readonly others: readonly ResourceRecord[]
}

function sorted(records: readonly ResourceRecord[]): Sorted {
  const aliases: ResourceRecord[] = []
  const addresses: ResourceRecord[] = []
  const exchangers: ResourceRecord[] = []
  const others: ResourceRecord[] = []
  for (const record of records)
    if (record.type === 'CNAME') aliases.push(record)
    else if (record.type === 'A' || record.type === 'AAAA') addresses.push(record)
    else if (record.type === 'MX') exchangers.push(record)
    else others.push(record)
  return { aliases, addresses, exchangers, others }
}

/** Aliases first, then others, then the addresses and the exchangers in random order. */
function shuffled(request: Request, records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  if (records.length < 2) return records
  const { aliases, addresses, exchangers, others } = sorted(records)
  shuffle(request, addresses)
  shuffle(request, exchangers)
  return [...aliases, ...others, ...addresses, ...exchangers]
}

function shuffle({ server, name }: Request, records: ResourceRecord[]): void {
  for (let i = 0; i + 1 < records.length; i++) {
    const with_ = i + server.draw(`loadbalance ${name}`, records.length - i)
    const [here, there] = [records[i], records[with_]]
    if (here && there) {
      records[i] = there
      records[with_] = here
    }
  }
}

/** By the first preferred net an address lies in; the rest behind, all in the order they came (prefer.go). */
function nearFirst(records: readonly ResourceRecord[], preferred: readonly Prefix[]): readonly ResourceRecord[] {
  const { aliases, addresses, exchangers, others } = sorted(records)
  const rank = (record: ResourceRecord): number => {
    if (record.type !== 'A' && record.type !== 'AAAA') return preferred.length
    const at = preferred.findIndex((net) => contains(net, record.address))
    return at < 0 ? preferred.length : at
  }
  return [...aliases, ...addresses.sort((a, b) => rank(a) - rank(b)), ...exchangers, ...others]
}

function parseOptions(controller: Controller): Parsed<LoadbalanceOptions> {
  const { words } = controller
  const preferred: Prefix[] = []
  let policy: LoadbalanceOptions['policy'] = 'round_robin'
  while (words.next()) {
    const [name, ...more] = words.remaining()
    if (name === 'weighted') {
      policy = 'weighted'
      const error = parseWeighted(controller, more)
      if (error) return pluginError('loadbalance', error)
    } else if (name !== undefined && name !== 'round_robin')
      return pluginError('loadbalance', `unknown policy: ${name}`)
    else if (more.length > 0) return pluginError('loadbalance', words.error('unknown property for round_robin'))
    while (words.nextInBlock()) {
      if (words.word() !== 'prefer')
        return pluginError('loadbalance', words.error(`unknown property '${words.word()}'`))
      for (const text of words.remaining()) {
        const net = parsePrefix(text, 'mask')
        if (!net.ok) {
          const why = `invalid CIDR ${JSON.stringify(text)}: invalid CIDR address: ${text}`
          return pluginError('loadbalance', words.error(why))
        }
        preferred.push(net.value)
      }
    }
  }
  return parsed({ policy, preferred })
}

function parseWeighted(controller: Controller, args: readonly string[]): CorefileError | undefined {
  const { words } = controller
  if (args.length === 0) return words.error('missing weight file argument')
  if (args.length > 1) return words.error('unexpected argument(s)')
  controller.notModelled('loadbalance: weighted')
  while (words.nextInBlock()) {
    if (words.word() !== 'reload') return words.error(`unknown property '${words.word()}'`)
    const values = words.remaining()
    if (values.length === 0) return words.error('reload duration value is missing')
    if (values.length > 1) return words.error('unexpected argument')
  }
  return undefined
}
