import { describe, expect, it } from 'vitest'
import { mac } from '../../../packet/mac.ts'
import type { IpPacket } from '../../../packet/packet.ts'
import { nftOps } from '../testing/nft-ops.ts'
import { ping, tcp, udp, unreachable } from '../testing/packets.ts'
import { newRouter, type Router } from '../testing/router.ts'
import { pass, send, sentEnds } from '../testing/story.ts'

const TABLE = `
  add table ip t
  add chain ip t f { type filter hook forward priority 0 ; }
  add chain ip t x
  add chain ip t y`

const TABLE6 = TABLE.replaceAll('ip t', 'ip6 t')

const router = (text: string, more: Partial<Parameters<typeof newRouter>[0]> = {}): Router =>
  newRouter({ ...more, ops: nftOps(text) })

/** Rules of the chain f, one in a line; `x: RULE` for another chain. */
const rulesIn = (family: string, rules: string): string =>
  rules
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => /^(?:([a-z]): )?(.*)$/.exec(line))
    .map((match) => `add rule ${family} t ${match?.[1] ?? 'f'} ${match?.[2]}`)
    .join('\n')

const forward = (rules: string, packet: IpPacket = udp('10.0.1.2:1', '10.0.2.2:2')): string[] =>
  pass(router(`${TABLE}\n${rulesIn('ip', rules)}`), 'r0', packet).filter((line) => line.startsWith('t '))

const matched = (rule: string, packet?: IpPacket): boolean => forward(`${rule} drop`, packet).includes('t f 1 drop')

