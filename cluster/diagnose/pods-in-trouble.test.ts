import { describe, expect, it } from 'vitest'
import { documents, found, foundLines, nodeLine, type PodLine, podLine, serviceLine } from '../testing/diagnose-text.ts'

const waiting = (reason: string, more = '') =>
  `, containerStatuses: [{name: main, ready: false, restartCount: 7, state: {waiting: {reason: ${reason}}}${more}}]`
const probing = ', containerStatuses: [{name: main, ready: false, restartCount: 0, state: {running: {}}}]'
const ending = ', deletionTimestamp: "2030-01-01T00:00:00Z"'
const disrupted = (by: string) =>
  `, conditions: [{type: Ready, status: "True"}, {type: DisruptionTarget, status: "True", reason: ${by}}]`

const podTold = (of: PodLine, ...others: readonly string[]) =>
  foundLines(documents(podLine('p', of).replace(/, conditions: .*?\]([^\]]*conditions: )/, '$1'), ...others)).filter(
    (line) => line.includes(' pod-'),
  )

describe('a pod that takes no traffic', () => {
  it.each([
    ['nothing is wrong', {}, []],
    [
      'crashing',
      { ready: false, status: waiting('CrashLoopBackOff', ', lastState: {terminated: {exitCode: 1}}') },
      [
        'warning:1 pod-crashing Pod default/p is crashing: container main is in CrashLoopBackOff after 7 restarts (exit code 1)',
      ],
    ],
    [
      'no image',
      { ready: false, phase: 'Pending', status: waiting('ImagePullBackOff') },
      ['warning:1 pod-image Pod default/p cannot get its image: container main is in ImagePullBackOff'],
    ],
    [
      'starting',
      { ready: false, phase: 'Pending', ip: '', status: waiting('ContainerCreating') },
      ['warning:1 pod-starting Pod default/p is not running yet: container main is in ContainerCreating'],
    ],
    [
      'waiting for something else',
      { ready: false, phase: 'Pending', status: waiting('CreateContainerConfigError') },
      ['warning:1 pod-starting Pod default/p is not running yet: container main is in CreateContainerConfigError'],
    ],
    [
      'a probe that fails',
      { ready: false, status: probing, spec: 'containers: [{name: main, readinessProbe: {}}]' },
      ['warning:1 pod-unready Pod default/p is not ready: container main does not pass its readiness probe'],
    ],
    [
      'unready without a probe',
      { ready: false, status: probing },
      ['warning:1 pod-unready Pod default/p is not ready: container main is not ready'],
    ],
    ['unready, and nothing says why', { ready: false }, ['warning:1 pod-unready Pod default/p is not ready']],
    [
      'shutting down, still serving',
      { meta: ending },
      ['warning:1 pod-terminating Pod default/p is shutting down, until 2030-01-01T00:00:00Z at most; it still serves'],
    ],
    [
      'shutting down, silent',
      { meta: ending, ready: false },
      [
        'warning:1 pod-terminating Pod default/p is shutting down, until 2030-01-01T00:00:00Z at most; it no longer serves',
      ],
    ],
    [
      'evicted by the API',
      { meta: ending, status: disrupted('EvictionByEvictionAPI') },
      ['warning:1 pod-evicted Pod default/p is being evicted (EvictionByEvictionAPI); it still serves'],
    ],
    ['about to be disrupted, and not deleted: nothing yet', { status: disrupted('PreemptionByScheduler') }, []],
    [
      'no node, and no message',
      {
        ready: false,
        phase: 'Pending',
        node: '',
        ip: '',
        status: ', conditions: [{type: PodScheduled, status: "False", reason: SchedulingGated}]',
      },
      ['warning:1 pod-unschedulable Pod default/p has no node: SchedulingGated'],
    ],
    [
      'no node',
      {
        ready: false,
        phase: 'Pending',
        node: '',
        ip: '',
        status:
          ', conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: "0/5 nodes are available: 3 Insufficient memory. preemption: none."}]',
      },
      ['warning:1 pod-unschedulable Pod default/p has no node: 0/5 nodes are available: 3 Insufficient memory'],
    ],
    ['finished well', { ready: false, phase: 'Succeeded' }, []],
    ["a failed one that is nobody's endpoint", { ready: false, phase: 'Failed' }, []],
    [
      'evicted by its node',
      { ready: false, phase: 'Failed', status: ', reason: Evicted' },
      ['warning:1 pod-evicted Pod default/p was evicted by its node; it is no endpoint any more'],
    ],
  ] satisfies [string, PodLine, string[]][])('%s', (_, of, expected) => expect(podTold(of)).toEqual(expected))

  it('a failed one that a Service selects', () =>
    expect(podTold({ ready: false, phase: 'Failed', status: ', reason: NodeLost' }, serviceLine('s'))).toEqual([
      'warning:1 pod-failed Pod default/p has failed (NodeLost); it is no endpoint',
    ]))

  it.each([
    [
      'EvictionByEvictionAPI',
      'nothing, if its replacement runs; no new connection goes to it while another endpoint is ready',
    ],
    [
      'DeletionByTaintManager',
      'its node has a NoExecute taint; nobody confirms the end while the node does not answer',
    ],
  ])('what to do about %s', (by, expected) => {
    const [finding] = found(
      documents(
        podLine('p', { meta: ending, status: disrupted(by) }).replace(
          /, conditions: \[\{type: Ready, status: "True"\}\](?=,)/,
          '',
        ),
      ),
    )
    expect(finding!.suggestion).toBe(expected)
  })

  it('the exit code of one that failed without a reason', () => {
    const status =
      ', containerStatuses: [{name: main, ready: false, state: {terminated: {exitCode: 3, reason: Error}}}]'
    expect(podTold({ ready: false, phase: 'Failed', status }, serviceLine('s'))).toEqual([
      'warning:1 pod-failed Pod default/p has failed (exit code 3); it is no endpoint',
    ])
  })

  it('the probe is that of the container which is not ready', () => {
    const spec = 'containers: [{name: other, readinessProbe: {}}, {name: main}]'
    expect(podTold({ ready: false, status: probing, spec })).toEqual([
      'warning:1 pod-unready Pod default/p is not ready: container main is not ready',
    ])
    expect(
      podTold({ ready: false, status: probing, spec: 'containers: [{name: other}, {name: main, readinessProbe: {}}]' }),
    ).toEqual(['warning:1 pod-unready Pod default/p is not ready: container main does not pass its readiness probe'])
  })

  it('a pod of a manifest is not in trouble', () =>
    expect(foundLines(documents('{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {}}'))).toEqual([]))

  const down = nodeLine('n1').replace('"True"', '"Unknown"')
  it('a node that is down is told once; its pods only for their Services', () => {
    const text = documents(
      podLine('p', { ready: false }),
      podLine('q', { ready: false, labels: '{a: b}' }),
      down,
      serviceLine('s'),
    )
    expect(foundLines(text, 'pod-node-down', 'node-not-ready', 'pod-unready')).toEqual([
      'warning:1 pod-node-down Pod default/p is not ready: its node n1 is down',
      'warning:5 node-not-ready Node n1 is not ready; 2 pods are on it',
    ])
  })

  it('a cordoned node is good to know', () =>
    expect(foundLines(documents(nodeLine('n1').replace('spec: {', 'spec: {unschedulable: true, ')))).toEqual([
      'note:1 node-cordoned Node n1 is cordoned: no new pod gets there but those of DaemonSets',
    ]))

  it.each([
    ['not ready', { ready: false }, '', 'Service default/s does not send to it: 1 of 2 endpoints ready'],
    [
      'published',
      { ready: false },
      ', publishNotReadyAddresses: true',
      'Service default/s sends to it all the same (publishNotReadyAddresses): 2 of 2 endpoints ready',
    ],
    [
      'still serving',
      { meta: ending },
      '',
      'Service default/s sends to it only when no endpoint is ready: 1 of 2 endpoints ready',
    ],
    [
      'without an address',
      { ready: false, ip: '' },
      '',
      'Service default/s does not have it as an endpoint: 1 of 1 endpoints ready',
    ],
  ] satisfies [string, PodLine, string, string][])('what it means for its Service: %s', (_, of, more, expected) => {
    const text = documents(
      podLine('p', of),
      podLine('q', { ip: '10.244.1.7' }),
      nodeLine('n1'),
      serviceLine('s', { more }).replace('uid: u', 'labels: {}'),
    )
    const [finding] = found(text).filter(({ code }) => code.startsWith('pod-'))
    expect(finding!.notes).toEqual([{ message: expected, at: { file: 'in.yaml', line: 7 } }])
  })
})
