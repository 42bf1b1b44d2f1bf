import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { newSkb } from '../skb.ts'
import { STATUS } from './conntrack.ts'
import { attachConntrack, confirm, entriesOf, findEntry, listConntrack } from './conntrack-table.ts'
import { INSERT_FAILED, nfHook } from './hooks.ts'
import { ends, ping, tcp, udp } from './testing/packets.ts'
import { newRouter, receive } from './testing/router.ts'
import { link, pass, track } from './testing/story.ts'
import { tupleOf } from './tuple.ts'

const VIP = '10.0.9.9'

describe('conntrack entries', () => {
  const TRACK = '*filter\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT'

  it('print as conntrack -L prints them', () => {
    const router = newRouter({ rules: TRACK, rules6: TRACK })
    receive(router, 'r0', tcp('10.0.1.2:5', '10.0.2.2:80', { flags: 'S' }))
    receive(router, 'r0', ping('fd00:1::2', 'fd00:2::2', 7))
    router.now = 30.5e9
    expect(listConntrack(router.ns, 4)).toEqual([
      'tcp      6 89 SYN_SENT src=10.0.1.2 dst=10.0.2.2 sport=5 dport=80 [UNREPLIED] src=10.0.2.2 dst=10.0.1.2 sport=80 dport=5 mark=0 use=1',
    ])
    router.now = 29e9
    expect(listConntrack(router.ns, 6)).toEqual([
      'icmpv6   58 1 src=fd00:1::2 dst=fd00:2::2 type=128 code=0 id=7 [UNREPLIED] src=fd00:2::2 dst=fd00:1::2 type=129 code=0 id=7 mark=0 use=1',
    ])
  })

  it.each([
    ['udp', 'nf_conntrack_udp_timeout', udp('10.0.1.2:1', '10.0.2.2:2')],
    ['icmp', 'nf_conntrack_icmp_timeout', ping('10.0.1.2', '10.0.2.2', 1)],
    ['tcp', 'nf_conntrack_tcp_timeout_syn_sent', tcp('10.0.1.2:1', '10.0.2.2:2', { flags: 'S' })],
    [
      'other',
      'nf_conntrack_generic_timeout',
      {
        ...udp('10.0.1.2:1', '10.0.2.2:2'),
        payload: { kind: 'raw', protocol: 99, bytes: new Uint8Array(4) },
      } as IpPacket,
    ],
  ])('of %s live as long as %s says', (_, key, packet) => {
    const router = newRouter({ rules: TRACK, sysctls: { [`net.netfilter.${key}`]: 7 } })
    receive(router, 'r0', packet)
    router.now = 6.9e9
    expect(entriesOf(router.ns)).toHaveLength(1)
    router.now = 7e9
    expect(entriesOf(router.ns)).toHaveLength(0)
    const tuple = tupleOf(packet)
    expect(tuple === undefined ? tuple : findEntry(router.ns, tuple)).toBeUndefined()
    expect(router.ns.netfilterState.conntrack.byTuple.size).toBe(0)
  })

  it('two datagrams of one socket under way at once: the second joins, or has its answers only', () => {
    const rules =
      '*nat\n-A PREROUTING -p udp -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 10.0.2.2:53\n-A PREROUTING -p udp -j DNAT --to-destination 10.0.2.3:53\nCOMMIT'
    const router = newRouter({ rules })
    const [first, second, third] = [1, 2, 3].map(() => track(router, udp('10.0.1.2:4', `${VIP}:53`)))
    if (first === undefined || second === undefined || third === undefined) throw new Error()
    expect([first, second, third].map((skb) => ends(skb.packet))).toEqual([
      '10.0.1.2:4 > 10.0.2.2:53',
      '10.0.1.2:4 > 10.0.2.3:53',
      '10.0.1.2:4 > 10.0.2.2:53',
    ])
    expect([first, second, third].map(confirm)).toEqual([true, true, true])
    expect(third.ct?.entry).toBe(first.ct?.entry)
    expect(listConntrack(router.ns, 4)).toHaveLength(1)
    // The answer to the second is understood, for a second.
    expect(pass(router, 'r1', udp('10.0.2.3:53', '10.0.1.2:4'))).toContain(
      'undo src at postrouting: 10.0.9.9:53 > 10.0.1.2:4',
    )
    router.now = 1e9
    expect(pass(router, 'r1', udp('10.0.2.3:53', '10.0.1.2:4'))).toContain('conntrack new')
  })

  const TWO_SERVERS =
    '*nat\n-A PREROUTING -p udp -m statistic --mode nth --every 2 --packet 0 -j DNAT --to-destination 10.0.2.2:53\n-A PREROUTING -p udp -j DNAT --to-destination 10.0.2.3:53\nCOMMIT'
  const ONE_SERVER = '*nat\n-A PREROUTING -p udp -j DNAT --to-destination 10.0.2.2:53\nCOMMIT'

  it.each([
    ['sent elsewhere: dropped', 'dropped', TWO_SERVERS, [0, 0], 1, 1],
    ['sent elsewhere: kept by its answers', 'kept', TWO_SERVERS, [0, 0], 2, 1],
    ['sent to the same: joins', 'dropped', ONE_SERVER, [0, 0], 2, 1],
    ['sent elsewhere, but later: the first one has been seen', 'dropped', TWO_SERVERS, [0, 1], 2, 1],
    ['no race: the first one has been seen', undefined, TWO_SERVERS, [0, 0], 2, 1],
  ] as const)(
    'of two datagrams of one socket that race the second is %s',
    (_, race, rules, times, through, entries) => {
      const router = newRouter({ rules, ...(race && { capabilities: { conntrackRace: race } }) })
      for (const at of times) {
        router.now = at
        receive(router, 'r0', udp('10.0.1.2:4', `${VIP}:53`))
      }
      expect(router.steps.filter(({ kind }) => kind === 'conntrack.confirm')).toHaveLength(race === 'kept' ? 2 : 1)
      expect(entriesOf(router.ns)).toHaveLength(entries)
      const lost = router.steps.filter((step) => step.kind === 'drop' && step.detail === INSERT_FAILED)
      expect(2 - lost.length).toBe(through)
    },
  )

  it('one that was answered meanwhile is seen by all that race', () => {
    const router = newRouter({ rules: TWO_SERVERS, capabilities: { conntrackRace: 'dropped' } })
    receive(router, 'r0', udp('10.0.1.2:4', `${VIP}:53`))
    receive(router, 'r1', udp('10.0.2.2:53', '10.0.1.2:4'))
    receive(router, 'r0', udp('10.0.1.2:4', `${VIP}:53`))
    expect(router.steps.filter(({ kind }) => kind === 'drop')).toEqual([])
  })

  it('a SYN that is sent again at once does not race', () => {
    const router = newRouter({
      rules: '*nat\n-A PREROUTING -p tcp -j DNAT --to-destination 10.0.2.2:53\nCOMMIT',
      capabilities: { conntrackRace: 'dropped' },
    })
    for (let i = 0; i < 2; i++) receive(router, 'r0', tcp('10.0.1.2:4', `${VIP}:53`, { flags: 'S' }))
    expect(router.steps.filter(({ kind }) => kind === 'drop')).toEqual([])
  })

  it('two datagrams that cross: the second joins, and keeps its port', () => {
    const router = newRouter({ rules: '*nat\n-A POSTROUTING -o lo -j MASQUERADE\nCOMMIT' })
    const there = track(router, udp('10.0.1.2:4', '10.0.2.2:5'))
    const back = track(router, udp('10.0.2.2:5', '10.0.1.2:4'))
    for (const skb of [there, back]) expect(nfHook(skb, 'postrouting', { out: link(router, 'r1') }).kind).toBe('accept')
    expect(ends(back.packet)).toBe('10.0.2.2:5 > 10.0.1.2:4')
    expect(back.ct?.entry).toBe(there.ct?.entry)
    expect(router.drawn).toEqual([])
  })

  it('two SYNs of one socket under way at once: the second is dropped', () => {
    const router = newRouter({ rules: '*nat\n-A PREROUTING -p tcp -j DNAT --to-destination 10.0.2.2:53\nCOMMIT' })
    const [first, second] = [1, 2].map(() => track(router, tcp('10.0.1.2:4', `${VIP}:53`, { flags: 'S' })))
    if (first === undefined || second === undefined) throw new Error()
    expect([confirm(first), confirm(second)]).toEqual([true, false])
  })

  it('an answer that the kernel makes to a packet belongs to the same flow', () => {
    const router = newRouter({ rules: TRACK })
    const cause = track(router, tcp('10.0.1.2:4', '10.0.2.2:53', { flags: 'S' }))
    const answer = newSkb(link(router, 'r0'), tcp('10.0.2.2:53', '10.0.1.2:4', { flags: 'R' }), 100)
    attachConntrack(answer, cause)
    expect(answer.ct).toEqual({ state: 'related', direction: 'reply', entry: cause.ct?.entry })
    const again = newSkb(link(router, 'r0'), udp('10.0.2.2:53', '10.0.1.2:4'), 101)
    attachConntrack(again, answer)
    expect(again.ct?.direction).toBe('original')
    const untracked = newSkb(link(router, 'r0'), udp('10.0.2.2:53', '10.0.1.2:4'), 102)
    attachConntrack(untracked, newSkb(link(router, 'r0'), udp('10.0.2.2:53', '10.0.1.2:4'), 103))
    expect(untracked.ct).toBeUndefined()
  })

  it('NDP is not tracked', () => {
    const router = newRouter({ rules6: TRACK })
    const body = { kind: 'neighborSolicitation', target: ip('fd00:1::1') } as const
    const skb = track(router, {
      ...ping('fd00:1::2', 'fd00:1::1', 1),
      payload: { kind: 'icmp', type: 135, code: 0, body },
    })
    expect(skb.ct).toEqual({ state: 'untracked', direction: 'original', entry: undefined })
  })
})

describe('STATUS', () => {
  it('has the kernel’s bits', () => {
    expect(STATUS).toMatchObject({
      seenReply: 2,
      assured: 4,
      confirmed: 8,
      srcNat: 16,
      dstNat: 32,
      srcNatDone: 128,
      dstNatDone: 256,
    })
  })
})
