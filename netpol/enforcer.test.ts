import { describe, expect, it } from 'vitest'
import { load } from '../cluster/load.ts'
import { enforcerOf, otherPolicies } from './enforcer.ts'

const clusterOf = (...objects: readonly unknown[]) =>
  load([
    {
      name: 'x.json',
      bytes: new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })),
    },
  ]).cluster

const daemonSet = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: 'kube-system' },
  spec: {
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
})
const lab = (name: string) => ({
  apiVersion: 'podwalk/v1alpha1',
  kind: 'Lab',
  metadata: { name: 'l' },
  spec: { cni: { name } },
})

describe('who enforces NetworkPolicies', () => {
  it.each([
    ['flannel alone', [daemonSet('kube-flannel-ds')], 'none', 'none'],
    ['calico', [daemonSet('calico-node')], 'felix', 'notModelled'],
    ['kindnet', [daemonSet('kindnet')], 'kube-network-policies', 'notModelled'],
    [
      'flannel beside kube-network-policies',
      [daemonSet('kube-flannel-ds'), daemonSet('kube-network-policies')],
      'kube-network-policies',
      'notModelled',
    ],
    ['flannel with calico for policy', [daemonSet('calico-node'), lab('flannel')], 'felix', 'notModelled'],
    ['nothing that is known', [], 'unknown', 'notModelled'],
  ])('%s', (_, objects, name, kind) => {
    expect(enforcerOf(clusterOf(...objects))).toMatchObject({ name, kind })
  })
})

describe('policies of other kinds', () => {
  const policy = (apiVersion: string, kind: string) => ({
    apiVersion,
    kind,
    metadata: { name: 'p', namespace: 'default' },
    spec: {},
  })
  const names = (...objects: readonly unknown[]) =>
    otherPolicies(clusterOf(...objects)).map(({ objectKind }) => objectKind)

  it('count where somebody may enforce them', () => {
    expect(
      names(
        daemonSet('calico-node'),
        policy('crd.projectcalico.org/v1', 'GlobalNetworkPolicy'),
        policy('projectcalico.org/v3', 'NetworkPolicy'),
        policy('policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy'),
        policy('crd.projectcalico.org/v1', 'IPPool'),
      ),
    ).toEqual(expect.arrayContaining(['GlobalNetworkPolicy', 'NetworkPolicy', 'AdminNetworkPolicy']))
    expect(names(daemonSet('calico-node'), policy('crd.projectcalico.org/v1', 'IPPool'))).toEqual([])
  })

  it('are only words where nobody does', () => {
    expect(
      names(daemonSet('kube-flannel-ds'), policy('policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy')),
    ).toEqual([])
  })
})
