import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import type { Cluster } from '../cluster.ts'
import { codes, loadText, told } from '../testing/load-text.ts'

/** Nodes n0 (control plane), n1 and n2 in zones z1 and z2. */
const NODES = [0, 1, 2]
  .map(
    (n) => `apiVersion: v1
kind: Node
metadata: {name: n${n}, labels: {${n === 0 ? 'node-role.kubernetes.io/control-plane: ""' : `topology.kubernetes.io/zone: z${n}`}}}
spec: {podCIDRs: [10.244.${n}.0/24]${n === 0 ? ', taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]' : ''}}
status: {addresses: [{type: InternalIP, address: 192.168.40.18${n}}], allocatable: {cpu: "4"}}
---
`,
  )
  .join('')

const load = (text: string, lab = 'cni: {name: flannel}'): Cluster =>
  loadText(`${NODES}${text}\n---\napiVersion: podwalk/v1alpha1\nkind: Lab\nspec: {${lab}}\n`).cluster

const deployment = (
  name: string,
  spec: string,
  pod = 'containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]',
) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\nspec: {${spec}, selector: {matchLabels: {app: ${name}}}, template: {metadata: {labels: {app: ${name}}}, spec: {${pod}}}}\n---\n`
const service = (name: string, spec: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${spec}}\n---\n`
const pod = (name: string, of: { labels?: string; spec?: string; status?: string; meta?: string } = {}) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {${of.labels ?? 'app: x'}}${of.meta === undefined ? '' : `, ${of.meta}`}}\nspec: {nodeName: n1, containers: [{name: c}]${of.spec === undefined ? '' : `, ${of.spec}`}}\n${of.status === undefined ? '' : `status: {${of.status}}\n`}---\n`
const READY = 'conditions: [{type: Ready, status: "True"}]'
const running = (ip: string, more = READY) => `phase: Running, podIP: ${ip}, ${more}`

const podLines = (cluster: Cluster) =>
  cluster.pods.map(
    ({ meta, spec, ips, phase }) =>
      `${meta.name} ${spec.nodeName || '-'} ${ips.map(formatIp).join(',') || '-'} ${phase}`,
  )
/** The parts of a name that are made up, as letters. */
const shape = (text: string) =>
  text
    .replace(/-[456789bcdf]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}(?= |$)/, '-HASH-XXXXX')
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}(?= |$)/, '-XXXXX')

describe('workloads become pods', () => {
  it('a Deployment through its ReplicaSet', () => {
    const cluster = load(deployment('web', 'replicas: 3'))
    const [set] = cluster.workloads.filter(({ kind }) => kind === 'ReplicaSet')
    expect(set!.meta.owner).toEqual({ kind: 'Deployment', name: 'web' })
    expect(cluster.pods.length).toBe(3)
    for (const { meta, assumed, ready } of cluster.pods) {
      expect(shape(meta.name)).toBe('web-HASH-XXXXX')
      expect(meta.owner).toEqual({ kind: 'ReplicaSet', name: set!.meta.name })
      expect(meta.labels).toMatchObject({ app: 'web', 'pod-template-hash': set!.meta.name.slice('web-'.length) })
      expect([assumed, ready]).toEqual([true, true])
    }
    expect(cluster.pods.map(({ spec }) => spec.nodeName).sort()).toEqual(['n1', 'n1', 'n2'])
  })

  it.each([
    [
      'a StatefulSet: ordinals, hostname, subdomain, two labels',
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec: {replicas: 2, serviceName: nginx, ordinals: {start: 3}, template: {metadata: {labels: {app: x}}}}',
      ['web-3 n1 10.244.1.2 Running', 'web-4 n2 10.244.2.2 Running'],
    ],
    [
      'a DaemonSet: every node that takes it',
      'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec: {template: {metadata: {labels: {app: x}}}}',
      ['agent-XXXXX n1 10.244.1.2 Running', 'agent-XXXXX n2 10.244.2.2 Running'],
    ],
    [
      'a DaemonSet that tolerates the control plane',
      'apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec: {template: {spec: {tolerations: [{operator: Exists}]}}}',
      ['agent-XXXXX n0 10.244.0.2 Running', 'agent-XXXXX n1 10.244.1.2 Running', 'agent-XXXXX n2 10.244.2.2 Running'],
    ],
    [
      'a Job',
      'apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec: {template: {metadata: {labels: {app: x}}}}',
      ['pi-XXXXX n1 10.244.1.2 Running'],
    ],
    [
      'a CronJob has none before its time',
      'apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: pi}\nspec: {jobTemplate: {spec: {template: {}}}}',
      [],
    ],
    [
      'a ReplicaSet of its own',
      'apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs}\nspec: {replicas: 1, template: {}}',
      ['rs-XXXXX n1 10.244.1.2 Running'],
    ],
    ['a bare pod', 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}', ['p n1 10.244.1.2 Running']],
    [
      'a pod on its own node',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeName: n0}',
      ['p n0 10.244.0.2 Running'],
    ],
    [
      'a pod on the host network',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: true}',
      ['p n1 192.168.40.181 Running'],
    ],
    [
      'a pod by nodeSelector',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {topology.kubernetes.io/zone: z2}}',
      ['p n2 10.244.2.2 Running'],
    ],
    [
      'a pod that fits nowhere',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {disk: ssd}}',
      ['p - - Pending'],
    ],
    [
      'a pod on a node that is not there',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeName: n9}',
      ['p n9 - Pending'],
    ],
  ])('%s', (_, text, lines) => expect(podLines(load(text)).map(shape).sort()).toEqual(lines))

  it('a StatefulSet writes name and Service into its pods', () => {
    const [first] = load(
      'apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec: {serviceName: nginx, template: {metadata: {labels: {app: x}}}}',
    ).pods
    expect(first!.spec).toMatchObject({ hostname: 'web-0', subdomain: 'nginx' })
    expect(first!.meta.labels).toMatchObject({
      'apps.kubernetes.io/pod-index': '0',
      'statefulset.kubernetes.io/pod-name': 'web-0',
    })
  })

  it('a Job names itself in two labels', () => {
    const [first] = load('apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec: {template: {}}').pods
    expect(first!.meta.labels).toMatchObject({ 'batch.kubernetes.io/job-name': 'pi', 'job-name': 'pi' })
  })

  it("binding copies the node's zone since v1.35", () => {
    const zone = (version: string) =>
      load(
        'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeName: n1}',
        `cni: {name: flannel}, versions: {kubernetes: ${version}}`,
      ).pods[0]!.meta.labels['topology.kubernetes.io/zone']
    expect([zone('v1.36.0'), zone('v1.35.0'), zone('v1.34.9')]).toEqual(['z1', 'z1', undefined])
  })

  it('a pod that fits nowhere is told', () =>
    expect(
      codes(
        loadText(`${NODES}apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {disk: ssd}}`),
      ).filter((code) => code.startsWith('pod-')),
    ).toEqual(['pod-unschedulable:19']))
})

describe('live objects first', () => {
  const recorded = deployment('web', 'replicas: 2').replace('{name: web}', '{name: web, uid: d}')
  const livePod = pod('web-1', {
    meta: 'uid: p, ownerReferences: [{kind: ReplicaSet, name: web-1, controller: true}]',
    status: running('10.244.1.9'),
  })
  it.each([
    [
      'a recorded workload beside recorded pods has the pods it has',
      recorded + livePod,
      ['web-1 n1 10.244.1.9 Running'],
    ],
    [
      'a manifest whose pods are there gets no others',
      deployment('web', 'replicas: 2') +
        'apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-1, ownerReferences: [{kind: Deployment, name: web, controller: true}]}\nspec: {replicas: 2, template: {}}\n---\n' +
        livePod,
      ['web-1 n1 10.244.1.9 Running'],
    ],
    [
      'a manifest beside other recorded pods gets its own',
      deployment('api', 'replicas: 1') + livePod,
      ['api-HASH-XXXXX n2 10.244.2.2 Running', 'web-1 n1 10.244.1.9 Running'],
    ],
    [
      'recorded workloads without any pod in the input get theirs',
      recorded,
      ['web-HASH-XXXXX n1 10.244.1.2 Running', 'web-HASH-XXXXX n2 10.244.2.2 Running'],
    ],
  ])('%s', (_, text, lines) => expect(podLines(load(text)).map(shape).sort()).toEqual(lines))

  it('an ExternalName keeps the slices that it was recorded with', () => {
    const cluster = load(
      'apiVersion: v1\nkind: Service\nmetadata: {name: x, uid: s}\nspec: {type: ExternalName, externalName: a.b, selector: {app: x}, ports: [{port: 80}]}\n---\n' +
        'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: x-1, uid: e, labels: {kubernetes.io/service-name: x}}\naddressType: IPv4\nendpoints: [{addresses: [10.244.1.2]}]\n',
    )
    expect(cluster.index.service.get('default/x')).toMatchObject({
      type: 'ExternalName',
      clusterIPs: [],
      ipFamilies: [],
      assumed: false,
    })
    expect(cluster.index.slicesOfService.get('default/x')!.map(({ meta, assumed }) => [meta.name, assumed])).toEqual([
      ['x-1', false],
    ])
  })

  it('addresses in use are not given again', () =>
    expect(podLines(load(pod('a', { meta: 'uid: a', status: running('10.244.1.2') }) + pod('b')))).toEqual([
      'a n1 10.244.1.2 Running',
      'b n1 10.244.1.3 Running',
    ]))

  it("a finished pod's address is not given on while others are free", () =>
    expect(
      podLines(load(pod('a', { meta: 'uid: a', status: 'phase: Succeeded, podIP: 10.244.1.2' }) + pod('b'))),
    ).toEqual(['a n1 10.244.1.2 Succeeded', 'b n1 10.244.1.3 Running']))

  it('a recorded Service without an address or a slice has none', () => {
    const cluster = load(
      service('x', 'selector: {app: x}, ports: [{port: 80}]').replace('{name: x}', '{name: x, uid: s}') +
        'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: other, uid: e, labels: {kubernetes.io/service-name: other}}\naddressType: IPv4\n---\n' +
        pod('a', { meta: 'uid: a', status: running('10.244.1.2') }),
    )
    expect(cluster.index.service.get('default/x')!.clusterIPs).toEqual([])
    expect(cluster.index.slicesOfService.get('default/x')).toBeUndefined()
  })

  it('slices are computed where the input holds none (kubectl cluster-info dump)', () => {
    const cluster = load(
      service('x', 'clusterIP: 10.96.0.7, selector: {app: x}, ports: [{port: 80}]').replace(
        '{name: x}',
        '{name: x, uid: s}',
      ) + pod('a', { meta: 'uid: a', status: running('10.244.1.2') }),
    )
    const slices = cluster.index.slicesOfService.get('default/x')!
    expect(slices.map(({ assumed, endpoints }) => [assumed, endpoints.length])).toEqual([[true, 1]])
  })

  it.each([
    ['recorded', ', uid: u', ['10.9.9.9']],
    ['by hand', '', []],
  ])('Endpoints that are %s, beside recorded pods and without slices', (_, uid, expected) => {
    const { cluster } = loadText(
      `{apiVersion: v1, kind: Service, metadata: {name: s, uid: u}, spec: {selector: {app: x}, clusterIP: 10.96.0.9, ports: [{port: 80}]}}\n---\n{apiVersion: v1, kind: Endpoints, metadata: {name: s${uid}}, subsets: [{addresses: [{ip: 10.9.9.9}], ports: [{port: 80}]}]}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p, uid: p}, status: {phase: Running}}`,
    )
    const [one] = cluster.endpoints
    expect(one!.subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => formatIp(ip)))).toEqual(expected)
  })

  it('recorded Endpoints count where the input holds neither slices nor pods', () => {
    const endpoints =
      'apiVersion: v1\nkind: Endpoints\nmetadata: {name: x, uid: e}\nsubsets: [{addresses: [{ip: 10.9.9.9}], ports: [{port: 8080}]}]\n---\n'
    const live = service('x', 'clusterIP: 10.96.0.7, selector: {app: x}, ports: [{port: 80}]').replace(
      '{name: x}',
      '{name: x, uid: s}',
    )
    const ips = (text: string) =>
      load(text)
        .index.slicesOfService.get('default/x')!
        .flatMap((slice) => slice.endpoints.flatMap(({ addresses }) => addresses.map(formatIp)))
    expect(ips(live + endpoints)).toEqual(['10.9.9.9'])
    expect(ips(live + endpoints + pod('a', { meta: 'uid: a', status: running('10.244.1.2') }))).toEqual(['10.244.1.2'])
    expect(ips(live + endpoints.replace(', uid: e', ''))).toEqual([])
  })

  it('nothing is made up in an empty input', () => {
    const { cluster } = loadText('')
    expect([cluster.nodes, cluster.pods, cluster.services, cluster.endpointSlices]).toEqual([[], [], [], []])
  })
})

describe('nodes', () => {
  const lines = (text: string) =>
    loadText(text).cluster.nodes.map(
      ({ meta, internalIPs, podCIDRs, assumed }) =>
        `${meta.name} ${internalIPs.map(formatIp)} ${podCIDRs.map(formatPrefix)} ${assumed}`,
    )
  const bare = 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n---\n'
  it.each([
    [
      'two are made up where something must run',
      bare,
      ['node1 192.168.0.11 10.244.0.0/24 true', 'node2 192.168.0.12 10.244.1.0/24 true'],
    ],
    [
      'those that recorded pods run on, at their hostIP',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nspec: {nodeName: w7}\nstatus: {phase: Running, podIP: 10.1.0.4, hostIP: 10.0.0.7}',
      ['w7 10.0.0.7 10.244.0.0/24 true'],
    ],
    [
      'those of a Lab, in its networks',
      'apiVersion: podwalk/v1alpha1\nkind: Lab\nspec: {networks: [{name: a, cidr: 10.9.0.0/24, nodes: [b1, a1]}], podCIDRs: [10.32.0.0/12]}',
      ['a1 10.9.0.11 10.32.0.0/24 true', 'b1 10.9.0.12 10.32.1.0/24 true'],
    ],
    [
      'podCIDRs in order of name, without those in use',
      '{apiVersion: v1, kind: Node, metadata: {name: b1}, spec: {podCIDR: 10.244.0.0/24}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}}\n---\n{apiVersion: v1, kind: Node, metadata: {name: a1}, status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}}',
      ['a1 10.0.0.2 10.244.1.0/24 true', 'b1 10.0.0.1 10.244.0.0/24 false'],
    ],
    [
      'a recorded node without a podCIDR has none',
      '{apiVersion: v1, kind: Node, metadata: {name: a1, uid: u}, status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}}',
      ['a1 10.0.0.2  false'],
    ],
    [
      'both families',
      'apiVersion: podwalk/v1alpha1\nkind: Lab\nspec: {nodes: {a1: {}}, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}',
      ['a1 192.168.0.11,fd00:192:168::b 10.244.0.0/24,fd00:10:244::/64 true'],
    ],
  ])('%s', (_, text, expected) => expect(lines(text)).toEqual(expected))

  it('a pod network that is too small is told', () =>
    expect(
      codes(loadText(`apiVersion: podwalk/v1alpha1\nkind: Lab\nspec: {podCIDRs: [10.244.0.0/24]}\n---\n${bare}`)),
    ).toContain('pod-cidr-exhausted:'))
})

describe('pod addresses', () => {
  const pods = ['a', 'b', 'c'].map((name) => pod(name)).join('')
  const ips = (text: string, lab: string) => load(text, lab).pods.map((one) => one.ips.map(formatIp).join(','))
  const pool = (mode: string, size = 26) =>
    `apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.64.0.0/16, blockSize: ${size}, ${mode}}\n---\n`
  const block = (cidr: string, host: string) =>
    `apiVersion: crd.projectcalico.org/v1\nkind: IPAMBlock\nmetadata: {name: b-${cidr.replace(/[./]/g, '-')}}\nspec: {cidr: ${cidr}, affinity: "host:${host}"}\n---\n`
  it.each([
    [
      'flannel: behind the gateway of the podCIDR',
      pods,
      'cni: {name: flannel}',
      ['10.244.1.2', '10.244.1.3', '10.244.1.4'],
    ],
    [
      'from an ordinal on',
      pods,
      'cni: {name: flannel}, nodes: {n1: {nextOrdinal: 36}}',
      ['10.244.1.36', '10.244.1.37', '10.244.1.38'],
    ],
    [
      'calico: the block of the host name, from its first address',
      pods,
      'cni: {name: calico, backend: bgp}',
      ['10.244.40.128', '10.244.40.129', '10.244.40.130'],
    ],
    [
      'calico with tunnels keeps the first address for the tunnel',
      pool('ipipMode: Always') + pods,
      'cni: {name: calico}',
      ['10.64.40.129', '10.64.40.130', '10.64.40.131'],
    ],
    [
      'calico without tunnels does not',
      pool('ipipMode: Never, vxlanMode: Never') + pods,
      'cni: {name: calico}',
      ['10.64.40.128', '10.64.40.129', '10.64.40.130'],
    ],
    [
      'blocks that the Lab gives',
      pods,
      'cni: {name: calico}, nodes: {n1: {calicoBlocks: [10.244.121.0/26], nextOrdinal: 36}}',
      ['10.244.121.36', '10.244.121.37', '10.244.121.38'],
    ],
    [
      'blocks that calico recorded',
      block('10.64.7.0/26', 'n1') + pool('vxlanMode: CrossSubnet') + pods,
      'cni: {name: calico}',
      ['10.64.7.1', '10.64.7.2', '10.64.7.3'],
    ],
    [
      'behind the addresses that are in use',
      block('10.64.7.0/26', 'n1') +
        pool('vxlanMode: Never') +
        pod('a', { meta: 'uid: a', status: running('10.64.7.9') }) +
        pod('b'),
      'cni: {name: calico}',
      ['10.64.7.9', '10.64.7.10'],
    ],
    [
      'a full block is followed by the next one',
      pool('ipipMode: Never', 31) + pods,
      'cni: {name: calico}',
      ['10.64.93.220', '10.64.93.221', '10.64.93.222'],
    ],
    [
      'host network has none of its own',
      pod('a', { spec: 'hostNetwork: true' }),
      'cni: {name: calico}',
      ['192.168.40.181'],
    ],
  ])('%s', (_, text, lab, expected) => expect(ips(text, lab)).toEqual(expected))

  it('say which node has which block', () => {
    const cluster = load(
      pods + pod('d', { spec: 'x: 1' }).replace('nodeName: n1', 'nodeName: n2'),
      'cni: {name: calico, backend: bgp}',
    )
    expect(cluster.addressBlocks!.map((one) => `${one.node} ${formatPrefix(one.block)} ${one.assumed}`)).toEqual([
      'n1 10.244.40.128/26 true',
      'n2 10.244.217.0/26 true',
    ])
  })

  it('blocks that calico recorded are not made up', () => {
    const cluster = load(block('10.64.7.0/26', 'n1') + pool('vxlanMode: Never') + pods, 'cni: {name: calico}')
    expect(cluster.addressBlocks).toMatchObject([{ node: 'n1', assumed: false }])
  })

  it('a podCIDR without room is told', () => {
    const text = NODES.replace('10.244.1.0/24', '10.244.1.0/30') + pods
    expect(codes(loadText(text)).filter((code) => code.startsWith('pod-address'))).toEqual([
      'pod-address-exhausted:24',
      'pod-address-exhausted:29',
    ])
  })
})

describe('slices of a Service with a selector', () => {
  const slices = (text: string, name = 'x') =>
    (load(text).index.slicesOfService.get(`default/${name}`) ?? []).map(({ addressType, ports, endpoints }) => ({
      family: addressType,
      ports: ports.map((port) => `${port.name}:${port.port}/${port.protocol}`),
      endpoints: endpoints.map((one) =>
        `${one.addresses.map(formatIp)} ${one.ready ? 'ready' : ''}${one.serving ? ' serving' : ''}${one.terminating ? ' terminating' : ''}`.trim(),
      ),
    }))
  const x = service('x', 'selector: {app: x}, ports: [{port: 80}]')
  const one = (endpoints: string[], ports = [':80/TCP']) => [{ family: 'IPv4', ports, endpoints }]

  it.each([
    ['nothing selected: one slice without ports', x, one([], [])],
    ['a ready pod', x + pod('a', { status: running('10.244.1.2') }), one(['10.244.1.2 ready serving'])],
    ['an unready one', x + pod('a', { status: running('10.244.1.2', 'conditions: []') }), one(['10.244.1.2'])],
    [
      'unready but published',
      service('x', 'selector: {app: x}, publishNotReadyAddresses: true, ports: [{port: 80}]') +
        pod('a', { status: running('10.244.1.2', 'conditions: []') }),
      one(['10.244.1.2 ready']),
    ],
    [
      'terminating and still serving',
      x + pod('a', { meta: 'deletionTimestamp: "2030-01-01T00:00:00Z"', status: running('10.244.1.2') }),
      one(['10.244.1.2  serving terminating']),
    ],
    [
      'terminating, published',
      service('x', 'selector: {app: x}, publishNotReadyAddresses: true, ports: [{port: 80}]') +
        pod('a', { meta: 'deletionTimestamp: "2030-01-01T00:00:00Z"', status: running('10.244.1.2') }),
      one(['10.244.1.2 ready serving terminating']),
    ],
    [
      'finished and addressless pods are in none',
      x +
        pod('a', { status: 'phase: Succeeded, podIP: 10.244.1.2' }) +
        pod('b', { status: 'phase: Failed, podIP: 10.244.1.3' }) +
        pod('c', { status: 'phase: Pending' }),
      one([], []),
    ],
    [
      'a pod on a node that does not exist',
      x + pod('a', { status: running('10.244.1.2') }).replace('nodeName: n1', 'nodeName: n9'),
      one([], []),
    ],
    [
      'unless it is published',
      service('x', 'selector: {app: x}, publishNotReadyAddresses: true, ports: [{port: 80}]') +
        pod('a', { status: running('10.244.1.2') }).replace('nodeName: n1', 'nodeName: n9'),
      one(['10.244.1.2 ready serving']),
    ],
    ['another namespace', x + pod('a', { meta: 'namespace: other', status: running('10.244.1.2') }), one([], [])],
    [
      'a named targetPort',
      service('x', 'selector: {app: x}, ports: [{port: 80, targetPort: http}]') +
        pod('a', {
          spec: 'containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]',
          status: running('10.244.1.2'),
        }).replace('containers: [{name: c}], ', ''),
      one(['10.244.1.2 ready serving'], [':8080/TCP']),
    ],
    [
      'a named targetPort that the pod lacks: an endpoint without ports',
      service('x', 'selector: {app: x}, ports: [{port: 80, targetPort: htpp}]') +
        pod('a', { status: running('10.244.1.2') }),
      one(['10.244.1.2 ready serving'], []),
    ],
    [
      'an ExternalName has none',
      service('x', 'type: ExternalName, externalName: a.b, selector: {app: x}') +
        pod('a', { status: running('10.244.1.2') }),
      [],
    ],
    [
      'an empty selector is no selector',
      service('x', 'selector: {}, ports: [{port: 80}]') + pod('a', { status: running('10.244.1.2') }),
      [],
    ],
    [
      'host-network pods of one node share an address',
      x + pod('a', { spec: 'hostNetwork: true' }) + pod('b', { spec: 'hostNetwork: true' }),
      one(['192.168.40.181 ready serving', '192.168.40.181 ready serving']),
    ],
  ])('%s', (_, text, expected) => expect(slices(text)).toEqual(expected))

  it.each([
    ['in a container', 'containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]', [':8080/TCP']],
    [
      'in a sidecar',
      'initContainers: [{name: s, restartPolicy: Always, ports: [{name: http, containerPort: 9090}]}], containers: [{name: c}]',
      [':9090/TCP'],
    ],
    [
      'a container before a sidecar',
      'initContainers: [{name: s, restartPolicy: Always, ports: [{name: http, containerPort: 9090}]}], containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]',
      [':8080/TCP'],
    ],
    [
      'never in a plain init container',
      'initContainers: [{name: s, ports: [{name: http, containerPort: 9090}]}], containers: [{name: c}]',
      [],
    ],
    [
      'never of another protocol',
      'containers: [{name: c, ports: [{name: http, containerPort: 8080, protocol: UDP}]}]',
      [],
    ],
  ])('a named targetPort is looked up %s', (_, spec, ports) => {
    const text = `${service('x', 'selector: {app: x}, ports: [{port: 80, targetPort: http}]')}apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: x}}\nspec: {nodeName: n1, ${spec}}\n`
    expect(slices(text)[0]!.ports).toEqual(ports)
  })

  it('one slice for each set of ports', () => {
    const with8080 = (name: string, port: number) =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {app: x}}\nspec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: ${port}}]}]}\n---\n`
    const text =
      service('x', 'selector: {app: x}, ports: [{port: 80, targetPort: http}]') +
      with8080('a', 8080) +
      with8080('b', 9090) +
      with8080('c', 8080)
    expect(
      slices(text)
        .map(({ ports, endpoints }) => [ports, endpoints.length])
        .sort(),
    ).toEqual([
      [[':8080/TCP'], 2],
      [[':9090/TCP'], 1],
    ])
  })

  it('endpoints stand in the order of their addresses, then of their pods', () => {
    const at = (name: string, ip: string) =>
      `---\n{apiVersion: v1, kind: Pod, metadata: {name: ${name}, uid: ${name}, labels: {app: x}}, spec: {nodeName: n1}, status: {phase: Running, podIP: ${ip}, conditions: [{type: Ready, status: "True"}]}}\n`
    const { cluster } = loadText(
      `{apiVersion: v1, kind: Node, metadata: {name: n1}}\n${at('z', '10.244.1.5')}${at('b', '10.244.1.10')}${at('a', '10.244.1.10')}---\n{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n`,
    )
    const slice = cluster.endpointSlices.find(({ serviceName }) => serviceName === 's')!
    expect(slice.endpoints.map(({ targetRef }) => targetRef!.name)).toEqual(['z', 'a', 'b'])
    // Endpoints go by the text of an address.
    const listed = cluster.endpoints[0]!.subsets.flatMap(({ addresses }) => addresses)
    expect(listed.map(({ targetRef }) => targetRef!.name)).toEqual(['a', 'b', 'z'])
  })

  it('stand where their Service stands, and so do its Endpoints', () => {
    const { cluster } = loadText(
      '---\n{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n',
    )
    expect(cluster.endpointSlices.filter(({ serviceName }) => serviceName === 's').map(({ at }) => at?.line)).toEqual([
      2,
    ])
    expect(cluster.endpoints.map(({ at }) => at?.line)).toEqual([2])
  })

  it('a hundred endpoints to a slice', () => {
    const text = deployment('x', 'replicas: 205') + x
    expect(
      slices(text)
        .map(({ endpoints }) => endpoints.length)
        .sort((a, b) => a - b),
    ).toEqual([5, 100, 100])
  })

  it("ports in the order of their hash, not of the Service's", () => {
    const text =
      service(
        'x',
        'selector: {app: x}, ports: [{name: dns, port: 5300, protocol: UDP}, {name: dns-tcp, port: 5300}, {name: amqp, port: 5672}]',
      ) + pod('a', { status: running('10.244.1.2') })
    expect(slices(text)[0]!.ports).toEqual(['amqp:5672/TCP', 'dns-tcp:5300/TCP', 'dns:5300/UDP'])
  })

  it.each([
    ['hostname and subdomain of this Service', 'hostname: h, subdomain: x', 'h'],
    ['the subdomain of another', 'hostname: h, subdomain: other', undefined],
    ['no hostname', 'subdomain: x', undefined],
  ])('hostname of an endpoint: %s', (_, spec, hostname) => {
    const [slice] = load(x + pod('a', { spec, status: running('10.244.1.2') })).index.slicesOfService.get('default/x')!
    expect(slice!.endpoints[0]!.hostname).toBe(hostname)
  })

  it("labels: those of the Service under the controller's own", () => {
    const labels = (spec: string, own: string) => {
      const text = `apiVersion: v1\nkind: Service\nmetadata: {name: x, labels: {${own}}}\nspec: {${spec}selector: {app: x}, ports: [{port: 80}]}\n`
      return load(text).index.slicesOfService.get('default/x')![0]!.meta.labels
    }
    const made = {
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      'kubernetes.io/service-name': 'x',
    }
    expect(labels('', 'team: red, service.kubernetes.io/headless: user')).toEqual({ team: 'red', ...made })
    expect(labels('clusterIP: None, ', 'kubernetes.io/service-name: lie')).toEqual({
      'service.kubernetes.io/headless': '',
      ...made,
    })
  })

  it('both families of a dual-stack Service; a pod that lacks one is missing there only', () => {
    const text =
      'apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\nspec: {cidrs: [10.96.0.0/12, "fd00:10:96::/112"]}\n---\n' +
      service('x', 'ipFamilyPolicy: PreferDualStack, selector: {app: x}, ports: [{port: 80}]') +
      pod('a', { status: 'phase: Running, podIPs: [{ip: 10.244.1.2}, {ip: "fd00::2"}]' }) +
      pod('b', { status: 'phase: Running, podIP: 10.244.1.3' })
    expect(slices(text).map(({ family, endpoints }) => [family, endpoints])).toEqual([
      ['IPv4', ['10.244.1.2', '10.244.1.3']],
      ['IPv6', ['fd00::2']],
    ])
  })
})

