import { describe, expect, it } from 'vitest'
import {
  type ClusterText,
  DEFAULT_CONFIG,
  machine,
  NOT_READY,
  node,
  service,
  slice,
  smallCluster,
} from '../testing/small-cluster.ts'
import { changesBetween, type Synced } from './partial-sync.ts'
import { renderRestore } from './restore.ts'
import { iptablesSync } from './sync.ts'

function synced(text: ClusterText): Synced {
  const cluster = smallCluster(text)
  const given = { family: 4 as const, facts: machine([]), config: DEFAULT_CONFIG }
  return { cluster, sync: iptablesSync(cluster, node('node1'), given) }
}

const A = service('a', { clusterIPs: ['10.96.0.1'], ports: [{ name: 'x' }, { name: 'y', port: 81 }] })
const B = service('b', { clusterIPs: ['10.96.0.2'] })
const slicesOf = (a: Parameters<typeof slice>[0]['endpoints'], b: Parameters<typeof slice>[0]['endpoints']) => [
  slice({ of: 'a', ports: [{ name: 'x' }, { name: 'y' }], endpoints: a }),
  slice({ of: 'b', endpoints: b }),
]

const BEFORE: ClusterText = { services: [A, B], slices: slicesOf(['10.244.1.5'], ['10.244.1.6']) }

/** Which service ports' own chains are written again, and how many chains are deleted. */
function partial(after: ClusterText) {
  const [first, second] = [synced(BEFORE), synced(after)]
  const changes = changesBetween(first, second)
  const rewritten = second.sync.services.filter(({ port }) => !changes.isUnchanged(port)).map(({ port }) => port.name)
  return { rewritten, deleted: changes.staleChains.length, text: renderRestore(second.sync, changes) }
}

describe('a partial sync', () => {
  it.each<[string, ClusterText, readonly string[], number]>([
    ['nothing changed', BEFORE, [], 0],
    [
      'an endpoint came',
      { ...BEFORE, slices: slicesOf(['10.244.1.5', '10.244.1.7'], ['10.244.1.6']) },
      ['default/a:x', 'default/a:y'],
      0,
    ],
    ['an endpoint went', { ...BEFORE, slices: slicesOf(['10.244.1.5'], []) }, ['default/b'], 2],
    [
      'an endpoint that is not ready came',
      { ...BEFORE, slices: slicesOf(['10.244.1.5'], ['10.244.1.6', { ip: '10.244.1.7', ...NOT_READY }]) },
      ['default/b'],
      0,
    ],
    ['a Service changed', { ...BEFORE, services: [A, service('b', { clusterIPs: ['10.96.0.9'] })] }, ['default/b'], 0],
    ['a Service went', { ...BEFORE, services: [B] }, [], 4],
    ['a Service came', { ...BEFORE, services: [A, B, service('c', { clusterIPs: ['10.96.0.3'] })] }, ['default/c'], 0],
    [
      'an endpoint of the other family came',
      { ...BEFORE, slices: [...(BEFORE.slices ?? []), slice({ of: 'b', name: 'b-6', endpoints: ['fd00::5'] })] },
      [],
      0,
    ],
    [
      'a slice was replaced by an equal one',
      {
        ...BEFORE,
        slices: BEFORE.slices?.map((one) => ({ ...one, at: { file: 'x', line: 9, offset: 0, length: 0 } })) ?? [],
      },
      [],
      0,
    ],
  ])('writes what changed: %s', (_, after, rewritten, deleted) => {
    const found = partial(after)
    expect(found.rewritten).toEqual(rewritten)
    expect(found.deleted).toBe(deleted)
  })

  it.each([
    ['v1.34.0', 'zone', 4],
    ['v1.33.9', 'zone', 4],
    ['v1.34.0', 'another label', 0],
    ['v1.33.9', 'another label', 4],
  ])('%s with another value of the node: %s, writes that many service ports anew', (version, what, written) => {
    const plain = node('node1')
    const other = {
      ...plain,
      meta: { ...plain.meta, labels: { [what === 'zone' ? 'topology.kubernetes.io/zone' : 'x']: 'b' } },
    }
    const cluster = smallCluster(BEFORE)
    const at = (where: typeof plain): Synced => {
      const given = { family: 4 as const, facts: machine([]), config: { ...DEFAULT_CONFIG, version } }
      return { cluster, sync: iptablesSync(cluster, where, given) }
    }
    const [first, second] = [at(plain), at(other)]
    const { isUnchanged } = changesBetween(first, second)
    expect(second.sync.services.filter(({ port }) => !isUnchanged(port))).toHaveLength(written === 0 ? 0 : 3)
  })

  it.each([
    ['v1.36.3', ['0.0.0.0/0'], true],
    ['v1.36.3', ['::/0'], false],
  ])('%s sees a change where source ranges become %j, although no rule does: %s', (version, sourceRanges, seen) => {
    const lb = (more: Parameters<typeof service>[1]) =>
      smallCluster({
        services: [service('b', { type: 'LoadBalancer', ...more })],
        slices: slicesOf([], ['10.244.1.6']),
      })
    const at = (cluster: ReturnType<typeof lb>): Synced => ({
      cluster,
      sync: iptablesSync(cluster, node('node1'), {
        family: 4,
        facts: machine([]),
        config: { ...DEFAULT_CONFIG, version },
      }),
    })
    const after = at(lb({ sourceRanges }))
    const { isUnchanged } = changesBetween(at(lb({})), after)
    expect(after.sync.services.map(({ port }) => isUnchanged(port))).toEqual([!seen])
  })

  it('always writes the rules in the shared chains', () => {
    const { text } = partial(BEFORE)
    expect(text.match(/-A KUBE-SERVICES /g)).toHaveLength(4)
    expect(text).not.toContain('KUBE-SEP-')
  })

  it('empties a chain and then deletes it, by name, after all rules of Services', () => {
    const { text } = partial({ ...BEFORE, services: [B] })
    const deleted = [...text.matchAll(/^-X (\S+)$/gm)].map((match) => match[1] ?? '')
    expect(deleted).toEqual([...deleted].sort())
    for (const chain of deleted) expect(text).toContain(`\n:${chain} - [0:0]\n`)
    expect(text.indexOf('-X ')).toBeGreaterThan(text.lastIndexOf('-j KUBE-SVC-'))
    expect(text.lastIndexOf('-X ')).toBeLessThan(text.indexOf('must be the last rule'))
  })

  it('leaves stale chains alone in a large cluster', () => {
    const many = Array.from({ length: 1001 }, (_, i) => `10.250.${i >> 8}.${i & 255}`)
    const changes = changesBetween(synced(BEFORE), synced({ services: [B], slices: slicesOf([], many) }))
    expect(changes.staleChains).toEqual([])
    const large = { ...synced({ services: [B], slices: slicesOf([], many) }), leftChains: changes.leftChains }
    const small = changesBetween(large, synced({ services: [B], slices: slicesOf([], ['10.244.1.8']) }))
    expect(changes.leftChains).toHaveLength(5)
    expect(small.staleChains).toEqual(expect.arrayContaining([...changes.leftChains]))
    expect(small.leftChains).toEqual([])
  })
})
