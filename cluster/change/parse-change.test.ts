import { describe, expect, it } from 'vitest'
import { must } from '../../packet/parsed.ts'
import { parseChanges } from './parse-change.ts'

const POD = { kind: 'Pod', name: 'a', namespace: undefined }

describe('a change in the words of kubectl', () => {
  it.each<[string, readonly unknown[]]>([
    ['after.yaml', [{ kind: 'apply', files: ['after.yaml'], prune: false }]],
    ['apply -f a.yaml -f b.yaml', [{ kind: 'apply', files: ['a.yaml', 'b.yaml'], prune: false }]],
    ['kubectl apply -f snap/ --prune', [{ kind: 'apply', files: ['snap/'], prune: true }]],
    ['apply --filename="my file.yaml"', [{ kind: 'apply', files: ['"my', 'file.yaml"'], prune: false }]],
    ['apply -f "my file.yaml"', [{ kind: 'apply', files: ['my file.yaml'], prune: false }]],
    ['delete pod/a', [{ kind: 'delete', objects: [POD], files: [], wait: true }]],
    ['delete po a --wait=false', [{ kind: 'delete', objects: [POD], files: [], wait: false }]],
    [
      'delete pod a b -n shop',
      [
        {
          kind: 'delete',
          objects: ['a', 'b'].map((name) => ({ kind: 'Pod', name, namespace: 'shop' })),
          files: [],
          wait: true,
        },
      ],
    ],
    [
      'delete svc/shop/web',
      [{ kind: 'delete', objects: [{ kind: 'Service', name: 'web', namespace: 'shop' }], files: [], wait: true }],
    ],
    ['delete -f a.yaml', [{ kind: 'delete', objects: [], files: ['a.yaml'], wait: true }]],
    [
      'scale deploy/web --replicas=0',
      [{ kind: 'scale', object: { kind: 'Deployment', name: 'web', namespace: undefined }, replicas: 0 }],
    ],
    [
      'rollout restart sts db',
      [{ kind: 'restart', object: { kind: 'StatefulSet', name: 'db', namespace: undefined } }],
    ],
    ['label pod/a app=b tier- --overwrite', [{ kind: 'label', object: POD, labels: { app: 'b', tier: undefined } }]],
  ])('%s', (text, changes) => expect(must(parseChanges(text))).toEqual(changes))

  it('several happen together, with ; or && between', () => {
    expect(must(parseChanges('delete pod/a; scale deploy/web --replicas=3 && a.yaml')).map(({ kind }) => kind)).toEqual(
      ['delete', 'scale', 'apply'],
    )
  })

  it.each<[string, RegExp]>([
    ['', /says no change/],
    ['delte pod/a', /did you mean delete/],
    ['delete', /lacks what is deleted/],
    ['delete pod', /lacks a name/],
    ['delete pods/', /lacks a name/],
    ['delete nod/a', /no kind that can be changed/],
    ['delete deploymnt/a', /did you mean deployment/],
    ['apply', /lacks a file/],
    ['apply -f', /lacks its value/],
    ['scale deploy/web', /lacks how many/],
    ['scale deploy/web --replicas=many', /lacks how many/],
    ['scale deploy/a deploy/b --replicas=1', /name one object/],
    ['rollout undo deploy/web', /only restart/],
    ['label pod/a', /lacks a label/],
  ])('"%s" is refused', (text, reason) => {
    const read = parseChanges(text)
    expect(read.ok ? '' : read.reason).toMatch(reason)
  })
})
