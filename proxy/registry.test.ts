import { describe, expect, it } from 'vitest'
import { PROXY_MODE_NAMES } from './proxy-mode.ts'
import { findProxyMode, proxyModes, proxyNotModelled, unmodelledProxyModes } from './registry.ts'
import { DEFAULT_CONFIG } from './testing/small-cluster.ts'

describe('proxy modes', () => {
  it('are all either compiled or named as not modelled', () => {
    expect([...Object.keys(proxyModes), ...unmodelledProxyModes].sort()).toEqual([...PROXY_MODE_NAMES].sort())
  })

  it.each(PROXY_MODE_NAMES)('%s has a compiler or says what is missing', (mode) => {
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode }) === undefined).toBe(findProxyMode(mode) !== undefined)
  })

  it('says where a mode was configured', () => {
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode: 'ipvs' })).toEqual({
      what: 'kube-proxy mode ipvs',
      missing: 'its virtual servers on kube-ipvs0 and its ipsets',
      evidence: 'kube-proxy.yaml:1',
    })
  })

  it.each(['kernelspace', 'toString', ''])('"%s" is no mode', (mode) => {
    expect(findProxyMode(mode)).toBeUndefined()
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode })?.missing).toMatch(/^known are iptables/)
  })
})
