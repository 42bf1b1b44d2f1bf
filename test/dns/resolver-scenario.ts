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

/** Data of other types than addresses. */
const DATA: Readonly<Record<string, readonly string[]>> = {
  MX: ['MX 10 mail.test.', 'MX 20 .'],
  TXT: ['TXT "some text" "and more"', 'TXT "q\\"uote"'],
  SRV: ['SRV 0 50 443 srv.test.'],
  NS: ['NS ns.test.'],
  SOA: ['SOA ns.test. admin.test. 1 7200 1800 86400 30'],
  CNAME: ['CNAME real.test.'],
  PTR: ['PTR host.test.'],
  CAA: ['CAA 0 issue "ca.test"'],
}

export const OTHER_TYPES: readonly string[] = Object.keys(DATA)

export interface ScenarioOptions {
  /** Replies may get lost, which costs seconds of real time. */
  readonly dark?: boolean
  /** A type that is asked for instead of addresses. */
  readonly type?: string | undefined
}

/** A scenario from a seed. */
export function randomScenario(
  { pick, chance, list }: Random,
  { dark = false, type: told }: ScenarioOptions = {},
): ResolverScenario {
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
        const types = told === undefined ? ['A', 'AAAA'] : [told]
        return types.map((type) => [`${candidate} ${type}`, whole ?? ofType(candidate, type)])
      }),
    ),
    authoritative: chance(0.5),
  }))
  return { name, resolvConf: `${lines.join('\n')}\n`, hosts: '127.0.0.1 localhost\n10.9.9.9 in-hosts alias\n', servers }

  /** What a server does with both types alike. */
  function common(): Behaviour {
    return pick<Behaviour>([[], 1, 2, 2, 3, 4, 5, 'lame', 'tc', { withoutRecursion: [] }])
  }

  function ofType(owner: string, type: string): Behaviour {
    if (dark && chance(0.15)) return 'drop'
    const data = DATA[type]
    if (data) return pick<Behaviour>([data, data, data.slice(0, 1), [], 2, 3, { withoutRecursion: data }])
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
