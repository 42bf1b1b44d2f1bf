import { describe, expect, it } from 'vitest'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { must } from '../../packet/parsed.ts'
import { parseInterfaceAddress } from '../../packet/prefix.ts'
import { listConntrack } from '../netfilter/conntrack-table.ts'
import { ends, tcp, udp, unreachable } from '../netfilter/testing/packets.ts'
import { newRouter, type Router } from '../netfilter/testing/router.ts'
import { pass, send, sentEnds, story } from '../netfilter/testing/story.ts'
import type { IpvsDestinationSpec, IpvsServiceSpec, OpBody } from '../op.ts'
import type { IpvsConnection } from './connection.ts'
import { serviceKey } from './ipvs-config.ts'
import { removeDestination, type ServiceState, serviceState, setWeight } from './ipvs-state.ts'

interface Setup {
  readonly service?: Partial<IpvsServiceSpec>
  readonly real?: readonly (Partial<Omit<IpvsDestinationSpec, 'address'>> & { readonly at: string })[]
  readonly sysctls?: Readonly<Record<string, number>>
  readonly rules?: string
  readonly ops?: readonly OpBody[]
}

const VIP = '10.96.0.1'

/** TCP 10.96.0.1:80 on a dummy device, two real servers behind the second wire. */
function director({
  service = {},
  real = [{ at: '10.0.2.2' }, { at: '10.0.2.3' }],
  sysctls = {},
  rules,
  ops = [],
}: Setup = {}): Router {
  const spec: IpvsServiceSpec = { protocol: 'TCP', address: ip(VIP), port: 80, scheduler: 'rr', ...service }
  const address = `${spec.address.family === 4 ? VIP : 'fd00:96::1'}/${spec.address.family === 4 ? 32 : 128}`
  return newRouter({
    rules: rules ?? '*nat\n-A POSTROUTING -m mark --mark 1 -j MASQUERADE\nCOMMIT',
    rules6: '*nat\n-A POSTROUTING -m mark --mark 1 -j MASQUERADE\nCOMMIT',
    sysctls: { 'net.ipv4.vs.conntrack': 1, ...sysctls },
    ops: [
      { kind: 'link.add', name: 'vip0', mac: mac('02:00:00:00:00:aa'), mtu: 1500, type: { kind: 'dummy' } },
      { kind: 'addr.add', link: 'vip0', address: must(parseInterfaceAddress(address)) },
      { kind: 'ipvs.service', service: spec },
      ...real.map(
        ({ at, ...given }): OpBody => ({
          kind: 'ipvs.destination',
          service: spec,
          destination: { address: ip(at), port: 8080, forward: 'masquerade', weight: 1, ...given },
        }),
      ),
      ...ops,
    ],
  })
}

const connections = (router: Router): readonly IpvsConnection[] => [...router.ns.netfilterState.ipvs.all]
const states = (router: Router): readonly string[] => connections(router).map(({ state }) => state)
const service = (router: Router, protocol = 6): ServiceState => {
  const found = serviceState(router.ns, serviceKey(protocol, ip(VIP), 80))
  if (found === undefined) throw new Error('no service')
  return found
}

function first(router: Router): IpPacket {
  const [sent] = router.sent
  if (sent === undefined) throw new Error('nothing was sent')
  return sent.packet
}

const syn = (from: string, to = `${VIP}:80`) => tcp(from, to, { flags: 'S' })

