import {
  type ClusterMode,
  type ClusterRecipe,
  type ClusterService,
  clusterNodeIp,
  clusterPods,
  externalIp,
  nodeName,
  podNetOf,
  SERVICE_PORT,
  serviceIp,
} from './cluster-shape.ts'
import { POD_TCP, POD_UDP } from './flannel-recipe.ts'

/** The recipe as the documents that a user would write: a Lab and the cluster's objects, as `kubectl get -o json` prints them. */
export function clusterManifests(recipe: ClusterRecipe): string {
  const items = [
    labDocument(recipe),
    ...recipe.nodes.map((_, node) => nodeObject(recipe, node)),
    ...(recipe.mode === 'cluster-calico' ? CALICO : flannelObjects(recipe)),
    ...KUBEADM,
    ...clusterPods(recipe).map(podObject),
    ...recipe.services.flatMap((service, index) => serviceObjects(recipe, service, index)),
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

const hex = (n: number): string => n.toString(16).padStart(2, '0')

function labDocument(recipe: ClusterRecipe) {
  const inRack = (rack: 0 | 1) => recipe.nodes.flatMap((node, index) => (node.rack === rack ? [nodeName(index)] : []))
  return {
    apiVersion: 'podwalk/v1alpha1',
    kind: 'Lab',
    metadata: { name: 'made-up' },
    spec: {
      networks: [
        { name: 'rack1', cidr: '192.168.40.0/24', nodes: inRack(0) },
        { name: 'rack2', cidr: '192.168.50.0/24', nodes: inRack(1) },
      ],
      routers: [
        {
          name: 'core',
          networks: ['rack1', 'rack2', 'internet'],
          addresses: { rack1: '192.168.40.1', rack2: '192.168.50.1' },
        },
      ],
      hosts: [
        { name: 'laptop', network: 'internet', ip: '203.0.113.10' },
        { name: 'outside', network: 'rack1', ip: '192.168.40.200', gateway: '192.168.40.1' },
      ],
      nodes: Object.fromEntries(
        recipe.nodes.map(({ rack }, node) => [
          nodeName(node),
          {
            interface: 'eth0',
            mtu: 1500,
            gateway: rack === 0 ? '192.168.40.1' : '192.168.50.1',
            forwardPolicy: recipe.forwardPolicy,
            sysctls: { 'net.bridge.bridge-nf-call-iptables': recipe.bridgeNetfilter },
            ...(recipe.mode === 'cluster-calico' ? { calicoBlocks: [`10.244.${podNetOf(recipe, node)}.0/26`] } : {}),
          },
        ]),
      ),
      proxy: { mode: recipe.proxy.split(' ')[0], clusterCIDR: '10.244.0.0/16' },
      versions: { kubernetes: recipe.proxy.split(' ')[1], flannel: 'v0.28.4', calico: 'v3.31.2' },
    },
  }
}

const BACKEND: Readonly<Record<Exclude<ClusterMode, 'cluster-calico'>, { type: string; more?: object }>> = {
  'cluster-vxlan': { type: 'vxlan' },
  'cluster-directrouting': { type: 'vxlan', more: { DirectRouting: true } },
  'cluster-host-gw': { type: 'host-gw' },
  'cluster-udp': { type: 'udp' },
}

function nodeObject(recipe: ClusterRecipe, node: number) {
  const ip = clusterNodeIp(recipe, node)
  const cidr = `10.244.${podNetOf(recipe, node)}.0/24`
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName(node),
      labels: { 'kubernetes.io/hostname': nodeName(node), 'kubernetes.io/os': 'linux' },
      annotations: annotationsOf(recipe, node, ip),
    },
    spec: { podCIDR: cidr, podCIDRs: [cidr] },
    status: {
      addresses: [
        { type: 'InternalIP', address: ip },
        { type: 'Hostname', address: nodeName(node) },
      ],
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { kubeletVersion: 'v1.36.3' },
    },
  }
}

function annotationsOf({ mode }: ClusterRecipe, node: number, ip: string): Record<string, string> {
  if (mode === 'cluster-calico') return { 'projectcalico.org/IPv4Address': `${ip}/24` }
  const { type } = BACKEND[mode]
  const data = type === 'vxlan' ? `{"VNI":1,"VtepMAC":"1e:57:a2:00:01:${hex(node)}"}` : 'null'
  return {
    'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
    'flannel.alpha.coreos.com/backend-type': type,
    'flannel.alpha.coreos.com/backend-data': data,
    'flannel.alpha.coreos.com/public-ip': ip,
  }
}

