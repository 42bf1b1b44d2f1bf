import { describe, expect, it } from 'vitest'
import type { ProcessContext } from '../../linux/process.ts'
import { emitIp } from '../../packet/emit.ts'
import { ip } from '../../packet/ip.ts'
import type { IpPacket, Transport } from '../../packet/packet.ts'
import { parseIpPacket } from '../../packet/parse.ts'
import { must } from '../../packet/parsed.ts'
import { udpForwarder } from './udp-forwarder.ts'

const TUN = 3
const SOCKET = 4

const context: ProcessContext = {
  now: 0,
  host: 'node1',
  netns: 'root',
  args: {
    device: 'flannel0',
    address: '10.244.1.0',
    listen: '192.168.40.181:8285',
    routes: '10.244.0.0/24=192.168.40.180 10.244.2.0/24=192.168.50.182',
  },
  file: () => undefined,
  draw: () => 0,
  addresses: () => [],
}

const udp: Transport = {
  kind: 'udp',
  srcPort: 40000,
  dstPort: 53,
  noChecksum: false,
  payload: { kind: 'data', bytes: new Uint8Array([1, 2, 3]) },
}

const packet = (changes: Partial<IpPacket> = {}): IpPacket => ({
  kind: 'ip',
  src: ip('10.244.1.2'),
  dst: ip('10.244.2.2'),
  ttl: 63,
  tos: 0,
  id: 4711,
  dontFragment: true,
  flowLabel: 0,
  payload: udp,
  ...changes,
})

const started = udpForwarder.start(context)
const feed = (fd: number, given: IpPacket) =>
  udpForwarder.step(started.state, { kind: 'data', fd, bytes: emitIp(given) }, context)

/** The one packet that was sent, and where to. */
function sent(result: ReturnType<typeof feed>) {
  expect(result.syscalls).toHaveLength(1)
  const [call] = result.syscalls
  if (call?.kind !== 'send') throw new Error('nothing was sent')
  return { fd: call.fd, to: call.to, packet: must(parseIpPacket(call.bytes)), bytes: call.bytes }
}

describe('flanneld UDP forwarder', () => {
  it('opens the tun device and listens on its own address', () => {
    expect(started.syscalls).toEqual([
      { kind: 'tun', fd: TUN, device: 'flannel0' },
      { kind: 'socket', fd: SOCKET, family: 4, type: 'udp' },
      { kind: 'bind', fd: SOCKET, ip: ip('192.168.40.181'), port: 8285 },
    ])
  })

  it('sends a packet for a peer as it stands in a datagram to its node, with one less TTL', () => {
    const result = sent(feed(TUN, packet()))
    expect(result.fd).toBe(SOCKET)
    expect(result.to).toEqual({ ip: ip('192.168.50.182'), port: 8285 })
    expect(result.packet).toEqual(packet({ ttl: 62 }))
  })

  it('takes one TTL again when it unpacks', () => {
    const result = sent(feed(SOCKET, packet({ ttl: 62 })))
    expect(result.fd).toBe(TUN)
    expect(result.packet.ttl).toBe(61)
  })

  it('patches the header checksum so that it stays right, whatever it was', () => {
    // 0xfeff + 0x0100 is the one sum that the C code writes as 0 and not as 0xffff: equal in one's complement.
    for (let id = 0; id < 0x10000; id += 7) {
      const before = packet({ id })
      const after = sent(feed(TUN, before)).bytes
      const right = emitIp(packet({ id, ttl: 62 }))
      const same = (at: number) => after[at] === right[at]
      expect(after.every((_, at) => (at === 10 || at === 11 ? true : same(at)))).toBe(true)
      const value = (bytes: Uint8Array) => (bytes[10]! << 8) | bytes[11]!
      expect(value(after) % 0xffff).toBe(value(right) % 0xffff)
    }
  })

  it.each([
    ['from the tun device', TUN],
    ['from the network', SOCKET],
  ])('discards a packet %s without a word when its TTL is used up', (_, fd) => {
    const result = feed(fd, packet({ ttl: 1 }))
    expect(result.syscalls).toEqual([])
    expect(result.notes).toMatchObject([{ kind: 'flanneld.discard', reason: 'ttl' }])
  })

  it('answers for an address of no peer with ICMP 3/0 from the tun device, TTL 8, quoting header and 8 octets', () => {
    const stray = packet({ dst: ip('10.244.9.9'), ttl: 1 })
    const { fd, packet: answer } = sent(feed(TUN, stray))
    expect(fd).toBe(TUN)
    expect(answer).toMatchObject({ src: ip('10.244.1.0'), dst: ip('10.244.1.2'), ttl: 8, id: 0, dontFragment: false })
    expect(answer.payload).toMatchObject({ kind: 'icmp', type: 3, code: 0, body: { kind: 'error', mtu: 0 } })
    expect(emitIp(answer).length).toBe(20 + 8 + 28)
  })

  it.each([
    [
      'an ICMP packet',
      packet({ dst: ip('10.244.9.9'), payload: { kind: 'raw', protocol: 1, bytes: new Uint8Array(8) } }),
    ],
    [
      'a later fragment',
      packet({
        dst: ip('10.244.9.9'),
        fragment: { offset: 8, more: false },
        payload: { kind: 'raw', protocol: 17, bytes: new Uint8Array(8) },
      }),
    ],
  ])('makes no ICMP error about %s', (_, stray) => {
    expect(feed(TUN, stray).syscalls).toEqual([])
  })

  it('passes over what is shorter than an IPv4 header', () => {
    const result = udpForwarder.step(started.state, { kind: 'data', fd: TUN, bytes: new Uint8Array(19) }, context)
    expect(result).toEqual({ state: started.state, syscalls: [] })
  })

  it('passes over routes it cannot read', () => {
    const routes = '10.244.0.0/24=x y=192.168.40.180 10.244.2.0/24=192.168.50.182'
    const { state } = udpForwarder.start({ ...context, args: { ...context.args, routes } })
    expect(state.routes).toHaveLength(1)
  })

  it('exits where its arguments are wrong', () => {
    const result = udpForwarder.start({ ...context, args: {} })
    expect(result.syscalls).toEqual([{ kind: 'exit', code: 1 }])
  })
})
