import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldLocation } from './field-location.ts'
import { formatFieldPath, parseFieldPath } from './field-path.ts'

const span = { file: 'f', line: 10, offset: 0, length: 0 }
const YAML = `- apiVersion: v1
  kind: Service
  metadata:
    labels:
      app.kubernetes.io/name: x
  spec:
    ports:
    - port: 80
      targetPort: http
    - {port: 81, targetPort: web}
`
const JSON_TEXT = `{
  "spec": {
    "ports": [
      { "port": 80 },
      {
        "port": 81,
        "name": "a\\"b"
      }
    ]
  }
}`

describe('the place of a field', () => {
  it.each([
    ['a block item', YAML, 'spec.ports[0].targetPort', 18, 7],
    ['a flow item', YAML, 'spec.ports[1].targetPort', 19, 18],
    ['a list element', YAML, 'spec.ports[1]', 19, 7],
    ['a key with dots', YAML, 'metadata.labels[app.kubernetes.io/name]', 14, 7],
    ['a missing field: its parent', YAML, 'spec.ports[1].nodePort', 19, 7],
    ['a missing element: the list', YAML, 'spec.ports[7]', 16, 5],
    ['JSON', JSON_TEXT, 'spec.ports[1].name', 16, 9],
  ])('%s', (_, text, path, line, column) =>
    expect(fieldLocation(text, span, path)).toEqual({ file: 'f', line, column }),
  )

  it('of a one-line object is its line', () =>
    expect(fieldLocation('{"spec":{"a":1}}', span, 'spec.a')).toEqual({ file: 'f', line: 10 }))

  it('of a text that cannot be parsed is its first line', () =>
    expect(fieldLocation('a: [', span, 'a')).toEqual({ file: 'f', line: 10 }))
})

describe('field paths', () => {
  it.each([
    [['spec', 'ports', 0, 'targetPort'], 'spec.ports[0].targetPort'],
    [['metadata', 'labels', 'a.b/c'], 'metadata.labels[a.b/c]'],
    [['a-b', 'c_d'], 'a-b.c_d'],
    [[], ''],
  ])('%j is %s', (path, text) => {
    expect(formatFieldPath(path)).toBe(text)
    expect(parseFieldPath(text)).toEqual(path)
  })

  it('are read as they are printed', () => {
    const part = fc.oneof(fc.nat(99), fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9./_-]{0,8}$/))
    fc.assert(
      fc.property(fc.array(part), (path) => {
        expect(parseFieldPath(formatFieldPath(path))).toEqual(path)
      }),
    )
  })
})
