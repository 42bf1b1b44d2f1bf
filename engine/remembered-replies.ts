import type { ProcessContext, ProcessResult, Program, Syscall } from '../linux/process.ts'

/** A DNS server that gives the same reply to the same query without working it out again, until it is told to forget. */
export interface RememberingServer {
  readonly program: Program
  readonly forget: () => void
}

/** Octets of a message's id, which is the query's in its reply (RFC 1035 §4.1.1). */
const ID = 2

/**
 * Remembers replies over UDP that came at the very moment they were asked for. For one client, and for questions where
 * time and TTLs do not matter: a reply is told as it was.
 */
export function rememberReplies(server: Program): RememberingServer {
  const replies = new Map<string, Uint8Array>()
  /** Queries that the server has, by the port and id that their reply goes to. */
  const open = new Map<number, { readonly query: string; readonly at: number }>()

  const learned = (result: ProcessResult<unknown, unknown>, { now }: ProcessContext): typeof result => {
    for (const syscall of result.syscalls) {
      if (syscall.kind !== 'send' || syscall.to === undefined) continue
      const key = askedBy(syscall.to.port, syscall.bytes)
      const asked = open.get(key)
      if (asked === undefined) continue
      open.delete(key)
      if (asked.at === now) replies.set(asked.query, syscall.bytes)
    }
    return result
  }

  return {
    program: {
      name: server.name,
      start: (context) => server.start(context),
      step(state, event, context) {
        if (event.kind !== 'data' || event.from === undefined || event.bytes.length <= ID)
          return learned(server.step(state, event, context), context)
        const { fd, bytes, from } = event
        const query = textOf(bytes)
        const known = replies.get(query)
        if (known === undefined) {
          open.set(askedBy(from.port, bytes), { query, at: context.now })
          return learned(server.step(state, event, context), context)
        }
        const reply = known.slice()
        reply.set(bytes.subarray(0, ID))
        const send: Syscall = { kind: 'send', fd, bytes: reply, to: from }
        return { state, syscalls: [send] }
      },
    },
    forget: () => {
      replies.clear()
      open.clear()
    },
  }
}

const askedBy = (port: number, [high = 0, low = 0]: Uint8Array): number => (port << 16) | (high << 8) | low

/** What is asked, without the id: one character an octet. */
function textOf(bytes: Uint8Array): string {
  let text = ''
  for (let i = ID; i < bytes.length; i++) text += String.fromCharCode(bytes[i] ?? 0)
  return text
}
