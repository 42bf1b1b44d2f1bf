import { FAULTS, type Fault } from './fault.ts'
import type { Random } from './random.ts'

/** None in two labs of three, else one. */
export function randomFaults(
  random: Random,
  { hosts, links, networks }: { hosts: readonly string[]; links: readonly string[]; networks: readonly string[] },
): Fault[] {
  if (!random.chance(0.33)) return []
  const host = random.pick(hosts)
  const kind = random.pick(FAULTS)
  switch (kind) {
    case 'fdbMissing':
    case 'arpMissing':
    case 'routeMissing':
    case 'staleMac':
      return [{ kind, host, nth: random.below(4) }]
    case 'linkDown':
      return [{ kind, host, link: random.pick(links) }]
    case 'blackhole':
      return [{ kind, host, prefix: random.pick(networks) }]
    case 'udpDropped':
      return [{ kind, host, port: random.pick([8472, 8472, 8285, 5353]) }]
  }
}
