import { formatIp, ip } from '../../../packet/ip.ts'
import { type IpPacket, TCP_FLAG, type Transport } from '../../../packet/packet.ts'

/** For tests: packets by address and port texts (`10.0.0.1:80`, `[fd00::1]:80`). */

const data = new Uint8Array([1, 2, 3, 4])

function packet(src: string, dst: string, payload: Transport): IpPacket {
  const [from, to] = [ip(src), ip(dst)]
  const dontFragment = from.family === 4
  return { kind: 'ip', src: from, dst: to, ttl: 64, tos: 0, id: 0, dontFragment, flowLabel: 0, payload }
}

function split(address: string): { host: string; port: number } {
  const [, v6, v4, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(address) ?? []
  return { host: v6 ?? v4 ?? '', port: Number(port) }
}

export function udp(from: string, to: string): IpPacket {
  const [src, dst] = [split(from), split(to)]
  const payload = { kind: 'data', bytes: data } as const
  return packet(src.host, dst.host, { kind: 'udp', srcPort: src.port, dstPort: dst.port, noChecksum: false, payload })
}

export interface Segment {
  /** Letters of SYN, ACK, FIN, RST, PSH: `SA`. */
  readonly flags: string
  readonly seq?: number
  readonly ack?: number
  readonly length?: number
}

const LETTERS: Readonly<Record<string, number>> = {
  S: TCP_FLAG.syn,
  A: TCP_FLAG.ack,
  F: TCP_FLAG.fin,
  R: TCP_FLAG.rst,
  P: TCP_FLAG.psh,
}

export function tcp(from: string, to: string, { flags, seq = 1, ack = 0, length = 0 }: Segment): IpPacket {
  const [src, dst] = [split(from), split(to)]
  return packet(src.host, dst.host, {
    kind: 'tcp',
    srcPort: src.port,
    dstPort: dst.port,
    seq,
    ack,
    flags: [...flags].reduce((bits, letter) => bits | (LETTERS[letter] ?? 0), 0),
    window: 64240,
    urgent: 0,
    options: [],
    data: new Uint8Array(length),
  })
}

export function ping(src: string, dst: string, id: number, kind: 'request' | 'reply' = 'request'): IpPacket {
  const [request, reply] = src.includes(':') ? [128, 129] : [8, 0]
  const type = kind === 'request' ? request : reply
  return packet(src, dst, { kind: 'icmp', type, code: 0, body: { kind: 'echo', id, seq: 1, data } })
}

export function unreachable(src: string, dst: string, quoted: IpPacket): IpPacket {
  const [type, code] = src.includes(':') ? [1, 4] : [3, 3]
  const body = { kind: 'error', quote: { packet: quoted, length: 1000 }, mtu: 0 } as const
  return packet(src, dst, { kind: 'icmp', type, code, body })
}

/** `10.0.0.1:1 > 10.0.0.2:80`, or without ports. */
export function ends({ src, dst, payload }: IpPacket): string {
  const ports = 'srcPort' in payload ? [`:${payload.srcPort}`, `:${payload.dstPort}`] : ['', '']
  const host = (address: IpPacket['src']) =>
    address.family === 6 && ports[0] !== '' ? `[${formatIp(address)}]` : formatIp(address)
  return `${host(src)}${ports[0]} > ${host(dst)}${ports[1]}`
}
