import { describe, expect, test } from 'vitest'
import type { Op } from '../../linux/op.ts'
import { LAB_NAMES, openLab } from '../labs.ts'

/** What kube-proxy writes for a Service is made once, however many nodes have it. */

type BlockOp = Extract<Op, { kind: 'rules.block' }>
const isBlock = (op: Op): op is BlockOp => op.kind === 'rules.block'

describe.each(LAB_NAMES)('%s', (lab) => {
  const built = openLab(lab)
  const names = built.cluster.nodes.map(({ meta }) => meta.name)
  const blocksOf = (node: string): readonly BlockOp[] => (built.opsOf(node) ?? []).filter(isBlock)

  test('nodes share the blocks of Services that are the same on both, and have blocks of their own where not', () => {
    const [first = '', second = ''] = names
    const others = new Set(blocksOf(second).map((op) => op.block))
    const shared = blocksOf(first).filter((op) => others.has(op.block))
    const own = blocksOf(first).filter((op) => !others.has(op.block))
    expect(shared.length).toBeGreaterThan(5)
    // externalTrafficPolicy Local: who has an endpoint and who has none differ.
    expect(own.length).toBeGreaterThan(0)
    expect(own.length).toBeLessThan(shared.length)
  })

  test('the shared ones reach the machines as they are: the same rules, not their like', () => {
    const rulesOn = (node: string): ReadonlySet<object> => {
      const iptables = built.blueprint.hosts.get(node)?.().netns.get('root')?.netfilter.iptables[4]
      const chain = iptables?.tables.get('nat')?.chains.get('KUBE-SERVICES')
      return new Set(chain?.rules)
    }
    const [first = '', second = ''] = names
    const others = rulesOn(second)
    const shared = [...rulesOn(first)].filter((rule) => others.has(rule))
    expect(shared.length).toBeGreaterThan(5)
  })

  test('asking twice makes nothing twice', () => {
    for (const name of names) {
      expect(built.opsOf(name)).toBe(built.opsOf(name))
      expect(built.blueprint.hosts.get(name)?.()).toBe(built.blueprint.hosts.get(name)?.())
    }
  })
})
