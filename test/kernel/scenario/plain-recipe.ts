import type { OpBody } from '../../../linux/op.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import type { LabMachine } from '../lab.ts'
import type { Listener, Scenario } from '../scenario.ts'
import { POD_TCP, POD_UDP } from './flannel-recipe.ts'
import type { RecipeBase } from './recipe.ts'
import { addr, bridge, card, hairpin, inNetns, inRoot, port, route, sysctl, up, veth } from './words.ts'

/**
 * Bridges and routes without Kubernetes: machines with a bridge `br0` and namespaces behind it, joined by one or two
 * segments. The way from one machine to another may be by the one segment and the way back by the other.
 */
export interface PlainRecipe extends RecipeBase {
  readonly kind: 'plain'
  readonly mode: 'bridge4' | 'bridge6' | 'bridge46'
  /** Namespaces of each machine. */
  readonly boxes: readonly number[]
  /** `two`: every machine stands on both segments. `router`: machines stand on one each, with a router between. */
  readonly segments: 'one' | 'two' | 'router'
  /** ways[i][j]: the segment by which machine i sends to machine j. */
  readonly ways: readonly (readonly (0 | 1)[])[]
  readonly hairpin: boolean
  readonly bridgeNetfilter: 0 | 1
  readonly mtus: { readonly segments: readonly [number, number]; readonly bridge: number; readonly boxes: number }
  /** A second address of the same subnet on each bridge. */
  readonly secondary: boolean
}

type Family = 4 | 6

export const plainFamilies = ({ mode }: Pick<PlainRecipe, 'mode'>): readonly Family[] =>
  mode === 'bridge4' ? [4] : mode === 'bridge6' ? [6] : [4, 6]

export const plainMachine = (machine: number): string => `m${machine + 1}`
export const boxName = (box: number): string => `box${box + 1}`

export const boxNet = (family: Family, machine: number): string =>
  family === 4 ? `10.50.${machine + 1}.0/24` : `fd00:50:${machine + 1}::/64`
/** 1 is the bridge itself, 2 and up its boxes, 9 the second address of the bridge. */
export const boxAddress = (family: Family, machine: number, last: number): string =>
  family === 4 ? `10.50.${machine + 1}.${last}` : `fd00:50:${machine + 1}::${last}`
/** 1 is the router. */
export const cardAddress = (family: Family, segment: number, last: number): string =>
  family === 4 ? `10.60.${segment + 1}.${last}` : `fd00:60:${segment + 1}::${last}`
export const lastOf = (machine: number): number => 10 + machine

const LENGTH = { 4: 24, 6: 64 } as const
const hex = (n: number): string => n.toString(16).padStart(2, '0')

/** Segments that a machine stands on. */
export const standsOn = ({ segments }: PlainRecipe, machine: number): readonly number[] =>
  segments === 'one' ? [0] : segments === 'two' ? [0, 1] : [machine % 2]

export function buildPlain(recipe: PlainRecipe): Pick<Scenario, 'lab' | 'standing'> {
  const machines = recipe.boxes.map((_, machine) => machineOf(recipe, machine))
  const hosts = recipe.segments === 'router' ? [...machines, routerOf(recipe)] : machines
  const listeners = recipe.boxes.flatMap((boxes, machine) =>
    [ROOT_NETNS, ...Array.from({ length: boxes }, (_, box) => boxName(box))].flatMap((netns) =>
      plainFamilies(recipe).flatMap((family): Listener[] => [
        { host: plainMachine(machine), netns, program: 'listen', protocol: 'tcp', family, port: POD_TCP },
        { host: plainMachine(machine), netns, program: 'listen', protocol: 'udp', family, port: POD_UDP },
      ]),
    ),
  )
  return { lab: { hosts }, standing: listeners }
}

