import type { ProcessContext, ProcessResult, Program } from '../../linux/process.ts'
import type { DnsStep } from '../step.ts'
import { type LookupOutcome, type LookupState, startLookup, stepLookup } from './lookup.ts'
import { isResolverName, type ResolverName, resolvers } from './registry.ts'

/** First descriptor of the lookup's sockets; 0 to 2 are the program's standard files. */
const FIRST_FD = 3

export interface LookupProgramState {
  readonly lookup: LookupState
  readonly outcome: LookupOutcome | undefined
}

/**
 * A program that looks one name up and ends, as `getent ahosts` does. Arguments: `name`; `family` 4, 6 or unspec;
 * `addrConfig` true or false; `root`, where /etc is not the namespace's own. Its exit code is 0 where the name was
 * found, 2 where not.
 */
export const lookupProgram = (resolver: ResolverName): Program<LookupProgramState, DnsStep> => ({
  name: `lookup ${resolver}`,
  start(context) {
    const { name = '', family = 'unspec', addrConfig = 'true', root } = context.args
    const request = {
      name,
      family: family === '4' ? 4 : family === '6' ? 6 : 'unspec',
      addrConfig: addrConfig === 'true',
      ...(root !== undefined && { root }),
    } as const
    return result(startLookup({ resolver: resolvers[resolver], request, firstFd: FIRST_FD }, context))
  },
  step: (state, event, context: ProcessContext) => result(stepLookup(state.lookup, event, context)),
})

function result({
  state,
  syscalls,
  notes,
  outcome,
}: ReturnType<typeof startLookup>): ProcessResult<LookupProgramState, DnsStep> {
  const next = { lookup: state, outcome }
  if (!outcome) return { state: next, syscalls, notes }
  return { state: next, syscalls: [...syscalls, { kind: 'exit', code: outcome.ok ? 0 : 2 }], notes }
}

/** A lookup program per resolver, by name: what `process.start` can name. */
export const resolverPrograms = Object.fromEntries(
  Object.keys(resolvers)
    .filter(isResolverName)
    .map((name) => [name, lookupProgram(name)]),
) as Readonly<Record<ResolverName, Program<LookupProgramState, DnsStep>>>