describe('a rule matches', () => {
  const TCP = tcp('10.0.1.2:1000', '10.0.2.2:80', { flags: 'S' })
  const PING = ping('10.0.1.2', '10.0.2.2', 7)

  it.each<[string, boolean, IpPacket?]>([
    ['ip saddr 10.0.1.2', true],
    ['ip saddr 10.0.1.3', false],
    ['ip saddr != 10.0.1.3', true],
    ['ip saddr != 10.0.1.2', false],
    ['ip daddr 10.0.2.0/24', true],
    ['ip daddr != 10.0.2.0/24', false],
    ['ip saddr 10.0.1.1-10.0.1.2', true],
    ['ip saddr 10.0.1.3-10.0.1.9', false],
    ['ip saddr { 10.0.1.0/24, 10.0.7.0/24 }', true],
    ['ip saddr != { 10.0.1.0/24, 10.0.7.0/24 }', false],
    ['ip saddr { 10.0.1.3, 10.0.1.4 }', false],
    ['ip protocol udp', true],
    ['ip protocol tcp', false],
    ['ip ttl < 64', true],
    ['ip ttl < 63', false],
    ['ip ttl >= 63', true],
    ['ip ttl > 63', false],
    ['ip ttl <= 63', true],
    ['ip6 saddr fd00:1::2', false],
    ['ip6 saddr != fd00:1::2', false],
    ['udp dport 2', true],
    ['udp sport 2', false],
    ['tcp dport 2', false],
    ['th dport 2', true],
    ['th dport 1-3', true],
    ['th dport { 7, 1-3 }', true],
    ['th dport { 7, 3-9 }', false],
    ['meta l4proto udp', true],
    ['meta l4proto { tcp, sctp }', false],
    ['meta mark 0', true],
    ['meta mark & 0x1 == 0', true],
    ['meta mark & 0x1 != 0', false],
    ['iifname r0', true],
    ['iif r0', true],
    ['iif != r0', false],
    ['iifname "r*"', true],
    ['iifname != "r*"', false],
    ['iifname != q*', true],
    ['oifname r0', false],
    ['oifname { r0, r1 }', true],
    ['meta pkttype host', true],
    ['meta pkttype broadcast', false],
    ['ct state new', true],
    ['ct state established,related', false],
    ['ct state != new', false],
    ['ct state { new, invalid }', true],
    ['ct status dnat', false],
    ['ct direction original', true],
    ['fib saddr type local', false],
    ['fib saddr type unicast', true],
    ['fib daddr . oif type unicast', true],
    ['fib daddr type { local, broadcast }', false],
    ['ip saddr . ip daddr { 10.0.1.2 . 10.0.2.2, 10.0.1.2 . 10.0.2.3 }', true],
    ['ip daddr . meta l4proto . th dport { 10.0.2.2 . udp . 2, 10.0.2.2 . tcp . 3 }', true],
    ['ip daddr . meta l4proto . th dport { 10.0.2.2 . tcp . 2, 10.0.2.2 . udp . 3 }', false],
    ['icmp type echo-request', false],
    ['tcp flags syn', true, TCP],
    ['tcp flags fin', false, TCP],
    ['tcp flags syn,ack', true, TCP],
    ['tcp dport 80 tcp sport 1000', true, TCP],
    ['icmp type echo-request', true, PING],
    ['icmp type echo-reply', false, PING],
    ['icmp code 0', true, PING],
    ['th dport 80', false, PING],
    ['th dport != 80', false, PING],
    ['counter', true],
  ])('%s: %s', (rule, expected, packet) => {
    expect(matched(rule, packet)).toBe(expected)
  })

  it.each<[string, boolean]>([
    ['ip6 saddr fd00:1::2', true],
    ['ip6 daddr fd00:2::/64', true],
    ['ip6 daddr != fd00:2::/64', false],
    ['ip6 saddr { fd00:1::2, fd00:1::3 }', true],
    ['meta nfproto ipv6', true],
    ['fib saddr type local', false],
    ['fib saddr type unicast', true],
    ['fib daddr type local', false],
    ['fib daddr . oif type unicast', true],
    ['th dport 2', true],
  ])('of IPv6: %s: %s', (rule, expected) => {
    const steps = pass(
      router(`${TABLE6}\n${rulesIn('ip6', `${rule} drop`)}`),
      'r0',
      udp('[fd00:1::2]:1', '[fd00:2::2]:2'),
    )
    expect(steps.includes('t f 1 drop')).toBe(expected)
  })

  it('by the type of an address of the machine itself', () => {
    const input = 'add table ip t\nadd chain ip t f { type filter hook input priority 0 ; }\n'
    const at = (rule: string, to: string) =>
      pass(router(`${input}${rulesIn('ip', `${rule} drop`)}`), 'r0', udp('10.0.1.2:1', to)).includes('t f 1 drop')
    expect(at('fib daddr type local', '10.0.1.1:2')).toBe(true)
    expect(at('fib daddr . iif type local', '10.0.1.1:2')).toBe(true)
    expect(at('fib daddr . iif type local', '10.0.2.1:2')).toBe(false)
    expect(at('fib saddr type local', '10.0.1.1:2')).toBe(false)
  })

  it('by the type of an IPv6 address of the machine itself', () => {
    const input = 'add table ip6 t\nadd chain ip6 t f { type filter hook input priority 0 ; }\n'
    const at = (rule: string, to: string) =>
      pass(router(`${input}${rulesIn('ip6', `${rule} drop`)}`), 'r0', udp('[fd00:1::2]:1', to)).includes('t f 1 drop')
    expect(at('fib daddr type local', '[fd00:1::1]:2')).toBe(true)
    expect(at('fib daddr type unicast', '[fd00:1::1]:2')).toBe(false)
    expect(at('fib daddr . iif type local', '[fd00:1::1]:2')).toBe(true)
    expect(at('fib daddr . iif type unicast', '[fd00:1::1]:2')).toBe(false)
    expect(at('fib daddr . iif type local', '[fd00:2::1]:2')).toBe(false)
  })

  it('of a table for both families', () => {
    const text = TABLE.replaceAll('ip t', 'inet t')
    const steps = (rule: string, packet: IpPacket) => pass(router(`${text}\nadd rule inet t f ${rule}`), 'r0', packet)
    expect(steps('ip saddr 10.0.1.2 drop', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('t f 1 drop')
    expect(steps('ip saddr 10.0.1.2 drop', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))).not.toContain('t f 1 drop')
    expect(steps('meta nfproto ipv6 drop', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))).toContain('t f 1 drop')
    expect(steps('meta nfproto ipv6 drop', udp('10.0.1.2:1', '10.0.2.2:2'))).not.toContain('t f 1 drop')
  })
})

