import { describe, expect, it } from 'vitest'
import { cniNotModelled } from './not-modelled.ts'

describe('a pod network that was detected', () => {
  const ask = (name: string) => cniNotModelled({ name, evidence: 'DaemonSet x', confidence: 'certain' })

  it.each(['flannel', 'calico'])('%s has a compiler', (name) => expect(ask(name)).toBeUndefined())

  it.each([
    'canal',
    'kindnet',
    'aws-vpc-cni',
    'kube-router',
    'cilium',
    'weave',
    'antrea',
    'ovn-kubernetes',
    'unknown',
    'flanel',
    'toString',
  ])('%s is named as not modelled, with what is missing and where it was seen', (name) => {
    expect(ask(name)?.missing.length).toBeGreaterThan(5)
    expect(ask(name)?.evidence).toBe('DaemonSet x')
  })
})
