import { describe, expect, it } from 'vitest'
import { type IpSkb, newSkb } from '../../skb.ts'
import type { StepBody } from '../../step.ts'
import { nfHook } from '../hooks.ts'
import { udp } from '../testing/packets.ts'
import { newRouter, type Router } from '../testing/router.ts'
import { link, pass } from '../testing/story.ts'

describe('what is not modelled', () => {
  const steps = (rules: string) => pass(newRouter({ rules }), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))

  it('ends the walk, with rule and words', () => {
    expect(steps('*filter\n-A FORWARD -m owner --uid-owner 0 -j DROP\n-A FORWARD -j ACCEPT\nCOMMIT')).toEqual([
      'forward in r0 out r1',
      'filter FORWARD 1 notModelled',
      expect.stringContaining('-m owner --uid-owner 0'),
    ])
  })

  it('does not matter where the rest of the rule tells that the packet does not match', () => {
    const rules = `*filter
-A FORWARD -p tcp -m owner --uid-owner 0 -j DROP
-A FORWARD -m owner --uid-owner 0 -s 10.0.7.0/24 -j DROP
-A FORWARD -m owner --uid-owner 0 -m mark --mark 1 -j DROP
-A FORWARD -p tcp -j LOG --log-prefix "x y"
-A FORWARD -j ACCEPT
COMMIT`
    expect(steps(rules)).toEqual(['forward in r0 out r1', 'filter FORWARD 5 accept'])
  })

  it('has no effects on the way: what may not match is not counted', () => {
    const rules = '*filter\n-A FORWARD -m owner --uid-owner 0 -m recent --name L --set -j DROP\nCOMMIT'
    const router = newRouter({ rules })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('filter FORWARD 1 notModelled')
    expect(router.ns.netfilterState.recent.size).toBe(0)
  })

  it.each([
    ['a target', '-A FORWARD -j LOG --log-prefix "x y"', '-j LOG --log-prefix "x y"'],
    ['a rule that iptables would refuse', '-A FORWARD -s 10.0.0.300 -j DROP', '-s 10.0.0.300 -j DROP (-s: '],
    ['a chain that is not there', '-A FORWARD -j NOWHERE', 'the chain NOWHERE does not exist'],
    ['chains in a circle', '-A FORWARD -j X\n-A X -j Y\n-A Y -j X', 'comes back to itself'],
    ['a goto in a circle', '-A FORWARD -g X\n-A X -g X', 'comes back to itself'],
  ])('%s', (_, rules, text) => {
    expect(steps(`*filter\n:X - [0:0]\n:Y - [0:0]\n${rules}\nCOMMIT`).at(-1)).toContain(text)
  })
})

