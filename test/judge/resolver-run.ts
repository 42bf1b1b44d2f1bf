import { lowerName } from '../../dns/name.ts'
import type { LookupOutcome, Resolver } from '../../dns/resolver/lookup.ts'
import { type LookupProgramState, lookupProgram } from '../../dns/resolver/program.ts'
import type { ResolverName } from '../../dns/resolver/registry.ts'
import { seededDraw } from '../../linux/draw.ts'
import type { Program } from '../../linux/process.ts'
import type { Seen } from '../dns/scripted-server.ts'
import type { VirtualNetwork } from './virtual-network.ts'

export const SECOND = 1_000_000_000
export const MS = 1_000_000

/** One lookup of one resolver on a virtual network. */
export interface Lookup {
  readonly resolver: ResolverName | Resolver
  readonly name: string
  readonly family?: 'unspec' | '4' | '6'
  readonly addrConfig?: boolean
  readonly type?: string
  readonly files: Readonly<Record<string, string>>
  readonly client: string
  /** Addresses that AI_ADDRCONFIG sees. */
  readonly visible: readonly string[]
  /** Chance as it was in the recording; undefined: any. */
  readonly drawn?: (entry: string, choices: number) => number | undefined
  /** Nanoseconds after which the tool was killed. */
  readonly killedAfter?: number
}

export interface LookedUp {
  readonly seconds: number
  readonly outcome: LookupOutcome | undefined
}

const PATIENCE = 200 * SECOND

export function runLookup(network: VirtualNetwork, lookup: Lookup): LookedUp {
  const program = lookupProgram(lookup.resolver)
  const draw = seededDraw(1)
  let last: LookupProgramState | undefined
  const watching: Program<LookupProgramState, unknown> = {
    name: program.name,
    start: (context) => keep(program.start(context)),
    step: (state, event, context) => keep(program.step(state, event, context)),
  }
  function keep<Result extends { readonly state: LookupProgramState }>(result: Result): Result {
    last = result.state
    return result
  }
  const { name, family = 'unspec', addrConfig = false, type, drawn } = lookup
  const machine = network.start({
    name: 'client',
    addresses: [lookup.client],
    visible: lookup.visible,
    // The recorded clients had no way but to their servers.
    routed: () => false,
    program: watching,
    args: { name, family, addrConfig: String(addrConfig), ...(type !== undefined && { type }) },
    files: lookup.files,
    draw: (entry, choices) =>
      drawn?.(entry, choices) ?? draw({ host: 'client', netns: 'root', purpose: 'resolver-id', entry }, choices),
  })
  const until = network.now + (lookup.killedAfter ?? PATIENCE)
  network.run({ until, done: () => machine.exited !== undefined || network.now >= until })
  const result = { seconds: network.now / SECOND, outcome: network.now >= until ? undefined : last?.outcome }
  // What is still under way arrives.
  network.run({ until: network.now + MS })
  return result
}

/** Source ports numbered by first use. */
export function socketNumbers(seen: readonly Seen[]): readonly number[] {
  const numbers = new Map<string, number>()
  return seen.map(({ transport, source }) => {
    const key = `${transport} ${source.port}`
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    return number
  })
}

/**
 * Which of two goroutines of one name goes on first is chance: here as it was recorded. `queries` are names and types in
 * the order they were seen.
 */
export function recordedGoroutines(
  queries: readonly { readonly name: string; readonly type: string }[],
): (entry: string) => number | undefined {
  return (entry) => {
    const match = /^goroutines (\S+) (\d+)$/.exec(entry)
    if (!match) return undefined
    const own = queries.filter(({ name }) => lowerName(name) === lowerName(match[1] ?? ''))
    const first = own[2 * (Number(match[2]) - 1)]
    return first ? Number(first.type === 'A') : undefined
  }
}
