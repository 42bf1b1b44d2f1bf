import type { Lab } from '../../../cluster/lab.ts'
import { load } from '../../../cluster/load.ts'
import { type Built, build } from '../../../engine/build.ts'
import type { Scenario } from '../scenario.ts'
import type { RecipeBase } from './recipe.ts'
import { clusterScenario, topologySource } from './topologies.ts'

/** A lab of topologies/ with other settings: the ops are those of our compilers. */
export interface TopologyRecipe extends RecipeBase {
  readonly kind: 'topology'
  readonly mode: 'calico' | 'two-racks'
  readonly topology: string
  readonly lab: Lab
}

const known = new Map<string, Built>()

/** The built cluster of a recipe, made once for each topology and Lab. */
export function builtTopology({ topology, lab }: Pick<TopologyRecipe, 'topology' | 'lab'>): Built {
  const key = `${topology} ${JSON.stringify(lab)}`
  const built = known.get(key) ?? buildOne(topology, lab)
  known.set(key, built)
  return built
}

function buildOne(topology: string, lab: Lab): Built {
  return build(load([topologySource(topology)], { lab }).cluster)
}

export const buildTopology = (recipe: TopologyRecipe): Pick<Scenario, 'lab' | 'standing'> =>
  clusterScenario(builtTopology(recipe))