describe('a chain', () => {
  it('ends in the policy of its base chain', () => {
    expect(forward('tcp dport 80 drop')).toEqual(['t f ACCEPT'])
    const dropping = TABLE.replace('priority 0 ;', 'priority 0 ; policy drop ;')
    expect(pass(router(dropping), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'forward in r0 out r1',
      't f DROP',
      'drop NETFILTER_DROP policy of t f',
    ])
  })

  it('comes back from a jump, by its end or a return', () => {
    expect(
      forward(`jump x
        jump y
        accept
        x: tcp dport 80 drop
        y: return
        y: drop`),
    ).toEqual(['t f 1 jump', 't x RETURN', 't f 2 jump', 't y 1 return', 't f 3 accept'])
  })

  it('does not come back from a goto, but to who jumped before', () => {
    expect(
      forward(`jump x
        accept
        x: goto y
        x: drop
        y: counter`),
    ).toEqual(['t f 1 jump', 't x 1 goto', 't y 1 continue', 't y RETURN', 't f 2 accept'])
    expect(
      forward(`goto x
        drop
        x: return`),
    ).toEqual(['t f 1 goto', 't x 1 return', 't f ACCEPT'])
  })

  it('that accepts leaves the rest of its hook to ask', () => {
    const later = 'add chain ip t g { type filter hook forward priority 10 ; }\nadd rule ip t g drop\n'
    expect(pass(router(`${TABLE}\n${later}add rule ip t f accept`), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'forward in r0 out r1',
      't f 1 accept',
      't g 1 drop',
      'drop NETFILTER_DROP t g 1',
    ])
  })

  it.each([
    ['a statement that is not emulated', 'dup to 10.0.0.9 accept', 'dup to 10.0.0.9 accept'],
    ['one after others that match', 'udp dport 2 log prefix loud drop', 'log prefix loud drop'],
    ['a text that is no rule', 'ip saddr 10.0.1.300 drop', 'ip saddr 10.0.1.300 drop'],
    ['an open quote', 'accept comment "x', 'accept comment "x'],
    ['a chain that is not there', 'jump z', 'the chain z does not exist'],
    ['chains in a circle', 'jump x\nx: jump y\ny: jump x', 'comes back to itself'],
    ['a set that is not there', 'update @nowhere { ip saddr }', 'the set nowhere does not exist'],
    ['NAT in a chain of filters', 'dnat to 10.0.2.3', 'dnat in the chain f, which nft refuses'],
  ])('ends the walk at %s', (_, rules, text) => {
    const steps = pass(router(`${TABLE}\n${rulesIn('ip', rules)}`), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(steps.at(-1)).toContain(text)
    expect(steps.at(-2)).toContain('notModelled')
  })

  it('passes what is not emulated where the rule does not match before it', () => {
    expect(forward('tcp dport 80 dup to 10.0.0.9 drop\naccept')).toEqual(['t f 2 accept'])
  })
})

describe('a verdict map', () => {
  const MAP = `${TABLE}
    add map ip t m { type ipv4_addr . inet_proto . inet_service : verdict ; }
    add element ip t m { 10.0.2.2 . udp . 2 : goto x }
    add element ip t m { 10.0.2.2 . tcp . 2 : drop }
    add element ip t m { 10.0.2.2 . udp . 3 : continue }
    add rule ip t f ip daddr . meta l4proto . th dport vmap @m
    add rule ip t f accept
    add rule ip t x drop`

  it.each([
    ['leads on', '10.0.2.2:2', ['t f 1 goto', 't x 1 drop']],
    ['goes on', '10.0.2.2:3', ['t f 1 continue', 't f 2 accept']],
    ['is no match without the key', '10.0.2.2:4', ['t f 2 accept']],
  ])('%s', (_, to, expected) => {
    const steps = pass(router(MAP), 'r0', udp('10.0.1.2:1', to))
    expect(steps.filter((line) => line.startsWith('t '))).toEqual(expected)
  })

  it('says which element it was, and for whom that and what it leads to is', () => {
    const shared = (line: string) => nftOps(line).map((op) => ({ ...op, origin: { by: 'test' } }))
    const of = (service: string, line: string) =>
      nftOps(line).map((op) => ({ ...op, origin: { by: 'test', for: service } }))
    const one = newRouter({
      ops: [
        ...nftOps(TABLE),
        ...shared('add map ip t m { type ipv4_addr : verdict ; }'),
        ...of('Service a', 'add element ip t m { 10.0.2.2 : jump x }'),
        ...of('Service b', 'add element ip t m { 10.0.2.3 : jump x }'),
        ...shared('add rule ip t f ip daddr vmap @m'),
        ...of('Service c', 'add rule ip t x udp dport 9 drop'),
        ...shared('add rule ip t x drop'),
      ],
    })
    const told = (to: string) => {
      pass(one, 'r0', udp('10.0.1.2:1', to))
      return one.steps.flatMap((step) =>
        step.kind === 'nft.match'
          ? [`${step.element?.key ?? ''} ${step.origin.for}`]
          : step.kind === 'drop'
            ? [step.origin?.for]
            : [],
      )
    }
    expect(told('10.0.2.2:2')).toEqual(['10.0.2.2 Service a', ' Service a', 'Service a'])
    expect(told('10.0.2.3:2')).toEqual(['10.0.2.3 Service b', ' Service b', 'Service b'])
    expect(told('10.0.2.3:9')).toEqual(['10.0.2.3 Service b', ' Service c', 'Service c'])
  })

  it('written in the rule may have ranges', () => {
    const rule = 'ip saddr vmap { 10.0.1.0/24 : drop, 10.0.7.1 : accept }'
    expect(forward(rule)).toEqual(['t f 1 drop'])
    expect(forward('ip saddr vmap { 10.0.7.0/24 : drop, 10.0.7.1 : accept }')).toEqual(['t f ACCEPT'])
  })
})

describe('numgen', () => {
  const choose = 'numgen random mod 3 vmap { 0 : goto x, 1 : goto y, 2 : drop }'

  it.each([
    [0, 't f 1 goto'],
    [2, 't f 1 drop'],
  ])('random takes what is drawn: %s', (value, expected) => {
    const one = router(`${TABLE}\nadd rule ip t f ${choose}`)
    one.draws.push({ purpose: 'numgen', value } as never)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain(expected)
    expect(one.drawn.filter(({ site }) => site.purpose === 'numgen')).toEqual([
      { site: { host: 'router', netns: 'root', purpose: 'numgen', entry: 't f 1' }, choices: 3 },
    ])
  })

  it('random of one is not drawn', () => {
    const one = router(`${TABLE}\nadd rule ip t f numgen random mod 1 vmap { 0 : drop }`)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('t f 1 drop')
    expect(one.drawn.some(({ site }) => site.purpose === 'numgen')).toBe(false)
  })

  it('inc takes turns, from its offset on', () => {
    const one = router(`${TABLE}\nadd rule ip t f numgen inc mod 2 offset 5 vmap { 5 : accept, 6 : drop }`)
    const verdicts = [1, 2, 3, 4].map(
      (port) => pass(one, 'r0', udp(`10.0.1.2:${port}`, '10.0.2.2:2')).find((line) => line.startsWith('t f 1')) ?? '',
    )
    expect(verdicts).toEqual(['t f 1 accept', 't f 1 drop', 't f 1 accept', 't f 1 drop'])
  })
})

describe('a mark', () => {
  it('is set by bits, and told after the rule', () => {
    expect(
      pass(
        router(`${TABLE}
          add rule ip t f mark set 0x3
          add rule ip t f meta mark set mark or 0x4000
          add rule ip t f meta mark set mark xor 0x1
          add rule ip t f meta mark set mark and 0x4002 udp dport 9 drop
          add rule ip t f meta mark set numgen inc mod 2 map { 0 : 0x10, 1 : 0x11 }`),
        'r0',
        udp('10.0.1.2:1', '10.0.2.2:2'),
      ).filter((line) => line.startsWith('t ') || line.startsWith('mark')),
    ).toEqual([
      't f 1 continue',
      'mark 0 3',
      't f 2 continue',
      'mark 3 16387',
      't f 3 continue',
      'mark 16387 16386',
      // The rule did not match, but what it did before stays done.
      'mark 16386 16386',
      't f 5 continue',
      'mark 16386 16',
      't f ACCEPT',
    ])
  })
})

describe('a set that rules add to', () => {
  const affinity = (update: string) => `${TABLE}
    add set ip t a { type ipv4_addr ; flags dynamic,timeout ; timeout 60s ; }
    add rule ip t f ip saddr @a drop
    add rule ip t f ${update}`
  const from = (one: Router, source = '10.0.1.2') =>
    pass(one, 'r0', udp(`${source}:1`, '10.0.2.2:2')).some((line) => line === 't f 1 drop')

  it('remembers a client as long as its timeout', () => {
    const one = router(affinity('update @a { ip saddr }'))
    expect(from(one)).toBe(false)
    expect(from(one, '10.0.1.3')).toBe(false)
    one.now = 59e9
    expect(from(one)).toBe(true)
    one.now = 60e9
    expect(from(one)).toBe(false)
  })

  it('is refreshed by update, not by add', () => {
    const SEEN = 'ip saddr @a drop'
    const before = (action: string) => affinity(`${action} @a { ip saddr }`).replace(`t f ${SEEN}`, `t x ${SEEN}`)
    const text = (action: string) => `${before(action)}\nadd rule ip t f jump x`
    for (const [action, still] of [
      ['update', true],
      ['add', false],
    ] as const) {
      const one = router(text(action))
      from(one)
      one.now = 40e9
      from(one)
      one.now = 80e9
      const known = one.ns.netfilterState.nftSets.get('ip t a')
      expect([...(known?.values() ?? [])].some(({ expires }) => (expires ?? 0) > one.now)).toBe(still)
    }
  })

  it('may be given another timeout by the rule', () => {
    const one = router(affinity('update @a { ip saddr timeout 5s }'))
    from(one)
    one.now = 5e9
    expect(from(one)).toBe(false)
  })

  it('forgets what is deleted', () => {
    const one = router(`${affinity('add @a { ip saddr }')}\nadd rule ip t f delete @a { ip saddr }`)
    from(one)
    expect(from(one)).toBe(false)
  })

  it('refreshes what it knows though it is full', () => {
    const one = router(
      affinity('update @a { ip saddr } accept')
        .replace('timeout 60s ;', 'timeout 60s ; size 1 ;')
        .replace('@a drop', '@a'),
    )
    const steps = () => pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(steps()).toContain('t f 2 accept')
    expect(steps()).toContain('t f 2 accept')
  })

  it('takes no more than its size: the rule ends there', () => {
    const sized = affinity('add @a { ip saddr } accept').replace('timeout 60s ;', 'timeout 60s ; size 1 ;')
    const one = router(sized)
    const steps = (source: string) => pass(one, 'r0', udp(`${source}:1`, '10.0.2.2:2'))
    expect(steps('10.0.1.2')).toContain('t f 2 accept')
    expect(steps('10.0.1.3')).toContain('t f ACCEPT')
  })
})

describe('reject', () => {
  it.each([
    ['reject', 't f 1 reject', 'icmp-port-unreachable'],
    ['reject with icmp type admin-prohibited', 't f 1 reject', 'icmp-admin-prohibited'],
    ['reject with icmp host-unreachable', 't f 1 reject', 'icmp-host-unreachable'],
    ['reject with icmpx type no-route', 't f 1 reject', 'icmp-net-unreachable'],
  ])('%s', (rule, step, how) => {
    const one = router(`${TABLE}\nadd rule ip t f ${rule}`)
    const steps = pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(steps).toContain(step)
    expect(steps).toContain(`drop NETFILTER_DROP reject with ${how}`)
    expect(one.sent.map(({ packet }) => packet.payload.kind)).toEqual(['icmp'])
  })

  it('of IPv6 speaks its own codes', () => {
    const one = router(`${TABLE6}\nadd rule ip6 t f reject`)
    const steps = pass(one, 'r0', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))
    expect(steps).toContain('drop NETFILTER_DROP reject with icmp6-port-unreachable')
  })

  it('with tcp reset answers a segment', () => {
    const one = router(`${TABLE}\nadd rule ip t f reject with tcp reset`)
    pass(one, 'r0', tcp('10.0.1.2:1000', '10.0.2.2:80', { flags: 'S' }))
    expect(sentEnds(one)).toEqual(['r0 10.0.2.2:80 > 10.0.1.2:1000'])
  })
})

