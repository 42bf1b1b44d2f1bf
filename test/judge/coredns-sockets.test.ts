import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DnsService, serveDns } from '../../cli/serve-dns.ts'
import { corednsProgram } from '../../dns/coredns/program.ts'
import { framed, unframed } from '../../dns/stream.ts'
import { ProgramRoom } from '../../engine/program-room.ts'
import type { Program } from '../../linux/process.ts'
import { ip } from '../../packet/ip.ts'
import { caseFiles, ownCasesFolder } from './cases-folder.ts'
import {
  CLIENT,
  type CorednsSession,
  MutableApi,
  POD_ADDRESSES,
  type Query,
  queryBytes,
  type Reply,
  replaySession,
  replyOf,
  UpstreamMachine,
  USUAL_RESOLV_CONF,
} from './coredns.ts'
import { differences, type RecordedReply } from './coredns-compare.ts'

/** Recorded sessions with the real CoreDNS, replayed over real sockets: what `dns-server` puts on the wire. */

const FOLDER = ownCasesFolder('coredns')
const FILES = caseFiles(FOLDER, /^\d.*\.json$/)
const read = (file: string): CorednsSession => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as CorednsSession

/** One client, port 53, an answer each time, no waiting, and nothing in the answer that is the client's own port. */
const isPlain = ({ queries, corefile }: CorednsSession): boolean =>
  !/\bwhoami\b/.test(corefile) &&
  queries !== undefined &&
  queries.every(
    ({ before, q, reply }) =>
      before?.wait === undefined && q.source === undefined && (q.port ?? 53) === 53 && reply !== null,
  )

const plain = FILES.filter((file) => isPlain(read(file)))

it('enough sessions are of that kind', () => expect(plain.length).toBeGreaterThanOrEqual(20))

async function served(session: CorednsSession): Promise<DnsService> {
  const room = new ProgramRoom()
  for (const [address, { records, behave }] of Object.entries(session.upstream ?? {})) {
    const view = { host: address, netns: 'root', args: {}, files: new Map(), addresses: [ip(address)] }
    const program = new UpstreamMachine(records, behave ?? {}).program(address) as Program
    room.seat(program, { ...view, reachedAt: view.addresses })
  }
  const own = Object.entries(session.files ?? {}).map(([name, text]) => [`/etc/coredns/${name}`, text] as const)
  const files = new Map([
    ['/etc/coredns/Corefile', session.corefile],
    ['/etc/resolv.conf', session.resolvConf ?? USUAL_RESOLV_CONF],
    ...own,
  ])
  const reachedAt = POD_ADDRESSES.map(ip)
  const view = { host: 'coredns', netns: 'root', args: {}, files, addresses: reachedAt.slice(0, 2), reachedAt }
  room.seat(corednsProgram(new MutableApi(session.objects).view) as Program, view)
  room.advance(1e9)
  const [server = ip('::')] = reachedAt
  return serveDns({
    room,
    asker: ip(CLIENT),
    server: { ip: server, port: 53 },
    listen: { address: '127.0.0.1', port: 0 },
  })
}

const PATIENCE_MS = 8000

function exchange(port: number, bytes: Uint8Array, transport: 'udp' | 'tcp'): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    const end = (answer?: Uint8Array): void => {
      clearTimeout(timer)
      close()
      resolve(answer)
    }
    const timer = setTimeout(end, PATIENCE_MS)
    const close = transport === 'udp' ? overUdp(port, bytes, end) : overTcp(port, bytes, end)
  })
}

type End = (answer: Uint8Array) => void

function overUdp(port: number, bytes: Uint8Array, end: End): () => void {
  const socket = createSocket('udp4')
  socket.once('message', end)
  socket.send(bytes, port, '127.0.0.1')
  return () => socket.close()
}

function overTcp(port: number, bytes: Uint8Array, end: End): () => void {
  const socket = connect(port, '127.0.0.1', () => socket.write(framed(bytes)))
  let stream = new Uint8Array(0)
  socket.on('data', (data) => {
    stream = Uint8Array.from([...stream, ...data])
    const [message] = unframed(stream).messages
    if (message !== undefined) end(message.slice())
  })
  return () => socket.destroy()
}

/** Asks one query after the other, each as it is said, and gives the replies. */
async function replayed(session: CorednsSession): Promise<readonly (Reply | null)[]> {
  const service = await served(session)
  const replies: (Reply | null)[] = []
  let id = 1000
  const asked = async (q: Query): Promise<Reply | null> => {
    const bytes = queryBytes(q, id++)
    const answer = await exchange(service.port, bytes, q.transport ?? 'udp')
    return answer === undefined ? null : replyOf(answer, bytes)
  }
  for (const { q, reply } of session.queries ?? []) {
    replies.push(await asked(q))
    // As in the recording: of a cut reply the whole set was asked for too.
    if (reply?.answerCount) await asked({ ...q, transport: 'tcp' })
  }
  service.close()
  return replies
}

function wrong(session: CorednsSession, want: readonly (RecordedReply | null)[], got: readonly (Reply | null)[]) {
  return (session.queries ?? []).flatMap(({ q }, i) => {
    const found = differences(want[i] ?? null, got[i] ?? null)
    return found.length === 0 ? [] : [`#${i} ${q.name} ${q.type} ${q.transport ?? 'udp'}: ${found.join(', ')}`]
  })
}

describe.each(plain)('%s', (file) => {
  const session = read(file)
  const recorded = (session.queries ?? []).map(({ reply }) => reply as RecordedReply | null)

  it('the replies are the recorded ones', async () => {
    expect(wrong(session, recorded, await replayed(session))).toEqual([])
  })

  it('all of them over TCP: the replies are those that the program gives', async () => {
    const overTcp = {
      ...session,
      queries: session.queries?.map((one) => ({ ...one, q: { ...one.q, transport: 'tcp' } })),
    } as CorednsSession
    const want = replaySession(overTcp).queries.map(({ reply }, i): RecordedReply | null => {
      const unordered = recorded[i]?.unordered
      return reply && { ...reply, ...(unordered === undefined ? {} : { unordered }), ttlSlack: 1 }
    })
    expect(wrong(session, want, await replayed(overTcp))).toEqual([])
  })
})
