import { describe, expect, it } from 'vitest'
import {
  documents,
  endpointLine,
  found,
  foundLines,
  nodeLine,
  podLine,
  serviceLine,
  sliceLine,
} from '../testing/diagnose-text.ts'

const CODES = ['service-without-endpoints', 'service-without-ready-endpoints']

describe('a Service that nothing answers for', () => {
  const gone = 'conditions: {ready: false, serving: false, terminating: true}'
  const draining = 'conditions: {ready: false, serving: true, terminating: true}'
  it.each([
    [
      'one ready endpoint is enough',
      documents(serviceLine('s'), podLine('p'), sliceLine('s', `[${endpointLine('p', '10.244.1.5')}]`)),
      [],
    ],
    [
      'none ready',
      documents(
        serviceLine('s'),
        podLine('p', { ready: false }),
        sliceLine(
          's',
          `[${endpointLine('p', '10.244.1.5', 'conditions: {ready: false, serving: false, terminating: false}')}]`,
        ),
      ),
      [
        'error:1 service-without-ready-endpoints Service default/s has no ready endpoint: connections to it are refused',
      ],
    ],
    [
      'headless: its name is empty',
      documents(
        serviceLine('s').replace('clusterIP: 10.96.0.9', 'clusterIP: None'),
        sliceLine('s', `[${endpointLine('p', '10.244.1.5', gone)}]`, { managedBy: 'me' }),
      ),
      ['error:1 service-without-ready-endpoints Service default/s has no ready endpoint: its name has no address'],
    ],
    [
      'all shutting down, one still serving',
      documents(
        serviceLine('s'),
        sliceLine('s', `[${endpointLine('p', '10.244.1.5', draining)}, ${endpointLine('q', '10.244.1.6', gone)}]`),
      ),
      ['warning:1 service-without-ready-endpoints Service default/s has only endpoints that are shutting down'],
    ],
    [
      'no selector and no slices',
      documents(serviceLine('s', { selector: '' })),
      [
        'warning:1 service-without-endpoints Service default/s has no selector, and no EndpointSlice or Endpoints of it is in the input',
      ],
    ],
    [
      'pods without an address',
      documents(
        serviceLine('s'),
        podLine('p', { ip: '', ready: false, phase: 'Pending' }),
        nodeLine('n1'),
        sliceLine('s', 'null', { ports: 'null' }),
      ),
      [
        'error:1 service-without-endpoints Service default/s has no endpoint: it selects 1 pod, none of them with an address on a node that is there',
      ],
    ],
    [
      'selecting nothing is told as that',
      documents(serviceLine('s'), podLine('p', { labels: '{a: b}' }), sliceLine('s', 'null')),
      [],
    ],
    [
      'a name has no endpoints',
      documents(serviceLine('s', { selector: '', more: ', type: ExternalName, externalName: a.b' })),
      [],
    ],
  ])('%s', (_, text, expected) => expect(foundLines(text, ...CODES)).toEqual(expected))
})

describe('why nothing answers', () => {
  const notesOf = (text: string) =>
    found(text, ...CODES).map(({ notes, suggestion }) => [...(notes ?? []).map(({ message }) => message), suggestion])
  const none = sliceLine('s', 'null', { ports: 'null' })
  it.each([
    [
      'no address',
      documents(serviceLine('s'), podLine('p', { ip: '' }), nodeLine('n1'), none),
      [['Pod default/p has no address', 'kubectl describe pod -n default p']],
    ],
    [
      'no node',
      documents(serviceLine('s'), podLine('p', { node: 'n9' }), nodeLine('n1'), none),
      [['Pod default/p is on node n9, which is not in the input', 'kubectl describe pod -n default p']],
    ],
    [
      'trouble',
      documents(serviceLine('s'), podLine('p', { ip: '', ready: false, phase: 'Pending' }), nodeLine('n1'), none),
      [['Pod default/p is not running yet', 'kubectl describe pod -n default p']],
    ],
    [
      'a pod that is not ready',
      documents(
        serviceLine('s'),
        podLine('p', { ready: false }),
        sliceLine('s', `[${endpointLine('p', '10.244.1.5', 'conditions: {ready: false}')}]`),
      ),
      [['Pod default/p is not ready', 'kubectl get pods -n default -l app=x']],
    ],
    [
      'an endpoint that is no pod',
      documents(
        serviceLine('s', { selector: '' }),
        sliceLine('s', '[{addresses: [10.9.0.1], conditions: {ready: false}}]', { managedBy: 'me' }),
      ),
      [['kubectl get pods -n default']],
    ],
  ])('%s', (_, text, expected) => expect(notesOf(text)).toEqual(expected))
})
