import { describe, expect, it } from 'vitest'
import {
  documents,
  endpointLine,
  foundLines,
  nodeLine,
  podLine,
  serviceLine,
  sliceLine,
} from '../testing/diagnose-text.ts'

const CODES = ['slice-stale', 'slice-left-behind', 'endpoint-without-pod', 'pod-ip-reused']
const NODE = nodeLine('n1')
const S = serviceLine('s')
const slice = (...endpoints: readonly string[]) => sliceLine('s', `[${endpoints.join(', ')}]`)
const P = podLine('p')
const OF_P = endpointLine('p', '10.244.1.5')

describe('recorded slices against recorded pods', () => {
  it.each([
    ['that agree', [slice(OF_P), P, S], []],
    [
      'an endpoint whose pod is gone',
      [slice(OF_P, endpointLine('q', '10.244.1.6')), P, S],
      [
        'error:1 endpoint-without-pod EndpointSlice default/s-abcde: endpoint 10.244.1.6 is for Pod q, which does not exist',
      ],
    ],
    [
      'an endpoint whose address another pod has now',
      [slice(OF_P, endpointLine('q', '10.244.1.6')), P, podLine('r', { ip: '10.244.1.6', labels: '{a: b}' }), S],
      [
        'warning:1 endpoint-without-pod EndpointSlice default/s-abcde: endpoint 10.244.1.6 is for Pod q, which does not exist; Pod default/r has the address now',
      ],
    ],
    [
      'a pod that no slice has',
      [slice(OF_P), P, podLine('q', { ip: '10.244.1.6' }), S],
      ['warning:7 slice-stale Service default/s: no slice has Pod q with 10.244.1.6, which it selects'],
    ],
    [
      'a pod that is not ready any more',
      [slice(OF_P), podLine('p', { ready: false }), S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: it is ready, and by its pod it would be not ready',
      ],
    ],
    [
      'a pod that is shutting down, published',
      [
        slice(OF_P),
        podLine('p', { meta: ', deletionTimestamp: "2030-01-01T00:00:00Z"' }),
        serviceLine('s', { more: ', publishNotReadyAddresses: true' }),
      ],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: its pod is terminating',
      ],
    ],
    [
      'a pod with another address',
      [slice(OF_P), podLine('p', { ip: '10.244.1.9' }), S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: Pod default/p has 10.244.1.9',
        'warning:5 slice-stale Service default/s: no slice has Pod p with 10.244.1.9, which it selects',
      ],
    ],
    [
      'a pod that is not selected any more',
      [slice(OF_P), podLine('p', { labels: '{app: y}' }), S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: Pod default/p is not selected any more',
      ],
    ],
    [
      'a pod that has finished',
      [slice(OF_P), podLine('p', { phase: 'Succeeded', ready: false }), S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: Pod default/p has succeeded',
      ],
    ],
    [
      'another port than Service and pod have now',
      [sliceLine('s', `[${OF_P}]`, { ports: '[{name: "", port: 9090, protocol: TCP}]' }), P, S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: its ports are 9090/TCP, and by Service and pod they would be 8080/TCP',
      ],
    ],
    [
      'another node',
      [slice(OF_P.replace('n1', 'n2')), P, S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: it is on node n2, and its pod on n1',
      ],
    ],
    [
      'the order of ports does not matter',
      [
        sliceLine('s', `[${OF_P}]`, {
          ports: '[{name: a, port: 1, protocol: TCP}, {name: b, port: 2, protocol: TCP}]',
        }),
        P,
        serviceLine('s', { ports: '[{name: b, port: 2}, {name: a, port: 1}]' }),
      ],
      [],
    ],
    [
      'a node that is not in the input',
      [slice(OF_P), podLine('p', { node: 'n9' }), S],
      [
        'warning:1 slice-stale EndpointSlice default/s-abcde does not agree with its pods at 10.244.1.5: node n9 of Pod default/p is not in the input',
      ],
    ],
  ])('%s', (_, objects, expected) => expect(foundLines(documents(...objects, NODE), ...CODES)).toEqual(expected))

  it('without recorded pods nothing can be compared', () =>
    expect(foundLines(documents(slice(OF_P), S, NODE), ...CODES)).toEqual([]))

  it('computed slices agree with themselves', () =>
    expect(foundLines(documents(P, S.replace('uid: u', 'labels: {}'), NODE), ...CODES)).toEqual([]))
})

