import { Type } from 'typebox'
import { DISPOSITIONS } from '../engine/trace.ts'
import { TRACE_API_VERSION } from './conversation-json.ts'

/** JSON Schema (2020-12) of what `podwalk trace -o json` prints. Fields may be added within one apiVersion. */

const text = (description: string) => Type.String({ description })

const disposition = Type.Object({
  kind: Type.Enum([...DISPOSITIONS], { description: 'how it ended' }),
  detail: text('one sentence'),
  hop: Type.Optional(Type.Integer({ minimum: 0, description: '0-based index of the hop it ended in' })),
  host: Type.Optional(text('machine')),
  netns: Type.Optional(text('network namespace: root, or NAMESPACE/POD')),
  reason: Type.Optional(text('SKB_DROP_REASON_* of the kernel, without the prefix')),
  origin: Type.Optional(Type.Unknown()),
})

const step = Type.Object(
  {
    kind: text('link.rx, route.lookup, rule.match, nat.rewrite, drop ...'),
    at: Type.Integer({ minimum: 0, description: 'nanoseconds on the virtual clock' }),
    host: Type.String(),
    netns: Type.String(),
    packet: Type.Integer({ minimum: 0, description: 'number of the packet; 0 for what a program says of itself' }),
  },
  { additionalProperties: true },
)

const packet = Type.Object(
  {
    kind: Type.Literal('ip'),
    src: text('address'),
    dst: text('address'),
    ttl: Type.Integer(),
    payload: Type.Object({ kind: Type.String() }, { additionalProperties: true }),
  },
  { additionalProperties: true },
)

const summary = {
  packet: Type.Integer(),
  cause: Type.Optional(Type.Integer({ description: 'the packet that this one answers' })),
  by: text('who sent it'),
  sent: packet,
  disposition,
}

const trace = Type.Object({
  ...summary,
  hops: Type.Array(
    Type.Object({
      host: Type.String(),
      netns: Type.String(),
      in: Type.Optional(Type.String()),
      out: Type.Optional(Type.String()),
      steps: Type.Array(step),
    }),
    { minItems: 1 },
  ),
})

export const traceSchema = Type.Object(
  {
    apiVersion: Type.Literal(TRACE_API_VERSION),
    kind: Type.Literal('Trace'),
    probe: Type.Object({
      kind: Type.String(),
      from: Type.Unknown(),
      target: Type.Unknown(),
      payload: Type.String(),
      ttl: Type.Optional(Type.Integer()),
    }),
    outcome: Type.Object({ kind: Type.String() }, { additionalProperties: true }),
    disposition,
    lookup: Type.Optional(Type.Unknown()),
    request: Type.Optional(trace),
    reply: Type.Optional(trace),
    packets: Type.Array(Type.Object(summary)),
    policies: Type.Array(Type.Unknown()),
    refusals: Type.Array(Type.Unknown()),
    why: Type.Array(Type.Object({ code: Type.String(), text: Type.String() })),
    server: Type.Optional(
      Type.Object({
        host: Type.String(),
        netns: Type.String(),
        process: Type.String(),
        peer: Type.String(),
        ttl: Type.Integer(),
      }),
    ),
    unknowns: Type.Array(Type.Unknown()),
    assumptions: Type.Array(Type.Object({ code: Type.String(), text: Type.String() }, { additionalProperties: true })),
    diagnostics: Type.Array(Type.Unknown()),
    durationNs: Type.Integer({ minimum: 0 }),
    probability: Type.Number({ minimum: 0, maximum: 1 }),
    steps: Type.Optional(Type.Array(step, { description: 'with -v: everything observed, in order' })),
  },
  { title: 'podwalk trace' },
)
