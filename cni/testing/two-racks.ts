import { clusterOf, configMapOf, factsOf, nodeOf, podOf, type Sketch } from './cluster.ts'

/** The worked example: two nodes on one segment, a third behind a router, flannel. */
const vtep = (publicIp: string, mac: string) => ({
  'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
  'flannel.alpha.coreos.com/backend-type': 'vxlan',
  'flannel.alpha.coreos.com/backend-data': `{"VNI":1,"VtepMAC":"${mac}"}`,
  'flannel.alpha.coreos.com/public-ip': publicIp,
})

export const master = nodeOf(
  'xianchaomaster1',
  ['192.168.40.180'],
  ['10.244.0.0/24'],
  vtep('192.168.40.180', '1e:57:a2:00:00:80'),
)
export const node1 = nodeOf(
  'xianchaonode1',
  ['192.168.40.181'],
  ['10.244.1.0/24'],
  vtep('192.168.40.181', '1e:57:a2:00:00:81'),
)
export const node2 = nodeOf(
  'xianchaonode2',
  ['192.168.50.182'],
  ['10.244.2.0/24'],
  vtep('192.168.50.182', '1e:57:a2:00:00:82'),
)

export const netConf = (backend: string) => `{"Network": "10.244.0.0/16", "Backend": ${backend}}`
const cniConf =
  '{"name":"cbr0","plugins":[{"type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}},{"type":"portmap"}]}'

export const flannelCfg = (backend = '{"Type": "vxlan"}') =>
  configMapOf('kube-flannel', 'kube-flannel-cfg', { 'net-conf.json': netConf(backend), 'cni-conf.json': cniConf })

export const twoRacks = (changes: Partial<Sketch> = {}) =>
  clusterOf({
    nodes: [master, node1, node2],
    pods: [podOf('web-0', 'xianchaonode1', ['10.244.1.2']), podOf('web-1', 'xianchaonode2', ['10.244.2.2'])],
    configMaps: [flannelCfg()],
    ...changes,
  })

export const node1Facts = factsOf('xianchaonode1', ['192.168.40.181/24'])
