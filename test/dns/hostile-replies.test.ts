import { describe, expect, it } from 'vitest'
import { lookupProgram } from '../../dns/resolver/program.ts'
import { resolverNames } from '../../dns/resolver/registry.ts'
import type { Program } from '../../linux/process.ts'
import { VirtualNetwork } from '../judge/virtual-network.ts'
import { type Random, randomOf } from '../kernel/scenario/random.ts'
import { answererOf } from './behaviours.ts'
import { scriptedServer } from './scripted-server.ts'

const RUNS = 40
const ON_GLIBC = /^(glibc.*|java|node-lookup)$/
const NAMES = [
  'x',
  'x.y.',
  'a.b.c.d.e.f',
  '..',
  '.',
  '',
  'x..',
  `${'a'.repeat(70)}.b`,
  'x\\.y',
  'ü.test',
  '10.0.0.1',
  'fd00::1',
  '1e3',
  'x y',
  '%',
  '-',
]
const BEHAVIOURS = { 'x.s1.test.': ['A 10.0.0.1'], 'x.y.': ['CNAME z.', 'z. 5 IN A 10.0.0.2'], 'x.': 'tc' } as const
const TEXTS = [
  'nameserver 127.0.0.2\nsearch s1.test .\noptions ndots:5 timeout:1',
  'nameserver\nnameserver 127.0.0.2 x\nsearch\noptions\noptions ndots: timeout:x attempts:99999999999 rotate',
  '',
  'options use-vc timeout:0 attempts:0\nnameserver 127.0.0.2\nnameserver ::1\nnameserver fe80::1%eth0',
  `search ${'a.'.repeat(200)}b ${'c'.repeat(300)}\nnameserver 127.0.0.2`,
]

/** Octets as a broken or hostile server would send them. */
function damaged(bytes: Uint8Array, { below, chance }: Random): Uint8Array {
  if (chance(0.2)) return Uint8Array.from({ length: below(40) }, () => below(256))
  const copy = bytes.slice(0, chance(0.3) ? below(bytes.length + 1) : bytes.length)
  for (let i = below(4); i > 0 && copy.length > 0; i--) copy[below(copy.length)] = below(256)
  return copy
}

describe('whatever a server sends and the files say, a lookup comes to an end and nothing is thrown', () => {
  it.each(resolverNames)('%s', (name) => {
    for (let run = 0; run < RUNS; run++) {
      const random = randomOf(`hostile ${name} ${run}`)
      const sound = scriptedServer({ address: '127.0.0.2', answer: answererOf({ behaviours: BEHAVIOURS }) })
      const hostile: Program<null, never> = {
        ...sound,
        step(state, event, context) {
          const { syscalls } = sound.step(state, event, context)
          const spoilt = syscalls.map((call) =>
            call.kind === 'send' && random.chance(0.6) ? { ...call, bytes: damaged(call.bytes, random) } : call,
          )
          return { state, syscalls: random.chance(0.1) ? [] : spoilt }
        },
      }
      const network = new VirtualNetwork()
      network.start({ name: 'dns', addresses: ['127.0.0.2'], program: hostile })
      const client = network.start({
        name: 'client',
        addresses: ['10.244.1.7', 'fd00::7'],
        program: lookupProgram(name),
        args: { name: random.pick(NAMES), family: random.pick(['unspec', '4', '6']), addrConfig: 'true' },
        files: {
          '/etc/resolv.conf': random.pick(TEXTS),
          '/etc/hosts': '10.9.9.9 x\nfoo bar\n',
          '/etc/hostname': 'h.test',
        },
        draw: (_, choices) => random.below(choices),
      })
      network.run({ until: 3_600_000_000_000, done: () => client.exited !== undefined })
      // glibc waits for a stream without end, and whoever calls it does.
      const waits = network.sent.at(-1)?.transport === 'tcp' && ON_GLIBC.test(name)
      expect({ name, run, over: client.exited !== undefined || waits }).toEqual({ name, run, over: true })
    }
  })
})
