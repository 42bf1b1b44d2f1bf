import type { Random } from '../kernel/scenario/random.ts'
import type { Behaviour, Behaviours } from './behaviours.ts'

/** What a resolver meets: its files, the servers, and the name. */
export interface ResolverScenario {
  readonly name: string
  readonly resolvConf: string
  readonly hosts: string
  readonly servers: readonly {
    readonly address: string
    readonly behaviours: Behaviours
    readonly authoritative: boolean
  }[]
}

const ADDRESSES = ['127.0.0.2', '127.0.0.3']
const NAMES = [
  'x',
  'x.y',
  'x.y.z',
  'x.',
  'x.y.',
  'X',
  'a.b.c.d.e.f',
  'localhost',
  '10.1.2.3',
  'in-hosts',
  'x_y',
  'fd00::1',
  'x..y',
  'x.y..',
]
const OPTIONS = [
  'ndots:0',
  'ndots:2',
  'ndots:5',
  'attempts:1',
  'attempts:3',
  'edns0',
  'single-request',
  'single-request-reopen',
  'use-vc',
  'no-tld-query',
  'trust-ad',
  'no-aaaa',
]
const DOMAINS = ['s1.test', 's2.test.', 'a.b.s3.test', '.']

/** A scenario from a seed; `dark` lets replies get lost, which costs seconds of real time. */
export function randomScenario({ pick, chance, list }: Random, dark: boolean): ResolverScenario {
  const name = pick(NAMES)
  const domains = list(3, () => pick(DOMAINS))
  const options = list(3, () => pick(OPTIONS))
  const count = chance(0.3) ? 2 : 1
  const lines = [
    ...ADDRESSES.slice(0, count).map((address) => `nameserver ${address}`),
    ...(domains.length > 0 ? [`search ${domains.join(' ')}`] : []),
    `options timeout:1 ${options.join(' ')}`,
  ]
  const bare = name.replace(/\.$/, '')
  const candidates = [
    `${bare}.`,
    ...domains.map((domain) => `${bare}.${domain.replace(/^\.$/, '')}`.replace(/\.?$/, '.')),
  ]
  const servers = ADDRESSES.slice(0, count).map((address) => ({
    address,
    behaviours: Object.fromEntries(
      candidates.flatMap((candidate): readonly (readonly [string, Behaviour])[] => {
        if (chance(0.25)) return []
        const whole = chance(0.3) ? common() : undefined
        return [
          [`${candidate} A`, whole ?? ofType(candidate, 'A')],
          [`${candidate} AAAA`, whole ?? ofType(candidate, 'AAAA')],
        ]
      }),
    ),
    authoritative: chance(0.5),
  }))
  return { name, resolvConf: `${lines.join('\n')}\n`, hosts: '127.0.0.1 localhost\n10.9.9.9 in-hosts alias\n', servers }

  /** What a server does with both types alike. */
  function common(): Behaviour {
    return pick<Behaviour>([[], 1, 2, 2, 3, 4, 5, 'lame', 'tc', { withoutRecursion: [] }])
  }

  function ofType(owner: string, type: 'A' | 'AAAA'): Behaviour {
    if (dark && chance(0.15)) return 'drop'
    const address = type === 'A' ? 'A 10.0.0' : 'AAAA fd00:'
    const alias = `other.${owner}`
    return pick<Behaviour>([
      [`${address}.1`.replace(':.', '::')],
      [1, 2].map((n) => `${address}.${n}`.replace(':.', '::')),
      [],
      [`CNAME ${alias}`, `${alias} 5 IN ${address}.3`.replace(':.', '::')],
      [`CNAME ${alias}`],
      { withoutRecursion: [`${address}.4`.replace(':.', '::')] },
      2,
      3,
      5,
      'tc',
    ])
  }
}
