import type { ProcessContext, ProcessResult, Program } from '../../linux/process.ts'
import type { DnsStep } from '../step.ts'
import {
  type LookupMemory,
  type LookupOutcome,
  type LookupState,
  type Resolver,
  startLookup,
  stepLookup,
} from './lookup.ts'
import { type ResolverName, resolverNames, resolvers } from './registry.ts'

/** First descriptor of the lookup's sockets; 0 to 2 are the program's standard files. */
const FIRST_FD = 3
/** What getent and the tools end with where a name was not found. */
const NOT_FOUND = 2

export interface LookupProgramState {
  readonly lookup: LookupState
  readonly outcome: LookupOutcome | undefined
}

/**
 * A program that looks one name up and ends, as `getent ahosts` does. Arguments: `name`; `family` 4, 6 or unspec;
 * `addrConfig` true or false; `type`, the record type a tool asks for; `root`, where /etc is not the namespace's own.
 * Its exit code is the tool's; of a library 0 where the name was found, 2 where not.
 */
export function lookupProgram(
  resolver: ResolverName | Resolver,
  memory?: LookupMemory,
): Program<LookupProgramState, DnsStep> {
  const chosen: Resolver = typeof resolver === 'string' ? resolvers[resolver] : resolver
  return {
    name: `lookup ${chosen.name}`,
    start(context) {
      const { name = '', family = 'unspec', addrConfig = 'true', root, type } = context.args
      const request = {
        name,
        family: family === '4' ? 4 : family === '6' ? 6 : 'unspec',
        addrConfig: addrConfig === 'true',
        ...(root !== undefined && { root }),
        ...(type !== undefined && { type }),
      } as const
      return result(startLookup({ resolver: chosen, request, firstFd: FIRST_FD, ...(memory && { memory }) }, context))
    },
    step: (state, event, context: ProcessContext) => result(stepLookup(state.lookup, event, context)),
  }
}

function result({
  state,
  syscalls,
  notes,
  outcome,
}: ReturnType<typeof startLookup>): ProcessResult<LookupProgramState, DnsStep> {
  const next = { lookup: state, outcome }
  if (!outcome) return { state: next, syscalls, notes }
  const code = outcome.printed?.exitCode ?? (outcome.ok ? 0 : NOT_FOUND)
  return { state: next, syscalls: [...syscalls, { kind: 'exit', code }], notes }
}

/** A lookup program per resolver, by name: what `process.start` can name. */
export const resolverPrograms = Object.fromEntries(
  resolverNames.map((name) => [name, lookupProgram(name)]),
) as Readonly<Record<ResolverName, Program<LookupProgramState, DnsStep>>>
