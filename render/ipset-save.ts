import type { Op } from '../linux/op.ts'
import type { Lens } from './lens.ts'

/** `ipset save` of the sets of a namespace: each set, then its members: ports in order, others as they were added. */
export function renderIpset(
  sets: ReadonlyMap<string, { readonly type: string; readonly entries: readonly string[] }>,
): readonly string[] {
  return [...sets].flatMap(([name, { type, entries }]) => [
    `create ${name} ${type}`,
    ...(type.startsWith('bitmap:port') ? inNumbers(entries) : entries).map((entry) => `add ${name} ${entry}`),
  ])
}

const inNumbers = (entries: readonly string[]): readonly string[] =>
  entries.toSorted((x, y) => Number.parseInt(x, 10) - Number.parseInt(y, 10))

/** The same through a lens: members of some Service only, or each with who put it there. */
export function renderIpsetOps(ops: readonly Op[], netns: string, lens: Lens): readonly string[] {
  const sets = ops.filter((op) => op.kind === 'set.new' && op.netns === netns)
  const members = ops.filter((op) => op.kind === 'set.add' && op.netns === netns && lens.keeps(op.origin))
  return sets.flatMap((op) => {
    if (op.kind !== 'set.new') return []
    const { set, type, origin } = op
    const own = members.flatMap((member) => (member.kind === 'set.add' && member.set === set ? [member] : []))
    if (!lens.whole && own.length === 0) return []
    const ordered = type.startsWith('bitmap:port')
      ? own.toSorted((x, y) => Number.parseInt(x.entry, 10) - Number.parseInt(y.entry, 10))
      : own
    return [
      lens.line(`create ${set} ${type}`, origin),
      ...ordered.map((member) => lens.line(`add ${set} ${member.entry}`, member.origin)),
    ]
  })
}
