import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { load } from '../cluster/load.ts'
import { type Message, query, replyTo } from '../dns/message.ts'
import { decodeMessage } from '../dns/message-decode.ts'
import { encodeMessage } from '../dns/message-encode.ts'
import { framed, unframed } from '../dns/stream.ts'
import { build } from '../engine/build.ts'
import { dnsAsker, dnsRoom } from '../engine/dns-room.ts'
import { ip } from '../packet/ip.ts'
import { must } from '../packet/parsed.ts'
import { realUpstream } from './real-upstream.ts'
import { type DnsService, serveDns } from './serve-dns.ts'

/** `dns-server --upstream`: what the input does not describe is asked of a real server, as the client asked. */

const LAB = join(import.meta.dirname, '..', 'topologies', 'textbook-flannel-vxlan', 'lab.yaml')
const heard: string[] = []
const MANY = 60

/** Answers over TCP with 60 addresses; over UDP it says that these do not fit. */
function answer(bytes: Uint8Array, transport: 'udp' | 'tcp'): Uint8Array {
  const asked = must(decodeMessage(bytes))
  const [question = { name: '.', type: 'A', class: 'IN' }] = asked.questions
  heard.push(`${transport} ${question.name}${asked.edns ? ` edns=${asked.edns.size}` : ''}`)
  const big = question.name.startsWith('big.')
  const count = big ? MANY : 1
  const reply = replyTo(asked)
  const full: Message = {
    ...reply,
    flags: { ...reply.flags, recursionAvailable: true, truncated: big && transport === 'udp' },
    answers:
      big && transport === 'udp'
        ? []
        : Array.from({ length: count }, (_, i) => ({
            name: question.name,
            ttl: 60,
            class: 'IN',
            type: 'A' as const,
            address: ip(`203.0.113.${i}`),
          })),
    ...(asked.edns && { edns: { size: 4096, version: 0, dnssecOk: false, options: [] } }),
  }
  return must(encodeMessage(full))
}

const upstreamUdp = createSocket('udp4')
const upstreamTcp = createServer((connection) => {
  connection.on('data', (data) => {
    for (const message of unframed(new Uint8Array(data)).messages)
      connection.write(framed(answer(message.slice(), 'tcp')))
  })
  connection.on('error', () => undefined)
})
let service: DnsService

beforeAll(async () => {
  const port = await new Promise<number>((resolve) => {
    upstreamTcp.listen(0, '127.0.0.1', () => resolve((upstreamTcp.address() as { port: number }).port))
  })
  await new Promise<void>((resolve) => upstreamUdp.bind(port, '127.0.0.1', () => resolve()))
  upstreamUdp.on('message', (bytes, client) => upstreamUdp.send(answer(bytes, 'udp'), client.port, client.address))
  const { cluster } = load([{ name: 'lab.yaml', bytes: new Uint8Array(readFileSync(LAB)) }], {
    lab: { upstreamDNS: [] },
  })
  const built = build(cluster)
  const { room, coredns } = dnsRoom(built, {
    realUpstream: true,
    outside: realUpstream({ address: '127.0.0.1', port }),
  })
  if (coredns === undefined) throw new Error('no CoreDNS')
  const asker = must(dnsAsker(built, coredns, { from: 'pod/client' }))
  service = await serveDns({ room, ...asker, listen: { address: '127.0.0.1', port: 0 } })
})

afterAll(() => {
  service.close()
  upstreamUdp.close()
  upstreamTcp.close()
})

const edns = (size: number) => ({ edns: { size, version: 0, dnssecOk: false, options: [] } })

function ask(bytes: Uint8Array): Promise<Message> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 4000)
    socket.once('message', (reply) => {
      clearTimeout(timer)
      socket.close()
      resolve(must(decodeMessage(reply)))
    })
    socket.send(bytes, service.port, '127.0.0.1')
  })
}

async function askOverTcp(bytes: Uint8Array): Promise<Message> {
  const { connect } = await import('node:net')
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 4000)
    let stream = new Uint8Array(0)
    const connection = connect(service.port, '127.0.0.1', () => connection.write(framed(bytes)))
    connection.on('data', (data) => {
      stream = Uint8Array.from([...stream, ...data])
      const [message] = unframed(stream).messages
      if (message === undefined) return
      clearTimeout(timer)
      connection.destroy()
      resolve(must(decodeMessage(message.slice())))
    })
  })
}

const encoded = (name: string, more = {}): Uint8Array => must(encodeMessage(query(77, { name, type: 'A' }, more)))

describe('a name that the input does not describe', () => {
  it('is asked of the real server over UDP', async () => {
    const reply = await ask(encoded('one.example.'))
    expect([reply.id, reply.rcode, reply.answers.length, reply.flags.truncated]).toEqual([77, 0, 1, false])
    expect(heard.at(-1)).toBe('udp one.example.')
  })

  it('with the EDNS of the client', async () => {
    const reply = await ask(encoded('two.example.', edns(1232)))
    expect(heard.at(-1)).toBe('udp two.example. edns=1232')
    expect(reply.edns?.size).toBe(1232)
  })

  it('that does not fit: the client is told, asks again over TCP, and so does the server', async () => {
    const cut = await ask(encoded('big.example.', edns(512)))
    expect([cut.flags.truncated, cut.answers.length]).toEqual([true, 0])
    const whole = await askOverTcp(encoded('big.example.', edns(512)))
    expect([whole.flags.truncated, whole.answers.length]).toEqual([false, MANY])
    expect(heard.slice(-2)).toEqual(['udp big.example. edns=512', 'tcp big.example. edns=512'])
  })

  it('over TCP several at once, each with its own answer', async () => {
    const names = ['a.example.', 'big.x.example.', 'c.example.', 'big.y.example.']
    const replies = await Promise.all(names.map((name) => askOverTcp(encoded(name))))
    expect(replies.map(({ questions, answers }) => [questions[0]?.name, answers.length])).toEqual(
      names.map((name) => [name, name.startsWith('big.') ? MANY : 1]),
    )
  })

  it('names of the cluster are not asked outside', async () => {
    const before = heard.length
    expect((await ask(encoded('my-nginx.default.svc.cluster.local.'))).answers).toHaveLength(1)
    expect(heard.length).toBe(before)
  })
})