describe('masquerading', () => {
  it('sends a client to the server added last, at LOCAL_IN, by OUTPUT and POSTROUTING', () => {
    const router = director({
      rules:
        '*nat\n-A OUTPUT -p tcp\n-A POSTROUTING -p tcp\n-A POSTROUTING -p udp -j MASQUERADE\nCOMMIT\n*filter\n-A INPUT -p tcp\n-A OUTPUT -p tcp\n-A FORWARD -p tcp\nCOMMIT',
    })
    expect(pass(router, 'r0', syn('10.0.1.2:1000'))).toEqual([
      'prerouting in r0',
      'conntrack new',
      'input in r0',
      'filter INPUT 1 continue',
      'filter INPUT ACCEPT',
      'dst at input: 10.0.1.2:1000 > 10.0.2.3:8080',
      'output out r1',
      // The nat table was asked in PREROUTING; it is not asked again.
      'filter OUTPUT 1 continue',
      'filter OUTPUT ACCEPT',
      'postrouting in r0 out r1',
      'nat POSTROUTING 1 continue',
      'nat POSTROUTING ACCEPT',
      'confirm',
    ])
    expect(sentEnds(router)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.3:8080'])
    expect(router.sent[0]?.packet.ttl).toBe(63)
  })

  it('gives answers the virtual address, in FORWARD, after the filter', () => {
    const router = director({
      rules:
        '*nat\n-A PREROUTING -p tcp\n-A POSTROUTING -p udp -j MASQUERADE\nCOMMIT\n*filter\n-A FORWARD -p tcp\nCOMMIT',
    })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1000', { flags: 'SA', ack: 2 }))).toEqual([
      'prerouting in r1',
      'conntrack established',
      'forward in r1 out r0',
      'filter FORWARD 1 continue',
      'filter FORWARD ACCEPT',
      'undo src at forward: 10.96.0.1:80 > 10.0.1.2:1000',
      'postrouting in r1 out r0',
    ])
  })

  it('gives answers to the director itself the virtual address after the filter of INPUT', () => {
    const router = director({ rules: '*filter\n-A INPUT -s 10.0.2.3\n-A INPUT -s 10.96.0.1 -j DROP\nCOMMIT' })
    send(router, syn('10.0.2.1:1000'))
    expect(sentEnds(router)).toEqual(['r1 10.0.2.1:1000 > 10.0.2.3:8080'])
    const steps = pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.2.1:1000', { flags: 'SA', ack: 2 }))
    const undone = steps.findIndex((step) => step.startsWith('undo src at input: 10.96.0.1:80'))
    expect(steps.slice(0, undone)).toContain('filter INPUT 1 continue')
    expect(steps.slice(0, undone)).toContain('filter INPUT ACCEPT')
  })

  it('works with a masqueraded source, and the answer finds its way back through both', () => {
    const router = director({ rules: '*nat\n-A POSTROUTING -p tcp -j MASQUERADE\nCOMMIT' })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(sentEnds(router)).toEqual(['r1 10.0.2.1:1000 > 10.0.2.3:8080'])
    expect(listConntrack(router.ns, 4)[0]).toContain(
      'src=10.0.1.2 dst=10.96.0.1 sport=1000 dport=80 [UNREPLIED] src=10.0.2.3 dst=10.0.2.1 sport=8080 dport=1000',
    )
    pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.2.1:1000', { flags: 'SA', ack: 2 }))
    expect(sentEnds(router)).toEqual(['r0 10.96.0.1:80 > 10.0.1.2:1000'])
  })

  it('without net.ipv4.vs.conntrack nothing is tracked, and no rule masquerades', () => {
    const router = director({
      rules: '*nat\n-A POSTROUTING -p tcp -j MASQUERADE\nCOMMIT',
      sysctls: { 'net.ipv4.vs.conntrack': 0 },
    })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(sentEnds(router)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.3:8080'])
    expect(listConntrack(router.ns, 4)).toEqual([])
    pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1000', { flags: 'SA', ack: 2 }))
    expect(sentEnds(router)).toEqual(['r0 10.96.0.1:80 > 10.0.1.2:1000'])
  })

  it('serves clients of the machine itself, at LOCAL_OUT', () => {
    const router = director()
    expect(send(router, syn(`${VIP}:1000`), 1)).toEqual([
      'output out lo',
      'conntrack new',
      'dst at output: 10.96.0.1:1000 > 10.0.2.3:8080',
      'output out r1',
      'postrouting in lo out r1',
      'nat POSTROUTING 1 nat',
      'src at postrouting: 10.0.2.1:1000 > 10.0.2.3:8080',
      'confirm',
    ])
    expect(router.sent[0]?.packet.ttl).toBe(63)
  })

  it('a real server of the machine itself gets the packet by going on', () => {
    const router = director({ real: [{ at: '10.0.1.1' }] })
    const told = pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(told.filter((line) => line.startsWith('dst') || line.startsWith('output'))).toEqual([
      'dst at input: 10.0.1.2:1000 > 10.0.1.1:8080',
      // The reset of the port nobody listens on, with the virtual server's address again.
      'output out r0',
    ])
    expect(sentEnds(router)).toEqual(['r0 10.96.0.1:80 > 10.0.1.2:1000'])
  })

  it('IPv6', () => {
    const router = director({
      service: { address: ip('fd00:96::1') },
      real: [{ at: 'fd00:2::2' }],
    })
    pass(router, 'r0', syn('[fd00:1::2]:1000', '[fd00:96::1]:80'))
    expect(sentEnds(router)).toEqual(['r1 [fd00:1::2]:1000 > [fd00:2::2]:8080'])
    pass(router, 'r1', tcp('[fd00:2::2]:8080', '[fd00:1::2]:1000', { flags: 'SA', ack: 2 }))
    expect(sentEnds(router)).toEqual(['r0 [fd00:96::1]:80 > [fd00:1::2]:1000'])
  })

  it.each([
    ['TTL 1', { ttl: 1 }, 'TTL_EXPIRED', '11/0'],
    ['too big', { big: 1600 }, 'PKT_TOO_BIG', '3/4'],
  ] as const)(
    '%s: the client is told, and nothing is sent on',
    (_, { ttl, big }: { ttl?: number; big?: number }, reason, icmp) => {
      const router = director({ ops: [{ kind: 'link.set', name: 'r0', mtu: 9000 }] })
      const packet = tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'S', length: big ?? 0 })
      pass(router, 'r0', { ...packet, ttl: ttl ?? 64 })
      expect(router.steps.find((step) => step.kind === 'drop')).toMatchObject({ reason })
      const { payload } = first(router)
      expect(payload.kind === 'icmp' && `${payload.type}/${payload.code}`).toBe(icmp)
      expect(router.sent).toHaveLength(1)
    },
  )

  it('nothing from a loopback address leaves the machine', () => {
    const router = director({ service: { address: ip('127.0.0.1') } })
    send(router, syn('127.0.0.1:1000', '127.0.0.1:80'))
    expect(story(router).at(-1)).toContain('loopback address is not sent to another machine')
    expect(router.sent).toEqual([])
  })
})

