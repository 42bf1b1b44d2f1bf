import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { check } from '../../cluster/check.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { keyOf } from '../../cluster/cluster.ts'
import { inSliceOrder } from '../../cluster/complete/port-order.ts'
import { load } from '../../cluster/load.ts'
import type { EndpointSlice } from '../../cluster/objects.ts'
import { loadText } from '../../cluster/testing/load-text.ts'
import { formatIp, ipKey } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import { ownCasesFolder } from '../judge/cases-folder.ts'
import { type ControllersFile, replayControllers } from '../judge/controllers.ts'
import { loadFile } from './recorded-cluster.ts'

/**
 * What surprised those who recorded a real v1.36 control plane, in the order and with the numbers of their list
 * (README of the recorded snapshots): each is held by what we make of the recording, or of a manifest.
 */

const FOLDER = ownCasesFolder('snapshots')
const recorded = (name: string): Cluster => loadFile(join(FOLDER, name), 'all.json.gz').cluster
const [textbook, shop, dualstack, deadNode] = ['textbook', 'shop', 'dualstack', 'dead-node'].map(recorded) as [
  Cluster,
  Cluster,
  Cluster,
  Cluster,
]
const file = JSON.parse(readFileSync(join(FOLDER, 'controllers.json'), 'utf8')) as ControllersFile

type Case = { readonly [key in 'services' | 'endpointSlices' | 'endpoints']: readonly Made[] } & {
  readonly refused: readonly { readonly name: string; readonly messages: readonly string[] }[]
  readonly namespaceLabels: Readonly<Record<string, string>>
}
interface Made {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: Readonly<Record<string, unknown>>
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null
  readonly endpoints?: readonly Readonly<Record<string, unknown>>[] | null
  readonly subsets?: readonly Readonly<Record<string, readonly { readonly ip?: string }[]>>[]
  readonly addressType?: string
}
const replay = (name: string): Case =>
  replayControllers(file, file.cases.find((one) => one.name === name)!) as unknown as Case
const slices = (cluster: Cluster, service: string): readonly EndpointSlice[] =>
  cluster.index.slicesOfService.get(service) ?? []
const podOfRole = (cluster: Cluster, prefix: string) =>
  cluster.pods.filter(({ meta }) => keyOf(meta).startsWith(prefix))

const node = (name: string, zone = '') =>
  `{apiVersion: v1, kind: Node, metadata: {name: ${name}, labels: {${zone}}}, spec: {podCIDR: 10.244.1.0/24}, status: {addresses: [{type: InternalIP, address: 192.168.1.1}]}}\n---\n`
const pod = (name: string, more = '', status = '') =>
  `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, uid: ${name}, labels: {app: x}}, spec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]${more}}, status: {phase: Running, podIP: 10.244.1.${name.length + 4}, conditions: [{type: Ready, status: "True"}]${status}}}\n---\n`
const service = (spec: string) => `{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {${spec}}}\n---\n`
const SELECTING = 'selector: {app: x}, ports: [{port: 80, targetPort: http}]'
const specOf = (spec: string) => loadText(node('n1') + service(spec)).cluster.index.service.get('default/s')!

