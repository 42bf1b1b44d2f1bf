import type { Cluster } from '../../cluster/cluster.ts'
import type { Pod } from '../../cluster/objects.ts'
import { loadText } from '../../cluster/testing/load-text.ts'

/** The usual surroundings of a test: one node, the DNS service, namespace shop; `more` is further YAML. */
export function smallCluster(more = '', version = 'v1.36.3'): Cluster {
  return loadText(`apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: small }
spec: { versions: { kubernetes: ${version} } }
---
apiVersion: v1
kind: Node
metadata: { name: node1 }
spec: { podCIDR: 10.244.1.0/24 }
status:
  addresses: [{ type: InternalIP, address: 192.168.40.181 }, { type: Hostname, address: node1 }]
  nodeInfo: { kubeletVersion: ${version} }
---
apiVersion: v1
kind: Namespace
metadata: { name: default }
---
apiVersion: v1
kind: Namespace
metadata: { name: kube-system }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Service
metadata: { name: kubernetes, namespace: default }
spec: { clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{ name: https, port: 443, protocol: TCP }] }
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53, protocol: TCP }]
${more === '' ? '' : `---\n${more}`}`).cluster
}

/** A running pod of namespace shop; `spec` is YAML of fields below spec, in flow style: `dnsPolicy: None`. */
export const podYaml = (name: string, spec = '', ip = '10.244.1.7'): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop }
spec: { nodeName: node1, containers: [{ name: main, image: app }]${spec === '' ? '' : `, ${spec}`} }
status: { phase: Running, podIP: ${ip}, podIPs: [{ ip: ${ip} }] }
`

export function podOf(cluster: Cluster, name: string): Pod {
  const pod = cluster.index.pod.get(name)
  if (!pod) throw new Error(`no pod ${name}`)
  return pod
}
