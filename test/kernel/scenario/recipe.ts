import type { Backend } from '../agent.ts'
import type { Scenario, ScenarioFlow } from '../scenario.ts'
import { buildCluster } from './cluster-recipe.ts'
import type { ClusterRecipe } from './cluster-shape.ts'
import { alive, withExtras } from './extras.ts'
import type { Fault } from './fault.ts'
import { withFaults } from './fault.ts'
import { buildFlannel, type FlannelRecipe } from './flannel-recipe.ts'
import { buildPlain, type PlainRecipe } from './plain-recipe.ts'
import { buildRouted, type RoutedRecipe } from './routed-recipe.ts'
import { buildTopology, type TopologyRecipe } from './topology-recipe.ts'

/**
 * A lab and what is asked of it as the few choices they were made from: plain data that can be printed, read back,
 * and made smaller by leaving things out.
 */
export type Recipe = FlannelRecipe | ClusterRecipe | PlainRecipe | RoutedRecipe | TopologyRecipe

export const MODES = [
  'vxlan',
  'cluster-vxlan',
  'bridge4',
  'host-gw',
  'cluster-directrouting',
  'routed6',
  'udp',
  'calico',
  'bridge6',
  'cluster-host-gw',
  'cluster-calico',
  'routed4',
  'cluster-udp',
  'bridge46',
  'two-racks',
  'routed46',
] as const
export type Mode = (typeof MODES)[number]

/** One scenario for each round of flows; all stand on the same lab. */
export function buildRecipe(recipe: Recipe, name: string): readonly Scenario[] {
  const { lab, standing } = buildLab(recipe)
  const base = {
    about: `${recipe.mode}, made up`,
    mode: recipe.mode,
    backend: recipe.backend,
    lab: withExtras(withFaults(lab, recipe.faults), recipe),
    standing: alive(standing, recipe),
    ...(recipe.observeMs === undefined ? {} : { observeMs: recipe.observeMs }),
  }
  return recipe.rounds.map((flows, round) => ({ ...base, name: `${name}-${round}`, flows }))
}

function buildLab(recipe: Recipe): Pick<Scenario, 'lab' | 'standing'> {
  switch (recipe.kind) {
    case 'flannel':
      return buildFlannel(recipe)
    case 'cluster':
      return buildCluster(recipe)
    case 'plain':
      return buildPlain(recipe)
    case 'routed':
      return buildRouted(recipe)
    case 'topology':
      return buildTopology(recipe)
  }
}

/** What every recipe has. */
export interface RecipeBase {
  readonly mode: Mode
  readonly backend: Backend
  /** Flows of one round follow one another; what they taught is forgotten before the next round. */
  readonly rounds: readonly (readonly ScenarioFlow[])[]
  /** `-A CHAIN ARGS` beside what the compilers wrote, at the end (or the top) of a chain of a machine. */
  readonly rules: readonly ExtraRule[]
  /** Settings of a namespace. */
  readonly sysctls: readonly ExtraSysctl[]
  readonly faults: readonly Fault[]
  /** `HOST NETNS tcp|udp PORT` of listeners that are not there. */
  readonly dead: readonly string[]
  /** How long each flow is watched at least: for timers. */
  readonly observeMs?: number
}

export interface ExtraRule {
  readonly host: string
  readonly family: 4 | 6
  readonly table: 'raw' | 'mangle' | 'nat' | 'filter'
  readonly chain: string
  readonly args: string
  readonly top: boolean
  /** The set of addresses that it asks. */
  readonly set?: { readonly name: string; readonly type: string; readonly entries: readonly string[] }
}

export interface ExtraSysctl {
  readonly host: string
  readonly netns: string
  readonly key: string
  readonly value: string
}