describe('ICMP errors', () => {
  it('of a real server reach the client as from the virtual server, about what it sent', () => {
    const router = director({ service: { protocol: 'UDP' } })
    pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
    const forwarded = first(router)
    pass(router, 'r1', unreachable('10.0.2.3', '10.0.1.2', forwarded))
    const error = first(router)
    expect(ends(error)).toBe('10.96.0.1 > 10.0.1.2')
    expect(
      error.payload.kind === 'icmp' && error.payload.body.kind === 'error' && ends(error.payload.body.quote.packet),
    ).toBe('10.0.1.2:1000 > 10.96.0.1:80')
  })

  it('of a client about an answer reach the real server', () => {
    const router = director({ service: { protocol: 'UDP' } })
    pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
    pass(router, 'r1', udp('10.0.2.3:8080', '10.0.1.2:1000'))
    const answer = first(router)
    pass(router, 'r0', unreachable('10.0.1.2', VIP, answer))
    const error = first(router)
    expect([router.sent[0]?.link, ends(error)]).toEqual(['r1', '10.0.1.2 > 10.0.2.3'])
    expect(
      error.payload.kind === 'icmp' && error.payload.body.kind === 'error' && ends(error.payload.body.quote.packet),
    ).toBe('10.0.2.3:8080 > 10.0.1.2:1000')
  })
})

describe('who is not served', () => {
  it('a service without real servers is a closed port', () => {
    const router = director({ real: [] })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(router.steps.find((step) => step.kind === 'drop')).toMatchObject({ rejectedWith: 'icmp-port-unreachable' })
    expect(router.sent.map(({ packet }) => packet.payload.kind === 'icmp' && packet.payload.code)).toEqual([3])
  })

  it.each([
    ['another port', syn('10.0.1.2:1000', `${VIP}:81`)],
    ['no SYN', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'A' })],
    ['active FTP data', syn('10.0.1.2:20')],
  ])('%s goes on to the machine itself', (_, packet) => {
    const router = director()
    pass(router, 'r0', packet)
    expect(connections(router)).toEqual([])
    expect(router.steps.some((step) => step.kind === 'drop' && step.reason === 'NO_SOCKET')).toBe(true)
  })

  it('sloppy_tcp takes what is no SYN', () => {
    const router = director({ sysctls: { 'net.ipv4.vs.sloppy_tcp': 1 } })
    pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'A' }))
    expect(connections(router)).toHaveLength(1)
  })

  it('who is over its upper threshold gets no more until it is under the lower', () => {
    const router = director({ real: [{ at: '10.0.2.2', upperThreshold: 2, lowerThreshold: 1 }] })
    for (const port of [1, 2, 3]) pass(router, 'r0', syn(`10.0.1.2:${port}`))
    expect(connections(router)).toHaveLength(2)
    router.now = 61e9
    pass(router, 'r0', syn('10.0.1.2:4'))
    expect(connections(router)).toHaveLength(1)
  })
})