describe('slices', () => {
  it('1: a Service that selects nothing has a slice whose endpoints and ports are null, and Endpoints without subsets', () => {
    const made = replay('no-pods')
    expect(made.endpointSlices.map(({ ports, endpoints }) => [ports, endpoints])).toEqual([[null, null]])
    expect(made.endpoints.map((one) => 'subsets' in one)).toEqual([false])
    const without = loadText(node('n1') + service('ports: [{port: 80}]')).cluster
    expect([slices(without, 'default/s'), without.endpoints]).toEqual([[], []])
  })

  it('2: a pod without the named targetPort is ready in a slice without ports, and in no Endpoints', () => {
    const [slice, ...others] = slices(shop, 'catalog/search')
    expect(others).toEqual([])
    expect(slice!.ports).toEqual([])
    expect(slice!.endpoints.map(({ ready }) => ready)).toEqual([true, true])
    expect(shop.endpoints.find(({ meta }) => keyOf(meta) === 'catalog/search')!.subsets).toEqual([])
    const two = loadText(node('n1') + service(SELECTING) + pod('a') + pod('bb').replace('8080', '8081')).cluster
    expect(
      slices(two, 'default/s')
        .map(({ ports }) => ports[0]!.port)
        .sort(),
    ).toEqual([8080, 8081])
  })

  it('3: a name is looked up in containers, then in sidecars, never in init containers that end', () => {
    const init = (restart: string) =>
      loadText(
        node('n1') +
          service('selector: {app: x}, ports: [{port: 80, targetPort: side}]') +
          pod('a', `, initContainers: [{name: i, ${restart}ports: [{name: side, containerPort: 9}]}]`),
      ).cluster
    expect(slices(init('restartPolicy: Always, '), 'default/s')[0]!.ports.map(({ port }) => port)).toEqual([9])
    expect(slices(init(''), 'default/s')[0]!.ports).toEqual([])
    const udp = loadText(
      node('n1') + service('selector: {app: x}, ports: [{port: 80, targetPort: http, protocol: UDP}]') + pod('a'),
    ).cluster
    expect(slices(udp, 'default/s')[0]!.ports).toEqual([])
  })

  it('4: ports stand in the order of a hash, in every recorded slice of several', () => {
    const several = [textbook, shop, dualstack, deadNode, recorded('textbook-calico')]
      .flatMap(({ endpointSlices }) => endpointSlices)
      .filter(({ ports }) => ports.length > 1)
    expect(several.length).toBe(15)
    for (const slice of several) expect(inSliceOrder([...slice.ports].reverse())).toEqual(slice.ports)
    for (const { subsets } of shop.endpoints)
      for (const { addresses } of subsets) {
        const texts = addresses.map(({ ip }) => formatIp(ip))
        expect(texts).toEqual([...texts].sort())
      }
  })

  it('5: an unnamed port of a slice has the name "", one of Endpoints and Services none', () => {
    const made = replay('two-ready')
    expect(made.endpointSlices[0]!.ports![0]).toHaveProperty('name', '')
    expect(made.endpoints[0]!.subsets![0]!.ports![0]).not.toHaveProperty('name')
    expect((made.services[0]!.spec!.ports as object[])[0]).not.toHaveProperty('name')
  })

  it('6: made conditions are three, mirrored ones and those of kubernetes one; absent ones are true, true, false', () => {
    const [own] = slices(shop, 'shopfront/web')
    expect(own!.endpoints[0]).toMatchObject({ ready: true, serving: true, terminating: false })
    const byHand = slices(shop, 'platform/warehouse').flatMap(({ endpoints }) => endpoints)
    expect(byHand.map(({ ready, serving, terminating }) => [ready, serving, terminating])).toEqual([
      [true, true, false],
      [false, true, false],
    ])
    expect(replay('manual-endpoints').endpointSlices[0]!.endpoints![0]!.conditions).toEqual({ ready: true })
  })

  it('7: published addresses are ready whatever their pods are; a terminating one is never ready otherwise', () => {
    const ledger = slices(shop, 'payments/ledger').flatMap(({ endpoints }) => endpoints)
    expect(ledger.find(({ targetRef }) => targetRef!.name === 'ledger-2')).toMatchObject({
      ready: true,
      serving: false,
    })
    const [cart] = slices(shop, 'orders/cart')
    expect(cart!.endpoints.filter(({ terminating }) => terminating)).toMatchObject([{ ready: false, serving: true }])
    const published = replay('terminating-published')
    const all = published.endpointSlices.flatMap(({ endpoints }) => endpoints ?? []).map(({ conditions }) => conditions)
    expect(all).toContainEqual({ ready: true, serving: true, terminating: true })
    const old = loadText(
      node('n1') +
        '{apiVersion: v1, kind: Service, metadata: {name: s, annotations: {service.alpha.kubernetes.io/tolerate-unready-endpoints: "true"}}, spec: {selector: {app: x}, ports: [{port: 80}]}}\n---\n' +
        pod('a').replace('"True"', '"False"'),
    ).cluster
    expect(slices(old, 'default/s')[0]!.endpoints[0]!.ready).toBe(false)
  })

  it('8: finished pods and pods without an address are in no slice, and finished ones keep their address', () => {
    const finished = shop.pods.filter(({ phase }) => phase === 'Succeeded' || phase === 'Failed')
    expect(finished.length).toBe(3)
    for (const one of finished) {
      expect(one.ips.length).toBe(1)
      expect(shop.index.podByIp.get(ipKey(one.ips[0]!))?.meta.name).not.toBe(one.meta.name)
    }
    const names = replay('finished')
      .endpointSlices.flatMap(({ endpoints }) => endpoints ?? [])
      .map(({ targetRef }) => (targetRef as { name: string }).name)
    expect(names.length).toBeGreaterThan(0)
    const evicted = loadText(
      node('n1') +
        service(SELECTING) +
        '{apiVersion: v1, kind: Pod, metadata: {name: e, uid: e, labels: {app: x}}, spec: {nodeName: n1}, status: {phase: Failed, reason: Evicted}}',
    ).cluster
    expect(slices(evicted, 'default/s')[0]!.endpoints).toEqual([])
  })

  it("9: a hostname needs the pod's subdomain to be the Service's name, headless or not", () => {
    const named = (subdomain: string) =>
      loadText(node('n1') + service(SELECTING) + pod('a', `, hostname: h, subdomain: ${subdomain}`)).cluster
    expect(slices(named('s'), 'default/s')[0]!.endpoints[0]!.hostname).toBe('h')
    expect(slices(named('other'), 'default/s')[0]!.endpoints[0]!.hostname).toBeUndefined()
    expect(textbook.index.pod.get('default/web-0')!.spec).toMatchObject({ hostname: 'web-0', subdomain: 'nginx' })
  })

  it('10: a pod on a node that does not exist is left out of slices and not of Endpoints; no label, no zone', () => {
    const lost = (more: string) => loadText(node('n2') + service(SELECTING + more) + pod('a')).cluster
    expect(slices(lost(''), 'default/s')[0]!.endpoints).toEqual([])
    expect(lost('').endpoints[0]!.subsets[0]!.addresses.length).toBe(1)
    expect(slices(lost(', publishNotReadyAddresses: true'), 'default/s')[0]!.endpoints.length).toBe(1)
    const here = loadText(node('n1') + service(SELECTING) + pod('a')).cluster
    expect(slices(here, 'default/s')[0]!.endpoints[0]).not.toHaveProperty('zone')
  })

  it('11: two pods on the host network of one node are two endpoints of one address', () => {
    const host = (name: string) => pod(name, ', hostNetwork: true').replace(/podIP: [\d.]+/, 'podIP: 192.168.1.1')
    const { endpoints } = slices(
      loadText(node('n1') + service(SELECTING) + host('a') + host('b')).cluster,
      'default/s',
    )[0]!
    expect(endpoints.map(({ addresses, targetRef }) => `${formatIp(addresses[0]!)} ${targetRef!.name}`)).toEqual([
      '192.168.1.1 a',
      '192.168.1.1 b',
    ])
  })

  it('12: slices of a hundred and the rest; Endpoints has all', () => {
    const made = replay('many')
    expect(made.endpointSlices.map(({ endpoints }) => endpoints!.length).sort()).toEqual([100, 5])
    expect(made.endpoints[0]!.subsets![0]!.addresses!.length).toBe(105)
  })

  it("13: labels are copied, annotations are not, and the controller's own win", () => {
    const made = loadText(
      node('n1') +
        '{apiVersion: v1, kind: Service, metadata: {name: s, labels: {team: web, service.kubernetes.io/headless: mine}, annotations: {a: b}}, spec: {selector: {app: x}, ports: [{port: 80}]}}',
    ).cluster
    const [slice] = slices(made, 'default/s')
    expect(slice!.meta).toMatchObject({ labels: { team: 'web' }, annotations: {} })
    expect(slice!.meta.labels).not.toHaveProperty('service.kubernetes.io/headless')
    expect(made.endpoints[0]!.meta.labels['endpoints.kubernetes.io/managed-by']).toBe('endpoint-controller')
  })

  it('14: the slice of kubernetes bears its name, and neither nodes nor targets', () => {
    const [slice] = slices(loadText(node('n1')).cluster, 'default/kubernetes')
    expect(slice!.meta.name).toBe('kubernetes')
    expect(slice!.meta.labels).toEqual({ 'kubernetes.io/service-name': 'kubernetes' })
    for (const endpoint of [slice!.endpoints[0]!, slices(textbook, 'default/kubernetes')[0]!.endpoints[0]!])
      expect([endpoint.nodeName, endpoint.targetRef]).toEqual([undefined, undefined])
  })

  it('15: nothing is read from last-change-trigger-time', () => {
    const without = (text: string) =>
      text.replace(/"endpoints.kubernetes.io\/last-change-trigger-time": "[^"]*"/g, '"x": "y"')
    const text = gunzipSync(readFileSync(join(FOLDER, 'shop', 'all.json.gz'))).toString()
    const plain = (json: string) =>
      JSON.stringify(
        load([{ name: 'a.json', bytes: new TextEncoder().encode(json) }]).cluster.endpointSlices.map(
          ({ meta: { annotations: _, ...meta }, at: __, ...rest }) => ({ ...rest, meta }),
        ),
      )
    expect(without(text)).not.toBe(text)
    expect(plain(without(text))).toBe(plain(text))
  })
})

