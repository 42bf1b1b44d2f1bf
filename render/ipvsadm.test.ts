import { describe, expect, it } from 'vitest'
import { applyIpvsOp, finishIpvs, type IpvsConfig, newIpvsBuilder } from '../linux/ipvs/ipvs-config.ts'
import { tcp, udp } from '../linux/netfilter/testing/packets.ts'
import { newRouter, type Router, receive } from '../linux/netfilter/testing/router.ts'
import type { IpvsDestinationSpec, IpvsServiceSpec, OpBody } from '../linux/op.ts'
import { ip } from '../packet/ip.ts'
import { must } from '../packet/parsed.ts'
import { parseInterfaceAddress } from '../packet/prefix.ts'
import { renderIpset } from './ipset-save.ts'
import { renderIpvs, renderIpvsConnections, renderIpvsStats } from './ipvsadm.ts'
import { ipvsLine } from './ipvsadm-save.ts'

type ServiceText = Partial<Omit<IpvsServiceSpec, 'address'>> & { readonly address: string }

const spec = ({ address, ...given }: ServiceText): IpvsServiceSpec => ({
  protocol: 'TCP',
  port: 80,
  scheduler: 'rr',
  ...given,
  address: ip(address),
})

const real = (address: string, given: Partial<IpvsDestinationSpec> = {}): IpvsDestinationSpec => ({
  address: ip(address),
  port: 8080,
  forward: 'masquerade',
  weight: 1,
  ...given,
})

function opsOf(service: ServiceText, ...destinations: readonly IpvsDestinationSpec[]): readonly OpBody[] {
  const own = spec(service)
  return [
    { kind: 'ipvs.service', service: own },
    ...destinations.map((destination): OpBody => ({ kind: 'ipvs.destination', service: own, destination })),
  ]
}

function configOf(...ops: readonly OpBody[]): IpvsConfig {
  const builder = newIpvsBuilder()
  for (const op of ops)
    if (op.kind === 'ipvs.service' || op.kind === 'ipvs.destination')
      expect(applyIpvsOp(builder, { ...op, origin: { by: 'test' } })).toBeUndefined()
  return finishIpvs(builder)
}

const lines = (...ops: readonly OpBody[]): readonly string[] => renderIpvs(configOf(...ops)).slice(3)

describe('ipvsadm -Ln', () => {
  it('has the columns of ipvsadm 1.31', () => {
    const service = { address: '10.96.0.50', persistent: { seconds: 10_800 } }
    expect(renderIpvs(configOf(...opsOf(service, real('10.244.1.7'), real('10.244.2.9'))))).toEqual([
      'IP Virtual Server version 1.2.1 (size=4096)',
      'Prot LocalAddress:Port Scheduler Flags',
      '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
      'TCP  10.96.0.50:80 rr persistent 10800',
      '  -> 10.244.1.7:8080              Masq    1      0          0         ',
      '  -> 10.244.2.9:8080              Masq    1      0          0         ',
    ])
  })

  it('tells forwarding, flags, one-packet mode and masks', () => {
    const service: ServiceText = {
      address: '10.96.0.50',
      protocol: 'UDP',
      scheduler: 'mh',
      flags: ['mh-fallback', 'mh-port'],
      onePacket: true,
      persistent: { seconds: 60, mask: 24 },
    }
    expect(
      lines(
        ...opsOf(service, real('10.0.0.1', { forward: 'route', weight: 10 }), real('10.0.0.2', { forward: 'tunnel' })),
      ),
    ).toEqual([
      'UDP  10.96.0.50:80 mh (mh-fallback,mh-port) ops persistent 60 mask 255.255.255.0',
      '  -> 10.0.0.1:8080                Route   10     0          0         ',
      '  -> 10.0.0.2:8080                Tunnel  1      0          0         ',
    ])
    expect(lines(...opsOf({ address: 'fd00:96::1', persistent: { seconds: 5, mask: 64 } }))).toEqual([
      'TCP  [fd00:96::1]:80 rr persistent 5 mask 64',
    ])
  })

  it('sorts by family, protocol, address and port', () => {
    const names = lines(
      ...opsOf({ address: 'fd00:96::1' }),
      ...opsOf({ address: '10.96.0.2', protocol: 'SCTP' }),
      ...opsOf({ address: '10.96.0.2', protocol: 'UDP' }),
      ...opsOf({ address: '10.96.0.2', port: 443 }),
      ...opsOf({ address: '10.96.0.2' }),
      ...opsOf({ address: '10.96.0.1' }),
    )
    expect(names.map((line) => line.replace(' rr', ''))).toEqual([
      'TCP  10.96.0.1:80',
      'TCP  10.96.0.2:80',
      'TCP  10.96.0.2:443',
      'UDP  10.96.0.2:80',
      'SCTP 10.96.0.2:80',
      'TCP  [fd00:96::1]:80',
    ])
  })

  it('compares addresses as signed differences, as ipvsadm does', () => {
    const names = lines(...opsOf({ address: '10.0.0.1' }), ...opsOf({ address: '192.0.2.1' }))
    expect(names).toEqual(['TCP  192.0.2.1:80 rr', 'TCP  10.0.0.1:80 rr'])
  })
})

