import type { Message, ScenarioFlow } from '../scenario.ts'
import type { Random } from './random.ts'

/** Where a flow may begin. */
export interface End {
  readonly host: string
  readonly netns: string
  /** Its own addresses: a client may bind one that is not the route's choice, so that answers take another way. */
  readonly addresses?: readonly string[]
}

/** Where it may go. */
export interface Target {
  readonly ip: string
  readonly tcp: number
  readonly udp: number
}

const MOST_FLOWS = 5

/** Rounds of one to five flows. Some ask again what was asked before: established flows, affinity, what was learned. */
export function randomRounds(
  random: Random,
  { ends, targets, rounds }: { ends: readonly End[]; targets: readonly Target[]; rounds: number },
): ScenarioFlow[][] {
  return Array.from({ length: rounds }, () => {
    const flows: ScenarioFlow[] = []
    const count = 1 + random.below(MOST_FLOWS)
    while (flows.length < count) {
      const before = flows.at(-1)
      if (before !== undefined && random.chance(0.2)) flows.push(before)
      else flows.push(flowOf(random, random.pick(ends), random.pick(targets)))
    }
    return flows
  })
}

const SIZES: readonly Message[] = ['x', 'x', 'x', 56, 1000, 1232, 1400, 1440, 1472, 1473, 3000]

function flowOf(random: Random, { host, netns, addresses }: End, to: Target): ScenarioFlow {
  const protocol = random.pick(['tcp', 'udp', 'icmp'] as const)
  const ttl = random.chance(0.15) ? { ttl: 1 + random.below(4) } : {}
  const wrongPort = random.chance(0.1) ? 1 : 0
  const message = random.pick(SIZES)
  const port = protocol === 'tcp' ? to.tcp : protocol === 'udp' ? to.udp : 0
  const sends = protocol === 'tcp' && random.chance(0.3) ? [] : random.chance(0.2) ? [message, 'x'] : [message]
  const own = (addresses ?? []).filter((address) => address.includes(':') === to.ip.includes(':'))
  const bound = own.length > 0 && random.chance(0.15) ? { ip: random.pick(own) } : {}
  // With data an acknowledgement would wait, for a time that a busy machine does not keep.
  const stay = protocol === 'tcp' && sends.length === 0 && random.chance(0.3) ? { stay: true } : {}
  return {
    host,
    netns,
    protocol,
    to: { ip: to.ip, port: port === 0 ? 0 : port + wrongPort },
    sends,
    ...ttl,
    ...bound,
    ...stay,
  }
}
