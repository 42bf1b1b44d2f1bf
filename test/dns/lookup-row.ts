import type { LookupMemory, LookupOutcome, Resolver } from '../../dns/resolver/lookup.ts'
import { lookupProgram } from '../../dns/resolver/program.ts'
import type { ResolverName } from '../../dns/resolver/registry.ts'
import { formatIp } from '../../packet/ip.ts'
import { SECOND } from '../judge/resolver-run.ts'
import { VirtualNetwork } from '../judge/virtual-network.ts'
import { answererOf, type Behaviours } from './behaviours.ts'
import { nothing, scriptedServer } from './scripted-server.ts'

/** One lookup against servers that behave as told, and what must come of it. */
export interface LookupRow {
  readonly rule: string
  readonly resolver: ResolverName | Resolver
  /** What the server at 127.0.0.2 does, and those behind it. */
  readonly server?: Behaviours
  readonly second?: Behaviours
  readonly third?: Behaviours
  readonly authoritative?: boolean
  /** Nothing listens at 127.0.0.2. */
  readonly deaf?: boolean
  readonly closesStreams?: boolean
  readonly name?: string
  readonly family?: '4' | '6'
  readonly type?: string
  readonly addrConfig?: boolean
  readonly own?: readonly string[]
  readonly resolvConf?: string
  readonly files?: Readonly<Record<string, string>>
  readonly queries: readonly string[]
  /** Addresses, or the name of the error. */
  readonly result: string
  readonly seconds?: number
  readonly printed?: string
}

export interface Looked {
  /** `A x.s1.test. tcp @3`: the server where it is not the first; `+` in front where the socket is another one. */
  readonly queries: readonly string[]
  readonly result: string
  readonly seconds: number
  readonly outcome: LookupOutcome | undefined
}

export const CONF = 'nameserver 127.0.0.2\nsearch s1.test s2.test\noptions ndots:5'

/** Both types of each name. */
export const both = (...names: readonly string[]) => names.flatMap((name) => [`A ${name}`, `AAAA ${name}`])

/** A network of servers, on which programs can look names up one after the other. */
export function room(row: Omit<LookupRow, 'rule' | 'queries' | 'result'>) {
  const network = new VirtualNetwork()
  const log: { query: string; port: number }[] = []
  for (const [i, behaviours] of [row.server ?? {}, row.second, row.third].entries()) {
    if (!behaviours) continue
    const address = `127.0.0.${i + 2}`
    const suffix = i === 0 ? '' : ` @${i + 2}`
    let port = 0
    const { step, ...program } = scriptedServer({
      address,
      answer: answererOf({
        behaviours,
        authoritative: row.authoritative ?? false,
        log: (query) => log.push({ query: `${query}${suffix}`, port }),
      }),
      ...(row.closesStreams && { closesStream: () => log.push({ query: 'closes', port: 0 }) }),
    })
    const watched = {
      ...program,
      step: (...[state, event, context]: Parameters<typeof step>) => {
        if (event.kind === 'data') port = event.from?.port ?? -event.fd
        return step(state, event, context)
      },
    }
    network.start({ name: address, addresses: [address], program: row.deaf && i === 0 ? nothing : watched })
  }
  let client = 0
  let drawn = 1
  return {
    network,
    lookup(memory?: LookupMemory): Looked {
      const { name = 'x', family = 'unspec', addrConfig = false, type, own = ['10.244.1.7', 'fd00::7'] } = row
      const begun = network.now
      const seen = log.length
      const program = lookupProgram(row.resolver, memory)
      let outcome: LookupOutcome | undefined
      const machine = network.start({
        name: `client ${client++}`,
        addresses: own,
        program: {
          ...program,
          start: (context) => keep(program.start(context)),
          step: (state, event, context) => keep(program.step(state, event, context)),
        },
        args: { name, family, addrConfig: String(addrConfig), ...(type !== undefined && { type }) },
        files: { '/etc/resolv.conf': `${row.resolvConf ?? CONF}\n`, ...row.files },
        draw: (entry, choices) => (/^(goroutines|rotate|c-ares)/.test(entry) ? 0 : (drawn++ * 7919) % choices),
      })
      function keep<Result extends { readonly state: { readonly outcome: LookupOutcome | undefined } }>(
        result: Result,
      ) {
        outcome = result.state.outcome
        return result
      }
      network.run({ done: () => machine.exited !== undefined })
      return {
        queries: withSockets(log.slice(seen)),
        result: resultOf(outcome),
        seconds: (network.now - begun) / SECOND,
        outcome,
      }
    },
  }
}

function withSockets(log: readonly { readonly query: string; readonly port: number }[]): readonly string[] {
  return log.map(({ query, port }, i) => {
    const before = log[i - 1]
    return before && port !== before.port && port > 0 && before.port > 0 && !query.endsWith(' tcp')
      ? `+ ${query}`
      : query
  })
}

const resultOf = (outcome: LookupOutcome | undefined): string =>
  outcome === undefined ? 'not over' : outcome.ok ? outcome.addresses.map(formatIp).join(' ') : outcome.error
