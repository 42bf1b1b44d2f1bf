import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readInput } from '../../cli/read-input.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { keyOf } from '../../cluster/cluster.ts'
import { inSliceOrder } from '../../cluster/complete/port-order.ts'
import { load } from '../../cluster/load.ts'
import type { Service } from '../../cluster/objects.ts'
import { casesFolder, hasCases, ownCasesFolder } from '../judge/cases-folder.ts'
import { clusterText, loadFile, loadFolder, loadManifests, RECORDED } from './recorded-cluster.ts'

const own = (name: string) => join(ownCasesFolder('snapshots'), name)

describe.each(RECORDED)('the recorded cluster %s', (name) => {
  const { cluster, diagnostics } = loadFile(own(name), 'all.json.gz')

  it('loads without a complaint, and nothing in it is made up', () => {
    expect(diagnostics).toEqual([])
    expect(cluster.assumptions).toEqual([])
    const made = [
      ...cluster.nodes,
      ...cluster.namespaces,
      ...cluster.pods,
      ...cluster.services,
      ...cluster.endpointSlices,
    ]
    expect(made.filter(({ assumed }) => assumed).map(({ kind, meta }) => `${kind} ${keyOf(meta)}`)).toEqual([])
  })

  it('has the ports of its slices in the order that the controller gives them', () => {
    const several = cluster.endpointSlices.filter(({ ports }) => ports.length > 1)
    for (const slice of several) expect(slice.ports).toEqual(inSliceOrder(slice.ports))
  })

  it('every pod is under its node, and found by its address', () => {
    for (const pod of cluster.pods) {
      if (pod.spec.nodeName !== '') expect(cluster.index.podsOnNode.get(pod.spec.nodeName)).toContain(pod)
      expect(cluster.index.pod.get(keyOf(pod.meta))).toBe(pod)
    }
  })

  it('is frozen', () => {
    expect(Object.isFrozen(cluster)).toBe(true)
    expect(Object.isFrozen(cluster.pods[0]!.spec.containers)).toBe(true)
    expect(() => Object.assign(cluster.pods[0]!.meta, { name: 'other' })).toThrow(TypeError)
  })
})

it('in all of them there are slices of several ports to compare', () => {
  const counts = RECORDED.map(
    (name) => loadFile(own(name), 'all.json.gz').cluster.endpointSlices.filter(({ ports }) => ports.length > 1).length,
  )
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(15)
})

/**
 * Services whose endpoints the recording's fake kubelet decided: it made pods terminating, failed or stuck, which makes
 * the controllers make others beside them.
 */
const FAKED: Readonly<Record<string, readonly string[]>> = {
  shop: ['orders/cart', 'payments/cards', 'payments/fraud', 'shopfront/assets'],
  'dead-node': ['default/hasty'],
}
/** What kubeadm applied, which is not among the manifests. */
const OF_KUBEADM = ['kube-system/kube-dns']

const shapeOf = ({ type, headless, ipFamilies, ipFamilyPolicy, ports, externalTrafficPolicy }: Service) => ({
  type,
  headless,
  ipFamilies,
  ipFamilyPolicy,
  externalTrafficPolicy,
  ports: ports.map(({ nodePort, ...port }) => ({ ...port, hasNodePort: nodePort !== 0 })),
})
const endpointsOf = (cluster: Cluster, service: string) =>
  (cluster.index.slicesOfService.get(service) ?? [])
    .map(
      ({ addressType, ports, endpoints }) =>
        `${addressType} ${ports.map(({ name, port }) => `${name}:${port}`)} ${endpoints.length}`,
    )
    .sort()

describe.each(RECORDED)('the manifests of %s', (name) => {
  const recorded = loadFile(own(name), 'all.json.gz').cluster
  const { cluster, diagnostics } = loadManifests(own(name))

  it('load with a word on the pod that fits nowhere', () =>
    expect(diagnostics.map(({ message }) => message)).toEqual(
      name === 'shop' ? ['Pod platform/whale: no node takes it; it stays Pending'] : [],
    ))

  const services = recorded.services.map(({ meta }) => keyOf(meta)).filter((key) => !OF_KUBEADM.includes(key))
  it.each(services)('Service %s has the recorded ports, families and number of endpoints', (key) => {
    expect(shapeOf(cluster.index.service.get(key)!)).toEqual(shapeOf(recorded.index.service.get(key)!))
    if (!FAKED[name]?.includes(key)) expect(endpointsOf(cluster, key)).toEqual(endpointsOf(recorded, key))
  })

  it('no two pods have one address', () => {
    const ips = cluster.pods
      .filter(({ spec }) => !spec.hostNetwork)
      .flatMap((pod) => pod.ips.map((ip) => JSON.stringify(ip)))
    expect(new Set(ips).size).toBe(ips.length)
  })
})

