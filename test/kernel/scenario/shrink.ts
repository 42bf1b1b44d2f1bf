import type { ScenarioFlow } from '../scenario.ts'
import { usesNft } from './cluster-shape.ts'
import type { Recipe } from './recipe.ts'

/** Recipes with one thing less, the largest steps first. */
export function* smaller(recipe: Recipe): Generator<Recipe> {
  for (const rounds of halves(recipe.rounds)) if (rounds.length > 0) yield { ...recipe, rounds }
  for (const [round, all] of recipe.rounds.entries())
    for (const flows of halves(all)) if (flows.length > 0) yield { ...recipe, rounds: recipe.rounds.with(round, flows) }
  for (const rules of halves(recipe.rules)) yield { ...recipe, rules }
  for (const sysctls of halves(recipe.sysctls)) yield { ...recipe, sysctls }
  for (const faults of halves(recipe.faults)) yield { ...recipe, faults }
  for (const dead of halves(recipe.dead)) yield { ...recipe, dead }
  for (const [round, flows] of recipe.rounds.entries())
    for (const [index, flow] of flows.entries())
      for (const simpler of simplerFlows(flow))
        yield { ...recipe, rounds: recipe.rounds.with(round, flows.with(index, simpler)) }
  if (recipe.backend === 'nft' && !(recipe.kind === 'cluster' && usesNft(recipe)))
    yield { ...recipe, backend: 'legacy' }
  yield* smallerLabs(recipe)
}

function* smallerLabs(recipe: Recipe): Generator<Recipe> {
  const mentions = (name: string) =>
    JSON.stringify([recipe.rounds, recipe.rules, recipe.sysctls, recipe.faults]).includes(`"${name}"`)
  switch (recipe.kind) {
    case 'flannel':
      if (recipe.services !== undefined) {
        yield { ...recipe, services: undefined }
        for (const services of halves(recipe.services)) yield { ...recipe, services }
        for (const [index, service] of recipe.services.entries())
          for (const endpoints of halves(service.endpoints))
            yield { ...recipe, services: recipe.services.with(index, { ...service, endpoints }) }
      }
      if (recipe.hairpin) yield { ...recipe, hairpin: false }
      if (recipe.bridgeNetfilter === 0) yield { ...recipe, bridgeNetfilter: 1 }
      if (recipe.defaultRoute) yield { ...recipe, defaultRoute: false }
      if (recipe.podMtu !== undefined) yield { ...recipe, podMtu: undefined }
      if (recipe.nodes > 1 && !mentions(`node${recipe.nodes}`)) yield { ...recipe, nodes: recipe.nodes - 1 }
      return
    case 'cluster': {
      // The last service, node or pod goes first: those before keep their names.
      if (recipe.services.length > 0) yield { ...recipe, services: recipe.services.slice(0, -1) }
      if (usesNft(recipe)) yield { ...recipe, proxy: 'iptables v1.36.3' }
      if (recipe.duplicatePodCidr) yield { ...recipe, duplicatePodCidr: false }
      if (recipe.hairpin) yield { ...recipe, hairpin: false }
      if (recipe.bridgeNetfilter === 0) yield { ...recipe, bridgeNetfilter: 1 }
      if (recipe.forwardPolicy === 'DROP') yield { ...recipe, forwardPolicy: 'ACCEPT' }
      const { length } = recipe.nodes
      if (length > 1 && !mentions(`n${length}`)) yield { ...recipe, nodes: recipe.nodes.slice(0, -1) }
      return
    }
    case 'plain':
      if (recipe.hairpin) yield { ...recipe, hairpin: false }
      if (recipe.secondary) yield { ...recipe, secondary: false }
      if (recipe.bridgeNetfilter === 1) yield { ...recipe, bridgeNetfilter: 0 }
      if (recipe.segments !== 'one') yield { ...recipe, segments: 'one' }
      if (recipe.boxes.length > 1 && !mentions(`m${recipe.boxes.length}`))
        yield { ...recipe, boxes: recipe.boxes.slice(0, -1) }
      if (JSON.stringify(recipe.mtus) !== JSON.stringify(USUAL_MTUS)) yield { ...recipe, mtus: USUAL_MTUS }
      return
    case 'routed':
      for (const forgets of halves(recipe.forgets)) yield { ...recipe, forgets }
      for (const refuses of halves(recipe.refuses)) yield { ...recipe, refuses }
      if (recipe.aside && !mentions('aside')) yield { ...recipe, aside: false }
      if (recipe.mtus.some((mtu) => mtu !== 1500)) yield { ...recipe, mtus: recipe.mtus.map(() => 1500) }
      return
    case 'topology':
      if (Object.keys(recipe.lab).length > 0) yield { ...recipe, lab: {} }
      return
  }
}

const USUAL_MTUS = { segments: [1500, 1500], bridge: 1500, boxes: 1500 } as const

/** The list without its first half, without its second, and without each element. */
function* halves<T>(list: readonly T[]): Generator<readonly T[]> {
  const middle = list.length >> 1
  if (middle > 0) {
    yield list.slice(middle)
    yield list.slice(0, middle)
  }
  for (let i = 0; i < list.length; i++) yield list.toSpliced(i, 1)
}

function* simplerFlows(flow: ScenarioFlow): Generator<ScenarioFlow> {
  const { ttl, ip, ...rest } = flow
  if (ttl !== undefined) yield { ...rest, ...(ip === undefined ? {} : { ip }) }
  if (ip !== undefined) yield { ...rest, ...(ttl === undefined ? {} : { ttl }) }
  if (flow.stay === true) yield { ...flow, stay: false }
  if (flow.sends.length > 1) yield { ...flow, sends: flow.sends.slice(0, 1) }
  if (flow.protocol === 'tcp' && flow.sends.length > 0) yield { ...flow, sends: [] }
  if (flow.sends.some((message) => message !== 'x')) yield { ...flow, sends: flow.sends.map(() => 'x') }
}