describe('mirroring', () => {
  const endpoints = (labels: string) =>
    `{apiVersion: v1, kind: Endpoints, metadata: {name: s, labels: ${labels}}, subsets: [{addresses: [{ip: 10.9.0.1, hostname: h, nodeName: n1}], ports: [{port: 80}]}, {notReadyAddresses: [{ip: 10.9.0.1}, {ip: 10.9.0.2}], ports: [{port: 80}]}]}\n---\n`
  const mirrored = (labels = '{a: b}', spec = 'ports: [{port: 80}]') =>
    loadText(node('n1', 'topology.kubernetes.io/zone: z') + service(spec) + endpoints(labels)).cluster

  it('16: equal ports are one slice, an address that is both comes once and not ready, no zone; skip-mirror stops it', () => {
    const [slice, ...others] = slices(mirrored(), 'default/s')
    expect(others).toEqual([])
    expect(
      slice!.endpoints.map(({ addresses, ready, hostname, zone }) => [formatIp(addresses[0]!), ready, hostname, zone]),
    ).toEqual([
      ['10.9.0.1', false, 'h', undefined],
      ['10.9.0.2', false, undefined, undefined],
    ])
    expect(slice!.meta.owner).toEqual({ kind: 'Endpoints', name: 's' })
    expect(slice!.meta.labels).toMatchObject({ a: 'b' })
    expect(slices(mirrored('{endpointslice.kubernetes.io/skip-mirror: "true"}'), 'default/s')).toEqual([])
    expect(
      loadText(node('n1') + endpoints('{}')).cluster.endpointSlices.filter(({ serviceName }) => serviceName === 's'),
    ).toEqual([])
  })

  it('17: a selector that is taken away leaves the old slice, and its Endpoints are mirrored beside it', () => {
    const made = replay('selector-removed').endpointSlices
    expect(made.map(({ metadata }) => metadata.labels!['endpointslice.kubernetes.io/managed-by']).sort()).toEqual([
      'endpointslice-controller.k8s.io',
      'endpointslicemirroring-controller.k8s.io',
    ])
  })

  it('18: a Service that became a name keeps its slices, selector and ports', () => {
    const made = replay('becomes-external-name')
    expect(made.endpointSlices.length).toBe(1)
    expect(made.services[0]!.spec).toMatchObject({
      type: 'ExternalName',
      selector: { app: 'x' },
      ports: [{ port: 80 }],
    })
    expect(made.services[0]!.spec).not.toHaveProperty('clusterIP')
  })

  it('19: Endpoints by hand for a Service with a selector are overwritten', () => {
    const cluster = mirrored('{a: b}', SELECTING)
    expect(cluster.endpoints.map(({ subsets }) => subsets)).toEqual([[]])
    expect(slices(cluster, 'default/s').map(({ endpoints: list }) => list)).toEqual([[]])
  })
})

