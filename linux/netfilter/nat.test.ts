import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress } from '../../packet/prefix.ts'
import type { OpBody } from '../op.ts'
import { type IpSkb, newSkb } from '../skb.ts'
import { listConntrack } from './conntrack-table.ts'
import { nfHook } from './hooks.ts'
import { ends, ping, tcp, udp, unreachable } from './testing/packets.ts'
import { newRouter } from './testing/router.ts'
import { link, pass, send, sentEnds, story, track } from './testing/story.ts'

const VIP = '10.0.9.9'

const SERVICE = `*nat
-A PREROUTING -d ${VIP}/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.2.2:5353
-A OUTPUT -d ${VIP}/32 -p udp -m udp --dport 53 -j DNAT --to-destination 10.0.2.2:5353
-A POSTROUTING -s 10.0.1.0/24 -o r1 -j MASQUERADE
COMMIT
*filter
-A FORWARD -j ACCEPT
COMMIT
`

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
    const mapped = [...router.ns.netfilterState.conntrack.bySource.values()]
      .flat()
      .map(({ original }) => original.dstKey)
    expect(mapped).toEqual([2])
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