/** How many machines there are no manifest of a workload tells, and one pod fits no real one. */
const OF_THE_MACHINES: Readonly<Record<string, readonly string[]>> = {
  shop: ['orders/shipping', 'platform/mq'],
  'dead-node': ['default/agent'],
}

describe.each(RECORDED)('the manifests of %s alone, without a word on its machines', (name) => {
  const recorded = loadFile(own(name), 'all.json.gz').cluster
  const { cluster, diagnostics } = load(readInput([own(`${name}/manifests`)]).files)

  it('load without a complaint', () =>
    expect(diagnostics.filter(({ code }) => code !== 'cni-unknown').map(({ message }) => message)).toEqual([]))

  it('give each Service the recorded ports, families and number of endpoints', () => {
    const unlike = recorded.services
      .map(({ meta }) => keyOf(meta))
      .filter((key) => ![...OF_KUBEADM, ...(FAKED[name] ?? []), ...(OF_THE_MACHINES[name] ?? [])].includes(key))
      .filter((key) => {
        const [ours, theirs] = [cluster.index.service.get(key)!, recorded.index.service.get(key)!]
        return (
          JSON.stringify([shapeOf(ours), endpointsOf(cluster, key)]) !==
          JSON.stringify([shapeOf(theirs), endpointsOf(recorded, key)])
        )
      })
    expect(unlike).toEqual([])
  })
})

describe.runIf(hasCases('snapshots')).each(RECORDED)('every form of %s', (name) => {
  const folder = join(casesFolder('snapshots'), name)
  const json = loadFile(own(name), 'all.json.gz')

  it('YAML is the same cluster as JSON', () => {
    const yaml = loadFile(folder, 'all.yaml')
    expect(yaml.diagnostics).toEqual([])
    expect(clusterText(yaml.cluster)).toBe(clusterText(json.cluster))
  })

  it('one file a kind is the same cluster', () => {
    const files = loadFolder(join(folder, 'objects'))
    expect(files.diagnostics).toEqual([])
    expect(clusterText(files.cluster)).toBe(clusterText(json.cluster))
  })
})

describe.runIf(hasCases('snapshots'))('an unpacked `kubectl cluster-info dump`', () => {
  const read = () => {
    const { files, diagnostics } = readInput([join(casesFolder('snapshots'), 'dead-node', 'dump')])
    const { cluster, ...dump } = load(files, {})
    return { cluster, diagnostics: [...diagnostics, ...dump.diagnostics] }
  }
  const recorded = loadFile(own('dead-node'), 'all.json.gz').cluster

  it('is read without an error', () => {
    expect(read().diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  it('gives the same nodes, pods, Services and workloads', () => {
    const listed = (of: Cluster) => {
      const workloads = of.workloads.filter(({ kind }) => kind !== 'StatefulSet')
      const text = clusterText({ ...of, workloads, lab: {}, facts: recorded.facts, assumptions: [], ...NOT_IN_A_DUMP })
      const { nodes, pods, services, ...rest } = JSON.parse(text)
      return [...nodes, ...pods, ...services, rest]
    }
    const [ours, theirs] = [listed(read().cluster), listed(recorded)]
    expect(ours.length).toBe(theirs.length)
    for (const [i, object] of ours.entries()) expect(object).toEqual(theirs[i])
  })

  it('its slices are computed from its pods', () => {
    const { cluster } = read()
    for (const { meta } of recorded.services)
      expect(endpointsOf(cluster, keyOf(meta))).toEqual(endpointsOf(recorded, keyOf(meta)))
    expect(cluster.assumptions.filter(({ code }) => code === 'endpoints-computed').length).toBe(
      recorded.services.length,
    )
  })
})

/** Kinds that a dump leaves out (and StatefulSets). */
const NOT_IN_A_DUMP = {
  namespaces: [],
  endpointSlices: [],
  endpoints: [],
  configMaps: [],
  networkPolicies: [],
  serviceCIDRs: [],
  others: [],
}
