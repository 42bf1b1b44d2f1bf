import { describe, expect, it } from 'vitest'
import { formatIp } from '../packet/ip.ts'
import { formatPrefix } from '../packet/prefix.ts'
import { compareVersions } from './cluster-facts.ts'
import { loadText } from './testing/load-text.ts'

const facts = (text: string) => {
  const { facts, assumptions } = loadText(text).cluster
  return {
    version: facts.kubernetesVersion,
    domain: facts.dnsDomain,
    pods: facts.podCIDRs.map(formatPrefix),
    services: facts.serviceCIDRs.map(formatPrefix),
    dns: facts.clusterDNS.map(formatIp),
    assumed: assumptions
      .map(({ code }) => code)
      .filter((code) => /version|domain|^(pod|service)-cidr$/.test(code))
      .sort(),
  }
}
const config = (name: string, key: string, text: string, namespace = 'kube-system') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata:\n  ${key}: |\n${text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n---\n`
const kubeadm = config(
  'kubeadm-config',
  'ClusterConfiguration',
  'kubernetesVersion: v1.30.2\nnetworking:\n  dnsDomain: kubeadm.local\n  podSubnet: 10.1.0.0/16,fd00:1::/56\n  serviceSubnet: 10.2.0.0/16',
)
const flannel = config(
  'kube-flannel-cfg',
  'net-conf.json',
  '{"Network": "10.5.0.0/16", "IPV6Network": "fd00:5::/56", "Backend": {"Type": "vxlan"}}',
  'kube-flannel',
)
const kubelet = config('kubelet-config', 'kubelet', 'clusterDNS: [10.2.0.53, "fd00::53"]\nclusterDomain: kubelet.local')
const pool =
  '{apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.6.0.0/16}}\n---\n'
const proxy = config('kube-proxy', 'config.conf', 'clusterCIDR: 10.7.0.0/16')
const range = (name: string, cidr: string) =>
  `{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: ${name}}, spec: {cidrs: [${cidr}]}}\n---\n`
const lab =
  '{apiVersion: podwalk/v1alpha1, kind: Lab, spec: {dnsDomain: lab.local, podCIDRs: [10.8.0.0/16], serviceCIDRs: [10.9.0.0/16], versions: {kubernetes: v1.33.0}}}\n---\n'
const node = (version: string) =>
  `{apiVersion: v1, kind: Node, metadata: {name: n${version.replace(/\D/g, '')}}, status: {nodeInfo: {kubeletVersion: ${version}}}}\n---\n`
const dns =
  '{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: {clusterIP: 10.96.0.10, ports: [{port: 53}]}}\n---\n'

describe('ranges without the objects that hold them', () => {
  const service = (name: string, ips: string) =>
    `{apiVersion: v1, kind: Service, metadata: {name: ${name}, uid: u}, spec: {clusterIPs: [${ips}], clusterIP: "${ips.split(',')[0]}", ports: [{port: 443}]}}\n---\n`
  const component = (name: string, args: string) =>
    `{apiVersion: v1, kind: Pod, metadata: {name: ${name}-cp, namespace: kube-system, uid: u, labels: {component: ${name}}}, spec: {containers: [{name: c, command: [${name}, ${args}]}]}, status: {phase: Running}}\n---\n`
  it.each([
    [
      'the API server was told',
      component('kube-apiserver', '--service-cluster-ip-range=10.43.0.0/16'),
      {
        services: ['10.43.0.0/16'],
        assumed: ['pod-cidr'],
      },
    ],
    [
      'the controller manager was told',
      component(
        'kube-controller-manager',
        '"--cluster-cidr=10.42.0.0/16,fd00:42::/56", --service-cluster-ip-range=10.43.0.0/16',
      ),
      {
        pods: ['10.42.0.0/16', 'fd00:42::/56'],
        services: ['10.43.0.0/16'],
        assumed: [],
      },
    ],
    [
      'Services of the default range',
      service('kubernetes', '10.96.0.1') + service('a', '10.111.2.3'),
      {
        services: ['10.96.0.0/12'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'Services of another range',
      service('kubernetes', '10.43.0.1') + service('a', '10.43.200.3'),
      {
        services: ['10.43.0.0/16'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'a range that is larger than a /16',
      service('kubernetes', '172.20.0.1') + service('a', '172.21.200.3'),
      {
        services: ['172.20.0.0/15'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'both families',
      service('kubernetes', '10.43.0.1,"fd00:43::1"') + service('a', '10.43.1.1,"fd00:43::abcd"'),
      {
        services: ['10.43.0.0/16', 'fd00:43::/112'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'without default/kubernetes it begins with their addresses',
      service('a', '10.43.200.3'),
      {
        services: ['10.43.0.0/16'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'a manifest that asks for both families',
      '{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}}',
      {
        pods: ['10.244.0.0/16', 'fd00:10:244::/56'],
        services: ['10.96.0.0/12', 'fd00:10:96::/112'],
        assumed: ['pod-cidr', 'service-cidr'],
      },
    ],
    [
      'a manifest that asks for IPv6',
      '{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ipFamilies: [IPv6], ports: [{port: 80}]}}',
      { services: ['10.96.0.0/12', 'fd00:10:96::/112'] },
    ],
    [
      'a manifest that only would like both',
      '{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}}',
      { services: ['10.96.0.0/12'], pods: ['10.244.0.0/16'] },
    ],
  ])('%s', (_, text, expected) => {
    const found = facts(text)
    expect({ ...found, assumed: found.assumed.filter((code) => code.endsWith('cidr')) }).toMatchObject(expected)
  })
})

describe('what a snapshot tells about its cluster', () => {
  it('nothing: defaults, each of them said', () =>
    expect(facts('{apiVersion: v1, kind: Pod, metadata: {name: p}}')).toEqual({
      version: 'v1.36.3',
      domain: 'cluster.local',
      pods: ['10.244.0.0/16'],
      services: ['10.96.0.0/12'],
      dns: [],
      assumed: ['dns-domain', 'kubernetes-version', 'pod-cidr', 'service-cidr'],
    }))

  it('kubeadm-config', () =>
    expect(facts(kubeadm)).toMatchObject({
      version: 'v1.30.2',
      domain: 'kubeadm.local',
      pods: ['10.1.0.0/16', 'fd00:1::/56'],
      services: ['10.2.0.0/16'],
      assumed: [],
    }))

  it.each([
    ["flannel's network, whatever the case of its keys", flannel, { pods: ['10.5.0.0/16', 'fd00:5::/56'] }],
    ["calico's pools", pool, { pods: ['10.6.0.0/16'] }],
    ["kube-proxy's clusterCIDR", proxy, { pods: ['10.7.0.0/16'] }],
    ['kubeadm before flannel', kubeadm + flannel, { pods: ['10.1.0.0/16', 'fd00:1::/56'] }],
    ['flannel before calico before kube-proxy', proxy + pool + flannel, { pods: ['10.5.0.0/16', 'fd00:5::/56'] }],
    [
      'a Lab before all',
      kubeadm + flannel + kubelet + lab,
      { pods: ['10.8.0.0/16'], services: ['10.9.0.0/16'], domain: 'lab.local', version: 'v1.33.0' },
    ],
    [
      'ServiceCIDR kubernetes before others and kubeadm',
      kubeadm + range('extra', '10.4.0.0/16') + range('kubernetes', '10.3.0.0/16'),
      { services: ['10.3.0.0/16'] },
    ],
    ['ServiceCIDRs before kubeadm', kubeadm + range('extra', '10.4.0.0/16'), { services: ['10.4.0.0/16'] }],
    [
      "the kubelet's DNS servers and domain",
      kubeadm + kubelet + dns,
      { dns: ['10.2.0.53', 'fd00::53'], domain: 'kubelet.local' },
    ],
    ['Service kube-dns', dns, { dns: ['10.96.0.10'] }],
    [
      'the name that kubeadm gave the config before v1.24',
      kubelet.replace('name: kubelet-config', 'name: kubelet-config-1.23'),
      { dns: ['10.2.0.53', 'fd00::53'] },
    ],
    [
      'kubectl version',
      `${kubeadm}{clientVersion: {gitVersion: v1.99.0}, serverVersion: {gitVersion: v1.31.4}}`,
      { version: 'v1.31.4' },
    ],
    ['the newest kubelet', node('v1.9.11') + node('v1.35.2') + node('v1.34.9'), { version: 'v1.35.2' }],
    [
      'a ConfigMap that is no YAML tells nothing',
      config('kubeadm-config', 'ClusterConfiguration', 'a: [\nb'),
      { pods: ['10.244.0.0/16'] },
    ],
  ])('%s', (_, text, expected) => expect(facts(text)).toMatchObject(expected))

  it.each([
    ['v1.9.0', 'v1.10.0', -1],
    ['v1.36.3', 'v1.36.3', 0],
    ['v1.36.3', 'v1.36', 3],
    ['v1.36.3+k3s1', 'v1.36.3-gke.100', 0],
  ])('%s against %s', (x, y, order) => expect(Math.sign(compareVersions(x, y))).toBe(Math.sign(order)))
})