describe('hints', () => {
  it('20: of one zone for ready endpoints alone; same node says node and zone; without a zone there is none', () => {
    const hinted = slices(shop, 'shopfront/assets').flatMap((slice) => slice.endpoints)
    for (const { ready, zone, hintZones } of hinted) expect(hintZones).toEqual(ready ? [zone] : undefined)
    const fraud = slices(shop, 'payments/fraud').flatMap((slice) => slice.endpoints)
    for (const { ready, zone, nodeName, hintZones, hintNodes } of fraud)
      expect([hintZones, hintNodes]).toEqual(ready ? [[zone], [nodeName]] : [undefined, undefined])
    const bare = loadText(node('n1') + service(`trafficDistribution: PreferSameZone, ${SELECTING}`) + pod('a')).cluster
    expect(slices(bare, 'default/s')[0]!.endpoints[0]).not.toHaveProperty('hintZones')
  })

  it('21: Auto gives hints with enough endpoints, and none while one worker has no zone', () => {
    const hintsOf = (name: string) =>
      replay(name)
        .endpointSlices.flatMap(({ endpoints }) => endpoints ?? [])
        .map(({ hints }) => hints !== undefined)
    const names = file.cases.map(({ name }) => name).filter((name) => name.startsWith('topology-mode'))
    const found = new Set(names.flatMap(hintsOf))
    expect(names.length).toBeGreaterThan(1)
    expect(found).toEqual(new Set([true, false]))
  })
})