describe('slices of Endpoints by hand', () => {
  const mysql = service('mysql', 'ports: [{port: 3306}]')
  const endpoints = (name: string, subsets: string, meta = '') =>
    `apiVersion: v1\nkind: Endpoints\nmetadata: {name: ${name}${meta}}\nsubsets: ${subsets}\n---\n`
  const mirrored = (text: string, name = 'mysql') =>
    (load(text).index.slicesOfService.get(`default/${name}`) ?? []).map(({ ports, endpoints, meta }) => [
      ports.map((port) => `${port.name}:${port.port}`).join(),
      endpoints.map((one) => `${one.addresses.map(formatIp)}${one.ready ? '' : ' not ready'}`).join(),
      meta.owner?.kind,
    ])
  it.each([
    [
      'mirrored',
      mysql + endpoints('mysql', '[{addresses: [{ip: 192.168.40.182}], ports: [{port: 3306}]}]'),
      [[':3306', '192.168.40.182', 'Endpoints']],
    ],
    [
      'not for a Service with a selector',
      service('mysql', 'selector: {app: x}, ports: [{port: 3306}]') +
        endpoints('mysql', '[{addresses: [{ip: 192.168.40.182}], ports: [{port: 3306}]}]'),
      [['', '', 'Service']],
    ],
    ['not without a Service', endpoints('mysql', '[{addresses: [{ip: 192.168.40.182}]}]'), []],
    [
      'not with the label',
      mysql +
        endpoints(
          'mysql',
          '[{addresses: [{ip: 192.168.40.182}]}]',
          ', labels: {endpointslice.kubernetes.io/skip-mirror: "true"}',
        ),
      [],
    ],
    [
      'not of a leader election',
      mysql +
        endpoints(
          'mysql',
          '[{addresses: [{ip: 192.168.40.182}]}]',
          ', annotations: {control-plane.alpha.kubernetes.io/leader: "{}"}',
        ),
      [],
    ],
    [
      'subsets of equal ports become one, an address in both is not ready',
      mysql +
        endpoints(
          'mysql',
          '[{addresses: [{ip: 10.9.1.2}], ports: [{port: 80}]}, {addresses: [{ip: 10.9.1.1}], notReadyAddresses: [{ip: 10.9.1.2}], ports: [{port: 80}]}]',
        ),
      [[':80', '10.9.1.1,10.9.1.2 not ready', 'Endpoints']],
    ],
    [
      'one slice for each family',
      mysql + endpoints('mysql', '[{addresses: [{ip: 10.9.1.2}, {ip: "fd00::9"}], ports: [{port: 80}]}]'),
      [
        [':80', '10.9.1.2', 'Endpoints'],
        [':80', 'fd00::9', 'Endpoints'],
      ],
    ],
    ['without ports', mysql + endpoints('mysql', '[{addresses: [{ip: 10.9.1.2}]}]'), [['', '10.9.1.2', 'Endpoints']]],
  ])('%s', (_, text, expected) => expect(mirrored(text).sort()).toEqual(expected.sort()))

  it('an address keeps what its first mention says', () => {
    const text =
      mysql +
      endpoints(
        'mysql',
        '[{addresses: [{ip: 10.9.0.1, nodeName: n1}], ports: [{name: a, port: 80}]}, {addresses: [{ip: 10.9.0.1}], ports: [{name: b, port: 81}, {name: c, port: 82}]}]',
      )
    const slices = load(text).index.slicesOfService.get('default/mysql')!
    expect(slices.flatMap(({ endpoints }) => endpoints.map(({ nodeName }) => nodeName))).toEqual(['n1'])
  })
})