function machineOf(recipe: PlainRecipe, machine: number): LabMachine {
  const families = plainFamilies(recipe)
  const bodies: OpBody[] = [
    up('lo'),
    sysctl('net.ipv4.ip_forward', 1),
    sysctl('net.ipv6.conf.all.forwarding', 1),
    sysctl('net.bridge.bridge-nf-call-iptables', recipe.bridgeNetfilter),
    sysctl('net.bridge.bridge-nf-call-ip6tables', recipe.bridgeNetfilter),
    ...standsOn(recipe, machine).flatMap((segment) => cardBodies(recipe, { segment, last: lastOf(machine) })),
    bridge('br0', `12:50:00:00:${hex(machine)}:01`, recipe.mtus.bridge),
    ...families.flatMap((family) => [
      addr('br0', `${boxAddress(family, machine, 1)}/${LENGTH[family]}`),
      ...(recipe.secondary ? [addr('br0', `${boxAddress(family, machine, 9)}/${LENGTH[family]}`)] : []),
    ]),
    up('br0'),
    ...recipe.boxes.flatMap((_, other) => (other === machine ? [] : waysTo(recipe, machine, other))),
  ]
  const boxes = Array.from({ length: recipe.boxes[machine] ?? 0 }, (_, box) => boxOps(recipe, machine, box)).flat()
  return { name: plainMachine(machine), ops: [...inRoot(...bodies), ...boxes] }
}

function cardBodies(recipe: PlainRecipe, { segment, last }: { segment: number; last: number }): OpBody[] {
  const name = `eth${segment}`
  return [
    card(name, `52:54:60:00:${hex(segment)}:${hex(last)}`, `lan${segment}`, recipe.mtus.segments[segment]),
    ...plainFamilies(recipe).map((family) => addr(name, `${cardAddress(family, segment, last)}/${LENGTH[family]}`)),
    up(name),
  ]
}

function waysTo(recipe: PlainRecipe, machine: number, other: number): OpBody[] {
  const direct = standsOn(recipe, machine).filter((segment) => standsOn(recipe, other).includes(segment))
  const wanted = recipe.ways[machine]?.[other] ?? 0
  const segment = direct.includes(wanted) ? wanted : direct[0]
  const own = standsOn(recipe, machine)[0] ?? 0
  return plainFamilies(recipe).flatMap((family) => {
    if (segment !== undefined)
      return [route(boxNet(family, other), { via: cardAddress(family, segment, lastOf(other)), dev: `eth${segment}` })]
    const via = cardAddress(family, own, 1)
    const far = family === 4 ? `10.60.${2 - own}.0/24` : `fd00:60:${2 - own}::/64`
    return [boxNet(family, other), far].map((prefix) => route(prefix, { via, dev: `eth${own}` }))
  })
}

function boxOps(recipe: PlainRecipe, machine: number, box: number) {
  const name = boxName(box)
  const mtu = recipe.mtus.boxes
  const families = plainFamilies(recipe)
  return [
    ...inNetns(name, { kind: 'netns.add' }),
    ...inRoot(
      veth(`veth${box + 1}`, `0e:50:00:00:${hex(machine)}:${hex(box + 2)}`, {
        netns: name,
        name: 'eth0',
        mac: `0a:50:00:00:${hex(machine)}:${hex(box + 2)}`,
        mtu,
      }),
      port(`veth${box + 1}`, 'br0'),
      up(`veth${box + 1}`),
      ...(recipe.hairpin ? [hairpin(`veth${box + 1}`)] : []),
    ),
    ...inNetns(
      name,
      up('lo'),
      up('eth0'),
      ...families.map((family) => addr('eth0', `${boxAddress(family, machine, box + 2)}/${LENGTH[family]}`)),
      ...families.map((family) =>
        route(family === 4 ? '0.0.0.0/0' : '::/0', { via: boxAddress(family, machine, 1), dev: 'eth0' }),
      ),
    ),
  ]
}

function routerOf(recipe: PlainRecipe): LabMachine {
  const families = plainFamilies(recipe)
  return {
    name: 'router',
    ops: inRoot(
      up('lo'),
      sysctl('net.ipv4.ip_forward', 1),
      sysctl('net.ipv6.conf.all.forwarding', 1),
      ...[0, 1].flatMap((segment) => cardBodies(recipe, { segment, last: 1 })),
      ...recipe.boxes.flatMap((_, machine) => {
        const segment = machine % 2
        return families.map((family) =>
          route(boxNet(family, machine), { via: cardAddress(family, segment, lastOf(machine)), dev: `eth${segment}` }),
        )
      }),
    ),
  }
}
