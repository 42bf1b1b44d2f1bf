import { describe, expect, it } from 'vitest'
import type { ProcessContext, ProcessEvent, Syscall } from '../../linux/process.ts'
import { ip } from '../../packet/ip.ts'
import { replyTo } from '../message.ts'
import { decodeMessage } from '../message-decode.ts'
import { encodeMessage } from '../message-encode.ts'
import { RCODE } from '../record.ts'
import { isLookupEvent, type LookupResult, startLookup, stepLookup } from './lookup.ts'
import { resolvers } from './registry.ts'

const SERVER = { ip: ip('10.96.0.10'), port: 53 }

const context: ProcessContext = {
  now: 0,
  host: 'node1',
  netns: 'shop_web',
  args: {},
  file: (path) => (path === '/etc/resolv.conf' ? 'nameserver 10.96.0.10\n' : undefined),
  draw: () => 7,
  addresses: () => [ip('10.244.1.7')],
}

function started(): LookupResult {
  return startLookup({ resolver: resolvers.glibc, request: { name: 'web.', family: 4 }, firstFd: 5 }, context)
}

const sentBy = (syscalls: readonly Syscall[]) => syscalls.flatMap((call) => (call.kind === 'send' ? [call] : []))

function reply(to: LookupResult): ProcessEvent {
  const [sent] = sentBy(to.syscalls)
  const query = sent && decodeMessage(sent.bytes)
  if (!sent || !query?.ok) throw new Error('nothing was asked')
  const bytes = encodeMessage({ ...replyTo(query.value), rcode: RCODE.NXDOMAIN })
  if (!bytes.ok) throw new Error(bytes.reason)
  return { kind: 'data', fd: sent.fd, bytes: bytes.value, from: SERVER }
}

describe('a lookup inside a program', () => {
  it('takes descriptors from the one it is given, and waits with a timer', () => {
    expect(started().syscalls).toEqual([
      { kind: 'socket', fd: 5, family: 4, type: 'udp', recvErr: true },
      { kind: 'connect', fd: 5, to: SERVER },
      { kind: 'send', fd: 5, bytes: expect.any(Uint8Array) },
      { kind: 'timer', id: 'dns/1', afterNs: 5_000_000_000 },
    ])
  })

  it('cancels the timer when a reply comes, and closes what it opened', () => {
    const lookup = started()
    const { syscalls, outcome } = stepLookup(lookup.state, reply(lookup), context)
    expect(syscalls).toEqual([
      { kind: 'cancelTimer', id: 'dns/1' },
      { kind: 'close', fd: 5 },
    ])
    expect(outcome).toMatchObject({ ok: false, error: 'EAI_NONAME' })
  })

  it('events of others change nothing', () => {
    const lookup = started()
    const others: readonly ProcessEvent[] = [
      { kind: 'timer', id: 'dns/0' },
      { kind: 'timer', id: 'mine' },
      { kind: 'data', fd: 4, bytes: new Uint8Array(12), from: SERVER },
    ]
    for (const event of others) {
      expect(isLookupEvent(lookup.state, event)).toBe(false)
      expect(stepLookup(lookup.state, event, context)).toMatchObject({ syscalls: [], notes: [] })
    }
    expect(isLookupEvent(lookup.state, { kind: 'timer', id: 'dns/1' })).toBe(true)
  })
})
