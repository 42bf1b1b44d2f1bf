import { describe, expect, it } from 'vitest'
import type { KubeNode, PodSpec, Taint, Toleration } from '../objects.ts'
import { loadText } from '../testing/load-text.ts'
import { fits, isTolerated } from './node-selection.ts'
import type { Candidate } from './placed.ts'
import { scheduler } from './schedule.ts'

const nodeOf = (spec = '{}', labels = '{}', name = 'n1'): KubeNode =>
  loadText(`apiVersion: v1\nkind: Node\nmetadata: {name: ${name}, labels: ${labels}}\nspec: ${spec}\n`).cluster
    .nodes[0]!
const specOf = (spec: string): PodSpec =>
  loadText(`apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nspec: ${spec}\n`).cluster.pods[0]!.spec

describe('a toleration tolerates a taint', () => {
  const taint: Taint = { key: 'a', value: 'b', effect: 'NoSchedule' }
  const toleration = (of: Partial<Toleration>): Toleration => ({
    key: 'a',
    operator: 'Equal',
    value: '',
    effect: '',
    ...of,
  })
  it.each([
    ['equal in all', { value: 'b', effect: 'NoSchedule' }, true],
    ['no effect means all effects', { value: 'b' }, true],
    ['another effect', { value: 'b', effect: 'NoExecute' }, false],
    ['another value', { value: 'c' }, false],
    ['any value', { operator: 'Exists' }, true],
    ['another key', { key: 'c', operator: 'Exists' }, false],
    ['no key and Exists: everything', { key: '', operator: 'Exists' }, true],
    ['no key and Equal: nothing', { key: '', operator: 'Equal', value: 'b' }, false],
  ] as const)('%s', (_, of, expected) => expect(isTolerated(taint, [toleration(of)])).toBe(expected))

  it('one of several is enough, none is not', () => {
    expect(isTolerated(taint, [toleration({ key: 'x' }), toleration({ value: 'b' })])).toBe(true)
    expect(isTolerated(taint, [])).toBe(false)
  })
})

