import type { ProcessContext, ProcessEvent, Program, SocketAddress, Syscall } from '../linux/process.ts'
import { appended } from '../packet/octets.ts'
import { decodeMessage } from './message-decode.ts'
import type { DnsStep } from './step.ts'
import { framed, unframed } from './stream.ts'
import { answerUpstream, type UpstreamZone, upstreamZone } from './upstream-zone.ts'

/** The record lines a resolver outside the cluster answers from, and how it behaves: lines `NAME BEHAVIOUR`. */
export const UPSTREAM_ZONE_PATH = '/etc/upstream/zone'
export const UPSTREAM_BEHAVE_PATH = '/etc/upstream/behave'

interface UpstreamState {
  readonly zone: UpstreamZone
  /** Replies that wait for their delay, by timer. */
  readonly delayed: ReadonlyMap<string, readonly Syscall[]>
  readonly streams: ReadonlyMap<number, Uint8Array>
  readonly count: number
}

const UDP = 3
const TCP = 4

/** A DNS resolver outside the cluster, on port 53. Argument: `delayMs`. */
export const upstreamDnsProgram: Program<UpstreamState, DnsStep> = {
  name: 'upstream-dns',
  start(context) {
    const lines = (context.file(UPSTREAM_ZONE_PATH) ?? '').split('\n')
    const behave = (context.file(UPSTREAM_BEHAVE_PATH) ?? '').split('\n').flatMap((line) => {
      const [name, behaviour] = line.trim().split(/\s+/)
      return name && behaviour ? [[name === '*' ? '' : name, behaviour] as const] : []
    })
    const { zone, problems } = upstreamZone(lines, Object.fromEntries(behave))
    const server = 'upstream-dns'
    return {
      state: { zone, delayed: new Map(), streams: new Map(), count: 0 },
      syscalls: [
        { kind: 'socket', fd: UDP, family: 6, type: 'udp' },
        { kind: 'bind', fd: UDP, port: 53 },
        { kind: 'socket', fd: TCP, family: 6, type: 'tcp' },
        { kind: 'bind', fd: TCP, port: 53 },
        { kind: 'listen', fd: TCP },
      ],
      notes: problems.map((text) => ({
        at: context.now,
        host: context.host,
        netns: context.netns,
        kind: 'dns.server',
        server,
        event: 'failed',
        text,
      })),
    }
  },
  step(state, event, context) {
    switch (event.kind) {
      case 'timer': {
        const syscalls = state.delayed.get(event.id) ?? []
        const delayed = new Map(state.delayed)
        delayed.delete(event.id)
        return { state: { ...state, delayed }, syscalls }
      }
      case 'data':
        return arrived(state, event, context)
      case 'closed':
      case 'error': {
        const streams = new Map(state.streams)
        streams.delete(event.fd)
        return { state: { ...state, streams }, syscalls: event.fd > TCP ? [{ kind: 'close', fd: event.fd }] : [] }
      }
      case 'accepted':
      case 'connected':
        return { state, syscalls: [] }
    }
  },
}

function arrived(state: UpstreamState, event: ProcessEvent & { kind: 'data' }, context: ProcessContext) {
  if (event.fd === UDP) {
    const reply = event.from ? replies(state, [event.bytes], { fd: UDP, to: event.from }) : []
    return sent(state, reply, context)
  }
  const { messages, rest } = unframed(appended(state.streams.get(event.fd) ?? new Uint8Array(0), event.bytes))
  const streams = new Map(state.streams).set(event.fd, rest.slice())
  return sent({ ...state, streams }, replies(state, messages, { fd: event.fd }), context)
}

function replies(
  state: UpstreamState,
  messages: readonly Uint8Array[],
  where: { readonly fd: number; readonly to?: SocketAddress },
): readonly Syscall[] {
  const transport = where.to ? 'udp' : 'tcp'
  return messages.flatMap((bytes): readonly Syscall[] => {
    const query = decodeMessage(bytes)
    const reply =
      query.ok && !query.value.flags.response ? answerUpstream(state.zone, query.value, transport) : undefined
    if (!reply?.ok) return []
    if (where.to) return [{ kind: 'send', fd: where.fd, bytes: reply.value, to: where.to }]
    return [{ kind: 'send', fd: where.fd, bytes: framed(reply.value) }]
  })
}

function sent(state: UpstreamState, syscalls: readonly Syscall[], context: ProcessContext) {
  const delayMs = Number(context.args.delayMs ?? '0')
  if (syscalls.length === 0 || !(delayMs > 0)) return { state, syscalls }
  const id = `upstream/${state.count}`
  const delayed = new Map(state.delayed).set(id, syscalls)
  return {
    state: { ...state, delayed, count: state.count + 1 },
    syscalls: [{ kind: 'timer' as const, id, afterNs: delayMs * 1_000_000 }],
  }
}
