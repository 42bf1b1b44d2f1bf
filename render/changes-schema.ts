import { Type } from 'typebox'
import { TRACE_API_VERSION } from './conversation-json.ts'
import { traceSchema } from './trace-schema.ts'

/** JSON Schema (2020-12) of what `podwalk trace --then ... -o json` prints. Fields may be added within one apiVersion. */

const text = (description: string) => Type.String({ description })

const machine = Type.Object({
  name: Type.String(),
  proxy: Type.Optional(
    Type.Object({ mode: Type.String(), version: Type.String() }, { description: 'kube-proxy, where it runs' }),
  ),
  rules: Type.Array(text('a rule or virtual server that came or went')),
  fed: Type.Array(
    Type.Object({ tool: text('iptables-restore, nft ...'), text: Type.String() }, { description: 'by kube-proxy' }),
  ),
  deleted: Type.Array(
    Type.Object({
      command: Type.Optional(text('conntrack -D ...')),
      entry: text('the tracked flow, as conntrack -L has it'),
    }),
  ),
  kept: Type.Array(
    Type.Object({
      entry: Type.String(),
      service: text('the Service port that it was opened to'),
      leadsTo: Type.Enum(['goneEndpoint', 'terminatingEndpoint', 'unreadyEndpoint', 'nobody', 'goneService']),
      why: Type.String(),
    }),
  ),
})

const change = Type.Object({
  words: text('as kubectl would be told'),
  at: Type.Integer({ minimum: 0, description: 'nanoseconds on the virtual clock' }),
  differences: Type.Array(
    Type.Object({
      verb: Type.Enum(['created', 'configured', 'deleted', 'terminating']),
      object: text('pod/default/client'),
      detail: Type.String(),
    }),
  ),
  machines: Type.Array(machine),
})

export const changesSchema = Type.Object(
  {
    apiVersion: Type.Literal(TRACE_API_VERSION),
    kind: Type.Literal('Changes'),
    phases: Type.Array(
      Type.Object({ change: Type.Optional(change), walks: Type.Array(traceSchema, { minItems: 1 }) }),
      { minItems: 1, description: 'the questions of each state; what led to it, but for the first' },
    ),
  },
  { title: 'podwalk trace --then' },
)