describe('a node takes a pod', () => {
  const required = (terms: string) =>
    `{affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: ${terms}}}}}`
  const one = (operator: string, values: string, key = 'disk') =>
    required(`[{matchExpressions: [{key: ${key}, operator: ${operator}, values: ${values}}]}]`)
  const labels = '{disk: ssd, cores: "8"}'
  it.each([
    ['that asks for nothing', '{}', '{}', true],
    [
      'by name, whatever the taints',
      '{nodeName: n1}',
      '{taints: [{key: a, effect: NoSchedule}], unschedulable: true}',
      true,
    ],
    ['by another name', '{nodeName: n2}', '{}', false],
    ['unless tainted NoSchedule', '{}', '{taints: [{key: a, effect: NoSchedule}]}', false],
    ['unless tainted NoExecute', '{}', '{taints: [{key: a, effect: NoExecute}]}', false],
    ['even if PreferNoSchedule', '{}', '{taints: [{key: a, effect: PreferNoSchedule}]}', true],
    ['that tolerates', '{tolerations: [{key: a, operator: Exists}]}', '{taints: [{key: a, effect: NoSchedule}]}', true],
    [
      'that tolerates only one of two',
      '{tolerations: [{key: a, operator: Exists}]}',
      '{taints: [{key: a, effect: NoSchedule}, {key: b, effect: NoSchedule}]}',
      false,
    ],
    ['not while it is cordoned', '{}', '{unschedulable: true}', false],
    [
      'cordoned, but tolerated',
      '{tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists}]}',
      '{unschedulable: true}',
      true,
    ],
    ['by nodeSelector', '{nodeSelector: {disk: ssd}}', '{}', true],
    ['by nodeSelector, with another value', '{nodeSelector: {disk: hdd}}', '{}', false],
    ['by nodeSelector, without the label', '{nodeSelector: {zone: ""}}', '{}', false],
    ['affinity In', one('In', '[ssd, nvme]'), '{}', true],
    ['affinity In, another', one('In', '[nvme]'), '{}', false],
    ['affinity In, no label', one('In', '[ssd]', 'zone'), '{}', false],
    ['affinity NotIn', one('NotIn', '[nvme]'), '{}', true],
    ['affinity NotIn, the value', one('NotIn', '[ssd]'), '{}', false],
    ['affinity NotIn, no label', one('NotIn', '[ssd]', 'zone'), '{}', true],
    ['affinity Exists', one('Exists', '[]'), '{}', true],
    ['affinity Exists, no label', one('Exists', '[]', 'zone'), '{}', false],
    ['affinity DoesNotExist', one('DoesNotExist', '[]', 'zone'), '{}', true],
    ['affinity DoesNotExist, the label', one('DoesNotExist', '[]'), '{}', false],
    ['affinity Gt', one('Gt', '["7"]', 'cores'), '{}', true],
    ['affinity Gt, equal', one('Gt', '["8"]', 'cores'), '{}', false],
    ['affinity Lt', one('Lt', '["9"]', 'cores'), '{}', true],
    ['affinity Lt, equal', one('Lt', '["8"]', 'cores'), '{}', false],
    ['an unknown operator', one('Is', '[ssd]'), '{}', false],
    [
      'one of two terms',
      required(
        '[{matchExpressions: [{key: disk, operator: In, values: [x]}]}, {matchExpressions: [{key: disk, operator: Exists}]}]',
      ),
      '{}',
      true,
    ],
    [
      'both expressions of a term',
      required('[{matchExpressions: [{key: disk, operator: Exists}, {key: zone, operator: Exists}]}]'),
      '{}',
      false,
    ],
    ['an empty term: nothing', required('[{}]'), '{}', false],
    [
      'the field metadata.name',
      required('[{matchFields: [{key: metadata.name, operator: In, values: [n1]}]}]'),
      '{}',
      true,
    ],
    [
      'the field metadata.name of another',
      required('[{matchFields: [{key: metadata.name, operator: In, values: [n2]}]}]'),
      '{}',
      false,
    ],
    [
      'preferences alone',
      '{affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: zone, operator: Exists}]}}]}}}',
      '{}',
      true,
    ],
  ])('%s', (_, pod, node, expected) => expect(fits(nodeOf(node, labels), specOf(pod))).toBe(expected))
})

describe('of the nodes that take a pod', () => {
  const nodes = ['a1', 'b1', 'c1'].map((name) => nodeOf('{}', '{}', name))
  const spec = specOf('{}')
  const podOf = (owner: string): Candidate => ({ namespace: 'default', labels: {}, spec, owner, terminating: false })
  const placed = (owners: readonly string[], occupied: readonly (readonly [string, string])[] = []) => {
    const schedule = scheduler(nodes)
    for (const [node, owner] of occupied) schedule.occupy(node, podOf(owner))
    return owners.map((owner) => schedule.place(podOf(owner))?.meta.name)
  }
  it.each([
    ['the first by name', ['x'], [], ['a1']],
    ['then those without a pod of the same owner', ['x', 'x', 'x', 'x'], [], ['a1', 'b1', 'c1', 'a1']],
    ['then those with the fewest pods', ['x', 'y', 'z'], [], ['a1', 'b1', 'c1']],
    [
      'pods that are there count',
      ['x'],
      [
        ['a1', 'y'],
        ['b1', 'y'],
      ],
      ['c1'],
    ],
    [
      'the same owner counts more than the number',
      ['x'],
      [
        ['a1', 'x'],
        ['b1', 'y'],
        ['b1', 'y'],
        ['c1', 'x'],
      ],
      ['b1'],
    ],
  ] as const)('%s', (_, owners, occupied, expected) => expect(placed(owners, occupied)).toEqual(expected))
})
