import { describe, expect, it } from 'vitest'
import type { Lab } from '../cluster/lab.ts'
import { SCHEDULERS } from '../linux/ipvs/scheduler/registry.ts'
import { formatPrefix } from '../packet/prefix.ts'
import { type KubeProxyConfig, readKubeProxyConfig } from './config.ts'
import { configMap, smallCluster } from './testing/small-cluster.ts'

/** As kubeadm 1.36 writes it. */
const KUBEADM = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
conntrack:
  maxPerCore: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  scheduler: ""
  strictARP: false
kind: KubeProxyConfiguration
mode: ""
nodePortAddresses: null
nftables:
  masqueradeBit: null
`

const read = (text: string, more: { lab?: Lab; mode?: string } = {}) =>
  readKubeProxyConfig(
    smallCluster({
      configMaps: [configMap('kube-proxy', { 'config.conf': text })],
      podCIDRs: ['10.9.0.0/16'],
      ...(more.lab === undefined ? {} : { lab: more.lab }),
    }),
    more.mode === undefined ? {} : { mode: more.mode },
  )

describe("kubeadm's ConfigMap", () => {
  it('gives the defaults', () => {
    const { config, assumptions, diagnostics } = read(KUBEADM)
    expect([assumptions, diagnostics]).toEqual([[], []])
    const { detectLocal, bindAddress: _, ...rest } = config
    expect(detectLocal.kind === 'clusterCIDR' && detectLocal.cidrs.map(formatPrefix)).toEqual([
      '10.244.0.0/16',
      'fd00:10:244::/56',
    ])
    expect(rest).toEqual({
      mode: 'iptables',
      version: 'v1.36.3',
      masqueradeAll: false,
      masqueradeBit: 14,
      localhostNodePorts: true,
      nodePortAddresses: 'all',
      conntrack: {
        tcpEstablishedTimeout: 86400,
        tcpCloseWaitTimeout: 3600,
        udpTimeout: 0,
        udpStreamTimeout: 0,
        tcpBeLiberal: false,
      },
      ipvs: { scheduler: 'rr', strictARP: false, excludeCIDRs: [], tcpTimeout: 0, tcpFinTimeout: 0, udpTimeout: 0 },
      featureGates: {},
      source: 'objects.yaml:3',
    })
  })

  it.each<[string, string, Partial<KubeProxyConfig>]>([
    ['mode', 'mode: nftables', { mode: 'nftables', nodePortAddresses: 'primary' }],
    ['JSON', '{"mode":"ipvs","ipvs":{"scheduler":"lc","strictARP":true}}', { mode: 'ipvs' }],
    ['masqueradeBit 0', 'iptables: { masqueradeBit: 0 }', { masqueradeBit: 0 }],
    ['masqueradeAll', 'iptables: { masqueradeAll: true }', { masqueradeAll: true }],
    [
      'settings of the other mode',
      'nftables: { masqueradeAll: true, masqueradeBit: 3 }',
      { masqueradeAll: false, masqueradeBit: 14 },
    ],
    [
      'settings of nftables',
      'mode: nftables\nnftables: { masqueradeAll: true, masqueradeBit: 3 }',
      { masqueradeAll: true, masqueradeBit: 3 },
    ],
    ['ipvs shares the settings of iptables', 'mode: ipvs\niptables: { masqueradeBit: 3 }', { masqueradeBit: 3 }],
    ['localhostNodePorts', 'iptables: { localhostNodePorts: false }', { localhostNodePorts: false }],
    ['nodePortAddresses primary', 'nodePortAddresses: [primary]', { nodePortAddresses: 'primary' }],
    ['an empty list', 'nodePortAddresses: []', { nodePortAddresses: 'all' }],
    ['detectLocalMode NodeCIDR', 'detectLocalMode: NodeCIDR', { detectLocal: { kind: 'nodeCIDR' } }],
    ['no clusterCIDR', 'mode: iptables', { detectLocal: { kind: 'none' } }],
    [
      'detectLocalMode BridgeInterface',
      'detectLocalMode: BridgeInterface\ndetectLocal: { bridgeInterface: cni0 }',
      { detectLocal: { kind: 'bridgeInterface', bridge: 'cni0' } },
    ],
    [
      'detectLocalMode InterfaceNamePrefix',
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: { interfaceNamePrefix: cali }',
      { detectLocal: { kind: 'interfaceNamePrefix', prefix: 'cali' } },
    ],
    ['feature gates', 'featureGates: { A: true, B: false, C: 3 }', { featureGates: { A: true, B: false } }],
  ])('%s', (_, text, expected) => {
    const { config, diagnostics } = read(text)
    expect(config).toMatchObject(expected)
    expect(diagnostics).toEqual([])
  })

  it('reads the sections of ipvs and conntrack', () => {
    const { config } =
      read(`ipvs: { scheduler: sh, strictARP: true, excludeCIDRs: [10.1.0.0/16], tcpTimeout: 15m, udpTimeout: 300s }
