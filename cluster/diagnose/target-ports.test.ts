import { describe, expect, it } from 'vitest'
import { documents, found, foundLines, podLine, serviceLine } from '../testing/diagnose-text.ts'

const CODES = ['target-port-unknown', 'target-port-undeclared']
const containers = (ports: string) => `containers: [{name: main, ports: ${ports}}]`

describe('a targetPort', () => {
  const service = (port: string) => serviceLine('s', { ports: `[{port: 80, ${port}}]` })
  it.each([
    ['that the pod has', documents(service('targetPort: http'), podLine('p')), []],
    [
      'that nobody has',
      documents(service('targetPort: htpp'), podLine('a'), podLine('b', { ip: '10.244.1.6' })),
      ['error:1 target-port-unknown Service default/s: none of its 2 pods has a TCP port named "htpp"'],
    ],
    [
      'that the only pod has not',
      documents(service('targetPort: htpp'), podLine('a')),
      ['error:1 target-port-unknown Service default/s: its only pod has no TCP port named "htpp"'],
    ],
    [
      'that one of two has not',
      documents(service('targetPort: http'), podLine('a'), podLine('b', { ip: '10.244.1.6', spec: containers('[]') })),
      ['warning:1 target-port-unknown Service default/s: 1 of its 2 pods has no TCP port named "http"'],
    ],
    [
      'of another protocol',
      documents(service('targetPort: http, protocol: UDP'), podLine('a')),
      ['error:1 target-port-unknown Service default/s: its only pod has no UDP port named "http"'],
    ],
    [
      'of a sidecar',
      documents(
        service('targetPort: proxy'),
        podLine('a', {
          spec: 'initContainers: [{restartPolicy: Always, ports: [{name: proxy, containerPort: 1}]}], containers: []',
        }),
      ),
      [],
    ],
    [
      'of an init container that ends',
      documents(
        service('targetPort: proxy'),
        podLine('a', { spec: 'initContainers: [{ports: [{name: proxy, containerPort: 1}]}], containers: []' }),
      ),
      ['error:1 target-port-unknown Service default/s: its only pod has no TCP port named "proxy"'],
    ],
    [
      'a pod without an address is no endpoint yet',
      documents(service('targetPort: http'), podLine('a'), podLine('b', { ip: '', spec: containers('[]') })),
      [],
    ],
    [
      'where no pod has an address, all count',
      documents(service('targetPort: http'), podLine('b', { ip: '', spec: containers('[]') })),
      ['error:1 target-port-unknown Service default/s: its only pod has no TCP port named "http"'],
    ],
    [
      'a number that nobody declares',
      documents(service('targetPort: 9'), podLine('a')),
      ['note:1 target-port-undeclared Service default/s: no container declares TCP port 9, where port 80 leads'],
    ],
    ['a number that is declared', documents(service('targetPort: 8080'), podLine('a')), []],
    [
      'a number where one pod declares nothing at all',
      documents(service('targetPort: 9'), podLine('a'), podLine('b', { ip: '10.244.1.6', spec: containers('[]') })),
      [],
    ],
    [
      'of a finished pod does not matter',
      documents(service('targetPort: htpp'), podLine('a', { phase: 'Failed' })),
      [],
    ],
  ])('%s', (_, text, expected) => expect(foundLines(text, ...CODES)).toEqual(expected))

  it.each([
    ['htpp', '[{name: http, containerPort: 1}, {name: metrics, containerPort: 2}]', 'write targetPort: http'],
    ['web', '[{name: http, containerPort: 1}]', 'write targetPort: http'],
    [
      'web',
      '[{name: http, containerPort: 1}, {name: metrics, containerPort: 2}]',
      "name the container's port so, or write its number",
    ],
    [
      'dns',
      '[{name: dns, containerPort: 53, protocol: UDP}]',
      'its port "dns" is UDP: set protocol: UDP on the Service\'s port',
    ],
  ])('%s beside %s: %s', (target, ports, expected) => {
    const text = documents(service(`targetPort: ${target}`), podLine('p', { spec: containers(ports) }))
    expect(found(text, ...CODES)[0]!.suggestion).toBe(expected)
  })

  it('tells what the pod has', () => {
    const ports = '[{name: dns, containerPort: 53, protocol: UDP}, {containerPort: 9}]'
    const text = documents(service('targetPort: x1'), podLine('p', { spec: containers(ports) }))
    expect(found(text, ...CODES)[0]!.notes).toEqual([
      { message: 'Pod default/p has dns (53/UDP), 9', at: { file: 'in.yaml', line: 3 } },
    ])
  })
})
