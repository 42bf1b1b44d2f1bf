import { describe, expect, it } from 'vitest'
import { ip, ipKey } from '../packet/ip.ts'
import { loadText } from './testing/load-text.ts'

const pod = (name: string, of: { ip: string; phase?: string; ready?: boolean; spec?: string; namespace?: string }) =>
  `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${of.namespace ?? 'default'}, uid: ${name}}
spec: {${of.spec ?? 'nodeName: n1'}}
status: {phase: ${of.phase ?? 'Running'}, podIP: ${of.ip}, conditions: [{type: Ready, status: "${of.ready === false ? 'False' : 'True'}"}]}
---
`
const owner = (...pods: string[]) => {
  const { index } = loadText(pods.join('')).cluster
  return index.podByIp.get(ipKey(ip('10.244.1.2')))?.meta.name
}

describe('who has an address', () => {
  const a = pod('a', { ip: '10.244.1.2' })
  it.each([
    ['the pod', [a], 'a'],
    ['not a finished pod', [pod('a', { ip: '10.244.1.2', phase: 'Succeeded' }), pod('b', { ip: '10.244.1.2' })], 'b'],
    ['not a failed one', [pod('a', { ip: '10.244.1.2', phase: 'Failed' })], undefined],
    [
      'not a pod on the host network',
      [pod('a', { ip: '10.244.1.2', spec: 'nodeName: n1, hostNetwork: true' })],
      undefined,
    ],
    ['of two the first by name', [pod('b', { ip: '10.244.1.2' }), a], 'a'],
    ['of two the ready one', [pod('a', { ip: '10.244.1.2', ready: false }), pod('b', { ip: '10.244.1.2' })], 'b'],
    [
      'of two unready ones the first by name',
      [pod('a', { ip: '10.244.1.2', ready: false }), pod('b', { ip: '10.244.1.2', ready: false })],
      'a',
    ],
    ['nobody', [pod('a', { ip: '10.244.1.3' })], undefined],
  ])('%s', (_, pods, name) => expect(owner(...pods)).toBe(name))
})

it('groups pods by node, slices by Service, policies by namespace', () => {
  const slice = (name: string, service: string) =>
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${name}, labels: {kubernetes.io/service-name: ${service}}}, addressType: IPv4}\n---\n`
  const policy = (name: string, namespace: string) =>
    `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: ${name}, namespace: ${namespace}}, spec: {podSelector: {}}}\n---\n`
  const { index } = loadText(
    pod('a', { ip: '10.244.1.2' }) +
      pod('b', { ip: '10.244.2.2', spec: 'nodeName: n2' }) +
      pod('c', { ip: '10.244.1.3', namespace: 'shop' }) +
      pod('d', { ip: '10.244.1.4', spec: '' }) +
      slice('s1', 'x') +
      slice('s2', 'x') +
      slice('s3', 'z') +
      policy('p1', 'shop') +
      policy('p2', 'shop') +
      policy('p3', 'pay'),
  ).cluster
  const names = (groups: ReadonlyMap<string, readonly { readonly meta: { readonly name: string } }[]>) =>
    Object.fromEntries([...groups].map(([key, group]) => [key, group.map(({ meta }) => meta.name)]))
  expect(names(index.podsOnNode)).toEqual({ n1: ['a', 'c'], n2: ['b'] })
  expect(names(index.slicesOfService)).toMatchObject({ 'default/x': ['s1', 's2'], 'default/z': ['s3'] })
  expect(names(index.policiesOfNamespace)).toEqual({ shop: ['p1', 'p2'], pay: ['p3'] })
  expect([...index.pod.keys()]).toEqual(['default/a', 'default/b', 'default/d', 'shop/c'])
  expect(index.namespace.has('shop')).toBe(true)
})
