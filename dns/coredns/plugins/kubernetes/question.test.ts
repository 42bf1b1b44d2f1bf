import { describe, expect, it } from 'vitest'
import { parseLabelSelector } from './label-selector.ts'
import { parseKubernetesName } from './question.ts'

describe('what a name asks for', () => {
  it.each([
    ['', { kind: '' }],
    ['svc', { kind: '' }],
    ['pod', { kind: '' }],
    ['shop.svc', { kind: 'svc', namespace: 'shop', service: '' }],
    ['web.shop.svc', { kind: 'svc', namespace: 'shop', service: 'web', endpoint: '', port: '' }],
    ['db-0.web.shop.svc', { endpoint: 'db-0', port: '', protocol: '' }],
    ['_http._tcp.web.shop.svc', { endpoint: '', port: 'http', protocol: 'tcp' }],
    ['http.tcp.web.shop.svc', { port: 'http', protocol: 'tcp' }],
    ['10-1-2-3.shop.pod', { kind: 'pod', service: '10-1-2-3' }],
    ['_x._zone.web.shop.svc', { port: 'x', protocol: 'zone', topology: undefined }],
  ])('%s', (left, expected) => {
    const name = left === '' ? 'cluster.local.' : `${left}.cluster.local.`
    expect(parseKubernetesName(name, 'cluster.local.', 'plain')).toMatchObject(expected)
  })

  it.each(['web', 'web.shop', 'a.b.c.web.shop.svc', 'a.b.c.10-1-2-3.shop.pod'])('%s is no name of its', (left) => {
    expect(parseKubernetesName(`${left}.cluster.local.`, 'cluster.local.', 'plain')).toBeUndefined()
  })

  it.each([
    ['eu.pin._zone.web.shop.svc', { topology: { zone: 'eu', others: 'pin' }, port: '' }],
    ['eu.1.prefer._zone.web.shop.svc', { topology: { zone: 'eu.1', others: 'prefer' } }],
  ])('with zonal: %s', (left, expected) => {
    expect(parseKubernetesName(`${left}.cluster.local.`, 'cluster.local.', 'zonal')).toMatchObject(expected)
  })

  it.each(['pin._zone.web.shop.svc', 'eu.florp._zone.web.shop.svc', '_zone.web.shop.svc'])(
    'with zonal, %s is none',
    (left) => {
      expect(parseKubernetesName(`${left}.cluster.local.`, 'cluster.local.', 'zonal')).toBeUndefined()
    },
  )
})

describe('label selectors', () => {
  it.each([
    ['a=b', [['a', 'In', ['b']]]],
    [
      'a==b,c!=d',
      [
        ['a', 'In', ['b']],
        ['c', 'NotIn', ['d']],
      ],
    ],
    [
      'a in (x, y), b notin (z),c,!d',
      [
        ['a', 'In', ['x', 'y']],
        ['b', 'NotIn', ['z']],
        ['c', 'Exists', []],
        ['d', 'DoesNotExist', []],
      ],
    ],
    ['a=', [['a', 'In', ['']]]],
  ] as const)('%s', (text, expected) => {
    const selector = parseLabelSelector(text)
    expect(
      selector.ok && selector.value.matchExpressions.map(({ key, operator, values }) => [key, operator, values]),
    ).toEqual(expected)
  })

  it.each([
    ['!!', `couldn't parse the selector string "!!": unable to parse requirement: found '!', expected: identifier`],
    ['a in x', `couldn't parse the selector string "a in x": unable to parse requirement: found 'x' expected: '('`],
    [
      'a b',
      `couldn't parse the selector string "a b": unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt`,
    ],
    [
      'a=b c',
      `couldn't parse the selector string "a=b c": unable to parse requirement: found 'c', expected: ',' or 'end of string'`,
    ],
  ])('%s is refused', (text, reason) => expect(parseLabelSelector(text)).toEqual({ ok: false, reason }))
})