describe('direct routing and tunnels', () => {
  it('a route sends the packet as it is to the real server’s MAC; answers do not come back', () => {
    const router = director({ real: [{ at: '10.0.2.2', forward: 'route', port: 80 }] })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(sentEnds(router)).toEqual([`r1 10.0.1.2:1000 > ${VIP}:80`])
    expect(router.steps.find((step) => step.kind === 'neigh.lookup')).toMatchObject({ ip: ip('10.0.2.2') })
    pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'A', seq: 2 }))
    expect(states(router)).toEqual(['ESTABLISHED'])
    pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'FA', seq: 2 }))
    expect(states(router)).toEqual(['FIN_WAIT'])
  })

  it('a tunnel wraps it up for the real server', () => {
    const router = director({ real: [{ at: '10.0.2.2', forward: 'tunnel', port: 80 }] })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    const outer = first(router)
    expect(ends(outer)).toBe('10.0.2.1 > 10.0.2.2')
    expect(outer).toMatchObject({ ttl: 63, dontFragment: true })
    expect(outer.payload.kind === 'ip' && ends(outer.payload)).toBe(`10.0.1.2:1000 > ${VIP}:80`)
    expect(listConntrack(router.ns, 4).map((line) => line.split(' ')[0])).toEqual(['tcp', 'unknown'])
  })

  it('what does not fit into the tunnel is told, unless it may be cut', () => {
    for (const [discovery, icmp] of [
      [1, true],
      [0, false],
    ] as const) {
      const router = director({
        real: [{ at: '10.0.2.2', forward: 'tunnel', port: 80 }],
        sysctls: { 'net.ipv4.vs.pmtu_disc': discovery },
      })
      pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'S', length: 1450 }))
      const [first] = router.sent
      expect(first?.packet.payload.kind === 'icmp').toBe(icmp)
      if (!icmp) expect(router.sent).toHaveLength(2)
    }
  })
})

describe('states and timers', () => {
  const run = (router: Router, steps: readonly (readonly ['c' | 's', string])[]) =>
    steps.map(([who, flags]) => {
      if (who === 'c') pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags }))
      else pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1000', { flags, ack: 2 }))
      const [one] = connections(router)
      return `${one?.state} ${one === undefined ? '' : one.timeout / 1e9} ${one?.destination.active}/${one?.destination.inactive}`
    })
  it('TCP as a whole', () => {
    expect(
      run(director({ sysctls: { 'net.netfilter.nf_conntrack_tcp_be_liberal': 1 } }), [
        ['c', 'S'],
        ['s', 'SA'],
        ['c', 'A'],
        ['c', 'FA'],
        ['s', 'FA'],
        ['c', 'A'],
      ]),
    ).toEqual([
      'SYN_RECV 60 0/1',
      'SYN_RECV 60 0/1',
      'ESTABLISHED 900 1/0',
      'CLOSE_WAIT 60 0/1',
      'TIME_WAIT 120 0/1',
      'TIME_WAIT 120 0/1',
    ])
  })

  it('a reset closes', () => {
    expect(
      run(director(), [
        ['c', 'S'],
        ['s', 'RA'],
      ]).at(-1),
    ).toBe('CLOSE 10 0/1')
  })

  it('ipvsadm --set changes the timers', () => {
    const router = director({ ops: [{ kind: 'ipvs.timeouts', tcp: 7, tcpFin: 8, udp: 0 }] })
    expect(
      run(router, [
        ['c', 'S'],
        ['s', 'SA'],
        ['c', 'A'],
      ]).at(-1),
    ).toBe('ESTABLISHED 7 1/0')
  })

  it('UDP lives five minutes after a packet, and counts as inactive', () => {
    const router = director({ service: { protocol: 'UDP' } })
    pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
    expect(connections(router).map(({ state, timeout, inactive }) => [state, timeout, inactive])).toEqual([
      ['UDP', 300e9, true],
    ])
    router.now = 299e9
    pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
    router.now = 600e9
    pass(router, 'r0', udp('10.0.1.2:1001', `${VIP}:80`))
    expect(connections(router)).toHaveLength(1)
  })

  it('the end of a connection is the end of its conntrack entry', () => {
    const router = director()
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(listConntrack(router.ns, 4)).toHaveLength(1)
    router.now = 61e9
    pass(router, 'r0', udp('10.0.1.2:5', '10.0.1.1:5'))
    expect(listConntrack(router.ns, 4).filter((line) => line.startsWith('tcp'))).toEqual([])
  })

  it('one-packet scheduling keeps no connection', () => {
    const router = director({ service: { protocol: 'UDP', onePacket: true } })
    for (const _ of [1, 2, 3]) pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
    expect(connections(router)).toEqual([])
    expect(service(router, 17).destinations.map(({ stats }) => stats.connections)).toEqual([2, 1])
  })

  it('counts packets and octets of both directions', () => {
    const router = director()
    run(router, [
      ['c', 'S'],
      ['s', 'SA'],
      ['c', 'A'],
    ])
    expect(service(router).stats).toEqual({ connections: 1, inPackets: 2, outPackets: 1, inOctets: 80, outOctets: 40 })
  })
})