describe('Services', () => {
  it('22: each type has its own set of fields', () => {
    expect(specOf('clusterIP: None, ports: [{port: 80}], selector: {app: x}')).toMatchObject({
      headless: true,
      clusterIPs: [],
      internalTrafficPolicy: 'Cluster',
    })
    expect(specOf('ports: [{port: 80}]').ports[0]!.targetPort).toBe(80)
    expect(
      specOf('type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]').healthCheckNodePort,
    ).toBeGreaterThan(0)
    expect(specOf('type: NodePort, externalTrafficPolicy: Local, ports: [{port: 80}]').healthCheckNodePort).toBe(0)
    expect(
      specOf('type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80}]').ports[0]!.nodePort,
    ).toBe(0)
    const external = specOf('type: ExternalName, externalName: a.b')
    expect([external.clusterIPs, external.ipFamilies]).toEqual([[], []])
  })

  it('23: headless without selector means both families; PreferDualStack on one family stays with one', () => {
    expect(specOf('clusterIP: None, ports: [{port: 80}]')).toMatchObject({
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
    })
    expect(specOf('ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]')).toMatchObject({
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv4'],
    })
  })

  it('24: IPv6 first makes the IPv6 address the first; two families need a policy, clusterIPs a clusterIP', () => {
    const first = dualstack.services.filter(({ ipFamilies }) => ipFamilies[0] === 'IPv6' && ipFamilies.length === 2)
    expect(first.length).toBeGreaterThan(0)
    for (const { clusterIPs, headless } of first)
      if (!headless) expect(clusterIPs.map(({ family }) => family)).toEqual([6, 4])
    expect(replay('dual-policies').refused.map(({ name }) => name)).toContain('families-only')
    expect(replay('refused').refused.map(({ name }) => name)).toContain('cluster-ips-only')
  })

  it('25: Endpoints hold the first family alone; a pod that lacks a family is missing there alone', () => {
    for (const one of dualstack.services) {
      if (one.selector === undefined || one.ipFamilies.length < 2) continue
      const listed = dualstack.endpoints
        .find(({ meta }) => keyOf(meta) === keyOf(one.meta))!
        .subsets.flatMap(({ addresses }) => addresses)
      expect(new Set(listed.map(({ ip }) => (ip.family === 4 ? 'IPv4' : 'IPv6')))).toEqual(
        new Set(listed.length === 0 ? [] : [one.ipFamilies[0]]),
      )
    }
  })

  it('26: a name may begin with a digit, an externalName may be an address; "8080" is no port name', () => {
    const refusals = (text: string) => loadText(node('n1') + text).diagnostics.filter(({ refused }) => refused)
    expect(refusals('{apiVersion: v1, kind: Service, metadata: {name: 1st}, spec: {ports: [{port: 80}]}}')).toEqual([])
    expect(refusals(service('type: ExternalName, externalName: 192.0.2.1'))).toEqual([])
    expect(refusals(service('ports: [{port: 80, targetPort: "8080"}]')).map(({ message }) => message)).toEqual([
      'Service default/s is invalid: spec.ports[0].targetPort: Invalid value: "8080": must contain at least one letter (a-z)',
    ])
    expect(replay('leading-zeros').refused.length).toBe(1)
  })

  it('27: trafficDistribution has three values', () => {
    const [refused] = replay('refused').refused.filter(({ name }) => name === 'distribution')
    expect(refused!.messages[0]).toContain('"PreferClose", "PreferSameZone", "PreferSameNode"')
    for (const value of ['PreferClose', 'PreferSameZone', 'PreferSameNode'])
      expect(
        loadText(node('n1') + service(`trafficDistribution: ${value}, ports: [{port: 80}]`)).diagnostics.filter(
          ({ refused: no }) => no,
        ),
      ).toEqual([])
  })
})

