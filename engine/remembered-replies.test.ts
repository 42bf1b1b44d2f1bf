import { describe, expect, it } from 'vitest'
import type { ProcessContext, ProcessEvent, Program } from '../linux/process.ts'
import { ip } from '../packet/ip.ts'
import { rememberReplies } from './remembered-replies.ts'

/** A server that answers a query with its own octets and how often it has been asked; `late` ones when its timer fires. */
function counting(): Program {
  let asked = 0
  let late: (ProcessEvent & { kind: 'data' }) | undefined
  const reply = ({ fd, bytes, from }: ProcessEvent & { kind: 'data' }) => ({
    kind: 'send' as const,
    fd,
    bytes: Uint8Array.from([...bytes, asked]),
    ...(from && { to: from }),
  })
  return {
    name: 'counting',
    start: () => ({ state: undefined, syscalls: [] }),
    step(state, event) {
      if (event.kind === 'timer') return { state, syscalls: late === undefined ? [] : [reply(late)] }
      if (event.kind !== 'data') return { state, syscalls: [] }
      asked++
      if (event.bytes[2] !== LATE) return { state, syscalls: [reply(event)] }
      late = event
      return { state, syscalls: [] }
    },
  }
}

const LATE = 9

describe('a server that remembers its replies', () => {
  const { program, forget } = rememberReplies(counting())
  let now = 0
  const context = (): ProcessContext => ({ now }) as ProcessContext
  const step = (event: ProcessEvent): readonly (readonly number[])[] =>
    program
      .step(undefined, event, context())
      .syscalls.flatMap((call) => (call.kind === 'send' ? [[...call.bytes, call.to?.port ?? 0]] : []))
  const ask = (port: number, ...bytes: readonly number[]) =>
    step({ kind: 'data', fd: 3, bytes: Uint8Array.from(bytes), from: { ip: ip('10.0.0.1'), port } })

  it('gives the same reply to the same query, with its own id, to its own port', () => {
    expect(ask(40, 1, 1, 5)).toEqual([[1, 1, 5, 1, 40]])
    expect(ask(41, 2, 2, 5)).toEqual([[2, 2, 5, 1, 41]])
    expect(ask(41, 2, 2, 6)).toEqual([[2, 2, 6, 2, 41]])
  })

  it('not one that took time', () => {
    expect(ask(42, 3, 3, LATE)).toEqual([])
    now = 5
    expect(step({ kind: 'timer', id: 'late' })).toEqual([[3, 3, LATE, 3, 42]])
    expect(ask(42, 3, 4, LATE)).toEqual([])
  })

  it('until it is told to forget', () => {
    expect(ask(43, 4, 4, 5)).toEqual([[4, 4, 5, 1, 43]])
    forget()
    expect(ask(43, 4, 4, 5)).toEqual([[4, 4, 5, 5, 43]])
  })

  it('what is no query goes on', () => {
    expect(
      step({ kind: 'data', fd: 3, bytes: Uint8Array.from([7]), from: { ip: ip('10.0.0.1'), port: 1 } }),
    ).toHaveLength(1)
  })
})