describe('steps of a chain', () => {
  type Tried = Extract<StepBody, { kind: 'rule.match' | 'chain.end' }>
  const tried = (router: Router) =>
    router.steps
      .filter((step): step is Tried => step.kind === 'rule.match' || step.kind === 'chain.end')
      .map(
        (step) =>
          `${step.chain} from ${step.triedFrom} to ${step.kind === 'rule.match' ? step.index : 'end'} of ${step.rules.length}`,
      )

  it('name the rules tried since the last one that matched', () => {
    const rules = `*filter
:X - [0:0]
-A FORWARD -p tcp
-A FORWARD -p udp
-A FORWARD -p tcp
-A FORWARD -j X
-A FORWARD -p tcp
-A FORWARD -p udp -j RETURN
-A FORWARD -j DROP
-A X -p tcp
-A X -p tcp
COMMIT`
    const router = newRouter({ rules })
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(tried(router)).toEqual([
      'FORWARD from 1 to 2 of 7',
      'FORWARD from 3 to 4 of 7',
      'X from 1 to end of 2',
      'FORWARD from 5 to 6 of 7',
      'FORWARD from 8 to end of 7',
    ])
  })

  it('a long chain is indexed by destination; hits and tried rules are those of a linear walk', () => {
    const lines = Array.from(
      { length: 200 },
      (_, i) => `-A X -d 10.0.${i % 4}.${i % 7}/32 -p udp -m udp --dport ${i % 3} -m comment --comment c${i}`,
    )
    const mixed = lines.flatMap((line, i) =>
      i % 40 === 0 ? [line, '-A X -s 10.0.1.2/32', `-A X ! -d 10.0.${i % 5}.2/32`] : [line],
    )
    const rules = `*filter\n:X - [0:0]\n-A FORWARD -j X\n-A FORWARD -j ACCEPT\n${mixed.join('\n')}\nCOMMIT`
    for (const port of [0, 1, 2])
      for (const host of [2, 3]) {
        const router = newRouter({ rules })
        pass(router, 'r0', udp('10.0.1.2:1', `10.0.2.${host}:${port}`))
        const expected = mixed.flatMap((line, i) => {
          const [, not, d] = /(! )?-d (\S+)\/32/.exec(line) ?? []
          const destination = d === undefined || (d === `10.0.2.${host}`) === (not === undefined)
          const dport = /--dport (\d)/.exec(line)?.[1] ?? String(port)
          return destination && dport === String(port) ? [i + 1] : []
        })
        const hit = router.steps.flatMap((step) =>
          step.kind === 'rule.match' && step.chain === 'X' ? [step.index] : [],
        )
        expect(hit).toEqual(expected)
        expect(hit.length).toBeGreaterThan(4)
        expect(tried(router).at(-2)).toBe(`X from ${(hit.at(-1) ?? 0) + 1} to end of ${mixed.length}`)
      }
  })

  it('carry the origin of the rule', () => {
    const router = newRouter({ rules: '*filter\n-A FORWARD -j DROP\nCOMMIT' })
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(
      router.steps.filter((step) => 'origin' in step).map((step) => ('origin' in step ? step.origin : undefined)),
    ).toContainEqual({ by: 'test' })
  })
})

describe('a REJECT rule', () => {
  it('tells the caller what to answer with, and drops', () => {
    const router = newRouter({ rules: '*filter\n-A FORWARD -j REJECT\nCOMMIT' })
    const skb = newSkb(link(router, 'r0'), udp('10.0.1.2:1', '10.0.2.2:2'), 5) as IpSkb
    expect(nfHook(skb, 'forward', { in: link(router, 'r0'), out: link(router, 'r1') })).toEqual({
      kind: 'reject',
      with: 'icmp-port-unreachable',
    })
  })
})

describe('statistic', () => {
  it('draws hit or miss with the probability’s weights, and not at all where it is certain', () => {
    const rules =
      '*filter\n-A FORWARD -m statistic --mode random --probability 0.25 -j DROP\n-A FORWARD -m statistic --mode random --probability 1 -j ACCEPT\nCOMMIT'
    const router = newRouter({ rules })
    router.draws.push({ purpose: 'statistic', value: 1 }, { purpose: 'statistic', value: 0 })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).at(-1)).toBe('filter FORWARD 2 accept')
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('filter FORWARD 1 drop')
    expect(router.drawn[0]).toEqual({
      site: { host: 'router', netns: 'root', purpose: 'statistic', entry: 'filter FORWARD 1' },
      choices: [0x20000000, 0x60000000],
    })
    expect(router.drawn).toHaveLength(2)
  })

  it('inverted', () => {
    const rules =
      '*filter\n-A FORWARD -m statistic --mode random ! --probability 0.25 -j DROP\n-A FORWARD -m statistic --mode random --probability 0 -j DROP\nCOMMIT'
    const router = newRouter({ rules })
    router.draws.push({ purpose: 'statistic', value: 0 }, { purpose: 'statistic', value: 1 })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).at(-1)).toBe('filter FORWARD ACCEPT')
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('filter FORWARD 1 drop')
  })
})

describe('nfacct', () => {
  it('counts what got that far in its rule', () => {
    const rules =
      '*filter\n-A FORWARD -p udp -m nfacct --nfacct-name a -j ACCEPT\n-A FORWARD -p tcp -m nfacct --nfacct-name b -j ACCEPT\nCOMMIT'
    const router = newRouter({ rules })
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect([...router.ns.netfilterState.accounts]).toEqual([['a', { packets: 2, octets: 64 }]])
  })
})
