import { describe, expect, it } from 'vitest'
import { podOf, podYaml, smallCluster } from '../testing/small-cluster.ts'
import { compilePodFiles } from './files.ts'
import { podHostname } from './hostname.ts'
import { podHosts } from './hosts.ts'

const nodeFiles = new Map([
  ['/etc/resolv.conf', 'nameserver 192.168.40.2\n'],
  ['/etc/hosts', '127.0.0.1 localhost\n192.168.40.181 node1\n'],
])

const MANAGED = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`

describe('the hosts file of a pod', () => {
  it.each([
    ['its own name', '', `${MANAGED}10.244.1.7\tweb\n`],
    [
      'hostname and subdomain',
      'hostname: a, subdomain: nginx',
      `${MANAGED}10.244.1.7\ta.nginx.shop.svc.cluster.local\ta\n`,
    ],
    [
      'hostAliases, one line an address',
      'hostAliases: [{ ip: 192.0.2.1, hostnames: [x.test, y.test] }, { ip: 192.0.2.2, hostnames: [z.test] }]',
      `${MANAGED}10.244.1.7\tweb\n\n# Entries added by HostAliases.\n192.0.2.1\tx.test\ty.test\n192.0.2.2\tz.test\n`,
    ],
    [
      'with hostNetwork that of the node',
      'hostNetwork: true, hostAliases: [{ ip: 192.0.2.1, hostnames: [x.test] }]',
      '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n192.168.40.181 node1\n\n# Entries added by HostAliases.\n192.0.2.1\tx.test\n',
    ],
  ])('%s', (_, spec, text) => {
    const cluster = smallCluster(podYaml('web', spec))
    expect(podHosts(cluster, podOf(cluster, 'shop/web'), nodeFiles.get('/etc/hosts') ?? '')).toBe(text)
  })

  it('has a line for every address', () => {
    const cluster = smallCluster(
      podYaml('web').replace('podIPs: [{ ip: 10.244.1.7 }]', 'podIPs: [{ ip: 10.244.1.7 }, { ip: "fd00::7" }]'),
    )
    expect(podHosts(cluster, podOf(cluster, 'shop/web'), '')).toBe(`${MANAGED}10.244.1.7\tweb\nfd00::7\tweb\n`)
  })

  it('is not there before the pod has an address', () => {
    const cluster = smallCluster(podYaml('web'))
    expect(podHosts(cluster, { ...podOf(cluster, 'shop/web'), ips: [] }, '')).toBeUndefined()
  })
})

describe('the hostname of a pod', () => {
  const long = `${'a'.repeat(62)}-b`
  it.each([
    ['the pod name', 'web', '', { hostname: 'web', domain: '', kernel: 'web' }],
    ['63 characters, no dash at the end', long, '', { hostname: 'a'.repeat(62) }],
    [
      'with setHostnameAsFQDN the whole name',
      'web',
      'subdomain: s, setHostnameAsFQDN: true',
      { kernel: 'web.s.shop.svc.cluster.local' },
    ],
    ['without a subdomain there is no domain', 'web', 'setHostnameAsFQDN: true', { kernel: 'web' }],
    ['of the node with hostNetwork', 'web', 'hostNetwork: true', { hostname: 'web', kernel: 'node1' }],
  ])('%s', (_, name, spec, expected) => {
    const cluster = smallCluster(podYaml(name, spec))
    expect(podHostname(cluster, podOf(cluster, `shop/${name}`))).toMatchObject(expected)
  })

  it('may be 64 characters long as FQDN', () => {
    const name = 'a'.repeat(39)
    const cluster = smallCluster(podYaml(name, 'subdomain: s, setHostnameAsFQDN: true'))
    const found = podHostname(cluster, podOf(cluster, `shop/${name}`))
    expect(found.kernel).toHaveLength(64)
    expect(found.refused).toBeUndefined()
  })

  it('is refused as FQDN over 64 characters', () => {
    const name = 'a'.repeat(40)
    const cluster = smallCluster(podYaml(name, 'subdomain: s, setHostnameAsFQDN: true'))
    expect(podHostname(cluster, podOf(cluster, `shop/${name}`)).refused).toMatch(
      /64 characters is the max, 65 characters requested/,
    )
  })
})

describe('the files of a pod as ops', () => {
  it('are written by kubelet in its namespace, with where the pod stands', () => {
    const cluster = smallCluster(podYaml('web'))
    const pod = podOf(cluster, 'shop/web')
    const ops = compilePodFiles(cluster, pod, { netns: 'shop/web', nodeFiles })
    expect(ops.map((op) => op.kind === 'file.write' && op.path)).toEqual([
      '/etc/resolv.conf',
      '/etc/hosts',
      '/etc/hostname',
      '/etc/nsswitch.conf',
      '/proc/1/environ',
    ])
    for (const op of ops) {
      expect(op.netns).toBe('shop/web')
      expect(op.origin).toMatchObject({ by: 'kubelet', for: 'Pod shop/web', source: `in.yaml:${pod.at?.line}` })
    }
    expect(ops[0]?.origin.reason).toBe('dnsPolicy ClusterFirst')
  })

  it('stand in a folder of their own where the pod shares the namespace of the node', () => {
    const cluster = smallCluster(podYaml('web', 'hostNetwork: true'))
    const ops = compilePodFiles(cluster, podOf(cluster, 'shop/web'), { netns: 'root', nodeFiles })
    expect(ops[0]).toMatchObject({
      path: '/var/lib/kubelet/pods/shop_web/etc/resolv.conf',
      text: 'nameserver 192.168.40.2\n',
    })
    expect(ops[0]?.origin.reason).toBe('dnsPolicy ClusterFirst: hostNetwork makes it the node file')
  })
})
