import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { load as parseYaml } from 'js-yaml'
import { describe, expect, it } from 'vitest'
import type { Lab } from '../cluster/lab.ts'
import { load } from '../cluster/load.ts'
import { ask } from '../engine/ask.ts'
import { type Built, build } from '../engine/build.ts'
import type { Outcome } from '../engine/client.ts'
import type { Conversation } from '../engine/conversation.ts'
import { type Question, readQuestion } from '../engine/question.ts'
import { checkTrace, type Trace } from '../engine/trace.ts'
import { formatIp } from '../packet/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import { must } from '../packet/parsed.ts'
import { renderConversation } from '../render/conversation-text.ts'

/** Every lab answers its probes as it says it does. The form of probes.yaml is told in topologies/README.md. */

interface LabProbe extends Question {
  readonly name: string
  /** Settings that take the place of the Lab's own for this probe. */
  readonly lab?: Lab
  readonly expect: Expected
}

interface Expected {
  readonly disposition: string
  readonly client?: string
  readonly at?: string
  readonly source?: string
  readonly ttl?: number
  readonly icmp?: { readonly type: number; readonly code: number; readonly from: string }
  readonly reason?: string
  readonly says?: string
}

const topologies = join(fileURLToPath(new URL('..', import.meta.url)), 'topologies')
const labs = readdirSync(topologies).filter((name) => existsSync(join(topologies, name, 'lab.yaml')))

it('there are labs', () => expect(labs.length).toBeGreaterThanOrEqual(5))

describe.each(labs)('%s', (name) => {
  const file = join(topologies, name, 'lab.yaml')
  const bytes = new Uint8Array(readFileSync(file))
  const { probes } = parseYaml(readFileSync(join(topologies, name, 'probes.yaml'), 'utf8')) as {
    probes: readonly LabProbe[]
  }
  const built = (lab: Lab | undefined): Built =>
    build(load([{ name: file, bytes }], lab === undefined ? {} : { lab }).cluster)
  const plain = built(undefined)

  it('loads without a complaint', () => expect(load([{ name: file, bytes }]).diagnostics).toEqual([]))
  it('is told', () => expect(readFileSync(join(topologies, name, 'README.md'), 'utf8').length).toBeGreaterThan(500))

  it.each(probes.map((probe) => [probe.name, probe] as const))('%s', (_, probe) => {
    const cluster = probe.lab === undefined ? plain : built(probe.lab)
    const answer = ask(cluster, must(readQuestion(cluster, probe)))
    for (const trace of answer.packets) expect(checkTrace(trace)).toEqual([])
    expect(seen(answer, probe.expect)).toEqual(probe.expect)
  })
})

/** What was seen of what is expected, under the same keys. */
function seen(answer: Conversation, wanted: Expected): Expected {
  const arrival = arrivalOf(answer.request)
  const icmp = icmpErrorOf(answer)
  const found: Record<keyof Expected, unknown> = {
    disposition: answer.disposition.kind,
    client: outcomeWord(answer.outcome),
    at: arrival?.at,
    source: arrival === undefined ? undefined : formatIp(arrival.packet.src),
    ttl: arrival?.packet.ttl,
    icmp,
    reason: answer.disposition.reason,
    says: words(answer).includes(wanted.says ?? '') ? wanted.says : words(answer),
  }
  return Object.fromEntries(
    Object.keys(wanted).map((key) => [key, found[key as keyof Expected]]),
  ) as unknown as Expected
}

/** The printed answer as running text: it is broken into lines where they are full. */
const words = (answer: Conversation): string => renderConversation(answer).replaceAll(/\s+/g, ' ')

function outcomeWord(outcome: Outcome): string {
  return outcome.kind === 'failed' ? outcome.errno : outcome.kind
}

/** The request as its last machine took it: what a socket was given, else what came in by the last link. */
function arrivalOf(request: Trace | undefined): { readonly at: string; readonly packet: IpPacket } | undefined {
  const hop = request?.hops.at(-1)
  if (hop === undefined) return undefined
  const at = hop.netns === 'root' ? hop.host : hop.netns
  const delivered = hop.steps.findLast((step) => step.kind === 'socket.deliver')
  if (delivered?.kind === 'socket.deliver') return { at, packet: delivered.received }
  const received = hop.steps.findLast((step) => step.kind === 'link.rx')
  if (received?.kind !== 'link.rx') return undefined
  const packet =
    'payload' in received.frame && 'dst' in received.frame && received.frame.payload.kind === 'ip'
      ? received.frame.payload
      : received.frame
  return 'kind' in packet && packet.kind === 'ip' ? { at, packet } : undefined
}

/** The ICMP error that came back about the request. */
function icmpErrorOf({ packets }: Conversation): Expected['icmp'] {
  for (const { sent } of packets)
    if (sent.payload.kind === 'icmp' && sent.payload.body.kind === 'error')
      return { type: sent.payload.type, code: sent.payload.code, from: formatIp(sent.src) }
  return undefined
}
