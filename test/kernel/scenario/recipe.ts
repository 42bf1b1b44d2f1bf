import type { Scenario, ScenarioFlow } from '../scenario.ts'
import { buildFlannel, type FlannelRecipe } from './flannel-recipe.ts'
import { buildRouted, type RoutedRecipe } from './routed-recipe.ts'
import { buildTopology, type TopologyRecipe } from './topology-recipe.ts'

/**
 * A scenario as the few choices it was made from: plain data that can be printed, read back, and made smaller by
 * leaving things out.
 */
export type Recipe = FlannelRecipe | RoutedRecipe | TopologyRecipe

export const MODES = ['vxlan', 'host-gw', 'udp', 'calico', 'two-racks', 'routed4', 'routed6'] as const
export type Mode = (typeof MODES)[number]

export function buildRecipe(recipe: Recipe, name: string): Scenario {
  const about = `${recipe.mode}, made up`
  switch (recipe.kind) {
    case 'flannel':
      return { name, about, mode: recipe.mode, ...buildFlannel(recipe), flows: recipe.flows }
    case 'routed':
      return { name, about, mode: recipe.mode, ...buildRouted(recipe), flows: recipe.flows }
    case 'topology':
      return { name, about, mode: recipe.mode, ...buildTopology(recipe), flows: recipe.flows }
  }
}

/** What every recipe has. */
export interface RecipeBase {
  readonly mode: Mode
  readonly flows: readonly ScenarioFlow[]
  /** `-A CHAIN ARGS` beside what the compilers wrote, at the end (or the top) of a chain of a machine. */
  readonly rules: readonly ExtraRule[]
  /** Settings of a machine's namespace. */
  readonly sysctls: readonly ExtraSysctl[]
  /** `HOST NETNS tcp|udp PORT` of listeners that are not there. */
  readonly dead: readonly string[]
}

export interface ExtraRule {
  readonly host: string
  readonly family: 4 | 6
  readonly table: 'raw' | 'mangle' | 'nat' | 'filter'
  readonly chain: string
  readonly args: string
  readonly top: boolean
}

export interface ExtraSysctl {
  readonly host: string
  readonly netns: string
  readonly key: string
  readonly value: string
}