function flannelObjects({ mode, hairpin }: ClusterRecipe) {
  const { type, more } = BACKEND[mode as Exclude<ClusterMode, 'cluster-calico'>]
  const conf = {
    name: 'cbr0',
    cniVersion: '0.3.1',
    plugins: [
      { type: 'flannel', delegate: { hairpinMode: hairpin, isDefaultGateway: true } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
  const net = { Network: '10.244.0.0/16', EnableNFTables: false, Backend: { Type: type, ...more } }
  return [
    configMap('kube-flannel', 'kube-flannel-cfg', {
      'cni-conf.json': JSON.stringify(conf),
      'net-conf.json': JSON.stringify(net),
    }),
    daemonSet('kube-flannel', 'kube-flannel-ds', {
      name: 'kube-flannel',
      image: 'flannel/flannel:v0.28.4',
      command: ['/opt/bin/flanneld'],
      args: ['--ip-masq', '--kube-subnet-mgr'],
    }),
  ]
}

function configMap(namespace: string, name: string, data: Readonly<Record<string, string>>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels: { app: name } }, data }
}

function daemonSet(namespace: string, name: string, container: object) {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels: { app: name, 'k8s-app': name } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, 'k8s-app': name } },
        spec: { hostNetwork: true, tolerations: [{ operator: 'Exists' }], containers: [container] },
      },
    },
  }
}

const CALICO = [
  {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPPool',
    metadata: { name: 'default-ipv4-ippool' },
    spec: {
      cidr: '10.244.0.0/16',
      blockSize: 26,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      natOutgoing: true,
      nodeSelector: 'all()',
    },
  },
  {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'BGPConfiguration',
    metadata: { name: 'default' },
    spec: { asNumber: 64512, nodeToNodeMeshEnabled: true },
  },
  configMap('kube-system', 'calico-config', { calico_backend: 'bird', typha_service_name: 'none', veth_mtu: '0' }),
  daemonSet('kube-system', 'calico-node', {
    name: 'calico-node',
    image: 'calico/node:v3.31.2',
    env: [
      { name: 'CLUSTER_TYPE', value: 'k8s,bgp' },
      { name: 'IP', value: 'autodetect' },
      { name: 'CALICO_IPV4POOL_CIDR', value: '10.244.0.0/16' },
      { name: 'CALICO_IPV4POOL_IPIP', value: 'Never' },
      { name: 'CALICO_IPV4POOL_VXLAN', value: 'Never' },
      { name: 'FELIX_DEFAULTENDPOINTTOHOSTACTION', value: 'ACCEPT' },
      { name: 'FELIX_IPV6SUPPORT', value: 'false' },
    ],
  }),
]

const KUBEADM = [
  configMap('kube-system', 'kubeadm-config', {
    ClusterConfiguration: JSON.stringify({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: 'v1.36.3',
      networking: { dnsDomain: 'cluster.local', podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/12' },
    }),
  }),
  configMap('kube-system', 'kube-proxy', {
    'config.conf': JSON.stringify({
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      clusterCIDR: '10.244.0.0/16',
      mode: 'iptables',
    }),
  }),
  daemonSet('kube-system', 'kube-proxy', {
    name: 'kube-proxy',
    image: 'registry.k8s.io/kube-proxy:v1.36.3',
    command: ['/usr/local/bin/kube-proxy', '--config=/var/lib/kube-proxy/config.conf'],
  }),
]

function podObject({ name, host, ip }: { name: string; host: string; ip: string }) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { nodeName: host, containers: [{ name: 'box', image: 'busybox' }] },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

function serviceObjects(recipe: ClusterRecipe, service: ClusterService, index: number) {
  const name = `s${index + 1}`
  const pods = clusterPods(recipe)
  const port = service.protocol === 'TCP' ? POD_TCP : POD_UDP
  const open = service.nodePort !== undefined
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: {
        type: service.loadBalancer ? 'LoadBalancer' : open ? 'NodePort' : 'ClusterIP',
        clusterIP: serviceIp(index),
        ...(service.externalIp ? { externalIPs: [externalIp(index)] } : {}),
        ...(open || service.externalIp ? { externalTrafficPolicy: service.externalPolicy } : {}),
        internalTrafficPolicy: service.internalPolicy,
        ...(service.affinity === undefined
          ? {}
          : {
              sessionAffinity: 'ClientIP',
              sessionAffinityConfig: { clientIP: { timeoutSeconds: service.affinity } },
            }),
        ports: [
          {
            name: 'a',
            protocol: service.protocol,
            port: SERVICE_PORT,
            targetPort: port,
            ...(open ? { nodePort: service.nodePort } : {}),
          },
        ],
      },
      ...(service.loadBalancer ? { status: { loadBalancer: { ingress: [{ ip: `203.0.113.${100 + index}` }] } } } : {}),
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'a', port, protocol: service.protocol }],
      endpoints: service.endpoints.flatMap((number) => {
        const pod = pods[number]
        if (pod === undefined) return []
        const targetRef = { kind: 'Pod', namespace: 'default', name: pod.name }
        return [{ addresses: [pod.ip], nodeName: pod.host, conditions: { ready: true }, targetRef }]
      }),
    },
  ]
}