describe('NAT', () => {
  const NAT = `
    add table ip t
    add chain ip t pre { type nat hook prerouting priority -100 ; }
    add chain ip t out { type nat hook output priority -100 ; }
    add chain ip t post { type nat hook postrouting priority 100 ; }`

  it.each([
    ['dnat to 10.0.2.3', 'r1 10.0.1.2:1 > 10.0.2.3:2'],
    ['dnat to 10.0.2.3:8080', 'r1 10.0.1.2:1 > 10.0.2.3:8080'],
    ['meta l4proto udp dnat to 10.0.2.3:8080', 'r1 10.0.1.2:1 > 10.0.2.3:8080'],
    ['dnat to ip daddr map { 10.0.2.2 : 10.0.2.5 }', 'r1 10.0.1.2:1 > 10.0.2.5:2'],
    ['dnat to ip daddr map { 10.0.2.9 : 10.0.2.5 }', 'r1 10.0.1.2:1 > 10.0.2.2:2'],
    [
      'dnat ip addr . port to numgen random mod 2 map { 0 : 10.0.2.3 . 81, 1 : 10.0.2.4 . 82 }',
      'r1 10.0.1.2:1 > 10.0.2.3:81',
    ],
    ['dnat ip to numgen random mod 2 map { 0 : 10.0.2.4 . 82, 1 : 10.0.2.3 . 81 }', 'r1 10.0.1.2:1 > 10.0.2.4:82'],
  ])('%s', (rule, sent) => {
    const one = router(`${NAT}\nadd rule ip t pre ${rule}`)
    pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(sentEnds(one)).toEqual([sent])
  })

  it('to an IPv6 address and port', () => {
    const one = router(`${NAT.replaceAll('ip t', 'ip6 t')}\nadd rule ip6 t pre dnat to [fd00:2::3]:8080`)
    pass(one, 'r0', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))
    expect(sentEnds(one)).toEqual(['r1 [fd00:1::2]:1 > [fd00:2::3]:8080'])
  })

  it('is asked for the first packet, done to all, and undone for answers', () => {
    const one = router(`${NAT}\nadd rule ip t pre dnat to 10.0.2.3:8080\nadd rule ip t post masquerade`)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).filter((line) => line.startsWith('t '))).toEqual([
      't pre 1 nat',
      't post 1 nat',
    ])
    expect(sentEnds(one)).toEqual(['r1 10.0.2.1:1 > 10.0.2.3:8080'])
    expect(pass(one, 'r1', udp('10.0.2.3:8080', '10.0.2.1:1')).filter((line) => line.startsWith('t '))).toEqual([])
    expect(sentEnds(one)).toEqual(['r0 10.0.2.2:2 > 10.0.1.2:1'])
  })

  it('of the machine’s own packets', () => {
    const one = router(`${NAT}\nadd rule ip t out dnat to 10.0.1.3:8080`)
    send(one, udp('10.0.2.1:7', '10.0.2.2:8'))
    expect(sentEnds(one)).toEqual(['r0 10.0.2.1:7 > 10.0.1.3:8080'])
  })

  it('snat, and redirect to the machine itself', () => {
    const one = router(`${NAT}\nadd rule ip t post snat to 10.0.2.77`)
    pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(sentEnds(one)).toEqual(['r1 10.0.2.77:1 > 10.0.2.2:2'])
    const self = router(`${NAT}\nadd rule ip t pre redirect to :53`)
    expect(pass(self, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('dst at prerouting: 10.0.1.2:1 > 10.0.1.1:53')
  })

  it('drops what it finds no address for', () => {
    const wire = { kind: 'physical', segment: 'r2' } as const
    const one = newRouter({
      ops: [
        { kind: 'link.add', name: 'r2', mac: mac('02:00:00:00:00:03'), mtu: 1500, type: wire },
        { kind: 'link.set', name: 'r2', up: true },
        ...nftOps(`${NAT}\nadd rule ip t pre redirect`),
      ],
    })
    expect(pass(one, 'r2', udp('10.0.1.2:1', '10.0.2.2:2')).slice(-2)).toEqual([
      't pre 1 nat',
      'drop NETFILTER_DROP t pre 1',
    ])
  })

  it('knows a translated flow by its status', () => {
    const one = router(`${NAT}
      add chain ip t f { type filter hook forward priority 0 ; }
      add rule ip t f ct status dnat accept
      add rule ip t f drop
      add rule ip t pre udp dport 2 dnat to 10.0.2.3`)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('t f 1 accept')
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:3'))).toContain('t f 2 drop')
  })

  it('is refused where nft refuses it', () => {
    const one = router(`${NAT}\nadd rule ip t post dnat to 10.0.2.3`)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).at(-1)).toContain('dnat in the chain post')
  })

  it('translates what an error quotes', () => {
    const one = router(`${NAT}\nadd rule ip t pre dnat to 10.0.2.3:8080`)
    pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    pass(one, 'r1', unreachable('10.0.2.3', '10.0.1.2', udp('10.0.1.2:1', '10.0.2.3:8080')))
    expect(sentEnds(one)).toEqual(['r0 10.0.2.2 > 10.0.1.2'])
  })
})

