import type { Random } from './random.ts'
import { randomFaults } from './random-fault.ts'
import { randomRounds, type Target } from './random-flows.ts'
import { randomSettings } from './random-settings.ts'
import {
  addressOn,
  familiesOf,
  machineNames,
  ROUTED_TCP,
  ROUTED_UDP,
  type RoutedRecipe,
  segmentPrefix,
} from './routed-recipe.ts'

type Shape = Pick<RoutedRecipe, 'kind' | 'mode' | 'routers' | 'aside' | 'mtus' | 'forgets' | 'refuses'>

export function randomRouted(random: Random, mode: RoutedRecipe['mode']): RoutedRecipe {
  const shape = shapeOf(random, mode)
  const families = familiesOf(shape)
  const hosts = machineNames(shape as RoutedRecipe)
  const at = (ip: string): Target => ({ ip, tcp: ROUTED_TCP, udp: ROUTED_UDP })
  const segments = Array.from({ length: shape.routers + 1 }, (_, segment) => segment)
  const targets: Target[] = families.flatMap((family) => [
    ...segments.flatMap((segment) => [1, 2, 2, 3].map((number) => at(addressOn(family, segment, number)))),
    at(addressOn(family, 0, 77)),
    at(family === 4 ? '198.51.100.1' : '2001:db8::1'),
  ])
  const networks = families.flatMap((family) => segments.map((segment) => segmentPrefix(family, segment)))
  const links = ['seg0', 'seg1']
  const cardsOf = (host: string): string[] => {
    const position = hosts.indexOf(host)
    if (host === 'aside') return ['seg0']
    return [position - 1, position].filter((segment) => segments.includes(segment)).map((segment) => `seg${segment}`)
  }
  return {
    ...shape,
    faults: random.chance(0.5) ? [] : randomFaults(random, { hosts, links, networks }),
    rounds: randomRounds(random, { ends: hosts.map((host) => ({ host, netns: 'root' })), targets, rounds: 4 }),
    ...randomSettings(random, {
      around: { hosts, families, links, addresses: targets.map(({ ip }) => ip), networks },
      machines: hosts.map((host) => ({ host, netns: ['root'], links: { root: cardsOf(host) } })),
      ruled: 0.5,
    }),
    dead: random.some(
      hosts.flatMap((host) => [`${host} root tcp ${ROUTED_TCP}`, `${host} root udp ${ROUTED_UDP}`]),
      0.08,
    ),
  }
}

function shapeOf(random: Random, mode: RoutedRecipe['mode']): Shape {
  const routers = random.below(4)
  const odd = () => routers > 0 && random.chance(0.15)
  return {
    kind: 'routed',
    mode,
    routers,
    aside: random.chance(0.5),
    mtus: Array.from({ length: routers + 1 }, () => random.pick([1500, 1500, 1500, 1400, 1300])),
    forgets: odd() ? [{ router: 1 + random.below(routers), way: random.pick(['left', 'right'] as const) }] : [],
    refuses: odd()
      ? [
          {
            router: 1 + random.below(routers),
            type: random.pick(['blackhole', 'unreachable', 'prohibit'] as const),
            segment: random.below(routers + 1),
          },
        ]
      : [],
  }
}
