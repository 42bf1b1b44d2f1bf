import { fileURLToPath } from 'node:url'
import type { Cluster } from '../../cluster/cluster.ts'
import { USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import type { KubeProxyConfig } from '../../proxy/config.ts'
import { renderRestore } from '../../proxy/iptables/restore.ts'
import { iptablesSync } from '../../proxy/iptables/sync.ts'
import { DEFAULT_CONFIG } from '../../proxy/testing/small-cluster.ts'
import { caseNode } from '../judge/kube-proxy-case.ts'
import { storedCluster } from '../judge/stored-cluster.ts'
import { cpuMilliseconds } from './cpu-time.ts'

export interface IptablesTextBench {
  readonly services: number
  readonly endpoints: number
  /** Of the processor. */
  readonly milliseconds: number
  readonly megabytes: number
  readonly rules: number
  /** Memory that the rules and the text hold. */
  readonly heapMegabytes: number
}

/** Time to write kube-proxy's restore input of one node, from the Cluster to the text. Loading is not counted. */
export function benchIptablesText(services = 10_000, endpoints = 10): IptablesTextBench {
  const cluster = uniformCluster(services, endpoints)
  const node = caseNode(cluster.nodes, 'node-1')
  const heapBefore = process.memoryUsage().heapUsed
  let text = ''
  const milliseconds = cpuMilliseconds(() => {
    text = renderRestore(iptablesSync(cluster, node, { family: 4, config: BENCH_CONFIG, facts: BENCH_FACTS }))
  })
  return {
    services,
    endpoints,
    milliseconds: Math.round(milliseconds),
    megabytes: Math.round(text.length / 1e5) / 10,
    rules: text.split('\n-A ').length - 1,
    heapMegabytes: Math.round((process.memoryUsage().heapUsed - heapBefore) / 1e6),
  }
}

export const BENCH_CONFIG: KubeProxyConfig = { ...DEFAULT_CONFIG, detectLocal: { kind: 'nodeCIDR' } }

export const BENCH_FACTS = {
  hostname: 'node-1',
  interfaces: [],
  defaultInterface: undefined,
  capabilities: USUAL_CAPABILITIES,
  files: new Map<string, string>(),
}

/** Services `default/svc-N`, each with `endpoints` ready pods. */
export const uniformCluster = (services: number, endpoints: number): Cluster =>
  storedCluster(uniformObjects(services, endpoints), { kubernetesVersion: 'v1.36.3' })

/** Those Services and their slices as the API has them. */
export function uniformObjects(services: number, endpoints: number): readonly object[] {
  return Array.from({ length: services }, (_, i) => {
    const name = `svc-${i}`
    const metadata = { namespace: 'default', name, labels: { 'kubernetes.io/service-name': name } }
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        clusterIP: address(10, 100, i + 1),
        ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      },
    }
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata,
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: Array.from({ length: endpoints }, (_, k) => ({
        addresses: [address(10, 128, i * endpoints + k + 1)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: `node-${k % 100}`,
        targetRef: { kind: 'Pod', namespace: 'default', name: `${name}-${k}` },
      })),
    }
    return [service, slice]
  }).flat()
}

const address = (a: number, b: number, n: number): string =>
  `${a}.${b + Math.floor(n / 65_536)}.${Math.floor(n / 256) % 256}.${n % 256}`

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(benchIptablesText()))
