import type { Message } from '../../dns/message.ts'
import { decodeMessage } from '../../dns/message-decode.ts'
import { encodeMessage } from '../../dns/message-encode.ts'
import type { ResourceRecord } from '../../dns/record.ts'
import { parseRecord } from '../../dns/record-text.ts'
import { framed, unframed } from '../../dns/stream.ts'
import type { ProcessContext, Program, SocketAddress, Syscall } from '../../linux/process.ts'
import { appended } from '../../packet/octets.ts'

/** What a server says to a query; undefined: nothing. */
export type Answerer = (query: Message, transport: 'udp' | 'tcp') => Message | undefined

/** A query as a server saw it, and when its reply left; undefined: never. */
export interface Seen {
  readonly at: number
  readonly server: string
  readonly source: SocketAddress
  readonly transport: 'udp' | 'tcp'
  readonly bytes: Uint8Array
  /** Undefined: the octets are no message. */
  readonly query: Message | undefined
  readonly reply: Message | undefined
  readonly answeredAt: number | undefined
}

export interface ScriptedServer {
  readonly address: string
  readonly answer: Answerer
  /** Nanoseconds that every answer is held back. */
  readonly delay?: number
  /** Where what it sees is written down. */
  readonly seen?: Seen[]
  /** Called where a stream is closed instead of answered. */
  readonly closesStream?: () => void
}

const UDP = 3
const TCP = 4

/** A DNS server that answers as told, over UDP and TCP. */
export function scriptedServer({
  address,
  answer,
  delay = 0,
  seen,
  closesStream,
}: ScriptedServer): Program<null, never> {
  const streams = new Map<number, { bytes: Uint8Array; readonly peer: SocketAddress }>()
  const pending = new Map<string, Syscall>()
  let count = 0
  const handle = (bytes: Uint8Array, source: SocketAddress, { transport, now }: Came): Uint8Array | undefined => {
    const decoded = decodeMessage(bytes)
    const query = decoded.ok ? decoded.value : undefined
    const reply = query && answer(query, transport)
    const answeredAt = reply ? now + delay : undefined
    seen?.push({ at: now, server: address, source, transport, bytes: bytes.slice(), query, reply, answeredAt })
    const encoded = reply && encodeMessage(reply)
    return encoded?.ok ? encoded.value : undefined
  }
  const later = (send: Syscall): Syscall => {
    if (delay === 0) return send
    const id = String(count++)
    pending.set(id, send)
    return { kind: 'timer', id, afterNs: delay }
  }
  return {
    name: 'dns',
    start: () => ({
      state: null,
      syscalls: [
        { kind: 'socket', fd: UDP, family: 4, type: 'udp' },
        { kind: 'bind', fd: UDP, port: 53 },
        { kind: 'socket', fd: TCP, family: 4, type: 'tcp' },
        { kind: 'bind', fd: TCP, port: 53 },
        { kind: 'listen', fd: TCP },
      ],
    }),
    step: (state, event, { now }: ProcessContext) => {
      if (event.kind === 'accepted') streams.set(event.connection, { bytes: new Uint8Array(0), peer: event.peer })
      if (event.kind === 'timer') {
        const send = pending.get(event.id)
        return { state, syscalls: send ? [send] : [] }
      }
      if (event.kind !== 'data') return { state, syscalls: [] }
      if (event.fd === UDP && event.from) {
        const reply = handle(event.bytes, event.from, { transport: 'udp', now })
        return { state, syscalls: reply ? [later({ kind: 'send', fd: UDP, bytes: reply, to: event.from })] : [] }
      }
      const stream = streams.get(event.fd)
      if (!stream) return { state, syscalls: [] }
      if (closesStream) {
        closesStream()
        return { state, syscalls: [{ kind: 'close', fd: event.fd }] }
      }
      const { messages, rest } = unframed(appended(stream.bytes, event.bytes))
      stream.bytes = rest
      const replies = messages.flatMap((bytes) => handle(bytes, stream.peer, { transport: 'tcp', now }) ?? [])
      return { state, syscalls: replies.map((bytes) => later({ kind: 'send', fd: event.fd, bytes: framed(bytes) })) }
    },
  }
}

interface Came {
  readonly transport: 'udp' | 'tcp'
  readonly now: number
}

/** A machine on which nothing listens. */
export const nothing: Program<null, never> = {
  name: 'nothing',
  start: () => ({ state: null, syscalls: [] }),
  step: (state) => ({ state, syscalls: [] }),
}

export function recordOf(text: string): ResourceRecord {
  const record = parseRecord(text)
  if (!record.ok) throw new Error(record.reason)
  return record.value
}
