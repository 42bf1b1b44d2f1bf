import { type Ip, sameIp } from '../packet/ip.ts'
import { isGroupMac } from '../packet/mac.ts'
import type { Frame } from '../packet/packet.ts'
import type { Segment, SegmentPort } from './blueprint.ts'

/** What a segment does with a frame. */
export type Carried =
  | { readonly kind: 'delivered'; readonly to: readonly SegmentPort[] }
  /** Nobody described by the input has that address. */
  | { readonly kind: 'left' }
  | { readonly kind: 'blocked'; readonly detail: string }
  | { readonly kind: 'nobody' }

/**
 * Carries a frame over a segment as a switch that has learned every port. A question for all (ARP, neighbour
 * solicitation) is put to the machine that has the address and to those that are already awake, so that its cost does
 * not grow with the cluster: nobody else would act on it.
 */
export function carry(
  segment: Segment,
  from: SegmentPort | undefined,
  frame: Frame,
  awake: (host: string) => boolean,
): Carried {
  const blocked = blockedBy(segment, frame)
  if (blocked !== undefined) return { kind: 'blocked', detail: blocked }
  const others = segment.ports.filter((port) => port !== from)
  if (!isGroupMac(frame.dst)) {
    const port = others.find((candidate) => candidate.mac === frame.dst)
    if (port !== undefined) return { kind: 'delivered', to: [port] }
    return segment.outside ? { kind: 'left' } : { kind: 'nobody' }
  }
  const asked = askedFor(frame)
  const to = others.filter(
    (port) => awake(port.host) || (asked !== undefined && port.addresses.some((ip) => sameIp(ip, asked))),
  )
  return { kind: 'delivered', to }
}

function askedFor(frame: Frame): Ip | undefined {
  const { payload } = frame
  if (payload.kind === 'arp') return payload.targetIp
  if (payload.kind !== 'ip' || payload.payload.kind !== 'icmp') return undefined
  const { body } = payload.payload
  return body.kind === 'neighborSolicitation' ? body.target : undefined
}

function blockedBy(segment: Segment, { payload }: Frame): string | undefined {
  if (payload.kind !== 'ip' || payload.payload.kind !== 'udp') return undefined
  const { dstPort } = payload.payload
  return segment.blockedUdpPorts.includes(dstPort) ? `something on ${segment.name} drops UDP ${dstPort}` : undefined
}