describe('with traffic', () => {
  const VIP = '10.96.0.1'

  function busy(): Router {
    const router = newRouter({
      sysctls: { 'net.ipv4.vs.conntrack': 1 },
      ops: [
        { kind: 'addr.add', link: 'r0', address: must(parseInterfaceAddress(`${VIP}/32`)) },
        ...opsOf({ address: VIP }, real('10.0.2.2')),
        ...opsOf({ address: VIP, protocol: 'UDP', port: 53 }, real('10.0.2.2', { port: 53 })),
      ],
    })
    receive(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'S' }))
    receive(router, 'r1', tcp('10.0.2.2:8080', '10.0.1.2:1000', { flags: 'SA', ack: 2 }))
    receive(router, 'r0', tcp('10.0.1.2:1000', `${VIP}:80`, { flags: 'A', seq: 2, ack: 2 }))
    receive(router, 'r0', udp('10.0.1.3:1000', `${VIP}:53`))
    return router
  }

  it('ipvsadm -Ln counts connections that are up, and others', () => {
    const { ns } = busy()
    expect(renderIpvs(ns.netfilter.ipvs, ns.netfilterState.ipvs).slice(3)).toEqual([
      'TCP  10.96.0.1:80 rr',
      '  -> 10.0.2.2:8080                Masq    1      1          0         ',
      'UDP  10.96.0.1:53 rr',
      '  -> 10.0.2.2:53                  Masq    1      0          1         ',
    ])
  })

  it('ipvsadm -Ln --stats counts packets and octets both ways', () => {
    const { ns } = busy()
    expect(renderIpvsStats(ns.netfilter.ipvs, ns.netfilterState.ipvs)).toEqual([
      'IP Virtual Server version 1.2.1 (size=4096)',
      'Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes',
      '  -> RemoteAddress:Port',
      'TCP  10.96.0.1:80                        1        2        1       80       40',
      '  -> 10.0.2.2:8080                       1        2        1       80       40',
      'UDP  10.96.0.1:53                        1        1        0       32        0',
      '  -> 10.0.2.2:53                         1        1        0       32        0',
    ])
  })

  it('ipvsadm -Lnc has states and what is left of their time', () => {
    const router = busy()
    router.now += 61e9
    expect(renderIpvsConnections(router.ns.netfilterState.ipvs, router.now)).toEqual([
      'IPVS connection entries',
      'pro expire state       source             virtual            destination',
      'TCP 13:59  ESTABLISHED 10.0.1.2:1000      10.96.0.1:80       10.0.2.2:8080',
      'UDP 03:59  UDP         10.0.1.3:1000      10.96.0.1:53       10.0.2.2:53',
    ])
  })
})

describe('what is fed to ipvsadm -R', () => {
  it.each([
    [{ address: '10.96.0.1' }, '-A -t 10.96.0.1:80 -s rr'],
    [{ address: '10.96.0.1', protocol: 'UDP', persistent: { seconds: 60 } }, '-A -u 10.96.0.1:80 -s rr -p 60'],
    [
      { address: '10.96.0.1', scheduler: 'mh', flags: ['mh-port'], persistent: { seconds: 60, mask: 24 } },
      '-A -t 10.96.0.1:80 -s mh -b mh-port -p 60 -M 255.255.255.0',
    ],
    [{ address: 'fd00::1', protocol: 'SCTP', onePacket: true }, '-A --sctp-service [fd00::1]:80 -s rr -o'],
  ] as const)('%o', (service, line) => {
    expect(ipvsLine({ kind: 'ipvs.service', service: spec(service) })).toBe(line)
  })

  it.each([
    [real('10.0.0.1'), '-m -w 1'],
    [real('10.0.0.1', { forward: 'route', weight: 0 }), '-g -w 0'],
    [real('10.0.0.1', { forward: 'tunnel', upperThreshold: 9, lowerThreshold: 4 }), '-i -w 1 -x 9 -y 4'],
  ])('%o', (destination, end) => {
    const line = ipvsLine({ kind: 'ipvs.destination', service: spec({ address: '10.96.0.1' }), destination })
    expect(line).toBe(`-a -t 10.96.0.1:80 -r 10.0.0.1:8080 ${end}`)
  })

  it('timeouts', () => {
    expect(ipvsLine({ kind: 'ipvs.timeouts', tcp: 900, tcpFin: 0, udp: 60 })).toBe('--set 900 0 60')
  })
})

describe('ipset save', () => {
  it('has ports in the order of their numbers, as the real one, and others as they were added', () => {
    const sets = new Map([
      ['P', { type: 'bitmap:port range 0-65535', entries: ['30080', '80', '81'] }],
      ['A', { type: 'hash:ip', entries: ['10.0.0.2', '10.0.0.1'] }],
    ])
    expect(renderIpset(sets)).toEqual([
      'create P bitmap:port range 0-65535',
      'add P 80',
      'add P 81',
      'add P 30080',
      'create A hash:ip',
      'add A 10.0.0.2',
      'add A 10.0.0.1',
    ])
  })
})