describe('beside iptables', () => {
  const rules =
    '*filter\n-A FORWARD -p udp\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p tcp -j DNAT --to-destination 10.0.2.7\nCOMMIT'
  const nft = `${TABLE}
    add chain ip t pre { type nat hook prerouting priority -100 ; }
    add rule ip t f udp dport 2
    add rule ip t pre dnat to 10.0.2.5`
  const tables = (lines: readonly string[]) => lines.filter((line) => /^(t|filter|nat) /.test(line))

  it('what came last to a hook with the same priority is asked first', () => {
    const iptablesFirst = newRouter({ rules, ops: nftOps(nft) })
    expect(tables(pass(iptablesFirst, 'r0', udp('10.0.1.2:1', '10.0.2.2:2')))).toEqual([
      't pre 1 nat',
      't f 1 continue',
      't f ACCEPT',
      'filter FORWARD 1 continue',
      'filter FORWARD ACCEPT',
    ])
  })

  it('a nat chain that decides leaves the others unasked; one that does not, does not', () => {
    const one = newRouter({ rules, ops: nftOps(nft.replace('pre dnat', 'pre udp dport 9 dnat')) })
    pass(one, 'r0', tcp('10.0.1.2:1000', '10.0.2.2:80', { flags: 'S' }))
    expect(sentEnds(one)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.7:80'])
  })
})

describe('connection tracking', () => {
  it.each([
    ['no rule needs it', 'add rule ip t f udp dport 9 drop', false],
    ['a rule asks for the state', 'add rule ip t x ct state new drop', true],
    ['a rule translates', 'add rule ip t x meta l4proto tcp dnat to 1.1.1.1', true],
    ['a rule that is not emulated may ask', 'add rule ip t x ct helper "ftp" drop', true],
    ['a name only looks like it', 'add rule ip t f jump ct', false],
    ['a rule of the other family', 'add rule ip6 t x ct state new drop', false],
  ])('is on only where it is needed: %s', (_, rule, expected) => {
    const steps = pass(router(`${TABLE}\n${TABLE6}\nadd chain ip t ct\n${rule}`), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(steps.includes('conntrack new')).toBe(expected)
  })

  it('does not see what notrack took out', () => {
    const one = router(`${TABLE}
      add chain ip t raw { type filter hook prerouting priority -300 ; }
      add rule ip t raw udp dport 2 notrack
      add rule ip t f ct state untracked drop`)
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toContain('t f 1 drop')
    expect(pass(one, 'r0', udp('10.0.1.2:1', '10.0.2.2:3'))).toContain('conntrack new')
  })
})
