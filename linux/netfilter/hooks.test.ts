import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress } from '../../packet/prefix.ts'
import { ipSend } from '../ip-output.ts'
import type { OpBody } from '../op.ts'
import { routeOutput } from '../route.ts'
import { type IpSkb, newSkb } from '../skb.ts'
import type { StepBody } from '../step.ts'
import { STATUS } from './conntrack.ts'
import { attachConntrack, confirm, entriesOf, findEntry, listConntrack } from './conntrack-table.ts'
import { nfHook, PRIORITY } from './hooks.ts'
import { ends, ping, tcp, udp, unreachable } from './testing/packets.ts'
import { drain, newRouter, type Router, type RouterSetup, receive } from './testing/router.ts'
import { tupleOf } from './tuple.ts'

const VIP = '10.0.9.9'

/** What was recorded, in short: hooks, chains reached, verdicts. */
function story(router: Router): string[] {
  return router.steps.flatMap((step) => {
    switch (step.kind) {
      case 'hook.enter':
        return [
          `${step.hook}${step.in === undefined ? '' : ` in ${step.in}`}${step.out === undefined ? '' : ` out ${step.out}`}`,
        ]
      case 'rule.match':
        return [`${step.table} ${step.chain} ${step.index} ${step.verdict.kind}`]
      case 'chain.end':
        return [`${step.table} ${step.chain} ${step.policy}`]
      case 'conntrack':
        return [`conntrack ${step.state}`]
      case 'conntrack.confirm':
        return ['confirm']
      case 'nat.rewrite':
        return [`${step.undo ? 'undo ' : ''}${step.which} at ${step.hook}: ${ends(step.after)}`]
      case 'mark.set':
        return [`mark ${step.before} ${step.after}`]
      case 'drop':
        return [`drop ${step.reason} ${step.detail}`]
      case 'notModelled':
        return [`not modelled: ${step.text}`]
      default:
        return []
    }
  })
}

function pass(router: Router, link: string, packet: IpPacket): string[] {
  router.steps.length = 0
  router.sent.length = 0
  receive(router, link, packet)
  return story(router)
}

const sentEnds = (router: Router) => router.sent.map(({ link, packet }) => `${link} ${ends(packet)}`)

/** The machine sends a packet of its own. */
function send(router: Router, packet: IpPacket, mark = 0): string[] {
  router.steps.length = 0
  router.sent.length = 0
  const route = routeOutput(router.ns, { dst: packet.dst, src: packet.src })
  if (route.kind !== 'ok') throw new Error('no route')
  ipSend(router.ns, { packet, by: 'test', socket: 3, mark }, route)
  drain(router)
  return story(router)
}

const SERVICE = `*nat
-A PREROUTING -d ${VIP}/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.2.2:5353
-A OUTPUT -d ${VIP}/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.2.2:5353
-A POSTROUTING -s 10.0.1.0/24 -o r1 -j MASQUERADE
COMMIT
*filter
-A FORWARD -j ACCEPT
COMMIT
`

