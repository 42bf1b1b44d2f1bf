import { describe, expect, it } from 'vitest'
import { KNOWN_CNIS } from './detect-cni.ts'
import { codes, loadText } from './testing/load-text.ts'

const daemonSet = (namespace: string, name: string) =>
  `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: ${name}, namespace: ${namespace}, uid: u}}\n---\n`
const configMap = (namespace: string, name: string) =>
  `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, namespace: ${namespace}}}\n---\n`
const annotated = (key: string) => `{apiVersion: v1, kind: Node, metadata: {name: n1, annotations: {${key}: x}}}\n---\n`

describe('which CNI a cluster has', () => {
  it.each([
    [configMap('kube-flannel', 'kube-flannel-cfg'), 'flannel', 'certain', 'ConfigMap kube-flannel/kube-flannel-cfg'],
    [configMap('kube-system', 'kube-flannel-cfg'), 'flannel', 'certain', 'ConfigMap kube-system/kube-flannel-cfg'],
    [
      daemonSet('kube-system', 'kube-flannel-ds-amd64'),
      'flannel',
      'certain',
      'DaemonSet kube-system/kube-flannel-ds-amd64',
    ],
    [
      configMap('kube-system', 'canal-config') + configMap('kube-system', 'kube-flannel-cfg'),
      'canal',
      'certain',
      'ConfigMap kube-system/canal-config',
    ],
    [daemonSet('kube-system', 'calico-node'), 'calico', 'certain', 'DaemonSet kube-system/calico-node'],
    [daemonSet('calico-system', 'calico-node'), 'calico', 'certain', 'DaemonSet calico-system/calico-node'],
    ['{apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: {name: p}}', 'calico', 'certain', 'IPPool p'],
    [
      '{apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}}',
      'calico',
      'certain',
      'Installation default',
    ],
    [daemonSet('kube-system', 'kindnet'), 'kindnet', 'certain', 'DaemonSet kube-system/kindnet'],
    [daemonSet('kube-system', 'aws-node'), 'aws-vpc-cni', 'certain', 'DaemonSet kube-system/aws-node'],
    [daemonSet('kube-system', 'cilium'), 'cilium', 'certain', 'DaemonSet kube-system/cilium'],
    [
      annotated('flannel.alpha.coreos.com/backend-type'),
      'flannel',
      'likely',
      'annotation flannel.alpha.coreos.com/backend-type of Node n1',
    ],
    [
      annotated('projectcalico.org/IPv4Address'),
      'calico',
      'likely',
      'annotation projectcalico.org/IPv4Address of Node n1',
    ],
    [
      annotated('flannel.alpha.coreos.com/backend-type') + daemonSet('kube-system', 'calico-node'),
      'calico',
      'certain',
      'DaemonSet kube-system/calico-node',
    ],
    ['{apiVersion: v1, kind: Pod, metadata: {name: p}}', 'unknown', 'guess', 'no object of a known CNI'],
    [
      `${daemonSet('kube-system', 'calico-node')}{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {cni: {name: flannel}}}`,
      'flannel',
      'given',
      'spec.cni of the Lab document',
    ],
  ])('%s', (text, name, confidence, evidence) =>
    expect(loadText(text).cluster.facts.cni).toMatchObject({ name, confidence, evidence }),
  )

  it('names only CNIs that a Lab may name', () => {
    for (const text of [
      daemonSet('kube-system', 'kube-router'),
      daemonSet('kube-system', 'weave-net'),
      daemonSet('kube-system', 'antrea-agent'),
      daemonSet('x', 'ovnkube-node'),
      daemonSet('x', 'canal'),
    ])
      expect(KNOWN_CNIS).toContain(loadText(text).cluster.facts.cni.name)
  })

  it('points at the object', () =>
    expect(loadText(`---\n${daemonSet('kube-system', 'kindnet')}`).cluster.facts.cni.at?.line).toBe(2))

  it.each([
    [
      'an unknown name in a Lab',
      '{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {cni: {name: flanel}}}',
      ['cni-unknown:1'],
    ],
    ['a snapshot of an unknown one', `${annotated('a')}${daemonSet('kube-system', 'homemade-cni')}`, ['cni-unknown:3']],
    ['a known one', annotated('a') + daemonSet('kube-system', 'calico-node'), []],
    ['manifests alone', '{apiVersion: v1, kind: Pod, metadata: {name: p}}', []],
  ])('told: %s', (_, text, expected) =>
    expect(codes(loadText(text)).filter((code) => code.startsWith('cni'))).toEqual(expected),
  )
})
