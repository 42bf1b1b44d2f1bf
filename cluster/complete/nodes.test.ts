import { describe, expect, it } from 'vitest'
import { formatPrefix } from '../../packet/prefix.ts'
import { loadText } from '../testing/load-text.ts'

const pod = (name: string, spec: string, meta = '') =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}${meta}}, spec: {${spec}}}\n---\n`
const nodesOf = (text: string) =>
  loadText(text).cluster.nodes.map(({ meta }) => {
    const { 'kubernetes.io/hostname': _, 'kubernetes.io/arch': __, 'kubernetes.io/os': ___, ...labels } = meta.labels
    return [meta.name, labels]
  })
const required = (expression: string) =>
  `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [${expression}]}]}}}`

describe('machines that nothing describes', () => {
  it.each([
    [
      'are two',
      pod('p', ''),
      [
        ['node1', {}],
        ['node2', {}],
      ],
    ],
    [
      'one is named: another beside it',
      pod('p', 'nodeName: w'),
      [
        ['node1', {}],
        ['w', {}],
      ],
    ],
    [
      'two are named',
      pod('p', 'nodeName: w') + pod('q', 'nodeName: v'),
      [
        ['v', {}],
        ['w', {}],
      ],
    ],
    ['a recorded pod names those that there are', pod('p', 'nodeName: w', ', uid: u'), [['w', {}]]],
    [
      'a Lab names those that there are',
      `${pod('p', '')}{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {nodes: {w: {}}}}`,
      [['w', {}]],
    ],
    [
      'a selector by hostname names one',
      pod('p', 'nodeSelector: {kubernetes.io/hostname: w}'),
      [
        ['node1', {}],
        ['w', {}],
      ],
    ],
    [
      'have the labels that pods look for',
      pod('p', 'nodeSelector: {disk: ssd}'),
      [
        ['node1', { disk: 'ssd' }],
        ['node2', { disk: 'ssd' }],
      ],
    ],
    [
      'in turn, where pods look for several',
      pod('p', 'nodeSelector: {disk: ssd}') + pod('q', 'nodeSelector: {disk: hdd}'),
      [
        ['node1', { disk: 'hdd' }],
        ['node2', { disk: 'ssd' }],
      ],
    ],
    [
      'by affinity: In and Exists, not what must be absent',
      pod(
        'p',
        required(
          '{key: a, operator: In, values: [x, y]}, {key: b, operator: Exists}, {key: c, operator: DoesNotExist}',
        ),
      ),
      [
        ['node1', { a: 'x', b: '' }],
        ['node2', { a: 'x', b: '' }],
      ],
    ],
    [
      'by the template of a workload',
      '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {nodeSelector: {gpu: "yes"}}}}}',
      [
        ['node1', { gpu: 'yes' }],
        ['node2', { gpu: 'yes' }],
      ],
    ],
  ])('%s', (_, text, expected) => expect(nodesOf(text)).toEqual(expected))

  it('run Linux on amd64, so that the usual selector finds them', () => {
    const { pods } = loadText(pod('p', 'nodeSelector: {kubernetes.io/os: linux, kubernetes.io/arch: amd64}')).cluster
    expect(pods.map(({ spec }) => spec.nodeName)).toEqual(['node1'])
  })

  it('a Node that is described has only its own labels', () =>
    expect(
      nodesOf(`{apiVersion: v1, kind: Node, metadata: {name: w}}\n---\n${pod('p', 'nodeSelector: {disk: ssd}')}`),
    ).toEqual([['w', {}]]))
})

describe('podCIDRs that are made up', () => {
  const node = (name: string, podCIDR: string) =>
    `{apiVersion: v1, kind: Node, metadata: {name: ${name}}, spec: {${podCIDR === '' ? '' : `podCIDR: ${podCIDR}`}}}\n---\n`
  it.each([
    ['are the next free ones', '10.244.0.0/24', '10.244.1.0/24'],
    ['keep off a larger one', '10.244.0.0/23', '10.244.2.0/24'],
    ['keep off a smaller one', '10.244.0.128/25', '10.244.1.0/24'],
    ['keep off one that is elsewhere', '10.250.0.0/24', '10.244.0.0/24'],
  ])('%s', (_, given, expected) => {
    const { nodes } = loadText(node('a', given) + node('b', '')).cluster
    expect(nodes[1]!.podCIDRs.map(formatPrefix)).toEqual([expected])
  })
})