conntrack: { tcpBeLiberal: true, tcpEstablishedTimeout: 1h, tcpCloseWaitTimeout: 0s, udpTimeout: 45s, udpStreamTimeout: 3m }`)
    expect({ ...config.ipvs, excludeCIDRs: config.ipvs.excludeCIDRs.map(formatPrefix) }).toEqual({
      scheduler: 'sh',
      strictARP: true,
      excludeCIDRs: ['10.1.0.0/16'],
      tcpTimeout: 900,
      tcpFinTimeout: 0,
      udpTimeout: 300,
    })
    expect(config.conntrack).toEqual({
      tcpBeLiberal: true,
      tcpEstablishedTimeout: 3600,
      tcpCloseWaitTimeout: 0,
      udpTimeout: 45,
      udpStreamTimeout: 180,
    })
  })

  it.each([
    [
      'mode: Iptables',
      'kube-proxy-config-invalid',
      'mode: "Iptables", which kube-proxy does not have on Linux',
      'did you mean iptables?',
    ],
    ['mode: ebpf', 'kube-proxy-config-invalid', 'mode: "ebpf"', undefined],
    ['mode: 3', 'kube-proxy-config-invalid', 'mode: 3, which is not a text', undefined],
    ['iptables: { masqueradeBit: 32 }', 'kube-proxy-config-invalid', 'not a whole number from 0 to 31', undefined],
    ['iptables: { masqueradeAll: "yes" }', 'kube-proxy-config-invalid', 'not true or false', undefined],
    ['nodePortAddresses: 10.0.0.0/8', 'kube-proxy-config-invalid', 'not a list of texts', undefined],
    ['nodePortAddresses: [10.0.0.0]', 'kube-proxy-config-invalid', 'the prefix length is missing', undefined],
    ['clusterCIDR: 10.244/16', 'kube-proxy-config-invalid', 'IPv4 has four octets', undefined],
    ['bindAddress: localhost', 'kube-proxy-config-invalid', 'bindAddress', undefined],
    ['detectLocalMode: Magic', 'kube-proxy-config-invalid', 'detectLocalMode: "Magic"', undefined],
    ['detectLocalMode: BridgeInterface', 'kube-proxy-config-invalid', 'no detectLocal.bridgeInterface', undefined],
    [
      'detectLocalMode: InterfaceNamePrefix',
      'kube-proxy-config-invalid',
      'no detectLocal.interfaceNamePrefix',
      undefined,
    ],
    ['conntrack: { udpTimeout: 10 }', 'kube-proxy-config-invalid', 'not a text', undefined],
    ['conntrack: { udpTimeout: "10" }', 'kube-proxy-config-invalid', 'not a duration', undefined],
    [
      'IPTables: { masqueradeAll: true }',
      'kube-proxy-config-unknown-field',
      'a field IPTables',
      'did you mean iptables?',
    ],
    [
      'iptables: { MasqueradeAll: true }',
      'kube-proxy-config-unknown-field',
      'iptables.MasqueradeAll',
      'did you mean iptables.masqueradeAll?',
    ],
    ['colour: blue', 'kube-proxy-config-unknown-field', 'colour', undefined],
    [
      'mode: ipvs\nipvs: { scheduler: fastest }',
      'kube-proxy-config-invalid',
      'ipvs.scheduler: "fastest", which the kernel does not have',
      'what follows is what it would do with rr',
    ],
    [
      'mode: userspace',
      'kube-proxy-config-invalid',
      'kube-proxy v1.36.3 does not have: it was removed in 1.26',
      'what follows is what kube-proxy 1.25 would do',
    ],
    ['mode: [', 'kube-proxy-config-invalid', 'is not YAML', undefined],
    ['- mode', 'kube-proxy-config-invalid', 'is not an object', undefined],
  ])('%s is told about', (text, code, message, suggestion) => {
    const { diagnostics, config } = read(text)
    expect(diagnostics).toHaveLength(1)
    expect(diagnostics[0]).toMatchObject({ code, message: expect.stringContaining(message), at: { line: 3 } })
    expect(diagnostics[0]?.suggestion).toBe(suggestion)
    expect(config.masqueradeAll).toBe(false)
    expect(config.masqueradeBit).toBe(14)
  })

  it('takes every scheduler that the kernel has, and looks at it in ipvs mode alone', () => {
    for (const name of Object.keys(SCHEDULERS))
      expect(read(`mode: ipvs\nipvs: { scheduler: ${name} }`).diagnostics).toEqual([])
    expect(read('mode: iptables\nipvs: { scheduler: fastest }').diagnostics).toEqual([])
  })

  it('has userspace mode until 1.25', () => {
    const cluster = (version: string) =>
      smallCluster({ version, configMaps: [configMap('kube-proxy', { 'config.conf': 'mode: userspace' })] })
    expect(readKubeProxyConfig(cluster('v1.25.16')).diagnostics).toEqual([])
    expect(readKubeProxyConfig(cluster('v1.26.0')).diagnostics).toHaveLength(1)
  })

  it('keeps an unknown mode, so that nobody takes it for another', () => {
    expect(read('mode: ebpf').config.mode).toBe('ebpf')
  })
})

describe('what overrides the ConfigMap', () => {
  const LAB: Lab = { proxy: { mode: 'ipvs', iptables: { masqueradeBit: 5 } } }

  it('a Lab document, field by field', () => {
    const { config } = read('mode: iptables\niptables: { masqueradeAll: true, masqueradeBit: 7 }', { lab: LAB })
    expect(config).toMatchObject({ mode: 'ipvs', masqueradeAll: true, masqueradeBit: 5 })
  })

  it('a mode that was asked for, over both', () => {
    expect(read('mode: nftables', { lab: LAB, mode: 'iptables' }).config.mode).toBe('iptables')
    expect(read('mode: nftables', { mode: 'iptables' }).config.nodePortAddresses).toBe('all')
  })

  it('tells about wrong fields of the Lab', () => {
    const { diagnostics } = read('mode: iptables', { lab: { proxy: { Mode: 'ipvs', nodePortAddresses: 'all' } } })
    expect(diagnostics.map((one) => one.message)).toEqual([
      'spec.proxy of the Lab document has a field Mode that kube-proxy does not know and ignores',
      expect.stringContaining(
        'ConfigMap kube-system/kube-proxy with spec.proxy of the Lab document has nodePortAddresses',
      ),
    ])
  })
})

describe('without a ConfigMap', () => {
  it('assumes iptables mode and says so', () => {
    const { config, assumptions } = readKubeProxyConfig(smallCluster({ podCIDRs: ['10.9.0.0/16'] }))
    expect(config.mode).toBe('iptables')
    expect(config.source).toBeUndefined()
    expect(config.detectLocal.kind === 'clusterCIDR' && config.detectLocal.cidrs.map(formatPrefix)).toEqual([
      '10.9.0.0/16',
    ])
    expect(assumptions).toHaveLength(1)
    expect(assumptions[0]).toMatchObject({ code: 'kube-proxy-config' })
    expect(assumptions[0]?.text).toBe(
      'kube-proxy runs on every node in iptables mode with its default settings and clusterCIDR 10.9.0.0/16',
    )
  })

  it('reads the ConfigMap of EKS', () => {
    const cluster = smallCluster({ configMaps: [configMap('kube-proxy-config', { config: 'mode: ipvs' })] })
    expect(readKubeProxyConfig(cluster).config.mode).toBe('ipvs')
  })

  it('does not guess pod addresses where the ConfigMap leaves clusterCIDR out', () => {
    expect(read('mode: iptables').config.detectLocal).toEqual({ kind: 'none' })
  })
})