describe('the order of a hook', () => {
  it('is the kernel’s: raw before conntrack before mangle before NAT before filter; source NAT after; confirm last', () => {
    expect(Object.entries(PRIORITY).sort((x, y) => x[1] - y[1])).toEqual([
      ['defrag', -400],
      ['raw', -300],
      ['conntrack', -200],
      ['mangle', -150],
      ['natDst', -100],
      ['filter', 0],
      ['natSrc', 100],
      ['conntrackConfirm', 0x7fffffff],
    ])
  })

  const EVERY = ['raw', 'mangle', 'nat', 'filter']
    .map((table) => {
      const chains = {
        raw: ['PREROUTING', 'OUTPUT'],
        mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
        nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
        filter: ['INPUT', 'FORWARD', 'OUTPUT'],
      }[table]
      const rules = chains?.map((chain) => `-A ${chain} -p udp`)
      return [
        `*${table}`,
        ...(rules ?? []),
        ...(table === 'nat' ? ['-A PREROUTING -p sctp -j DNAT --to-destination 1.1.1.1'] : []),
        'COMMIT',
      ].join('\n')
    })
    .join('\n')

  it('a forwarded packet', () => {
    const router = newRouter({ rules: EVERY })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'prerouting in r0',
      'raw PREROUTING 1 continue',
      'raw PREROUTING ACCEPT',
      'conntrack new',
      'mangle PREROUTING 1 continue',
      'mangle PREROUTING ACCEPT',
      'nat PREROUTING 1 continue',
      'nat PREROUTING ACCEPT',
      'forward in r0 out r1',
      'mangle FORWARD 1 continue',
      'mangle FORWARD ACCEPT',
      'filter FORWARD 1 continue',
      'filter FORWARD ACCEPT',
      'postrouting in r0 out r1',
      'mangle POSTROUTING 1 continue',
      'mangle POSTROUTING ACCEPT',
      'nat POSTROUTING 1 continue',
      'nat POSTROUTING ACCEPT',
      'confirm',
    ])
  })

  it('a packet to the machine, and its own', () => {
    const router = newRouter({ rules: EVERY })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.1.1:2')).slice(8, 15)).toEqual([
      'input in r0',
      'mangle INPUT 1 continue',
      'mangle INPUT ACCEPT',
      'filter INPUT 1 continue',
      'filter INPUT ACCEPT',
      'nat INPUT 1 continue',
      'nat INPUT ACCEPT',
    ])
    expect(send(router, udp('10.0.2.1:7', '10.0.2.2:8'))).toEqual([
      'output out r1',
      'raw OUTPUT 1 continue',
      'raw OUTPUT ACCEPT',
      'conntrack new',
      'mangle OUTPUT 1 continue',
      'mangle OUTPUT ACCEPT',
      'nat OUTPUT 1 continue',
      'nat OUTPUT ACCEPT',
      'filter OUTPUT 1 continue',
      'filter OUTPUT ACCEPT',
      'postrouting out r1',
      'mangle POSTROUTING 1 continue',
      'mangle POSTROUTING ACCEPT',
      'nat POSTROUTING 1 continue',
      'nat POSTROUTING ACCEPT',
      'confirm',
    ])
  })

  it('a namespace without rules leaves no step, and IPv4 rules say nothing to IPv6', () => {
    expect(pass(newRouter({}), 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([])
    expect(pass(newRouter({ rules: EVERY }), 'r0', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))).toEqual([])
  })

  it('a chain without rules is passed over, unless its policy drops', () => {
    const rules = '*filter\n:FORWARD DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT'
    const router = newRouter({ rules })
    expect(pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))).toEqual([
      'forward in r0 out r1',
      'filter FORWARD DROP',
      'drop NETFILTER_DROP policy of filter FORWARD',
    ])
    expect(send(router, udp('10.0.2.1:7', '10.0.2.2:8'))).toEqual([])
  })
})

