import { load } from '../../../cluster/load.ts'
import { type Built, build } from '../../../engine/build.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import type { Place } from '../lab.ts'
import type { Listener, Scenario } from '../scenario.ts'
import { clusterManifests } from './cluster-manifests.ts'
import { type ClusterRecipe, clusterPods, nodeName } from './cluster-shape.ts'
import { POD_TCP, POD_UDP } from './flannel-recipe.ts'
import { clusterScenario } from './topologies.ts'

let last: { readonly key: string; readonly built: Built } | undefined

/** The compiled cluster of a recipe; the last one is kept, as generator and builder ask for the same. */
function builtCluster(recipe: ClusterRecipe): Built {
  const text = clusterManifests(recipe)
  if (last?.key === text) return last.built
  const built = build(load([{ name: 'made-up.json', bytes: new TextEncoder().encode(text) }]).cluster)
  last = { key: text, built }
  return built
}

export function buildCluster(recipe: ClusterRecipe): Pick<Scenario, 'lab' | 'standing'> {
  const { lab, standing } = clusterScenario(builtCluster(recipe))
  const machines = [...recipe.nodes.map((_, node) => nodeName(node)), 'laptop', 'outside']
  const places: Place[] = [...clusterPods(recipe), ...machines.map((host) => ({ host, netns: ROOT_NETNS }))]
  const listeners = places.flatMap(({ host, netns }): Listener[] => [
    { host, netns, program: 'listen', protocol: 'tcp', family: 4, port: POD_TCP },
    { host, netns, program: 'listen', protocol: 'udp', family: 4, port: POD_UDP },
  ])
  return { lab, standing: [...listeners, ...standing.filter(({ program }) => program === 'flannel-udp')] }
}
