import { describe, expect, it } from 'vitest'
import { podOf, podYaml, smallCluster } from '../testing/small-cluster.ts'
import { nodeDnsEvents, podDnsDiagnostics } from './events.ts'
import { compilePodFiles, nodeResolvConf } from './files.ts'

const files = (resolvConf: string) => new Map([['/etc/resolv.conf', resolvConf]])

const kubelet = (resolvConf: string) =>
  `---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: kubelet-config, namespace: kube-system }\ndata: { kubelet: "resolvConf: '${resolvConf}'" }\n`

describe('what kubelet complains of', () => {
  it('is told once for all pods that have the same, at the first', () => {
    const dns = 'dnsConfig: { nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3] }'
    const cluster = smallCluster(`${podYaml('a', dns)}---\n${podYaml('b', dns, '10.244.1.8')}---\n${podYaml('c')}`)
    expect(podDnsDiagnostics(cluster, () => files('nameserver 192.168.40.2\n'))).toEqual([
      {
        severity: 'warning',
        code: 'dns-config-forming',
        message:
          'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.96.0.10 1.1.1.1 2.2.2.2 (and 1 more pods)',
        object: 'Pod shop/a',
        at: podOf(cluster, 'shop/a').at,
        suggestion: 'shorten the search list of the node or of dnsConfig',
      },
    ])
  })

  it('nothing of a pod whose node is not known', () => {
    const cluster = smallCluster(podYaml('a', 'dnsConfig: { nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3] }'))
    expect(podDnsDiagnostics(cluster, () => undefined)).toEqual([])
  })

  it.each([
    ['room for three domains of the cluster', 29, 'v1.36.0', []],
    [
      'one too many',
      30,
      'v1.36.0',
      ["Resolv.conf file '/etc/resolv.conf' contains search line consisting of more than 29 domains!"],
    ],
    [
      'in old releases there is room for six',
      4,
      'v1.25.0',
      ["Resolv.conf file '/etc/resolv.conf' contains search line consisting of more than 3 domains!"],
    ],
  ] as const)('of the node: %s', (_, count, version, messages) => {
    const text = `search ${Array.from({ length: count }, (_, i) => `d${i}`).join(' ')}\n`
    expect(nodeDnsEvents(smallCluster(), text, version).map(({ message }) => message)).toEqual(messages)
  })

  it('of a line that is too long', () => {
    const text = `search ${Array.from({ length: 20 }, (_, i) => `${'x'.repeat(120)}${i}`).join(' ')}\n`
    expect(nodeDnsEvents(smallCluster(), text, 'v1.36.0')).toEqual([
      {
        reason: 'CheckLimitsForResolvConf',
        message:
          "Resolv.conf file '/etc/resolv.conf' contains search line which length is more than allowed 2048 chars!",
      },
    ])
  })
})

describe('the file that kubelet reads', () => {
  const RESOLVED = '/run/systemd/resolve/resolv.conf'
  const both = new Map([
    ['/etc/resolv.conf', 'nameserver 127.0.0.53\n'],
    [RESOLVED, 'nameserver 192.168.40.2\n'],
  ])

  it.each([
    ['that of /etc', '', 'nameserver 127.0.0.53\n'],
    ['what its configuration names', kubelet(RESOLVED), 'nameserver 192.168.40.2\n'],
    ['that of /etc where it names one that is not known', kubelet('/elsewhere'), 'nameserver 127.0.0.53\n'],
    ['none, by an empty path', kubelet(''), undefined],
  ])('%s', (_, more, text) => {
    const cluster = smallCluster(podYaml('web') + more)
    expect(nodeResolvConf(cluster, both)).toBe(text)
  })

  it('is what a pod with dnsPolicy Default gets: without one, its own loopback', () => {
    const cluster = smallCluster(podYaml('web', 'dnsPolicy: Default') + kubelet(''))
    const [resolvConf] = compilePodFiles(cluster, podOf(cluster, 'shop/web'), { netns: 'shop/web', nodeFiles: both })
    expect(resolvConf).toMatchObject({ text: 'search .\nnameserver 127.0.0.1\n' })
  })
})
