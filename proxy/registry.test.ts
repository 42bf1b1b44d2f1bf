import { describe, expect, it } from 'vitest'
import { PROXY_MODE_NAMES } from './proxy-mode.ts'
import { findProxyMode, proxyModes, proxyNotModelled } from './registry.ts'
import { DEFAULT_CONFIG } from './testing/small-cluster.ts'

describe('proxy modes', () => {
  it('are all compiled', () => {
    expect(Object.keys(proxyModes).sort()).toEqual([...PROXY_MODE_NAMES].sort())
    for (const [name, mode] of Object.entries(proxyModes)) expect(mode.name).toBe(name)
  })

  it.each(PROXY_MODE_NAMES)('%s has a compiler, and nothing is missing', (mode) => {
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode }) === undefined).toBe(findProxyMode(mode) !== undefined)
  })

  it('says where a mode was configured', () => {
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode: 'ebpf' })).toEqual({
      what: 'kube-proxy mode ebpf',
      missing: 'known are iptables, ipvs, nftables, userspace',
      evidence: 'kube-proxy.yaml:1',
    })
  })

  it.each([
    ['v1.29.15', 'kube-proxy mode nftables of v1.29.15'],
    ['v1.30.0', undefined],
  ])('nftables of %s: %s is not modelled', (version, what) => {
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode: 'nftables', version })?.what).toBe(what)
  })

  it.each(['kernelspace', 'toString', ''])('"%s" is no mode', (mode) => {
    expect(findProxyMode(mode)).toBeUndefined()
    expect(proxyNotModelled({ ...DEFAULT_CONFIG, mode })?.missing).toMatch(/^known are iptables/)
  })
})
