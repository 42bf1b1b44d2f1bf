import { expect, it } from 'vitest'
import type { KubeNode } from '../objects.ts'
import { loadText } from '../testing/load-text.ts'
import type { Placed } from './placed.ts'
import { tallyOf } from './tally.ts'

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