describe('hints', () => {
  const hints = (spec: string, meta = '') => {
    const pods = ['1', '2', '2']
      .map((n, i) =>
        pod(`p${i}`, { status: running(`10.244.${n}.${i + 2}`) }).replace('nodeName: n1', `nodeName: n${n}`),
      )
      .join('')
    const zoneless = pod('p3', { status: running('10.244.0.5') }).replace('nodeName: n1', 'nodeName: n0')
    const unready = pod('p4', { status: running('10.244.1.6', 'conditions: []') })
    const text = `apiVersion: v1\nkind: Service\nmetadata: {name: x${meta}}\nspec: {${spec}selector: {app: x}, ports: [{port: 80}]}\n---\n`
    return load(text + pods + zoneless + unready)
      .index.slicesOfService.get('default/x')![0]!
      .endpoints.map(
        ({ targetRef, hintZones, hintNodes }) => `${targetRef!.name} ${hintZones ?? '-'} ${hintNodes ?? '-'}`,
      )
      .sort()
  }
  it.each([
    ['none', '', ['p0 - -', 'p1 - -', 'p2 - -', 'p3 - -', 'p4 - -']],
    ['PreferSameZone', 'trafficDistribution: PreferSameZone, ', ['p0 z1 -', 'p1 z2 -', 'p2 z2 -', 'p3 - -', 'p4 - -']],
    ['PreferClose', 'trafficDistribution: PreferClose, ', ['p0 z1 -', 'p1 z2 -', 'p2 z2 -', 'p3 - -', 'p4 - -']],
    [
      'PreferSameNode',
      'trafficDistribution: PreferSameNode, ',
      ['p0 z1 n1', 'p1 z2 n2', 'p2 z2 n2', 'p3 - n0', 'p4 - -'],
    ],
  ])('%s', (_, spec, expected) => expect(hints(spec)).toEqual(expected))

  const topology = (counts: Record<string, number>, nodes = NODES) => {
    const pods = Object.entries(counts).flatMap(([n, count]) =>
      Array.from({ length: count }, (_, i) =>
        pod(`p${n}-${i}`, { status: running(`10.244.${n}.${i + 2}`) }).replace('nodeName: n1', `nodeName: n${n}`),
      ),
    )
    const text = `${nodes}apiVersion: v1\nkind: Service\nmetadata: {name: x, annotations: {service.kubernetes.io/topology-mode: Auto}}\nspec: {selector: {app: x}, ports: [{port: 80}]}\n---\n${pods.join('')}`
    const [slice] = loadText(text).cluster.index.slicesOfService.get('default/x')!
    const zones = slice!.endpoints.map(({ hintZones }) => hintZones?.join() ?? '-').sort()
    return Object.fromEntries([...new Set(zones)].map((zone) => [zone, zones.filter((one) => one === zone).length]))
  }
  it.each([
    ['equal zones keep their own', { 1: 3, 2: 3 }, { z1: 3, z2: 3 }],
    ['a zone with too many gives', { 1: 5, 2: 1 }, { z1: 3, z2: 3 }],
    ['half an endpoint too many stays where it is', { 1: 4, 2: 3 }, { z1: 4, z2: 3 }],
    ['too few endpoints: none', { 1: 1 }, { '-': 1 }],
  ])('topology-mode Auto: %s', (_, counts, expected) => expect(topology(counts)).toEqual(expected))

  it('topology-mode Auto: none at all while one worker has no zone', () =>
    expect(topology({ 1: 3, 2: 3 }, NODES.replace('topology.kubernetes.io/zone: z2', 'other: z2'))).toEqual({ '-': 6 }))
})

