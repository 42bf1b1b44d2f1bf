import { describe, expect, it } from 'vitest'
import { documents, found, foundLines, podLine, serviceLine } from '../testing/diagnose-text.ts'

const ingress = (backend: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: default}, spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: ${backend}}}]}}]}}`
const CODES = ['ingress-backend-unknown', 'ingress-port-unknown', 'stateful-service-unknown']
const PORTS = '[{name: http, port: 80}, {name: https, port: 443}]'

describe('an Ingress', () => {
  it.each([
    ['whose Service is there, by number', ingress('{name: s, port: {number: 80}}'), []],
    ['by name', ingress('{name: s, port: {name: https}}'), []],
    [
      'whose Service is not there',
      ingress('{name: t, port: {number: 80}}'),
      ['error:1 ingress-backend-unknown Ingress default/i: there is no Service t in namespace default'],
    ],
    [
      'whose Service has no such number',
      ingress('{name: s, port: {number: 81}}'),
      ['error:1 ingress-port-unknown Ingress default/i: Service default/s has no port 81'],
    ],
    [
      'whose Service has no such name',
      ingress('{name: s, port: {name: web}}'),
      ['error:1 ingress-port-unknown Ingress default/i: Service default/s has no port named "web"'],
    ],
    [
      'by default',
      '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {service: {name: t, port: {number: 80}}}}}',
      ['error:1 ingress-backend-unknown Ingress default/i: there is no Service t in namespace default'],
    ],
    [
      'of something else than a Service',
      '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {resource: {kind: Bucket, name: b}}}}',
      [],
    ],
  ])('%s', (_, object, expected) =>
    expect(foundLines(documents(object, serviceLine('s', { ports: PORTS }), podLine('p')), ...CODES)).toEqual(expected),
  )

  it.each([
    [PORTS, 'write one of http (80), https (443)'],
    ['[{port: 80}]', 'write one of 80'],
  ])('tells which ports there are: %s', (ports, expected) => {
    const text = documents(ingress('{name: s, port: {number: 81}}'), serviceLine('s', { ports }))
    expect(found(text, ...CODES)[0]!.suggestion).toBe(expected)
  })

  it('tells where the Service is, and which is near', () => {
    const text = documents(
      ingress('{name: cart, port: {number: 80}}'),
      serviceLine('cart', { namespace: 'orders' }),
      serviceLine('carts'),
    )
    const [finding] = found(text, ...CODES)
    expect(finding!.notes!.map(({ message }) => message)).toEqual([
      'Service orders/cart is in another namespace, where an Ingress does not reach',
    ])
    expect(finding!.suggestion).toBe('did you mean carts?')
  })

  it('alone in the input says nothing of Services', () =>
    expect(
      foundLines(
        documents(
          '{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {service: {name: t, port: {number: 80}}}}}',
        ),
        ...CODES,
      ),
    ).toEqual([]))
})

describe("a StatefulSet's Service", () => {
  const set =
    '{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, uid: u}, spec: {serviceName: s, template: {}}}'
  const headless = serviceLine('s').replace('10.96.0.9', 'None')
  it.each([
    ['is headless', [set, headless], []],
    [
      'has an address',
      [set, serviceLine('s')],
      [
        'warning:1 stateful-service-unknown StatefulSet default/db: its Service s is not headless: its name leads to one address for all pods',
      ],
    ],
    [
      'is not there',
      [set, serviceLine('t')],
      [
        'warning:1 stateful-service-unknown StatefulSet default/db: its Service s does not exist: its pods have no DNS names of their own',
      ],
    ],
    ['is not named', [set.replace('serviceName: s, ', ''), serviceLine('t')], []],
  ])('%s', (_, objects, expected) => expect(foundLines(documents(...objects), ...CODES)).toEqual(expected))
})
