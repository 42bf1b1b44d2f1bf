import { describe, expect, it } from 'vitest'
import { documents, foundLines, nodeLine, podLine, serviceLine } from '../testing/diagnose-text.ts'

const CODE = 'local-policy-without-endpoint'
const manifest = (more: string) => serviceLine('s', { more }).replace('uid: u', 'labels: {}')

describe('a Service that stays on the node', () => {
  it.each([
    ['Cluster: nothing to say', manifest(''), []],
    [
      'inside',
      manifest(', internalTrafficPolicy: Local'),
      [
        `note:1 ${CODE} Service default/s has internalTrafficPolicy: Local and no ready endpoint on n2: pods there do not reach it`,
      ],
    ],
    [
      'outside',
      manifest(', type: NodePort, externalTrafficPolicy: Local'),
      [
        `note:1 ${CODE} Service default/s has externalTrafficPolicy: Local and no ready endpoint on n2: packets from outside are dropped there`,
      ],
    ],
    [
      'by externalIPs',
      manifest(', externalIPs: [192.0.2.1], externalTrafficPolicy: Local'),
      [
        `note:1 ${CODE} Service default/s has externalTrafficPolicy: Local and no ready endpoint on n2: packets from outside are dropped there`,
      ],
    ],
    ['headless', manifest(', internalTrafficPolicy: Local').replace('10.96.0.9', 'None'), []],
  ])('%s', (_, service, expected) =>
    expect(foundLines(documents(service, podLine('p'), nodeLine('n1'), nodeLine('n2')), CODE)).toEqual(expected),
  )

  it('an endpoint on every node is enough', () =>
    expect(
      foundLines(
        documents(
          manifest(', internalTrafficPolicy: Local'),
          podLine('p'),
          podLine('q', { node: 'n2', ip: '10.244.1.6' }),
          nodeLine('n1'),
          nodeLine('n2'),
        ),
        CODE,
      ),
    ).toEqual([]))

  it.each([
    [4, 'n2, n3, n4, n5'],
    [5, '5 nodes'],
  ])('%s nodes are named so: %s', (count, expected) => {
    const nodes = Array.from({ length: count + 1 }, (_, i) => nodeLine(`n${i + 1}`))
    const [line] = foundLines(documents(manifest(', internalTrafficPolicy: Local'), podLine('p'), ...nodes), CODE)
    expect(line).toContain(`no ready endpoint on ${expected}: pods there do not reach it`)
  })
})
