import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Check } from 'typebox/schema'
import { describe, expect, test } from 'vitest'
import { EXIT, exitCodeOf } from '../../cli/exit-code.ts'
import { ask } from '../../engine/ask.ts'
import { type Built, build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { type Question, readQuestion } from '../../engine/question.ts'
import { checkTrace } from '../../engine/trace.ts'
import { formatIp, sameIp } from '../../packet/ip.ts'
import { renderConversationJson } from '../../render/conversation-json.ts'
import { renderConversation } from '../../render/conversation-text.ts'
import { traceSchema } from '../../render/trace-schema.ts'
import { loadFolder, RECORDED } from '../cluster/recorded-cluster.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** Whatever is asked in whatever lab: the walk ends, and its parts agree with each other. */

/** RUNS=1000 looks longer. */
const RUNS = Number(process.env.RUNS ?? 30)

function questionsOf({ cluster, underlay }: Built): fc.Arbitrary<Question> {
  const pods = cluster.pods.map(({ meta }) => `pod/${meta.namespace}/${meta.name}`)
  const machines = [...underlay.machines.values()].map(
    ({ kind, name }) => `${kind === 'node' ? 'node' : 'ext'}/${name}`,
  )
  const services = cluster.services.map(({ meta }) => meta)
  const port = fc.constantFrom('', ':80', ':53', ':53/udp', ':443', ':3306', ':30080', ':30082', ':30084', ':5353/udp')
  const addresses = [
    ...cluster.pods.flatMap(({ ips }) => ips),
    ...cluster.nodes.flatMap(({ internalIPs }) => internalIPs),
  ].map((ip) => (ip.family === 4 ? formatIp(ip) : `[${formatIp(ip)}]`))
  const whom = fc.oneof(
    fc.constantFrom(...pods, ...machines),
    fc.constantFrom(...services.map(({ namespace, name }) => `svc/${namespace}/${name}`)),
    fc.constantFrom(...addresses, '10.244.9.9', '10.96.7.7', '8.8.8.8', '127.0.0.1', '169.254.1.1', '224.0.0.1'),
    fc.constantFrom(...services.flatMap(({ namespace, name }) => [name, `${name}.${namespace}`]), 'nobody', 'a.b.'),
  )
  const url = fc.constantFrom(
    ...services.map(({ name }) => `http://${name}`),
    'https://www.example.com',
    'http://web-0.nginx',
  )
  return fc.record(
    {
      from: fc.constantFrom(...pods, ...machines),
      to: fc.oneof(
        { weight: 4, arbitrary: fc.tuple(whom, port).map((parts) => parts.join('')) },
        { weight: 1, arbitrary: url },
      ),
      protocol: fc.constantFrom('tcp', 'udp', 'icmp'),
      ttl: fc.integer({ min: 1, max: 255 }),
    },
    { requiredKeys: ['from', 'to'] },
  )
}

const gotThrough = ({ outcome }: Conversation): boolean =>
  outcome.kind === 'connected' || outcome.kind === 'answered' || outcome.kind === 'resolved'

/** What contradicts itself in an answer. */
function contradictions(answer: Conversation): readonly string[] {
  const { disposition, outcome, request, reply, packets } = answer
  const found = packets.flatMap(checkTrace)
  const say = (holds: boolean, text: string) => (holds ? [] : [text])
  if (disposition.kind === 'loop') found.push('it goes round')
  if (disposition.kind === 'delivered') found.push(...say(gotThrough(answer), 'delivered, but the client has nothing'))
  if (gotThrough(answer) && disposition.kind !== 'insufficientInfo')
    found.push(...say(disposition.kind === 'delivered', `the client got through, but it is ${disposition.kind}`))
  if (outcome.kind === 'connected' || outcome.kind === 'answered') {
    found.push(...say(request?.disposition.kind === 'delivered', 'an answer to a request that did not arrive'))
    found.push(...say(reply?.disposition.kind === 'delivered', 'an answer that did not arrive'))
    found.push(
      ...say(request !== undefined && sameIp(outcome.peer.ip, request.sent.dst), 'another peer than was called'),
    )
  }
  if (reply !== undefined) found.push(...say(request !== undefined, 'a reply to nothing'))
  for (const { cause, packet } of packets)
    found.push(...say(cause === undefined || cause < packet, `packet ${packet} is answered before it was sent`))
  found.push(...say((exitCodeOf(answer) === EXIT.yes) === (disposition.kind === 'delivered'), 'the exit code differs'))
  return found
}

/** Recorded clusters, as far as kube-proxy's iptables mode would make them; those whose CNI is not modelled too. */
const SNAPSHOTS = join(
  process.env.PODWALK_CASES ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'cases'),
  'snapshots',
)
const recorded = RECORDED.filter((name) => existsSync(join(SNAPSHOTS, name, 'objects')))
if (recorded.length === 0 && process.env.CI) throw new Error(`the recorded snapshots are missing: ${SNAPSHOTS}`)
if (recorded.length === 0) console.warn(`skipped: no recorded snapshots at ${SNAPSHOTS}`)

const CLUSTERS: readonly (readonly [string, () => Built])[] = [
  ...LAB_NAMES.map((name) => [name, () => openLab(name)] as const),
  ...recorded.map(
    (name) =>
      [
        `recorded ${name}`,
        () => build(loadFolder(join(SNAPSHOTS, name, 'objects')).cluster, { proxyMode: 'iptables' }),
      ] as const,
  ),
]

describe.each(CLUSTERS)('%s', (_, open) => {
  const built = open()

  test('a question is answered, whole and the same each time', { timeout: 120_000 }, () => {
    let answered = 0
    fc.assert(
      fc.property(questionsOf(built), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (question, seed) => {
        const probe = readQuestion(built, question)
        if (!probe.ok) {
          expect(probe.reason).toMatch(/^--(from|to)/)
          return
        }
        answered++
        const answer = ask(built, probe.value, { seed })
        expect(contradictions(answer)).toEqual([])
        const text = renderConversation(answer)
        expect(text.split('\n').filter((line) => [...line].length > 80)).toEqual([])
        const json = renderConversationJson(answer)
        expect(Check(traceSchema, JSON.parse(json))).toBe(true)
        expect(renderConversationJson(ask(built, probe.value, { seed }))).toBe(json)
      }),
      { numRuns: RUNS, seed: 20200101 },
    )
    expect(answered).toBeGreaterThan(RUNS / 2)
  })
})
