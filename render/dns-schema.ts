import { Type } from 'typebox'
import { resolverNames } from '../dns/resolver/registry.ts'
import { DNS_API_VERSION } from './dns-json.ts'
import { traceSchema } from './trace-schema.ts'

/** JSON Schema (2020-12) of what `podwalk dns -o json` prints. Fields may be added within one apiVersion. */

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const ndots = (description: string) => Type.Integer({ minimum: 0, maximum: 15, description })
const head = (kind: string) => ({ apiVersion: Type.Literal(DNS_API_VERSION), kind: Type.Literal(kind) })

const cost = Type.Object({
  queries: count('queries that were sent'),
  wasted: count('of them for names other than the one that was found; 0 where none was found'),
})

const resolver = Type.Enum([...resolverNames], { description: 'whose library or tool' })

const nameAnswer = Type.Object({
  ...head('NameAnswer'),
  name: text('as the program says it'),
  resolver: Type.Optional(text('whose library or tool looked it up')),
  cost,
  why: Type.Array(text('why these queries, and why so long')),
  fixes: Type.Array(
    Type.Object({
      change: text('what to change'),
      queries: count('queries after the change'),
      durationNs: count('virtual nanoseconds after the change'),
      note: Type.Optional(text('what else it means')),
    }),
    { description: 'found by looking up again; the best first' },
  ),
  lints: Type.Array(
    Type.Object({ code: text('leak, captured, long-search, external-name, loop, race'), text: Type.String() }),
  ),
  conversation: traceSchema,
})

const comparison = Type.Object({
  ...head('ResolverComparison'),
  name: text('as the programs say it'),
  resolvers: Type.Array(
    Type.Object({ resolver, cost, durationNs: count('virtual nanoseconds'), conversation: traceSchema }),
  ),
})

const plans = Type.Object({
  ...head('NamePlans'),
  plans: Type.Array(
    Type.Object({
      workload: text('Deployment default/web, or the pod that nothing owns'),
      pod: text('the pod it was found for: NAMESPACE/NAME'),
      names: Type.Array(Type.String()),
      ndots: ndots('as it is now'),
      best: ndots('the cheapest that breaks nothing'),
      dnsConfig: Type.Union(
        [Type.Null(), Type.Object({ options: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })) })],
        { description: 'to write into the pod; null: nothing' },
      ),
      rows: Type.Array(
        Type.Object({
          resolver,
          cells: Type.Array(
            Type.Object({
              ndots: ndots('tried'),
              queries: count('for all names'),
              broken: Type.Array(
                Type.Object({ name: Type.String(), now: text('found now'), changed: text('found then') }),
              ),
            }),
          ),
        }),
      ),
    }),
  ),
})

export const dnsSchema = Type.Union([nameAnswer, comparison, plans], {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'podwalk dns -o json',
})
