import { ask, askAll } from './ask.ts'
import type { Built } from './build.ts'
import type { Conversation } from './conversation.ts'
import type { Probe } from './probe.ts'

/** One question put to one variant of a cluster. */
export interface Variant {
  readonly name: string
  readonly built: Built
  readonly probe: Probe
}

export interface ComparedWalk {
  readonly name: string
  readonly conversation: Conversation
}

export interface Comparison {
  readonly walks: readonly ComparedWalk[]
  /** The pod or machine whose server all walks reach; undefined where they have none in common. */
  readonly sameServer?: string
}

/**
 * Walks the question in every variant. Which endpoint is taken is chance in each of them, so of all the ways that a
 * walk can go the one is shown that ends at a server which the other variants reach too.
 */
export function compare(variants: readonly Variant[], seed = 1): Comparison {
  const all = variants.map(({ built, probe, name }) => ({ name, ways: waysOf(built, probe, seed) }))
  const common = commonServer(all.map(({ ways }) => ways.map(serverOf)))
  const walks = all.flatMap(({ name, ways }) => {
    const conversation = ways.find((way) => common !== undefined && serverOf(way) === common) ?? likeliest(ways)
    return conversation === undefined ? [] : [{ name, conversation }]
  })
  return { walks, ...(common === undefined ? {} : { sameServer: common }) }
}

/** Every way of the walk; a seeded one stands for all where it made no choice. */
function waysOf(built: Built, probe: Probe, seed: number): readonly Conversation[] {
  const ways = askAll(built, probe, { seed })
  return ways.length > 0 ? ways : [ask(built, probe, { seed })]
}

const serverOf = ({ server }: Conversation): string | undefined =>
  server === undefined ? undefined : server.netns === 'root' ? server.host : server.netns

/** The server that most variants can reach, if at least two can; the first of equals. */
function commonServer(reached: readonly (readonly (string | undefined)[])[]): string | undefined {
  const counts = new Map<string, number>()
  for (const servers of reached)
    for (const server of new Set(servers)) if (server !== undefined) counts.set(server, (counts.get(server) ?? 0) + 1)
  const [best] = [...counts].toSorted(([, x], [, y]) => y - x)
  return best === undefined || best[1] < 2 ? undefined : best[0]
}

const likeliest = (ways: readonly Conversation[]): Conversation | undefined =>
  ways.toSorted((x, y) => y.probability - x.probability)[0]
