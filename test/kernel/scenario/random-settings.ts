import { ROOT_NETNS } from '../../../linux/op.ts'
import type { Backend } from '../agent.ts'
import type { Random } from './random.ts'
import { randomRules, type Surroundings } from './random-rules.ts'
import type { ExtraSysctl, RecipeBase } from './recipe.ts'

/** A machine with its namespaces, and its links by namespace where timers of neighbours are to be set. */
export interface Furnished {
  readonly host: string
  readonly netns: readonly string[]
  readonly links: Readonly<Record<string, readonly string[]>>
}

/** What every kind of lab is varied by: who writes the rules, rules beside the compilers', settings, patience. */
export function randomSettings(
  random: Random,
  { around, machines, ruled }: { around: Surroundings; machines: readonly Furnished[]; ruled: number },
): Pick<RecipeBase, 'backend' | 'rules' | 'sysctls' | 'observeMs'> {
  const backend: Backend = random.chance(0.35) ? 'nft' : 'legacy'
  const patient = random.chance(PATIENT)
  return {
    backend,
    rules: random.chance(ruled) ? randomRules(random, around) : [],
    sysctls: [
      ...machines.flatMap((machine) => settingsOf(random, machine, around.families)),
      ...(patient ? quickNeighbours(machines, around.families) : []),
    ],
    ...(patient ? { observeMs: 100 } : {}),
  }
}

/** How many labs are watched until neighbours have failed, acknowledgements been delayed. */
const PATIENT = 0.05

function settingsOf(random: Random, { host, netns }: Furnished, families: readonly (4 | 6)[]): ExtraSysctl[] {
  const found: ExtraSysctl[] = []
  const set = (place: string, key: string, value: number) =>
    found.push({ host, netns: place, key, value: String(value) })
  if (families.includes(4)) {
    if (random.chance(0.3)) set(ROOT_NETNS, 'net.ipv4.conf.all.rp_filter', random.below(3))
    if (random.chance(0.05)) set(ROOT_NETNS, 'net.ipv4.ip_forward', 0)
    if (random.chance(0.1)) set(ROOT_NETNS, 'net.ipv4.conf.all.send_redirects', 0)
    if (random.chance(0.05)) set(ROOT_NETNS, 'net.ipv4.icmp_echo_ignore_all', 1)
    if (random.chance(0.05)) set(ROOT_NETNS, 'net.ipv4.conf.all.arp_ignore', random.pick([1, 2]))
    for (const place of netns) if (random.chance(0.15)) set(place, 'net.ipv4.ip_no_pmtu_disc', 1)
  }
  if (families.includes(6) && random.chance(0.05)) set(ROOT_NETNS, 'net.ipv6.conf.all.forwarding', 0)
  return found
}

/** Requests for neighbours every 20 ms, so that three of them fit a probe. */
const quickNeighbours = (machines: readonly Furnished[], families: readonly (4 | 6)[]): ExtraSysctl[] =>
  machines.flatMap(({ host, links }) =>
    Object.entries(links).flatMap(([netns, names]) =>
      names.flatMap((name) =>
        families.map((family): ExtraSysctl => {
          const key = `net.ipv${family}.neigh.${name.replaceAll('.', '/')}.retrans_time_ms`
          return { host, netns, key, value: '20' }
        }),
      ),
    ),
  )
