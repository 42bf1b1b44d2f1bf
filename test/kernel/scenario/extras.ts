import type { Op } from '../../../linux/op.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import type { KernelLab } from '../lab.ts'
import type { Listener, Standing } from '../scenario.ts'
import type { RecipeBase } from './recipe.ts'

const ORIGIN = { by: 'operator' }

/** The lab with the recipe's own rules and settings. */
export function withExtras(lab: KernelLab, { rules, sysctls }: Pick<RecipeBase, 'rules' | 'sysctls'>): KernelLab {
  return {
    hosts: lab.hosts.map(({ name, ops }) => ({
      name,
      ops: [
        ...ops,
        ...sysctls
          .filter(({ host }) => host === name)
          .map(({ netns, key, value }): Op => ({ kind: 'sysctl.set', key, value, netns, origin: ORIGIN })),
        ...rules.filter(({ host }) => host === name).flatMap(({ set }) => setOps(set)),
        ...rules
          .filter(({ host }) => host === name)
          .map(({ family, table, chain, args, top }): Op => {
            const kind = top ? 'rule.insert' : 'rule.append'
            return { kind, family, table, chain, args, netns: ROOT_NETNS, origin: ORIGIN }
          }),
      ],
    })),
  }
}

function setOps(set: RecipeBase['rules'][number]['set']): Op[] {
  if (set === undefined) return []
  const made: Op = { kind: 'set.new', set: set.name, type: set.type, netns: ROOT_NETNS, origin: ORIGIN }
  const adds = set.entries.map(
    (entry): Op => ({ kind: 'set.add', set: set.name, entry, netns: ROOT_NETNS, origin: ORIGIN }),
  )
  return [made, ...adds]
}

/** What stands, without the dead. */
export function alive(standing: readonly Standing[], { dead }: Pick<RecipeBase, 'dead'>): readonly Standing[] {
  return standing.filter((one) => one.program !== 'listen' || !dead.includes(listenerKey(one)))
}

export const listenerKey = ({ host, netns, protocol, port }: Listener): string => `${host} ${netns} ${protocol} ${port}`
