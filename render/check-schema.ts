import { Type } from 'typebox'
import { CHECK_API_VERSION } from './check-json.ts'

/** JSON Schema (2020-12) of what `podwalk check -o json` prints. Fields may be added within one apiVersion. */

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ minimum: 0, description })

const location = Type.Object(
  {
    file: text('as the user named it; a member of an archive is ARCHIVE!MEMBER'),
    line: Type.Integer({ minimum: 1 }),
    column: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: true },
)

const finding = Type.Object({
  severity: Type.Enum(['error', 'warning', 'note'], { description: 'notes change no exit code' }),
  code: text('stable, kebab-case: service-selects-nothing'),
  message: text('one sentence'),
  at: Type.Optional(location),
  notes: Type.Optional(Type.Array(Type.Object({ message: Type.String(), at: Type.Optional(location) }))),
  suggestion: Type.Optional(text('what to do')),
  object: Type.Optional(text('Service default/my-nginx')),
  refused: Type.Optional(Type.Boolean({ description: 'the API server would not take the object' })),
})

export const checkSchema = Type.Object(
  {
    apiVersion: Type.Literal(CHECK_API_VERSION),
    kind: Type.Literal('Check'),
    verdict: Type.Enum(['sound', 'problems', 'unknown']),
    cluster: Type.Object({
      kubernetesVersion: Type.String(),
      dnsDomain: Type.String(),
      podCIDRs: Type.Array(Type.String()),
      serviceCIDRs: Type.Array(Type.String()),
      clusterDNS: Type.Array(Type.String()),
      cni: Type.Object({
        name: Type.String(),
        evidence: Type.String(),
        confidence: Type.Enum(['given', 'certain', 'likely', 'guess']),
        at: Type.Optional(location),
      }),
    }),
    kinds: Type.Array(
      Type.Object({ kind: Type.String(), read: count('in the input'), computed: count('made by podwalk') }),
    ),
    computed: Type.Array(
      Type.Object({
        code: Type.String(),
        count: count('how many facts of this sort'),
        text: text('the first of them'),
        set: Type.Optional(text('how to say it')),
        collect: Type.Optional(text('the command that fetches it')),
      }),
    ),
    missing: Type.Array(
      Type.Object({
        kind: Type.String(),
        why: Type.Enum(['notCollected', 'notAllowed', 'notFound']),
        collect: text('the command that fetches it'),
        at: Type.Optional(location),
      }),
    ),
    empty: Type.Array(Type.Object({ kind: Type.String(), at: location })),
    skipped: Type.Array(
      Type.Object({
        code: Type.String(),
        reason: Type.String(),
        count: count('how many'),
        at: Type.Optional(location),
      }),
    ),
    files: Type.Array(
      Type.Object({
        name: Type.String(),
        form: Type.Enum(['json', 'yaml', 'mixed']),
        packing: Type.Array(Type.String()),
        bytes: count('after unpacking'),
        kinds: Type.Record(Type.String(), count('objects')),
      }),
    ),
    layouts: Type.Array(Type.Object({ kind: Type.String(), root: Type.String() })),
    findings: Type.Array(finding),
    limits: Type.Array(finding, { description: 'what the cluster has and podwalk does not compute' }),
  },
  { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'podwalk check -o json' },
)
