import { describe, expect, test } from 'vitest'
import { ask, askAgain, askAll } from '../../engine/ask.ts'
import type { Built } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'
import { formatIp } from '../../packet/ip.ts'
import { must } from '../../packet/parsed.ts'
import { summaryOf } from '../../packet/text.ts'
import { captureOf, capturePoints } from '../../render/capture.ts'
import { renderConversationJson } from '../../render/conversation-json.ts'
import { type CaptureInterface, type CapturePacket, renderPcapng } from '../../render/pcapng.ts'
import { complaintsOf, rightChecksums, tsharkVersion } from '../tshark/tshark.ts'
import { namedCluster, telecomCluster } from './cluster.ts'

/** What a client of SCTP gets from Services of each kind, in each proxy mode and both families. */

const version = tsharkVersion()
if (version === undefined && process.env.CI)
  throw new Error('tshark is not installed, and CI must not skip its verdict')

const MODES = ['iptables', 'nftables', 'ipvs'] as const

interface Row {
  readonly name: string
  readonly from: string
  readonly to: { readonly 4: string; readonly 6: string }
  readonly expected: string
  /** By mode, and by mode and family, where it differs. */
  readonly but?: Readonly<Record<string, string>>
}

const vip = (n: number, port = 3868) => ({ 4: `10.96.0.${n}:${port}`, 6: `[fd00:96::${n}]:${port}` })
const nodePort = (node: number, port: number) => ({ 4: `192.168.1.1${node}:${port}`, 6: `[fd00:1::1${node}]:${port}` })

const ROWS: readonly Row[] = [
  { name: 'ClusterIP', from: 'pod/a', to: vip(12), expected: 'delivered, answered' },
  { name: 'ClusterIP from the node', from: 'node/n1', to: vip(12), expected: 'delivered, answered' },
  {
    name: 'a pod',
    from: 'pod/a',
    to: { 4: '10.244.2.7:3868', 6: '[fd00:10:244:2::7]:3868' },
    expected: 'delivered, answered',
  },
  { name: 'NodePort', from: 'node/n2', to: nodePort(1, 30012), expected: 'delivered, answered' },
  { name: 'NodePort of the own node', from: 'pod/a', to: nodePort(1, 30011), expected: 'delivered, answered' },
  { name: 'hairpin', from: 'pod/near', to: vip(11), expected: 'delivered, answered' },
  {
    name: 'externalIP',
    from: 'node/n1',
    to: { 4: '198.51.100.12:3868', 6: '[2001:db8:9::12]:3868' },
    expected: 'delivered, answered',
  },
  {
    name: 'LoadBalancer',
    from: 'pod/a',
    to: { 4: '203.0.113.14:3868', 6: '[2001:db8:5::14]:3868' },
    expected: 'delivered, answered',
  },
  { name: 'Local with an endpoint there', from: 'node/n1', to: nodePort(2, 30013), expected: 'delivered, answered' },
  {
    name: 'Local without one',
    from: 'node/n2',
    to: nodePort(1, 30013),
    expected: 'dropped, ETIMEDOUT after 333 s',
    // IPVS sends it on all the same, to a pod beside the client that answers it directly: nobody there knows that pod.
    but: { 'ipvs 6': 'noListener, ETIMEDOUT after 333 s' },
  },
  {
    name: 'internal Local without one',
    from: 'pod/a',
    to: vip(19),
    expected: 'dropped, ETIMEDOUT after 333 s',
    but: { ipvs: 'rejected, ETIMEDOUT after 333 s' },
  },
  { name: 'no endpoints', from: 'pod/a', to: vip(15), expected: 'rejected, ETIMEDOUT after 333 s' },
  { name: 'no listener', from: 'pod/a', to: vip(16), expected: 'noListener, ECONNREFUSED after 0 s' },
  { name: 'a silent server', from: 'pod/a', to: vip(17), expected: 'delivered, connected' },
  { name: 'a server with its node’s network', from: 'pod/a', to: vip(18), expected: 'delivered, answered' },
]

const outcomeOf = ({ disposition, outcome }: Conversation): string =>
  `${disposition.kind}, ${outcome.kind === 'failed' ? `${outcome.errno} after ${outcome.afterNs / 1e9} s` : outcome.kind}`

const walk = (built: Built, from: string, to: string): Conversation =>
  ask(built, must(readQuestion(built, { from, to, protocol: 'sctp' })))

const OPTIONS = { depth: 'everything', fragments: 'alone' } as const

/** One capture of them all. */
function captureOfAll(answers: readonly Conversation[]): Uint8Array {
  const interfaces: CaptureInterface[] = []
  const packets: CapturePacket[] = []
  for (const answer of answers) {
    const capture = captureOf(answer, { at: capturePoints(answer), names: [] })
    for (const packet of capture.packets) packets.push({ ...packet, interface: packet.interface + interfaces.length })
    interfaces.push(...capture.interfaces)
  }
  return renderPcapng({ interfaces, packets, names: [] })
}

