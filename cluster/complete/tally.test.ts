import { expect, it } from 'vitest'
import type { KubeNode } from '../objects.ts'
import { loadText } from '../testing/load-text.ts'
import type { Placed } from './placed.ts'
import { neighbourhood } from './pod-affinity.ts'
import { type Tally, tallyOf } from './tally.ts'
import { spread } from './topology-spread.ts'

const [node, spec] = ((): [KubeNode, Placed['spec']] => {
  const { cluster } = loadText(
    'apiVersion: v1\nkind: Node\nmetadata: {name: n}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\n',
  )
  return [cluster.nodes[0]!, cluster.pods[0]!.spec]
})()
const pod = (namespace: string): Placed => ({ namespace, labels: {}, spec, owner: '', terminating: false, node })

it('counts pods by their answers, and not those that have none', () => {
  const tally = tallyOf(['a', 'b', 'a', 'c'].map(pod))
  const counts = tally.count('all but c', ({ namespace }) => (namespace === 'c' ? undefined : namespace))
  expect([...counts]).toEqual([
    ['a', 2],
    ['b', 1],
  ])
})

it('looks at each pod once for each question, those that come later included', () => {
  const placed: Placed[] = []
  const tally = tallyOf(placed)
  let looks = 0
  const count = () =>
    tally.count('namespace', ({ namespace }) => {
      looks++
      return namespace
    })
  for (let i = 1; i <= 100; i++) {
    placed.push(pod('a'))
    expect(count().get('a')).toBe(i)
  }
  expect(looks).toBe(100)
  expect(tally.count('another', () => 'x').get('x')).toBe(100)
})

it('asks one question for all pods that ask for their own values of a label', () => {
  const placed: Placed[] = []
  const tally = tallyOf(placed)
  const questions = new Set<string>()
  const listened: Tally = {
    count(question, answer) {
      questions.add(question)
      return tally.count(question, answer)
    },
  }
  const zoned: KubeNode = { ...node, meta: { ...node.meta, labels: { zone: 'a' } } }
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'x' } }, matchLabelKeys: ['name'] }
  const wanting: Placed['spec'] = {
    ...spec,
    topologySpreadConstraints: [{ ...term, maxSkew: 1, minDomains: 2 }],
    affinity: {
      podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] },
      podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] },
    },
  }
  const spreading = spread({ nodes: [zoned], placed, tally: listened })
  const neighbourly = neighbourhood({ placed, tally: listened, namespaces: [] })
  for (let i = 0; i < 50; i++) {
    const one = { ...pod('a'), labels: { app: 'x', name: `${i}` }, spec: wanting, node: zoned }
    expect([spreading(one).allows(zoned), neighbourly(one).allows(zoned), neighbourly(one).worth(zoned)]).toEqual([
      true,
      true,
      0,
    ])
    placed.push(one)
    expect([spreading(one).allows(zoned), neighbourly(one).allows(zoned), neighbourly(one).worth(zoned)]).toEqual([
      false,
      true,
      -1,
    ])
  }
  expect(questions.size).toBe(4)
})
