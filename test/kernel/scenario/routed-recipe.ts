import type { Op, OpBody } from '../../../linux/op.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import type { LabMachine } from '../lab.ts'
import type { Listener, Scenario } from '../scenario.ts'
import type { RecipeBase } from './recipe.ts'
import { addr, card, inRoot, route, sysctl, up } from './words.ts'

/**
 * Machines without Kubernetes: `left` and `right` with routers between them, in a row. Segment i joins machine i and
 * machine i+1; a third machine `aside` may stand on the first segment.
 */
export interface RoutedRecipe extends RecipeBase {
  readonly kind: 'routed'
  readonly mode: 'routed4' | 'routed6' | 'routed46'
  readonly routers: number
  readonly aside: boolean
  /** MTU of each segment. */
  readonly mtus: readonly number[]
  /** Routers that forget the way to the right (or back to the left). */
  readonly forgets: readonly { readonly router: number; readonly way: 'left' | 'right' }[]
  /** Routes of routers that say no. */
  readonly refuses: readonly {
    readonly router: number
    readonly type: 'blackhole' | 'unreachable' | 'prohibit'
    readonly segment: number
  }[]
}

type Family = 4 | 6

export const familiesOf = ({ mode }: Pick<RoutedRecipe, 'mode'>): readonly Family[] =>
  mode === 'routed4' ? [4] : mode === 'routed6' ? [6] : [4, 6]

const LENGTH = { 4: 24, 6: 64 } as const

export const segmentPrefix = (family: Family, segment: number): string =>
  family === 4 ? `10.${segment + 1}.0.0/24` : `fd00:${segment + 1}::/64`

/** Host numbers: 1 to the left end of a segment, 2 to its right end, 3 to `aside`. */
export const addressOn = (family: Family, segment: number, number: number): string =>
  family === 4 ? `10.${segment + 1}.0.${number}` : `fd00:${segment + 1}::${number}`

export const ROUTED_TCP = 80
export const ROUTED_UDP = 53

export const machineNames = (recipe: RoutedRecipe): readonly string[] => [
  'left',
  ...Array.from({ length: recipe.routers }, (_, i) => `router${i + 1}`),
  'right',
  ...(recipe.aside ? ['aside'] : []),
]

export function buildRouted(recipe: RoutedRecipe): Pick<Scenario, 'lab' | 'standing'> {
  const last = recipe.routers + 1
  const hosts: LabMachine[] = Array.from({ length: last + 1 }, (_, at) => ({
    name: machineNames(recipe)[at]!,
    ops: machineAt(recipe, at, last),
  }))
  if (recipe.aside) hosts.push({ name: 'aside', ops: asideOps(recipe) })
  const standing = hosts.flatMap(({ name: host }) =>
    familiesOf(recipe).flatMap((family): Listener[] => [
      { host, netns: ROOT_NETNS, program: 'listen', protocol: 'tcp', family, port: ROUTED_TCP },
      { host, netns: ROOT_NETNS, program: 'listen', protocol: 'udp', family, port: ROUTED_UDP },
    ]),
  )
  return { lab: { hosts }, standing }
}

function machineAt(recipe: RoutedRecipe, at: number, last: number): Op[] {
  const bodies: OpBody[] = [up('lo')]
  // Machine `at` is the right end of segment at-1 and the left end of segment at.
  if (at > 0) bodies.push(...cardOn(recipe, { machine: at, segment: at - 1, number: 2 }))
  if (at < last) bodies.push(...cardOn(recipe, { machine: at, segment: at, number: 1 }))
  const forwards = at > 0 && at < last
  if (forwards) bodies.push(sysctl('net.ipv4.ip_forward', 1), sysctl('net.ipv6.conf.all.forwarding', 1))
  for (const family of familiesOf(recipe)) bodies.push(...routesAt(recipe, { family, at, last }))
  return inRoot(...bodies)
}

function routesAt(recipe: RoutedRecipe, { family, at, last }: { family: Family; at: number; last: number }): OpBody[] {
  const bodies: OpBody[] = []
  const forgets = (way: 'left' | 'right') => recipe.forgets.some((one) => one.router === at && one.way === way)
  const refuses = recipe.refuses.filter(({ router }) => router === at)
  for (let segment = 0; segment < last; segment++) {
    const refusal = refuses.find((one) => one.segment === segment)
    if (refusal !== undefined && segment !== at && segment !== at - 1)
      bodies.push(route(segmentPrefix(family, segment), { type: refusal.type }))
    else if (segment > at && !forgets('right'))
      bodies.push(route(segmentPrefix(family, segment), { via: addressOn(family, at, 2), dev: `seg${at}` }))
    else if (segment < at - 1 && !forgets('left'))
      bodies.push(route(segmentPrefix(family, segment), { via: addressOn(family, at - 1, 1), dev: `seg${at - 1}` }))
  }
  return bodies
}

function cardOn(
  recipe: RoutedRecipe,
  { machine, segment, number }: { machine: number; segment: number; number: number },
): OpBody[] {
  const name = `seg${segment}`
  const hex = (n: number) => n.toString(16).padStart(2, '0')
  return [
    card(name, `52:54:00:${hex(segment)}:${hex(machine)}:${hex(number)}`, name, recipe.mtus[segment] ?? 1500),
    ...familiesOf(recipe).map((family) => addr(name, `${addressOn(family, segment, number)}/${LENGTH[family]}`)),
    up(name),
  ]
}

function asideOps(recipe: RoutedRecipe): Op[] {
  const gateways = familiesOf(recipe).map((family) =>
    route(family === 4 ? '0.0.0.0/0' : '::/0', { via: addressOn(family, 0, 2), dev: 'seg0' }),
  )
  return inRoot(
    up('lo'),
    ...cardOn(recipe, { machine: 99, segment: 0, number: 3 }),
    ...(recipe.routers > 0 ? gateways : []),
  )
}
