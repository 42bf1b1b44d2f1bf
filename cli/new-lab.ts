const NETWORKS = {
  'flannel-vxlan': '{ name: flannel, backend: vxlan }',
  'flannel-host-gw': '{ name: flannel, backend: host-gw }',
  'flannel-udp': '{ name: flannel, backend: udp }',
  'calico-bgp': '{ name: calico, backend: bgp }',
} as const

/** The pod networks that a new lab can have. */
export const NEW_LAB_NETWORKS = Object.keys(NETWORKS)

export interface NewLab {
  /** At most 200. */
  readonly nodes: number
  readonly cni: keyof typeof NETWORKS
}

/** The text of a new lab: nodes, CoreDNS, one Deployment behind a Service, and a client. */
export function newLab({ nodes, cni }: NewLab): string {
  const names = Array.from({ length: nodes }, (_, i) => `node${i + 1}`)
  return [
    LAB(cni, names),
    ...names.map((name, i) => NODE(name, `192.168.40.${11 + i}`, `10.244.${i}.0/24`)),
    APPLICATIONS,
  ].join('---\n')
}

const LAB = (
  cni: NewLab['cni'],
  nodes: readonly string[],
): string => `# A lab: plain Kubernetes manifests, and one Lab document for what they cannot say.
# Try: podwalk trace -f THIS_FILE --from pod/client --to http://web
apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: ${cni} }
spec:
  networks:
    - { name: lan, cidr: 192.168.40.0/24, nodes: [${nodes.join(', ')}] }
  podCIDRs: [10.244.0.0/16]
  serviceCIDRs: [10.96.0.0/12]
  cni: ${NETWORKS[cni]}
  proxy: { mode: iptables }
  upstreamDNS:
    - { ip: 192.168.40.1, records: ["www.example.com. 300 IN A 93.184.216.34"] }
`

const NODE = (name: string, ip: string, podCIDR: string): string => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: ${podCIDR}, podCIDRs: [${podCIDR}] }
status: { addresses: [{ type: InternalIP, address: ${ip} }] }
`

const APPLICATIONS = `apiVersion: v1
kind: ConfigMap
metadata: { name: coredns, namespace: kube-system }
data:
  Corefile: |
    .:53 {
        errors
        health {
           lameduck 5s
        }
        ready
        kubernetes cluster.local in-addr.arpa ip6.arpa {
           pods insecure
           fallthrough in-addr.arpa ip6.arpa
           ttl 30
        }
        prometheus :9153
        forward . /etc/resolv.conf {
           max_concurrent 1000
        }
        cache 30
        loop
        reload
        loadbalance
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: coredns, namespace: kube-system }
spec:
  replicas: 2
  selector: { matchLabels: { k8s-app: kube-dns } }
  template:
    metadata: { labels: { k8s-app: kube-dns } }
    spec:
      dnsPolicy: Default
      containers:
        - name: coredns
          image: registry.k8s.io/coredns/coredns:v1.12.4
          ports: [{ name: dns, containerPort: 53, protocol: UDP }, { name: dns-tcp, containerPort: 53 }]
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: kube-dns }
  ports: [{ name: dns, port: 53, protocol: UDP }, { name: dns-tcp, port: 53 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers: [{ name: web, image: nginx, ports: [{ containerPort: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ port: 80 }]
---
apiVersion: v1
kind: Pod
metadata: { name: client }
spec:
  containers: [{ name: client, image: busybox }]
`