describe.each(MODES)('mode %s', (mode) => {
  const built = telecomCluster(mode)
  const answers: Conversation[] = []
  test.each(ROWS.flatMap((row) => [4, 6].map((family) => ({ ...row, family: family as 4 | 6 }))))(
    '$name, IPv$family',
    { timeout: 30_000 },
    ({ from, to, family, expected, but }) => {
      const answer = walk(built, from, to[family])
      answers.push(answer)
      expect(outcomeOf(answer)).toBe(but?.[`${mode} ${family}`] ?? but?.[mode] ?? expected)
    },
  )

  test.skipIf(version === undefined)('Wireshark finds nothing wrong', { timeout: 60_000 }, () => {
    const file = captureOfAll(answers)
    expect(complaintsOf(file, OPTIONS)).toEqual([])
    expect(rightChecksums(file, OPTIONS).sctp).toBeGreaterThan(1000)
  })
})

describe('a question', () => {
  const built = telecomCluster('iptables')

  test.each([
    ['a port by its name', 'svc/far:dia', 'svc default/far:3868/sctp'],
    ['the only port of the Service', 'svc/far', 'svc default/far:3868/sctp'],
    ['a port of the pod by its name', 'pod/far:dia', 'pod default/far:3868/sctp'],
    ['a number with its protocol', 'svc/far:3868/sctp', 'svc default/far:3868/sctp'],
  ])('names %s', (_, to, label) => {
    const probe = must(readQuestion(built, { from: 'pod/a', to }))
    expect([probe.kind, probe.target.label]).toEqual(['associate', label])
  })

  test('is told as JSON, chunks included', () => {
    const json = renderConversationJson(walk(built, 'pod/a', 'svc/far'))
    expect(json).toContain('"kind": "initAck"')
    expect(JSON.parse(json).outcome.kind).toBe('answered')
  })

  test('is asked again and again of a connection table that remembers', () => {
    const probe = must(readQuestion(built, { from: 'pod/a', to: 'svc/far', protocol: 'sctp' }))
    const answers = askAgain(built, probe, { times: 3, every: 60_000_000_000 })
    expect(answers.map(outcomeOf)).toEqual(Array.from({ length: 3 }, () => 'delivered, answered'))
  })

  test('is followed every way that chance can take', () => {
    const probe = must(readQuestion(built, { from: 'pod/a', to: 'svc/far', protocol: 'sctp' }))
    expect(askAll(built, probe).map(({ probability }) => probability)).toEqual([1])
  })

  test('tells who asks: the same packets whenever', () => {
    const [one, two] = [walk(built, 'pod/a', 'svc/far'), walk(telecomCluster('iptables'), 'pod/a', 'svc/far')]
    expect(one.packets.map(({ sent }) => sent)).toEqual(two.packets.map(({ sent }) => sent))
  })
})

test('an association that is kept is asked by again, a minute later', () => {
  const built = telecomCluster('iptables')
  const probe = must(readQuestion(built, { from: 'pod/a', to: 'svc/far', protocol: 'sctp' }))
  const answers = askAgain(built, { ...probe, keeps: true }, { times: 3, every: 60_000_000_000 })
  expect(answers.map(outcomeOf)).toEqual(Array.from({ length: 3 }, () => 'delivered, answered'))
  const kinds = answers.map(({ steps }) => {
    const sent = steps.flatMap((step) => (step.kind === 'socket.send' ? [summaryOf(step.sent)] : []))
    return sent.map((line) => /SCTP \[(.*)\]/.exec(line)?.[1] ?? line)
  })
  expect(kinds[0]?.[0]).toBe('INIT')
  // The server's acknowledgement goes with its answer; ours waits its 200 ms, in which nobody asks.
  expect(kinds[1]).toEqual(['DATA', 'SACK, DATA'])
  expect(kinds[2]).toEqual(['DATA', 'SACK, DATA'])
})

test('an INIT that is too long for the tunnel is cut, and put together again', { timeout: 60_000 }, () => {
  const built = telecomCluster('ipvs', 200)
  const answer = walk(built, 'node/n1', '10.244.2.7:3868')
  expect(outcomeOf(answer)).toBe('delivered, answered')
  expect(answer.steps.some((step) => step.kind === 'fragment')).toBe(true)
  if (version === undefined) return
  const joined = { depth: 'everything', fragments: 'joined' } as const
  const file = captureOfAll([answer])
  expect(complaintsOf(file, joined)).toEqual([])
})

test('a headless Service is dialled by its name', { timeout: 30_000 }, () => {
  const built = namedCluster()
  const answer = walk(built, 'pod/client', 'hss:3868')
  expect(outcomeOf(answer)).toBe('delivered, answered')
  const pod = built.cluster.pods.find(({ meta }) => meta.name === 'hss-0')
  expect(formatIp(answer.request?.sent.dst ?? { family: 4, a: 0, b: 0, c: 0, d: 0 })).toBe(
    pod?.ips[0] && formatIp(pod.ips[0]),
  )
})

test('a node in ipvs mode tells the addresses of every Service in its INIT', () => {
  const built = telecomCluster('ipvs')
  const init = walk(built, 'node/n1', '192.168.1.12:3868').request?.sent.payload
  const parameters =
    init?.kind === 'sctp' && init.chunk.kind === 'init' ? Buffer.from(init.chunk.parameters).toString('hex') : ''
  expect(parameters).toContain('000500080a60000c')
  expect(parameters).toContain('00050008c0a8010b')
})
