import type { Recipe } from './recipe.ts'

/** Recipes with one thing less, the largest steps first. */
export function* smaller(recipe: Recipe): Generator<Recipe> {
  for (const flows of halves(recipe.flows)) if (flows.length > 0) yield { ...recipe, flows }
  for (const rules of halves(recipe.rules)) yield { ...recipe, rules }
  for (const sysctls of halves(recipe.sysctls)) yield { ...recipe, sysctls }
  for (const dead of halves(recipe.dead)) yield { ...recipe, dead }
  for (const [index, flow] of recipe.flows.entries())
    for (const simpler of simplerFlows(flow)) yield { ...recipe, flows: recipe.flows.with(index, simpler) }
  switch (recipe.kind) {
    case 'flannel': {
      for (const faults of halves(recipe.faults)) yield { ...recipe, faults }
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
      if (
        recipe.nodes > 1 &&
        !JSON.stringify([recipe.flows, recipe.rules, recipe.sysctls]).includes(`node${recipe.nodes}`)
      )
        yield { ...recipe, nodes: recipe.nodes - 1 }
      break
    }
    case 'routed':
      for (const forgets of halves(recipe.forgets)) yield { ...recipe, forgets }
      for (const refuses of halves(recipe.refuses)) yield { ...recipe, refuses }
      if (recipe.aside && !recipe.flows.some(({ host }) => host === 'aside')) yield { ...recipe, aside: false }
      if (recipe.mtus.some((mtu) => mtu !== 1500)) yield { ...recipe, mtus: recipe.mtus.map(() => 1500) }
      break
    case 'topology':
      if (Object.keys(recipe.lab).length > 0) yield { ...recipe, lab: {} }
      break
  }
}

/** The list without its first half, without its second, and without each element. */
function* halves<T>(list: readonly T[]): Generator<readonly T[]> {
  const middle = list.length >> 1
  if (middle > 0) {
    yield list.slice(middle)
    yield list.slice(0, middle)
  }
  for (let i = 0; i < list.length; i++) yield list.toSpliced(i, 1)
}

type Flow = Recipe['flows'][number]

function* simplerFlows(flow: Flow): Generator<Flow> {
  const { ttl, ...rest } = flow
  if (ttl !== undefined) yield rest
  if (flow.sends.length > 1) yield { ...flow, sends: flow.sends.slice(0, 1) }
  if (flow.protocol === 'tcp' && flow.sends.length > 0) yield { ...flow, sends: [] }
  if (flow.sends.some((message) => message !== 'x')) yield { ...flow, sends: flow.sends.map(() => 'x') }
}
