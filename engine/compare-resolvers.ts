import type { ResolverName } from '../dns/resolver/registry.ts'
import { ask } from './ask.ts'
import type { Built } from './build.ts'
import type { Conversation } from './conversation.ts'
import { costOf, type LookupCost } from './name-answer.ts'
import type { Probe } from './probe.ts'

/** The same name, looked up by one resolver. */
export interface ResolverWalk {
  readonly resolver: ResolverName
  readonly conversation: Conversation
  readonly cost: LookupCost
}

/** Looks the probe's name up with each resolver, all from the same place, each in a walk of its own. */
export function compareResolvers(
  built: Built,
  probe: Probe,
  { resolvers, seed }: { readonly resolvers: readonly ResolverName[]; readonly seed?: number },
): readonly ResolverWalk[] {
  return resolvers.map((resolver) => {
    const conversation = ask(built, { ...probe, resolver }, seed === undefined ? {} : { seed })
    return { resolver, conversation, cost: costOf(conversation.lookup) }
  })
}