describe('Services', () => {
  const of = (text: string, name = 'x') => load(text).index.service.get(`default/${name}`)!
  it.each([
    ['ClusterIP', 'ports: [{port: 80}]', [1, 0, 0]],
    ['NodePort', 'type: NodePort, ports: [{port: 80}]', [1, 1, 0]],
    ['LoadBalancer', 'type: LoadBalancer, ports: [{port: 80}]', [1, 1, 0]],
    ['LoadBalancer with Local', 'type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]', [1, 1, 1]],
    [
      'NodePort with Local has no health port',
      'type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80}]',
      [1, 1, 0],
    ],
    [
      'LoadBalancer without node ports',
      'type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]',
      [1, 0, 0],
    ],
    ['headless', 'clusterIP: None, ports: [{port: 80}]', [0, 0, 0]],
    ['ExternalName', 'type: ExternalName, externalName: a.b', [0, 0, 0]],
  ])('%s gets what it needs', (_, spec, [ips = 0, ports = 0, health = 0]) => {
    const found = of(service('x', spec))
    expect([
      found.clusterIPs.length,
      found.ports.filter(({ nodePort }) => nodePort !== 0).length,
      found.healthCheckNodePort === 0 ? 0 : 1,
    ]).toEqual([ips, ports, health])
    expect(found.assumed).toBe(ips + ports > 0)
  })

  it('one number over two protocols has one nodePort', () => {
    const [a, b, c] = of(
      service(
        'x',
        'type: NodePort, ports: [{name: a, port: 53}, {name: b, port: 53, protocol: UDP}, {name: c, port: 54}]',
      ),
    ).ports
    expect(a!.nodePort).toBe(b!.nodePort)
    expect(c!.nodePort).not.toBe(a!.nodePort)
  })

  it('targetPort is the port unless said', () =>
    expect(
      of(
        service(
          'x',
          'ports: [{name: a, port: 80}, {name: b, port: 81, targetPort: 0}, {name: c, port: 82, targetPort: web}]',
        ),
      ).ports.map(({ targetPort }) => targetPort),
    ).toEqual([80, 81, 'web']))

  it('what is written is kept and given to nobody else', () => {
    const text = service('x', 'clusterIP: 10.96.5.5, ports: [{port: 80}]')
    expect(of(text).clusterIPs.map(formatIp)).toEqual(['10.96.5.5'])
    expect(of(text).assumed).toBe(false)
  })

  it('kube-dns gets the tenth address', () => {
    const cluster = load(
      'apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system}\nspec: {ports: [{port: 53}]}\n',
    )
    expect(cluster.index.service.get('kube-system/kube-dns')!.clusterIPs.map(formatIp)).toEqual(['10.96.0.10'])
    expect(cluster.facts.clusterDNS.map(formatIp)).toEqual(['10.96.0.10'])
  })

  it('default/kubernetes is there, with a slice of the control-plane nodes', () => {
    const cluster = load('')
    expect(cluster.index.service.get('default/kubernetes')).toMatchObject({
      assumed: true,
      selector: undefined,
      ports: [{ name: 'https', port: 443, targetPort: 6443 }],
    })
    const [slice] = cluster.index.slicesOfService.get('default/kubernetes')!
    expect(slice!.meta).toMatchObject({ name: 'kubernetes', labels: { 'kubernetes.io/service-name': 'kubernetes' } })
    expect(slice!.meta.owner).toBeUndefined()
    expect(
      slice!.endpoints.map(({ addresses, nodeName, targetRef }) => [addresses.map(formatIp), nodeName, targetRef]),
    ).toEqual([[['192.168.40.180'], undefined, undefined]])
  })

  it('two that ask for one address and node port: the second is refused, for the address alone', () => {
    const text =
      NODES +
      service('b', 'type: NodePort, clusterIP: 10.96.7.7, ports: [{port: 80, nodePort: 30080}]') +
      service('a', 'type: NodePort, clusterIP: 10.96.7.7, ports: [{port: 80, nodePort: 30080}]')
    expect(told(loadText(text)).filter((line) => line.includes('Service'))).toEqual([
      'in.yaml:27 cluster-ip-taken Service default/a is invalid: spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated',
    ])
  })
})

describe('namespaces', () => {
  it('are implied by their objects, and carry their name as a label', () => {
    const { cluster } = loadText(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: given, labels: {a: b}}\n',
    )
    expect(cluster.namespaces.map(({ meta, assumed }) => [meta.name, meta.labels, assumed])).toEqual([
      ['default', { 'kubernetes.io/metadata.name': 'default' }, true],
      ['given', { a: 'b', 'kubernetes.io/metadata.name': 'given' }, false],
      ['kube-system', { 'kubernetes.io/metadata.name': 'kube-system' }, true],
      ['shop', { 'kubernetes.io/metadata.name': 'shop' }, true],
    ])
  })
})

describe('what is made up is said', () => {
  it('once for each pod and Service, with the way to say it and to find it out', () => {
    const cluster = load(deployment('web', 'replicas: 1') + service('web', 'selector: {app: web}, ports: [{port: 80}]'))
    const about = cluster.assumptions.filter(({ object }) => object?.includes('default/web'))
    expect(about.map(({ code }) => code).sort()).toEqual(['endpoints-computed', 'pod', 'service-address'])
    for (const one of about)
      expect([one.set, one.collect].every((text) => text !== undefined && text !== '')).toBe(true)
  })
})