describe('a SYN on an old connection', () => {
  const ended = (sysctls: Readonly<Record<string, number>>) => {
    const router = director({ sysctls })
    for (const [who, flags] of [
      ['c', 'S'],
      ['s', 'SA'],
      ['c', 'A'],
      ['c', 'FA'],
      ['s', 'FA'],
    ] as const)
      if (who === 'c') pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags }))
      else pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1000', { flags, ack: 2 }))
    pass(router, 'r0', syn('10.0.1.2:1000'))
    return router
  }
  it('conn_reuse_mode 1: is dropped once where conntrack knows the flow, and its successor goes to the next server', () => {
    const router = ended({})
    expect(story(router).at(-1)).toContain('its conntrack entry ends now')
    expect(connections(router)).toEqual([])
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(sentEnds(router)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.2:8080'])
  })

  it('conn_reuse_mode 1 without conntrack: begins anew at once', () => {
    expect(sentEnds(ended({ 'net.ipv4.vs.conntrack': 0 }))).toEqual(['r1 10.0.1.2:1000 > 10.0.2.2:8080'])
  })

  it('conn_reuse_mode 0: goes where the old one went', () => {
    expect(sentEnds(ended({ 'net.ipv4.vs.conn_reuse_mode': 0 }))).toEqual(['r1 10.0.1.2:1000 > 10.0.2.3:8080'])
  })
})

describe('servers that go', () => {
  const at = { address: ip('10.0.2.3'), port: 8080 }
  it('weight 0: what is connected stays, new clients go elsewhere', () => {
    const router = director()
    pass(router, 'r0', syn('10.0.1.2:1000'))
    pass(router, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1000', { flags: 'SA', ack: 2 }))
    setWeight(service(router), at, 0)
    pass(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'A', seq: 2, ack: 2 }))
    expect(sentEnds(router)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.3:8080'])
    for (const port of [1, 2, 3]) {
      pass(router, 'r0', syn(`10.0.1.2:${port}`))
      expect(sentEnds(router)[0]).toContain('> 10.0.2.2:8080')
    }
  })

  it('deleted: its packets are dropped, and with expire_nodest_conn the connection ends', () => {
    for (const expires of [0, 1]) {
      const router = director({ service: { protocol: 'UDP' }, sysctls: { 'net.ipv4.vs.expire_nodest_conn': expires } })
      pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
      removeDestination(service(router, 17), at)
      pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
      expect(sentEnds(router)).toEqual([])
      expect(connections(router)).toHaveLength(expires === 1 ? 0 : 1)
      pass(router, 'r0', udp('10.0.1.2:1000', `${VIP}:80`))
      expect(sentEnds(router)).toEqual(expires === 1 ? ['r1 10.0.1.2:1000 > 10.0.2.2:8080'] : [])
    }
  })
})