describe('nodes, pods, the rest', () => {
  it('28: podCIDRs are those of the Nodes, whatever their order; what is computed fills gaps and takes none twice', () => {
    const given = (name: string, cidr: string) => node(name).replace('10.244.1.0/24', cidr)
    const { nodes } = loadText(
      given('a', '10.244.5.0/24') + given('b', '10.244.0.0/24') + node('c').replace('podCIDR: 10.244.1.0/24', ''),
    ).cluster
    expect(nodes.map(({ podCIDRs }) => podCIDRs.map(formatPrefix))).toEqual([
      ['10.244.5.0/24'],
      ['10.244.0.0/24'],
      ['10.244.1.0/24'],
    ])
    const inOrder = [...deadNode.nodes].map(({ podCIDRs }) => podCIDRs[0]!.address)
    expect(new Set(inOrder.map((ip) => ipKey(ip))).size).toBe(deadNode.nodes.length)
  })

  it('29: on a dead node a pod is Running, not Ready, and its containers say ready; only Ready counts', () => {
    const [down] = deadNode.nodes.filter(({ ready }) => !ready)
    expect(down!.meta.name).toBe('dn-2')
    expect(down!.taints.map(({ effect }) => effect).sort()).toEqual(['NoExecute', 'NoSchedule'])
    for (const one of deadNode.index.podsOnNode.get('dn-2')!) expect([one.phase, one.ready]).toEqual(['Running', false])
    expect(podOfRole(deadNode, 'default/hasty').length).toBe(3)
    expect(
      podOfRole(deadNode, 'default/store')
        .map(({ ready }) => ready)
        .sort(),
    ).toEqual([false, true])
  })

  it('30: deletion shows in a timestamp alone, which may lie in the future; an eviction in a condition too', () => {
    const going = shop.pods.filter(({ meta }) => meta.deletionTimestamp !== undefined)
    expect(going.map(({ phase }) => phase)).toEqual(['Running', 'Running', 'Running'])
    const [evicted] = going.filter(({ condition }) => condition?.disruption !== undefined)
    expect(evicted!.meta.name).toBe('cards-7c7c45b767-crmg7')
    expect(podOfRole(shop, 'payments/cards').length).toBe(4)
  })

  it('31: pods are ordered by name; a DaemonSet pins its own, StatefulSets and Jobs label theirs', () => {
    for (const cluster of [shop, textbook]) {
      const names = cluster.pods.map(({ meta }) => `${meta.namespace}\0${meta.name}`)
      expect(names).toEqual([...names].sort())
    }
    const [shipping] = podOfRole(shop, 'orders/shipping')
    expect(JSON.stringify(shipping!.spec.affinity)).toContain('"matchFields":[{"key":"metadata.name"')
    expect(shop.index.pod.get('payments/ledger-2')!.meta.labels['apps.kubernetes.io/pod-index']).toBe('2')
    const [nightly] = podOfRole(shop, 'orders/nightly-tw4gg')
    expect([nightly!.meta.labels['job-name'], nightly!.meta.labels['batch.kubernetes.io/job-name']]).toEqual([
      'nightly',
      'nightly',
    ])
  })

  it('32: podIPs repeat podIP and count once; mirror pods belong to a Node', () => {
    for (const { ips, spec } of shop.pods) if (!spec.hostNetwork) expect(ips.length).toBeLessThan(2)
    const mirrors = shop.pods.filter(({ meta }) => meta.owner?.kind === 'Node')
    expect(mirrors.map(({ meta }) => meta.name)).toContain('kube-apiserver-paper-cp')
    expect(dualstack.pods.some(({ ips }) => ips.length === 2)).toBe(true)
  })

  it('33: of a NetworkPolicy only policyTypes and the protocol are filled in', () => {
    const { networkPolicies } = loadText(
      '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}, egress: [{ports: [{port: 53}]}]}}',
    ).cluster
    expect(networkPolicies[0]).toMatchObject({
      podSelector: { matchLabels: {}, matchExpressions: [] },
      policyTypes: ['Ingress', 'Egress'],
      egress: [{ peers: [], ports: [{ protocol: 'TCP', port: 53 }] }],
    })
  })

  it("34: calico's NetworkPolicy and Kubernetes' are told apart by apiVersion, in any order", () => {
    const calico = recorded('textbook-calico')
    expect(calico.networkPolicies.every(({ kind }) => kind === 'NetworkPolicy')).toBe(true)
    const both = loadText(
      '{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {}}\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}',
    ).cluster
    expect(both.networkPolicies.length).toBe(1)
    expect(both.others.map(({ apiVersion, objectKind }) => `${apiVersion} ${objectKind}`)).toEqual([
      'crd.projectcalico.org/v1 NetworkPolicy',
    ])
  })

  it('35: last-applied-configuration is not kept, and nothing is found in it', () => {
    const text = JSON.stringify(shop, (key, value) => (key === 'at' ? undefined : value))
    expect(text).not.toContain('last-applied-configuration')
  })

  it('36: the Service range is told by ServiceCIDR, and kube-proxy says the pod network', () => {
    expect(shop.facts.serviceCIDRs.map(formatPrefix)).toEqual(['10.112.0.0/16'])
    expect(dualstack.facts.podCIDRs.map(formatPrefix)).toEqual(['10.244.0.0/16', 'fd00:10:244::/56'])
    expect(deadNode.index.configMap.get('kube-system/kube-proxy')!.data['config.conf']).toContain('mode: ""')
  })

  it('37: every namespace bears its name as a label', () => {
    for (const cluster of [shop, textbook, dualstack, deadNode])
      for (const { meta } of cluster.namespaces) expect(meta.labels['kubernetes.io/metadata.name']).toBe(meta.name)
    expect(replay('no-pods').namespaceLabels['kubernetes.io/metadata.name']).toBe('case-no-pods')
  })
})

it('none of it is called wrong: the recorded slices agree with the recorded pods', () => {
  for (const name of ['textbook', 'textbook-calico', 'shop', 'dualstack', 'dead-node']) {
    const { findings } = check(loadFile(join(FOLDER, name), 'all.json.gz'))
    expect(findings.filter(({ code }) => code.startsWith('slice') || code === 'endpoint-without-pod')).toEqual([])
  }
})
