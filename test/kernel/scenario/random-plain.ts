import { POD_TCP, POD_UDP } from './flannel-recipe.ts'
import {
  boxAddress,
  boxName,
  boxNet,
  cardAddress,
  lastOf,
  type PlainRecipe,
  plainFamilies,
  plainMachine,
  standsOn,
} from './plain-recipe.ts'
import type { Random } from './random.ts'
import { randomFaults } from './random-fault.ts'
import { type End, randomRounds, type Target } from './random-flows.ts'
import { type Furnished, randomSettings } from './random-settings.ts'

type Shape = Pick<
  PlainRecipe,
  'kind' | 'mode' | 'boxes' | 'segments' | 'ways' | 'hairpin' | 'bridgeNetfilter' | 'mtus' | 'secondary'
>

export function randomPlain(random: Random, mode: PlainRecipe['mode']): PlainRecipe {
  const shape = shapeOf(random, mode)
  const families = plainFamilies(shape)
  const recipe = shape as PlainRecipe
  const hosts = shape.boxes.map((_, machine) => plainMachine(machine))
  const addressesOf = (machine: number): string[] =>
    families.flatMap((family) => [
      boxAddress(family, machine, 1),
      ...(shape.secondary ? [boxAddress(family, machine, 9)] : []),
      ...standsOn(recipe, machine).map((segment) => cardAddress(family, segment, lastOf(machine))),
    ])
  const ends: End[] = shape.boxes.flatMap((boxes, machine): End[] => [
    { host: plainMachine(machine), netns: 'root', addresses: addressesOf(machine) },
    ...Array.from({ length: boxes }, (_, box): End => ({ host: plainMachine(machine), netns: boxName(box) })),
  ])
  const at = (ip: string): Target => ({ ip, tcp: POD_TCP, udp: POD_UDP })
  const boxTargets = shape.boxes.flatMap((boxes, machine) =>
    Array.from({ length: boxes }, (_, box) =>
      families.map((family) => at(boxAddress(family, machine, box + 2))),
    ).flat(),
  )
  const targets = [
    ...boxTargets,
    ...boxTargets,
    ...shape.boxes.flatMap((_, machine) => addressesOf(machine).map(at)),
    ...families.map((family) => at(boxAddress(family, 0, 77))),
    ...families.map((family) => at(family === 4 ? '198.51.100.1' : '2001:db8::1')),
  ]
  const links = ['br0', 'veth1', 'eth0', ...(shape.segments === 'two' ? ['eth1'] : [])]
  const networks = shape.boxes.flatMap((_, machine) => families.map((family) => boxNet(family, machine)))
  const machines = shape.boxes.map((boxes, machine) => furnished(recipe, machine, boxes))
  return {
    ...shape,
    faults: randomFaults(random, { hosts, links, networks }),
    rounds: randomRounds(random, { ends, targets, rounds: 4 }),
    ...randomSettings(random, {
      around: { hosts, families, links, addresses: targets.map(({ ip }) => ip), networks },
      machines,
      ruled: 0.6,
    }),
    dead: random.some(
      ends.flatMap(({ host, netns }) => [`${host} ${netns} tcp ${POD_TCP}`, `${host} ${netns} udp ${POD_UDP}`]),
      0.06,
    ),
  }
}

function furnished(recipe: PlainRecipe, machine: number, boxes: number): Furnished {
  const inside = Array.from({ length: boxes }, (_, box) => boxName(box))
  const cards = standsOn(recipe, machine).map((segment) => `eth${segment}`)
  const links = [['root', ['br0', ...cards]], ...inside.map((netns) => [netns, ['eth0']])]
  return { host: plainMachine(machine), netns: ['root', ...inside], links: Object.fromEntries(links) }
}

function shapeOf(random: Random, mode: PlainRecipe['mode']): Shape {
  const count = 1 + random.below(3)
  const mtu = () => random.pick([1500, 1500, 1500, 1400, 1300])
  const numbers = Array.from({ length: count }, (_, i) => i)
  return {
    kind: 'plain',
    mode,
    boxes: numbers.map(() => 1 + random.below(3)),
    segments: random.pick(['one', 'two', 'two', 'router'] as const),
    ways: numbers.map(() => numbers.map(() => random.pick([0, 1] as const))),
    hairpin: random.chance(0.4),
    bridgeNetfilter: random.chance(0.5) ? 1 : 0,
    mtus: { segments: [mtu(), mtu()], bridge: mtu(), boxes: mtu() },
    secondary: random.chance(0.3),
  }
}
