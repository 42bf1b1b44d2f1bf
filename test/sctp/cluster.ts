import { readFileSync } from 'node:fs'
import { load } from '../../cluster/load.ts'
import { type Built, build } from '../../engine/build.ts'

/** A cluster of two families whose Services speak SCTP, in the words of kubectl. */

const EVERY_FAMILY = 'ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack'

const node = (name: string, n: number): string => `
apiVersion: v1
kind: Node
metadata: { name: ${name}, labels: { kubernetes.io/hostname: ${name}, kubernetes.io/os: linux } }
spec: { podCIDR: 10.244.${n}.0/24, podCIDRs: [10.244.${n}.0/24, "fd00:10:244:${n}::/64"] }
status:
  addresses:
  - { type: InternalIP, address: 192.168.1.1${n} }
  - { type: InternalIP, address: "fd00:1::1${n}" }
  conditions: [{ type: Ready, status: "True" }]
`

interface SomePod {
  readonly name: string
  readonly at: number
  readonly ip: number
  readonly app?: string
  readonly hostNetwork?: true
}

const pod = ({ name, at, ip, app, hostNetwork }: SomePod): string => {
  const ips = hostNetwork ? [`192.168.1.1${at}`, `fd00:1::1${at}`] : [`10.244.${at}.${ip}`, `fd00:10:244:${at}::${ip}`]
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: default${app === undefined ? '' : `, labels: { app: ${app} }`} }
spec:
  nodeName: n${at}
  ${hostNetwork ? 'hostNetwork: true' : ''}
  containers: [{ name: c${app === undefined ? '' : ', ports: [{ name: dia, containerPort: 3868, protocol: SCTP }]'} }]
status:
  phase: Running
  podIP: "${ips[0]}"
  podIPs: [{ ip: "${ips[0]}" }, { ip: "${ips[1]}" }]
  hostIP: 192.168.1.1${at}
  hostIPs: [{ ip: 192.168.1.1${at} }, { ip: "fd00:1::1${at}" }]
  conditions: [{ type: Ready, status: "True" }]
`
}

const service = (name: string, n: number, spec: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { clusterIP: 10.96.0.${n}, clusterIPs: [10.96.0.${n}, "fd00:96::${n}"], ${EVERY_FAMILY}, ${spec} }
${more}`

const port = (nodePort?: number): string =>
  `ports: [{ name: dia, port: 3868, protocol: SCTP, targetPort: dia${nodePort === undefined ? '' : `, nodePort: ${nodePort}`} }]`

const FLANNEL = `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel, labels: { app: flannel } }
data:
  cni-conf.json: |
    { "name": "cbr0", "cniVersion": "0.3.1", "plugins": [
      { "type": "flannel", "delegate": { "hairpinMode": true, "isDefaultGateway": true } } ] }
  net-conf.json: |
    { "Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48", "Backend": { "Type": "vxlan" } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: kube-flannel-ds, namespace: kube-flannel, labels: { app: flannel } }
spec:
  selector: { matchLabels: { app: flannel } }
  template:
    metadata: { labels: { app: flannel } }
    spec: { hostNetwork: true, containers: [{ name: kube-flannel, image: "flannel/flannel:v0.28.4" }] }
`

const LAB = `
apiVersion: podwalk/v1alpha1
kind: Lab
metadata: { name: telecom }
spec:
  listeners:
  - { pod: default/shut, port: 3868, protocol: SCTP, answers: none }
  - { pod: default/quiet, port: 3868, protocol: SCTP, answers: silent }
`

const MANIFESTS = [
  LAB,
  FLANNEL,
  node('n1', 1),
  node('n2', 2),
  pod({ name: 'a', at: 1, ip: 5 }),
  pod({ name: 'near', at: 1, ip: 7, app: 'near' }),
  pod({ name: 'far', at: 2, ip: 7, app: 'far' }),
  pod({ name: 'shut', at: 2, ip: 8, app: 'shut' }),
  pod({ name: 'quiet', at: 2, ip: 9, app: 'quiet' }),
  pod({ name: 'host', at: 2, ip: 0, app: 'host', hostNetwork: true }),
  service('near', 11, `type: NodePort, selector: { app: near }, ${port(30011)}`),
  service(
    'far',
    12,
    `type: NodePort, selector: { app: far }, externalIPs: [198.51.100.12, "2001:db8:9::12"], ${port(30012)}`,
  ),
  service('far-local', 13, `type: NodePort, externalTrafficPolicy: Local, selector: { app: far }, ${port(30013)}`),
  service(
    'balanced',
    14,
    `type: LoadBalancer, selector: { app: far }, ${port(30014)}`,
    'status: { loadBalancer: { ingress: [{ ip: 203.0.113.14 }, { ip: "2001:db8:5::14" }] } }',
  ),
  service('empty', 15, `selector: { app: nobody }, ${port()}`),
  service('shut', 16, `selector: { app: shut }, ${port()}`),
  service('quiet', 17, `selector: { app: quiet }, ${port()}`),
  service('host', 18, `selector: { app: host }, ${port()}`),
  service('inside', 19, `internalTrafficPolicy: Local, selector: { app: far }, ${port()}`),
].join('\n---\n')

/** `more`: so many Services beside those, which nobody calls. */
export function telecomCluster(proxyMode: string, more = 0): Built {
  const others = Array.from({ length: more }, (_, i) =>
    service(`other-${i}`, i + 30, `selector: { app: nobody }, ${port()}`),
  )
  const bytes = new TextEncoder().encode([MANIFESTS, ...others].join('\n---\n'))
  return build(load([{ name: 'telecom.yaml', bytes }]).cluster, { proxyMode })
}

/** The same kind of Services where names are looked up: a built-in lab and these beside it. */
export function namedCluster(): Built {
  const lab = new URL('../../topologies/textbook-flannel-vxlan/lab.yaml', import.meta.url)
  const more = `
apiVersion: v1
kind: Pod
metadata: { name: hss-0, labels: { app: hss } }
spec:
  nodeName: xianchaonode2
  containers: [{ name: hss, image: hss, ports: [{ name: dia, containerPort: 3868, protocol: SCTP }] }]
---
apiVersion: v1
kind: Service
metadata: { name: hss }
spec: { clusterIP: None, selector: { app: hss }, ports: [{ name: dia, port: 3868, protocol: SCTP, targetPort: dia }] }
`
  return build(
    load([
      { name: 'lab.yaml', bytes: new Uint8Array(readFileSync(lab)) },
      { name: 'hss.yaml', bytes: new TextEncoder().encode(more) },
    ]).cluster,
  )
}
