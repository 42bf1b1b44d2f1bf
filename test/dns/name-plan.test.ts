import { describe, expect, it } from 'vitest'
import type { Lab } from '../../cluster/lab.ts'
import { usualResolvers } from '../../dns/resolver/registry.ts'
import { planNames } from '../../engine/name-plan.ts'
import { openLab } from '../labs.ts'

/** The planner looks up the first name of each class only: it finds what looking up every one finds. */

const NAMES = [
  ...[
    '0g.x',
    '0g.x.y.z',
    'a-svc',
    'my-nginx',
    'my-nginx.default',
    'nginx-svc.nginx-ns',
    'client-svc',
    'kubernetes',
    'kubernetes.default.svc',
  ],
  ...['cn.bing.com', 'www.example.com', 'a.b.c.d.e.f', 'x.svc', 'default', 'nginx-ns', 'client'],
  ...[
    'localhost',
    'printer.local',
    'x.onion',
    '10.244.1.2',
    '0x7f.1',
    'fe',
    'my-nginx.',
    'UPPER.example.com',
    '_srv._tcp.x',
  ],
  ...[...'ghijklmnopqrst'].flatMap((letter) => [`${letter}-svc`, `${letter}-svc.other-ns`, `api.${letter}-x.example`]),
  ...['slow.example.com', 'broken.example.com', 'silent.example.com', 'refused.example.com', 'big.example.com'],
  ...['two.example.com', 'also-two.example.com', 'six.example.com', 'both.example.com', `${'l'.repeat(63)}.x`],
]

const upstream = (more: readonly string[] = []): Lab => ({
  upstreamDNS: [
    {
      ip: '192.168.40.2',
      records: [
        'cn.bing.com. 300 IN A 202.89.233.101',
        'two.example.com. 60 IN A 203.0.113.7',
        'two.example.com. 60 IN A 203.0.113.8',
        'also-two.example.com. 60 IN CNAME two.example.com.',
        'six.example.com. 60 IN AAAA 2001:db8::6',
        'both.example.com. 60 IN A 203.0.113.7',
        'both.example.com. 60 IN AAAA 2001:db8::7',
        'slow.example.com. 60 IN A 203.0.113.9',
        'big.example.com. 60 IN A 203.0.113.10',
        ...more,
      ],
      behave: {
        'broken.example.com': 'SERVFAIL',
        'silent.example.com': 'drop',
        'refused.example.com': 'REFUSED',
        'big.example.com': 'tc',
      },
    },
  ],
})

const NODE = 'xianchaonode1'
const ROOM: readonly (readonly [string, Lab])[] = [
  ['a plain cluster', upstream()],
  [
    'a node with a search domain that catches everything',
    {
      ...upstream(['*.corp.example. 60 IN A 203.0.113.99']),
      nodes: { [NODE]: { resolvConf: 'search corp.example\nnameserver 192.168.40.2' } },
    },
  ],
]

describe.each(ROOM)('%s', (_, lab) => {
  it('one of a class tells of all, with every resolver', () => {
    const built = openLab('textbook-flannel-vxlan', lab)
    const pod = built.cluster.pods.find(({ meta }) => meta.name === 'client')
    if (pod === undefined) throw new Error('no client')
    const question = { names: NAMES, resolvers: usualResolvers }
    const each = planNames(built, pod, { ...question, pace: 'eachName' })
    expect(each?.rows.length).toBe(usualResolvers.length)
    expect(planNames(built, pod, question)).toEqual(each)
    // They do differ: what is compared is not nothing.
    expect(each?.rows.some(({ cells }) => cells.some(({ broken }) => broken.length > 0))).toBe(true)
  })
})