describe('NAT', () => {
  it('asks the nat table for the first packet of a flow only, and undoes in the answers what it did', () => {
    const router = newRouter({ rules: SERVICE })
    expect(pass(router, 'r0', udp('10.0.1.2:40000', `${VIP}:53`))).toEqual([
      'prerouting in r0',
      'conntrack new',
      'nat PREROUTING 1 nat',
      'dst at prerouting: 10.0.1.2:40000 > 10.0.2.2:5353',
      'forward in r0 out r1',
      'filter FORWARD 1 accept',
      'postrouting in r0 out r1',
      'nat POSTROUTING 1 nat',
      'src at postrouting: 10.0.2.1:40000 > 10.0.2.2:5353',
      'confirm',
    ])
    // FORWARD sees the client as destination already, and the endpoint as source still.
    expect(pass(router, 'r1', udp('10.0.2.2:5353', '10.0.2.1:40000'))).toEqual([
      'prerouting in r1',
      'conntrack established',
      'undo dst at prerouting: 10.0.2.2:5353 > 10.0.1.2:40000',
      'forward in r1 out r0',
      'filter FORWARD 1 accept',
      'postrouting in r1 out r0',
      'undo src at postrouting: 10.0.9.9:53 > 10.0.1.2:40000',
    ])
    expect(sentEnds(router)).toEqual(['r0 10.0.9.9:53 > 10.0.1.2:40000'])
    expect(pass(router, 'r0', udp('10.0.1.2:40000', `${VIP}:53`))).not.toContain('nat PREROUTING 1 nat')
  })

  it('in OUTPUT the packet is routed again, and masqueraded to the address of the link that it then leaves by', () => {
    // Towards the VIP the default way is r0; the endpoint is behind r1, as a pod behind a tunnel device.
    const rules = SERVICE.replace('-s 10.0.1.0/24 -o r1', '-o r1')
    const router = newRouter({ rules, ops: [routeTo('10.0.9.0/24', '10.0.1.9')] })
    expect(send(router, udp('10.0.1.1:555', `${VIP}:53`))).toEqual([
      'output out r0',
      'conntrack new',
      'nat OUTPUT 1 nat',
      'dst at output: 10.0.1.1:555 > 10.0.2.2:5353',
      'postrouting out r1',
      'nat POSTROUTING 1 nat',
      'src at postrouting: 10.0.2.1:555 > 10.0.2.2:5353',
      'confirm',
    ])
    expect(sentEnds(router)).toEqual(['r1 10.0.2.1:555 > 10.0.2.2:5353'])
  })

  it('filter OUTPUT sees the new destination but the link of before (the hook’s out does not change)', () => {
    const rules = `${SERVICE}*filter\n-A OUTPUT -d 10.0.2.2/32 -o r0 -j DROP\nCOMMIT`
    const router = newRouter({ rules, ops: [routeTo('10.0.9.0/24', '10.0.1.9')] })
    expect(send(router, udp('10.0.1.1:555', `${VIP}:53`))).toContain('drop NETFILTER_DROP filter OUTPUT 1')
  })

  it('a mark set in mangle OUTPUT, too, is seen by what follows', () => {
    const rules = '*mangle\n-A OUTPUT -j MARK --set-mark 7\nCOMMIT\n*filter\n-A OUTPUT -m mark --mark 7 -j DROP\nCOMMIT'
    expect(send(newRouter({ rules }), udp('10.0.2.1:1', '10.0.2.2:2'))).toEqual([
      'output out r1',
      'mangle OUTPUT 1 continue',
      'mark 0 7',
      'mangle OUTPUT ACCEPT',
      'filter OUTPUT 1 drop',
      'drop NETFILTER_DROP filter OUTPUT 1',
    ])
  })

  it('the masquerade mark is gone when the packet leaves, so that nothing that carries it is masqueraded too', () => {
    const rules = `*nat
:MASQ - [0:0]
-A PREROUTING -j MARK --or-mark 0x4000
-A POSTROUTING -j MASQ
-A MASQ -m mark ! --mark 0x4000/0x4000 -j RETURN
-A MASQ -j MARK --xor-mark 0x4000
-A MASQ -j MASQUERADE --random-fully
COMMIT`
    const router = newRouter({ rules })
    router.draws.push({ purpose: 'nat-port', value: 5000 })
    expect(pass(router, 'r0', udp('10.0.1.2:4000', '10.0.2.2:2')).slice(6)).toEqual([
      'nat POSTROUTING 1 jump',
      'nat MASQ 2 continue',
      'mark 16384 0',
      'nat MASQ 3 nat',
      'src at postrouting: 10.0.2.1:6024 > 10.0.2.2:2',
      'confirm',
    ])
    expect(router.drawn).toEqual([
      {
        site: {
          host: 'router',
          netns: 'root',
          purpose: 'nat-port',
          entry: 'src=10.0.1.2 dst=10.0.2.2 sport=4000 dport=2',
        },
        // A judge feeds the kernel's port less 1024 (1 for source ports under 512, 600 for those under 1024).
        choices: 64512,
      },
    ])
  })

  it('drops a packet that MASQUERADE has no address for', () => {
    const rules = '*nat\n-A POSTROUTING -o d0 -j MASQUERADE\nCOMMIT'
    const ops: OpBody[] = [
      {
        kind: 'link.add',
        name: 'd0',
        mac: mac('02:00:00:00:00:09'),
        mtu: 1500,
        type: { kind: 'physical', segment: 'x' },
      },
      { kind: 'link.set', name: 'd0', up: true },
    ]
    const router = newRouter({ rules: rules.replace('COMMIT', '-A POSTROUTING -j ACCEPT\nCOMMIT'), ops })
    const skb = track(router, udp('10.0.1.2:1', '10.0.2.2:2'))
    const out = { ...link(router, 'd0'), addresses: [] }
    const bare = { ...router.ns, links: new Map([['d0', out]]) }
    skb.ns = bare
    expect(nfHook(skb, 'postrouting', { out })).toEqual({ kind: 'drop' })
    expect(story(router).at(-1)).toBe('drop NETFILTER_DROP nat POSTROUTING 1')
  })

  it('a masqueraded flow that turns to another link is forgotten, its packet dropped', () => {
    const router = newRouter({ rules: '*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT' })
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    const skb = track(router, udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(nfHook(skb, 'postrouting', { out: link(router, 'r0') })).toEqual({ kind: 'drop' })
    expect(listConntrack(router.ns, 4)).toEqual([])
  })

  it('a packet over lo keeps its flow: it is not looked up, and not asked about, again', () => {
    const rules =
      '*nat\n-A PREROUTING -j ACCEPT\n-A OUTPUT -d 10.0.1.1/32 -p udp -j DNAT --to-destination 10.0.2.1:9\n-A INPUT -j ACCEPT\nCOMMIT'
    const router = newRouter({ rules })
    const skb = track(router, udp('10.0.1.1:1', '10.0.1.1:2'), 'output')
    nfHook(skb, 'output', { out: link(router, 'lo') })
    nfHook(skb, 'postrouting', { out: link(router, 'lo') })
    router.steps.length = 0
    nfHook(skb, 'prerouting', { in: link(router, 'lo') })
    expect(story(router)).toEqual(['prerouting in lo', 'dst at prerouting: 10.0.1.1:1 > 10.0.2.1:9'])
  })

  it('a target in the wrong table or hook is not guessed at', () => {
    const wrong = [
      '*filter\n-A FORWARD -p udp -j DNAT --to-destination 10.0.2.2:1\nCOMMIT',
      '*nat\n-A POSTROUTING -p udp -j DNAT --to-destination :1\nCOMMIT',
      '*nat\n-A PREROUTING -j MASQUERADE\nCOMMIT',
      '*nat\n-A PREROUTING -j SNAT --to-source 1.1.1.1\nCOMMIT',
      '*nat\n-A POSTROUTING -p udp -j REDIRECT\nCOMMIT',
    ]
    expect(wrong.map((rules) => pass(newRouter({ rules }), 'r0', udp('10.0.1.2:1', '10.0.2.2:2')).at(-1))).toEqual([
      expect.stringContaining('-j DNAT in the table filter'),
      expect.stringContaining('-j DNAT in POSTROUTING'),
      expect.stringContaining('-j MASQUERADE in PREROUTING'),
      expect.stringContaining('-j SNAT in PREROUTING'),
      expect.stringContaining('-j REDIRECT in POSTROUTING'),
    ])
  })

  it('DHCP’s 0.0.0.0 is not masqueraded', () => {
    const router = newRouter({ rules: '*nat\n-A POSTROUTING -o r1 -j MASQUERADE\nCOMMIT' })
    const skb = track(router, udp('0.0.0.0:68', '255.255.255.255:67'))
    expect(nfHook(skb, 'postrouting', { out: link(router, 'r1') })).toEqual({ kind: 'accept' })
    expect(ends(skb.packet)).toBe('0.0.0.0:68 > 255.255.255.255:67')
  })

  it('REDIRECT in OUTPUT goes to the loopback address, and in PREROUTING to that of the link', () => {
    const rules = '*nat\n-A OUTPUT -p udp -j REDIRECT --to-ports 15\n-A PREROUTING -p udp -j REDIRECT\nCOMMIT'
    const router = newRouter({ rules, rules6: rules })
    const out = (packet: IpPacket) => {
      const skb = track(router, packet, 'output')
      nfHook(skb, 'output', { out: link(router, 'r1') })
      return ends(skb.packet)
    }
    expect(out(udp('10.0.2.1:1', '10.0.2.2:2'))).toBe('10.0.2.1:1 > 127.0.0.1:15')
    expect(out(udp('[fd00:2::1]:1', '[fd00:2::2]:2'))).toBe('[fd00:2::1]:1 > [::1]:15')
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(story(router)).toContain('dst at prerouting: 10.0.1.2:1 > 10.0.1.1:2')
    pass(router, 'r0', udp('[fd00:1::2]:1', '[fd00:2::2]:2'))
    expect(story(router)).toContain('dst at prerouting: [fd00:1::2]:1 > [fd00:1::1]:2')
  })

  it('an ICMP error about a flow without NAT is left as it is', () => {
    const router = newRouter({ rules: '*nat\n-A POSTROUTING -o lo -j MASQUERADE\nCOMMIT' })
    const sent = udp('10.0.1.2:1', '10.0.2.2:2')
    pass(router, 'r0', sent)
    expect(pass(router, 'r1', unreachable('10.0.2.2', '10.0.1.2', sent))).toEqual([
      'prerouting in r1',
      'conntrack related',
      'postrouting in r1 out r0',
    ])
  })

  it('REDIRECT takes a global address', () => {
    const rules6 = '*nat\n-A PREROUTING -p udp -j REDIRECT\nCOMMIT'
    const ops: OpBody[] = [
      {
        kind: 'link.add',
        name: 'd0',
        mac: mac('02:00:00:00:00:09'),
        mtu: 1500,
        type: { kind: 'physical', segment: 'x' },
      },
      { kind: 'link.set', name: 'd0', up: true },
      ...['192.0.2.9/24', 'fe80::9/64', 'fd00:9::9/64'].map(
        (text): OpBody => ({
          kind: 'addr.add',
          link: 'd0',
          address: must(parseInterfaceAddress(text)),
          ...(text.startsWith('fe80') ? { scope: 'link' } : {}),
        }),
      ),
    ]
    const router = newRouter({ rules6, ops })
    const skb = newSkb(link(router, 'd0'), udp('[fd00:9::1]:1', '[fd00:2::2]:2'), 7) as IpSkb
    nfHook(skb, 'prerouting', { in: link(router, 'd0') })
    expect(ends(skb.packet)).toBe('[fd00:9::1]:1 > [fd00:9::9]:2')
    const bare = newSkb(link(router, 'lo'), udp('[fd00:9::1]:1', '[fd00:2::2]:2'), 8) as IpSkb
    expect(nfHook(bare, 'prerouting', { in: link(router, 'lo') })).toEqual({ kind: 'drop' })
  })

  it('a source that was mapped keeps its mapping only where the range allows it', () => {
    const rules =
      '*nat\n-A POSTROUTING -d 10.0.2.2/32 -j SNAT --to-source 10.0.2.50\n-A POSTROUTING -p udp -d 10.0.2.3/32 -j SNAT --to-source 10.0.2.60\n-A POSTROUTING -p udp -d 10.0.2.4/32 -j SNAT --to-source 10.0.2.50:5-9\nCOMMIT'
    const router = newRouter({ rules })
    for (const [to, from] of [
      ['10.0.2.2:1', '10.0.2.50:700'],
      ['10.0.2.3:1', '10.0.2.60:700'],
      ['10.0.2.2:2', '10.0.2.50:700'],
      ['10.0.2.4:1', '10.0.2.50:5'],
    ] as const) {
      pass(router, 'r0', udp('10.0.1.2:700', to))
      expect(sentEnds(router)).toEqual([`r1 ${from} > ${to}`])
    }
  })

  it('a mapping that is over is not taken up again', () => {
    const router = newRouter({ rules: '*nat\n-A POSTROUTING -o r1 -p tcp -j MASQUERADE --to-ports 2000-2999\nCOMMIT' })
    const open = (to: string, value: number) => {
      router.draws.length = 0
      router.draws.push({ purpose: 'nat-port', value })
      pass(router, 'r0', tcp('10.0.1.2:700', to, { flags: 'S' }))
      return sentEnds(router)[0]
    }
    expect(open('10.0.2.2:1', 1)).toBe('r1 10.0.2.1:2001 > 10.0.2.2:1')
    expect(open('10.0.2.2:2', 5)).toBe('r1 10.0.2.1:2001 > 10.0.2.2:2')
    pass(router, 'r1', tcp('10.0.2.2:1', '10.0.2.1:2001', { flags: 'RA', ack: 2 }))
    expect(open('10.0.2.2:3', 6), 'one flow from there is left').toBe('r1 10.0.2.1:2001 > 10.0.2.2:3')
    for (const port of [2, 3]) pass(router, 'r1', tcp(`10.0.2.2:${port}`, '10.0.2.1:2001', { flags: 'RA', ack: 2 }))
    expect(router.ns.netfilterState.conntrack.bySource.size).toBe(0)
    expect(open('10.0.2.2:4', 7), 'none is left').toBe('r1 10.0.2.1:2007 > 10.0.2.2:4')
    router.now = 121e9
    expect(open('10.0.2.2:5', 8), 'it has run out').toBe('r1 10.0.2.1:2008 > 10.0.2.2:5')
  })

  it('looks at 128 ports from the drawn one, then draws again for 64', () => {
    const router = newRouter({
      rules: '*nat\n-A POSTROUTING -o r1 -p udp -j MASQUERADE --to-ports 2000-2299 --random-fully\nCOMMIT',
    })
    const open = (client: number, ...values: number[]) => {
      router.draws.length = 0
      router.drawn.length = 0
      for (const value of values) router.draws.push({ purpose: 'nat-port', value })
      pass(router, 'r0', udp(`10.0.1.2:${client}`, '10.0.2.2:53'))
      return [sentEnds(router)[0]?.split(/[: ]/)[2], router.drawn.length]
    }
    for (let i = 0; i < 128; i++) expect(open(10000 + i, i)).toEqual([String(2000 + i), 1])
    expect(open(1, 0, 200)).toEqual(['2200', 2])
    expect(open(2, 1)).toEqual(['2128', 1])
    expect(open(3, 299)).toEqual(['2299', 1])
    expect(open(4, 299, 64, 129)).toEqual(['2129', 3])
    expect(open(5, 0, 0, 0, 0, 0).slice(1), 'gives up after 128, 64, 32, 16 and 8').toEqual([5])
    expect(router.steps.at(-1)).toMatchObject({ kind: 'drop', reason: 'NETFILTER_DROP' })
  })

  it('throws out a closed TCP flow when no port is left for a new one', () => {
    const rules = '*nat\n-A POSTROUTING -o r1 -p tcp -j MASQUERADE --to-ports 2000-2000\nCOMMIT'
    const router = newRouter({ rules })
    const syn = (host: number, seq: number) =>
      pass(router, 'r0', tcp(`10.0.1.${host}:7000`, '10.0.2.2:80', { flags: 'S', seq }))
    syn(2, 1000)
    pass(router, 'r1', tcp('10.0.2.2:80', '10.0.2.1:2000', { flags: 'SA', seq: 5000, ack: 1001 }))
    pass(router, 'r0', tcp('10.0.1.2:7000', '10.0.2.2:80', { flags: 'A', seq: 1001, ack: 5001 }))
    expect(syn(3, 9000).at(-1)).toContain('another flow has the same addresses')
    pass(router, 'r0', tcp('10.0.1.2:7000', '10.0.2.2:80', { flags: 'R', seq: 1001 }))
    expect(syn(3, 500).at(-1)).toContain('another flow has the same addresses')
    expect(syn(3, 9000).at(-1)).toBe('confirm')
    expect(listConntrack(router.ns, 4)).toHaveLength(1)
  })
})

const routeTo = (destination: string, via: string): OpBody => {
  const address = must(parseInterfaceAddress(destination))
  return {
    kind: 'route.replace',
    route: {
      type: 'unicast',
      destination: { address: address.ip, length: address.length },
      via: ip(via),
      protocol: 'boot',
    },
  }
}

function link(router: Router, name: string) {
  const found = router.ns.links.get(name)
  if (found === undefined) throw new Error(name)
  return found
}

/** A packet that has passed the first hook. */
function track(router: Router, packet: IpPacket, hook: 'prerouting' | 'output' = 'prerouting'): IpSkb {
  const skb = newSkb(link(router, 'r0'), packet, 99) as IpSkb
  if (hook === 'prerouting') nfHook(skb, hook, { in: link(router, 'r0') })
  return skb
}

describe('connection tracking is on', () => {
  const cases: readonly (readonly [string, RouterSetup, string | undefined])[] = [
    [
      'where a rule asks for the state',
      { rules: '*filter\n-A INPUT -j ACCEPT\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT' },
      'INPUT 2',
    ],
    ['in the older spelling', { rules: '*filter\n-A INPUT -m state --state NEW -j DROP\nCOMMIT' }, 'INPUT 1'],
    ['where a rule rewrites, in whatever chain', { rules: '*nat\n:X - [0:0]\n-A X -j MASQUERADE\nCOMMIT' }, 'X 1'],
    [
      'where a state is asked for in a way that is not modelled',
      { rules: '*filter\n-A INPUT -m conntrack --ctdir REPLY\nCOMMIT' },
      'INPUT 1',
    ],
    [
      'not where a comment says so',
      { rules: '*filter\n-A INPUT -m comment --comment "conntrack DNAT state" -j ACCEPT\nCOMMIT' },
      undefined,
    ],
    ['not for a nat table that only accepts', { rules: '*nat\n-A PREROUTING -j ACCEPT\nCOMMIT' }, undefined],
    ['not for the other family', { rules6: '*filter\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT' }, undefined],
  ]
  it.each(cases)('%s', (_, setup, where) => {
    const router = newRouter(setup)
    const tracker = router.ns.netfilter.iptables[4].tracker()
    expect(tracker === undefined ? undefined : `${tracker.chain.name} ${tracker.index}`).toBe(where)
    pass(router, 'r0', udp('10.0.1.2:1', '10.0.2.2:2'))
    expect(listConntrack(router.ns, 4)).toHaveLength(where === undefined ? 0 : 1)
  })
})

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

describe('a flow through NAT', () => {
  const hosts = fc.integer({ min: 2, max: 9 })
  const ports = fc.integer({ min: 1, max: 65535 })
  const flow = fc.record({
    client: hosts,
    server: hosts,
    clientPort: ports,
    vipPort: ports,
    serverPort: ports,
    proto: fc.constantFrom('udp', 'tcp', 'ping'),
  })

  it.each([4, 6] as const)('comes back with the addresses it was sent to (IPv%s)', (family) => {
    const net = (n: number, host: number) => (family === 4 ? `10.0.${n}.${host}` : `fd00:${n}::${host}`)
    const vip = family === 4 ? VIP : 'fd00:9::9'
    const at = (host: string, port: number) => (family === 4 ? `${host}:${port}` : `[${host}]:${port}`)
    fc.assert(
      fc.property(
        fc.array(flow, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.nat(60000),
        (flows, random, draw) => {
          const dnat = flows.flatMap(({ proto, vipPort, server, serverPort }) =>
            proto === 'ping'
              ? []
              : [
                  `-A PREROUTING -d ${vip} -p ${proto} --dport ${vipPort} -j DNAT --to-destination ${at(net(2, server), serverPort)}`,
                ],
          )
          const rules = `*nat\n${dnat.join('\n')}\n-A PREROUTING -d ${vip} -j DNAT --to-destination ${net(2, 2)}\n-A POSTROUTING -o r1 -j MASQUERADE${random ? ' --random-fully' : ''}\nCOMMIT`
          const router = newRouter(family === 4 ? { rules } : { rules6: rules })
          for (let i = 0; i < 40; i++) router.draws.push({ purpose: 'nat-port', value: draw % 424 })
          for (const { client, clientPort, vipPort, proto } of flows) {
            const source = net(1, client)
            const request =
              proto === 'ping'
                ? ping(source, vip, clientPort)
                : proto === 'udp'
                  ? udp(at(source, clientPort), at(vip, vipPort))
                  : tcp(at(source, clientPort), at(vip, vipPort), { flags: 'S', seq: 77 })
            pass(router, 'r0', request)
            const out = router.sent[0]?.packet
            if (out === undefined) continue // a SYN for a flow that is there already
            expect(ends(out).startsWith(net(2, 1)) || ends(out).startsWith(`[${net(2, 1)}]`)).toBe(true)
            pass(router, 'r1', reply(out))
            expect(router.sent.map(({ packet }) => ends(packet))).toEqual([ends(reply(request))])
            pass(router, 'r1', { ...unreachable(net(2, 9), net(2, 1), out), ttl: 60 })
            const error = router.sent[0]?.packet.payload
            if (error?.kind !== 'icmp' || error.body.kind !== 'error') throw new Error('the error did not come through')
            expect(ends(error.body.quote.packet)).toBe(ends(request))
            expect(icmpId(error.body.quote.packet)).toBe(icmpId(request))
            expect(router.sent[0]?.packet.dst).toEqual(request.src)
          }
        },
      ),
      { numRuns: 60, seed: 4 },
    )
  })
})

const icmpId = ({ payload }: IpPacket) =>
  payload.kind === 'icmp' && payload.body.kind === 'echo' ? payload.body.id : undefined

function reply({ src, dst, payload, ...head }: IpPacket): IpPacket {
  const turned: IpPacket = { ...head, ttl: 64, src: dst, dst: src, payload }
  switch (payload.kind) {
    case 'udp':
      return { ...turned, payload: { ...payload, srcPort: payload.dstPort, dstPort: payload.srcPort } }
    case 'tcp':
      return {
        ...turned,
        payload: {
          ...payload,
          srcPort: payload.dstPort,
          dstPort: payload.srcPort,
          flags: 18,
          ack: payload.seq + 1,
          seq: 9,
        },
      }
    case 'icmp':
      return { ...turned, payload: { ...payload, type: payload.type === 8 ? 0 : 129 } }
    default:
      throw new Error(payload.kind)
  }
}

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

describe('ipsets', () => {
  const set = (name: string, type: string, ...entries: string[]): OpBody[] => [
    { kind: 'set.new', set: name, type },
    ...entries.map((entry) => ({ kind: 'set.add', set: name, entry }) as const),
  ]
  const ops = [
    ...set('nets', 'hash:net family inet hashsize 1024', '10.0.0.0/8', '10.0.2.0/24 nomatch', '10.0.2.3'),
    ...set('ips', 'hash:ip', '10.0.2.2'),
    ...set('ports', 'hash:ip,port', '10.0.2.2,udp:53', '10.0.1.2,tcp:53'),
    ...set('nets6', 'hash:net family inet6', 'fd00:2::/64'),
    ...set('odd', 'hash:net,net', '10.0.0.0/8,10.0.0.0/8'),
    ...set('strange', 'hash:ip', '10.0.2.2-10.0.2.9'),
  ]
  it.each([
    ['nets src', '10.0.2.2', true],
    ['nets dst', '10.0.2.2', false],
    ['nets dst', '10.0.2.3', true],
    ['nets dst', '192.0.2.1', false],
    ['ips dst', '10.0.2.2', true],
    ['ips src', '10.0.2.2', false],
    ['ports dst,dst', '10.0.2.2', true],
    ['ports dst,src', '10.0.2.2', false],
    ['ports src,dst', '10.0.2.2', false],
    ['nets6 dst', 'fd00:2::2', true],
    ['nets6 src', 'fd00:2::2', false],
    ['nets dst', 'fd00:2::2', false],
    ['none dst', '10.0.2.2', 'the set none does not exist'],
    ['odd src,dst', '10.0.2.2', 'sets of the type hash:net,net are not modelled'],
    ['strange dst', '10.0.2.2', 'the set entry "10.0.2.2-10.0.2.9" is not modelled'],
  ] as const)('%s to %s: %s', (match, to, expected) => {
    for (const not of [false, true]) {
      const rules = `*filter\n-A FORWARD -m set ${not ? '! ' : ''}--match-set ${match} -j DROP\nCOMMIT`
      const router = newRouter({ rules, rules6: rules, ops })
      const six = to.includes(':')
      pass(router, 'r0', six ? udp('[fd00:1::2]:1', `[${to}]:53`) : udp('10.0.1.2:1', `${to}:53`))
      const end = router.steps.find((step) => step.kind === 'rule.match')
      if (typeof expected === 'string') expect(end).toMatchObject({ verdict: { kind: 'notModelled', text: expected } })
      else expect(end?.kind === 'rule.match' && end.verdict.kind === 'drop').toBe(expected !== not)
    }
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