describe('persistence', () => {
  const persistent = { seconds: 100 }
  const server = (router: Router) => ends(first(router)).split('> ')[1]
  const ask = (router: Router, client: string) => {
    pass(router, 'r0', syn(client))
    return server(router)
  }
  it('brings a client back to where it was for the timeout, not another', () => {
    const router = director({ service: { persistent } })
    expect([ask(router, '10.0.1.2:1'), ask(router, '10.0.1.2:2'), ask(router, '10.0.1.3:1')]).toEqual([
      '10.0.2.3:8080',
      '10.0.2.3:8080',
      '10.0.2.2:8080',
    ])
    expect(connections(router).filter(({ template }) => template)).toHaveLength(2)
  })

  it('a new connection starts the timeout again, and a living connection holds the template by the minute', () => {
    const router = director({ service: { persistent } })
    ask(router, '10.0.1.2:1')
    router.now = 90e9
    expect(ask(router, '10.0.1.2:2')).toBe('10.0.2.3:8080')
    // Its last connection (SYN_RECV, a minute) is long gone when the template's time comes.
    router.now = 189e9
    expect(ask(router, '10.0.1.2:3')).toBe('10.0.2.3:8080')
    router.now = 290e9
    expect(ask(router, '10.0.1.2:4')).toBe('10.0.2.2:8080')
    const held = director({ service: { persistent: { seconds: 30 } } })
    ask(held, '10.0.1.2:1')
    pass(held, 'r1', tcp('10.0.2.3:8080', '10.0.1.2:1', { flags: 'SA', ack: 2 }))
    pass(held, 'r0', tcp('10.0.1.2:1', `${VIP}:80`, { flags: 'A', seq: 2, ack: 2 }))
    held.now = 200e9
    expect(ask(held, '10.0.1.2:2')).toBe('10.0.2.3:8080')
  })

  it('a mask makes clients of one network one client', () => {
    const router = director({ service: { persistent: { seconds: 100, mask: 24 } } })
    expect([ask(router, '10.0.1.2:1'), ask(router, '10.0.1.3:1')]).toEqual(['10.0.2.3:8080', '10.0.2.3:8080'])
  })

  it('port 0 serves every port of the address, and keeps a client at one server for all of them', () => {
    const router = director({
      service: { persistent, port: 0 },
      real: [
        { at: '10.0.2.2', port: 0 },
        { at: '10.0.2.3', port: 0 },
      ],
    })
    pass(router, 'r0', syn('10.0.1.2:1', `${VIP}:443`))
    expect(server(router)).toBe('10.0.2.3:443')
    pass(router, 'r0', syn('10.0.1.2:2', `${VIP}:22`))
    expect(server(router)).toBe('10.0.2.3:22')
  })

  it('expire_quiescent_template: not to one of weight 0', () => {
    for (const expires of [0, 1]) {
      const router = director({
        service: { persistent },
        sysctls: { 'net.ipv4.vs.expire_quiescent_template': expires },
      })
      ask(router, '10.0.1.2:1')
      setWeight(service(router), { address: ip('10.0.2.3'), port: 8080 }, 0)
      expect(ask(router, '10.0.1.2:2')).toBe(expires === 1 ? '10.0.2.2:8080' : '10.0.2.3:8080')
    }
  })
})

describe('where a round begins', () => {
  it('is a matter of chance', () => {
    const router = director({ real: [{ at: '10.0.2.2' }, { at: '10.0.2.3' }, { at: '10.0.2.4' }] })
    router.draws.push({ purpose: 'turn', value: 2 })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(sentEnds(router)).toEqual(['r1 10.0.1.2:1000 > 10.0.2.2:8080'])
    expect(router.drawn[0]).toEqual({
      site: { host: 'router', netns: 'root', purpose: 'turn', entry: 'TCP 10.96.0.1:80' },
      choices: 3,
    })
  })
})

describe('-m ipvs', () => {
  it.each([
    ['--vaddr 10.96.0.1 --vport 80 --vproto tcp', true],
    ['--vaddr 10.96.0.2', false],
    ['! --vaddr 10.96.0.2', true],
    ['--vport 81', false],
    ['--vproto udp', false],
    ['--ipvs', true],
    ['! --ipvs', false],
  ])('%s: %s', (match, drops) => {
    const router = director({
      rules: `*filter\n-A OUTPUT -m ipvs ${match} -j DROP\nCOMMIT\n*nat\n-A OUTPUT -p udp\nCOMMIT`,
    })
    pass(router, 'r0', syn('10.0.1.2:1000'))
    expect(router.sent.length === 0).toBe(drops)
  })
})
