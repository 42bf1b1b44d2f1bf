import type { Ip } from '../../packet/ip.ts'
import type { Prefix } from '../../packet/prefix.ts'
import { kubernetesServiceIp } from '../allocate/cluster-ip.ts'
import type { EndpointSlice, KubeNode, Meta, Pod, Service } from '../objects.ts'
import { byName } from '../order.ts'
import type { Filling } from './filling.ts'
import { familyOfIp } from './service-addresses.ts'

const CONTROL_PLANE = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']
const API_SERVER_PORT = 6443
const NAME = 'kubernetes'
const SERVICE_NAME = 'kubernetes.io/service-name'

const meta = (labels: Meta['labels']): Meta => ({ namespace: 'default', name: NAME, labels, annotations: {} })

/** Service default/kubernetes as the API server makes it at its start (pkg/controlplane/controller/kubernetesservice). */
export function kubernetesService(ranges: readonly Prefix[], filling: Filling): Service | undefined {
  const [range] = ranges
  if (range === undefined) return undefined
  const ip = kubernetesServiceIp(range)
  filling.assume({
    code: 'kubernetes-service',
    text: 'Service default/kubernetes is the first address of the Service range',
    object: 'Service default/kubernetes',
    set: 'the Service in the input',
    collect: 'kubectl get svc,endpointslices -n default kubernetes -o yaml',
  })
  return {
    kind: 'Service',
    meta: meta({ component: 'apiserver', provider: 'kubernetes' }),
    assumed: true,
    type: 'ClusterIP',
    selector: undefined,
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: API_SERVER_PORT, nodePort: 0 }],
    clusterIPs: [ip],
    headless: false,
    ipFamilies: [familyOfIp(ip)],
    ipFamilyPolicy: 'SingleStack',
    externalIPs: [],
    externalName: '',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10_800,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    publishNotReadyAddresses: false,
    loadBalancerSourceRanges: [],
    allocateLoadBalancerNodePorts: false,
    healthCheckNodePort: 0,
    loadBalancerIngress: [],
  }
}

/** Its slice: the API servers, which run on the control-plane nodes. It has no node names and no targets. */
export function kubernetesSlice(
  service: Service,
  of: { nodes: readonly KubeNode[]; pods: readonly Pod[] },
): EndpointSlice {
  const family = service.ipFamilies[0] ?? 'IPv4'
  const endpoints = apiServers(of)
    .filter((ip) => familyOfIp(ip) === family)
    .map((ip) => ({ addresses: [ip], ready: true, serving: true, terminating: false }))
  const target = service.ports[0]?.targetPort
  const port = typeof target === 'number' ? target : API_SERVER_PORT
  return {
    kind: 'EndpointSlice',
    meta: meta({ [SERVICE_NAME]: NAME }),
    assumed: true,
    serviceName: NAME,
    addressType: family,
    ports: [{ name: 'https', port, protocol: 'TCP' }],
    endpoints,
  }
}

/** Where API servers run: their static pods, the control-plane nodes, or else the first node. */
function apiServers({ nodes, pods }: { nodes: readonly KubeNode[]; pods: readonly Pod[] }): readonly Ip[] {
  const isApiServer = (pod: Pod) =>
    pod.meta.namespace === 'kube-system' && pod.meta.labels.component === 'kube-apiserver'
  const running = pods.filter(isApiServer).flatMap((pod) => pod.ips)
  if (running.length > 0) return running
  const sorted = [...nodes].sort(byName)
  const control = sorted.filter(({ meta: { labels } }) => CONTROL_PLANE.some((label) => Object.hasOwn(labels, label)))
  return (control.length > 0 ? control : sorted.slice(0, 1)).flatMap((node) => node.internalIPs)
}