describe('slices by hand', () => {
  const byHand = (endpoints: string) =>
    documents(sliceLine('s', endpoints, { managedBy: 'me' }), P, serviceLine('s', { selector: '' }), NODE)
  it.each([
    ["a pod's address", '[{addresses: [10.244.1.5]}]', []],
    ['an address outside the cluster', '[{addresses: [10.20.3.7]}]', []],
    ["a node's address", '[{addresses: [192.168.1.1]}]', []],
    [
      'an address of the pod network that no pod has',
      '[{addresses: [10.244.1.77]}]',
      ["error:1 endpoint-without-pod EndpointSlice default/s-abcde: endpoint 10.244.1.77 is no pod's address"],
    ],
    [
      'a pod that does not exist',
      '[{addresses: [10.20.3.7], targetRef: {kind: Pod, name: q}}]',
      [
        'error:1 endpoint-without-pod EndpointSlice default/s-abcde: endpoint 10.20.3.7 is for Pod q, which does not exist',
      ],
    ],
  ])('%s', (_, endpoints, expected) => expect(foundLines(byHand(endpoints), ...CODES)).toEqual(expected))
})

describe('slices by hand are not compared', () => {
  it('beside a selector, where the controller made none: nothing to compare', () =>
    expect(
      foundLines(
        documents(sliceLine('s', `[${OF_P}]`, { managedBy: 'me' }), P, podLine('q', { ip: '10.244.1.6' }), S, NODE),
        ...CODES,
      ),
    ).toEqual([]))

  it("the address of one node of several is no pod's", () => {
    const other = nodeLine('n2').replace('192.168.1.1', '10.244.1.200')
    const byHand = sliceLine('s', '[{addresses: [10.244.1.200]}]', { managedBy: 'me' })
    expect(foundLines(documents(byHand, P, serviceLine('s', { selector: '' }), NODE, other), ...CODES)).toEqual([])
  })
})

describe('slices that were left behind', () => {
  const mirrored = sliceLine('s', `[${OF_P}]`, {
    managedBy: 'endpointslicemirroring-controller.k8s.io',
    name: 's-zzzzz',
  })
  it.each([
    [
      'the selector was taken away',
      [slice(OF_P), P, serviceLine('s', { selector: '' })],
      [
        'warning:1 slice-left-behind EndpointSlice default/s-abcde is left from before Service default/s lost its selector; nobody updates it',
      ],
    ],
    [
      'and the Endpoints were mirrored',
      [slice(OF_P), P, serviceLine('s', { selector: '' }), mirrored],
      [
        'warning:1 slice-left-behind EndpointSlice default/s-abcde is left from before Service default/s lost its selector; nobody updates it, and its backends are there twice',
      ],
    ],
    [
      'it became a name',
      [slice(OF_P), P, serviceLine('s', { more: ', type: ExternalName, externalName: a.b' })],
      [
        'warning:1 slice-left-behind EndpointSlice default/s-abcde is left from before Service default/s became an ExternalName; nobody updates it',
      ],
    ],
    ['mirrored alone is as it should be', [mirrored, P, serviceLine('s', { selector: '' })], []],
  ])('%s', (_, objects, expected) => expect(foundLines(documents(...objects, NODE), ...CODES)).toEqual(expected))
})

describe("a finished pod's address", () => {
  it.each([
    [
      'that another pod has now',
      [podLine('a', { phase: 'Succeeded', ready: false }), podLine('b', { labels: '{a: b}' })],
      ['note:1 pod-ip-reused Pod default/a has succeeded and still shows 10.244.1.5, which Pod default/b has now'],
    ],
    ['that nobody has', [podLine('a', { phase: 'Failed', ready: false })], []],
    [
      'of the host network',
      [
        podLine('a', { phase: 'Succeeded', ready: false, spec: 'hostNetwork: true', ip: '192.168.1.1' }),
        podLine('b', { labels: '{a: b}', ip: '192.168.1.1' }),
      ],
      [],
    ],
  ])('%s', (_, objects, expected) => expect(foundLines(documents(...objects, NODE), 'pod-ip-reused')).toEqual(expected))
})
