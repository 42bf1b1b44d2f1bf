import { describe, expect, it } from 'vitest'
import { documents, found, foundLines, nodeLine, podLine, serviceLine } from '../testing/diagnose-text.ts'

const CODES = ['service-selects-nothing', 'service-selects-finished', 'service-scaled-to-zero']

describe('a Service that selects no pod', () => {
  const deployment = (replicas: number, labels: string) =>
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, uid: u}, spec: {replicas: ${replicas}, template: {metadata: {labels: ${labels}}}}}`
  it.each([
    ['a pod with all labels: nothing to say', documents(serviceLine('s'), podLine('p')), []],
    [
      'no pod has the label',
      documents(serviceLine('s'), podLine('p', { labels: '{app: other-thing}' })),
      ['error:1 service-selects-nothing Service default/s selects no pod: none in namespace default has app=x'],
    ],
    [
      'a pod of another namespace does not count',
      documents(serviceLine('s'), podLine('p', { namespace: 'other' }), podLine('q', { labels: '{a: b}' })),
      ['error:1 service-selects-nothing Service default/s selects no pod: none in namespace default has app=x'],
    ],
    [
      'a namespace without a pod may not have been collected',
      documents(serviceLine('s'), podLine('p', { namespace: 'other' })),
      ['warning:1 service-selects-nothing Service default/s selects no pod: the input has none in namespace default'],
    ],
    [
      'a finished pod is none',
      documents(serviceLine('s'), podLine('p', { phase: 'Succeeded' })),
      ['warning:1 service-selects-finished Service default/s selects only pods that have finished'],
    ],
    [
      'scaled to nothing is no mistake',
      documents(serviceLine('s'), deployment(0, '{app: x}'), podLine('p', { labels: '{a: b}' })),
      ['warning:1 service-scaled-to-zero Service default/s has no pod: Deployment default/d is scaled to 0'],
    ],
    [
      'a Deployment whose pods are not there yet does not make them',
      documents(serviceLine('s'), deployment(2, '{app: x}'), podLine('p', { labels: '{a: b}' })),
      ['error:1 service-selects-nothing Service default/s selects no pod: none in namespace default has app=x'],
    ],
    [
      'an ExternalName selects nobody',
      documents(
        serviceLine('s', { more: ', type: ExternalName, externalName: a.b' }),
        podLine('p', { labels: '{a: b}' }),
      ),
      [],
    ],
    ['without a pod in the input nothing can be told', documents(serviceLine('s'), nodeLine('n1')), []],
  ])('%s', (_, text, expected) => expect(foundLines(text, ...CODES)).toEqual(expected))

  it.each([
    ['Deployment', 'is scaled to 0', 'service-scaled-to-zero'],
    ['StatefulSet', 'is scaled to 0', 'service-scaled-to-zero'],
    ['ReplicaSet', 'is scaled to 0', 'service-scaled-to-zero'],
    ['CronJob', 'makes them at 0 3 * * *', 'service-selects-cronjob'],
  ])('a %s that %s', (kind, said, code) => {
    const template = '{metadata: {labels: {app: x}}}'
    const spec =
      kind === 'CronJob'
        ? `{schedule: "0 3 * * *", jobTemplate: {spec: {template: ${template}}}}`
        : `{replicas: 0, template: ${template}}`
    const workload = `{apiVersion: ${kind === 'CronJob' ? 'batch' : 'apps'}/v1, kind: ${kind}, metadata: {name: w, uid: u}, spec: ${spec}}`
    const text = documents(serviceLine('s'), workload, podLine('p', { labels: '{a: b}' }))
    expect(foundLines(text)).toContain(`warning:1 ${code} Service default/s has no pod: ${kind} default/w ${said}`)
  })

  it('the ReplicaSet of a Deployment that is scaled up elsewhere is old', () => {
    const old =
      '{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w, uid: u, ownerReferences: [{kind: Deployment, name: d, controller: true}]}, spec: {replicas: 0, template: {metadata: {labels: {app: x}}}}}'
    const text = documents(serviceLine('s'), old, podLine('p', { labels: '{a: b}' }))
    expect(found(text, ...CODES).map(({ code }) => code)).toEqual(['service-selects-nothing'])
  })

  it.each([
    [
      'another value that is like it',
      '{app: ab, tier: web}',
      '{app: abc, tier: web}',
      ['Pod default/p has app=abc', 'write app: abc in the selector, or label the pods app=ab'],
    ],
    [
      'one label of several is not there',
      '{app: x, tier: web}',
      '{app: x}',
      ['Pod default/p has no label tier', "put tier=web on the pods' template, or take tier out of the selector"],
    ],
    [
      'a single label that is like it',
      '{app: checkout}',
      '{app: chekout}',
      ['Pod default/p has app=chekout', 'write app: chekout in the selector, or label the pods app=checkout'],
    ],
    [
      'a single label that is not like it is no near miss',
      '{app: checkout}',
      '{app: cart}',
      ['all labels of a selector must be on one pod; compare with: kubectl get pods -n default --show-labels'],
    ],
    [
      'two labels wrong is no near miss',
      '{app: a, tier: b}',
      '{app: x, tier: y}',
      ['all labels of a selector must be on one pod; compare with: kubectl get pods -n default --show-labels'],
    ],
  ])('near misses: %s', (_, selector, labels, expected) => {
    const [finding] = found(documents(serviceLine('s', { selector }), podLine('p', { labels })), ...CODES)
    expect([...(finding!.notes ?? []).map(({ message }) => message), finding!.suggestion]).toEqual(expected)
  })

  it('points at the pod of another namespace that has the labels', () => {
    const [finding] = found(
      documents(serviceLine('s'), podLine('p', { namespace: 'other' }), podLine('q', { labels: '{a: b}' })),
      ...CODES,
    )
    expect(finding!.notes).toEqual([
      {
        message: 'Pod other/p has them, but a Service selects in its own namespace alone',
        at: { file: 'in.yaml', line: 3 },
      },
    ])
  })

  it('names one pod of a workload, not all that are alike', () => {
    const pods = ['a', 'b', 'c'].map((name) =>
      podLine(name, {
        labels: '{app: y}',
        meta: ', ownerReferences: [{kind: ReplicaSet, name: r, controller: true}]',
      }),
    )
    const [finding] = found(documents(serviceLine('s', { selector: '{app: y, tier: web}' }), ...pods), ...CODES)
    expect(finding!.notes!.map(({ message }) => message)).toEqual(['Pod default/a has no label tier'])
  })

  it.each([
    [2, 2],
    [5, 3],
  ])('names pods of their own each, three at most (%s)', (pods, expected) => {
    const lines = Array.from({ length: pods }, (_, i) => podLine(`p${i}`, { labels: '{app: x}' }))
    const [finding] = found(documents(serviceLine('s', { selector: '{app: x, tier: web}' }), ...lines), ...CODES)
    expect(finding!.notes!.length).toBe(expected)
  })

  it('stands at the line of the selector', () => {
    const text = `apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports: [{port: 80}]\n  selector:\n    app: x\n---\n${podLine('p', { labels: '{a: b}' })}`
    expect(found(text, ...CODES)[0]!.at).toMatchObject({ file: 'in.yaml', line: 6 })
  })
})
