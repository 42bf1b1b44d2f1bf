import { describe, expect, it } from 'vitest'
import { formatIp } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import { codes, loadText, node, told } from '../testing/load-text.ts'

const only = <T>(list: readonly T[]): T => {
  expect(list.length).toBe(1)
  return list[0]!
}
const pod = (spec: string, rest = '') =>
  only(loadText(`${node('n', 1)}apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {${spec}}\n${rest}`).cluster.pods)

describe('Pods are defaulted as the API server does', () => {
  it('everything that is left open', () => {
    const { spec, meta } = pod('containers: [{name: c, ports: [{containerPort: 80}]}]')
    expect(meta.namespace).toBe('default')
    expect(spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      serviceAccountName: 'default',
      hostNetwork: false,
      dnsConfig: { nameservers: [], searches: [], options: [] },
    })
    expect(spec.containers[0]!.ports).toEqual([
      { name: '', containerPort: 80, protocol: 'TCP', hostPort: 0, hostIP: '' },
    ])
  })

  it('a port on the host network is a port of the host', () =>
    expect(
      pod('hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80}]}]').spec.containers[0]!.ports[0]!
        .hostPort,
    ).toBe(80))

  it('an init container that restarts is a sidecar', () => {
    const { spec } = pod('initContainers: [{name: a}, {name: b, restartPolicy: Always}], containers: [{name: c}]')
    expect(spec.initContainers.map(({ sidecar }) => sidecar)).toEqual([false, true])
  })

  it.each([
    [
      'podIPs',
      'status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: fd00::1}]}',
      ['10.0.0.1', 'fd00::1'],
    ],
    ['podIP alone', 'status: {phase: Running, podIP: 10.0.0.1}', ['10.0.0.1']],
    ['none', 'status: {phase: Pending}', []],
  ])('addresses from %s', (_, status, ips) =>
    expect(pod('containers: [{name: c}]', status).ips.map(formatIp)).toEqual(ips),
  )

  it('only the Ready condition makes it ready', () => {
    const status =
      'status: {phase: Running, podIP: 10.0.0.1, conditions: [{type: ContainersReady, status: "True"}, {type: Ready, status: "False"}], containerStatuses: [{ready: true}]}'
    expect(pod('containers: [{name: c}]', status).ready).toBe(false)
    expect(pod('containers: [{name: c}]', status.replace('"False"', '"True"')).ready).toBe(true)
  })

  it('deletion shows in its timestamp', () => {
    const { cluster } = loadText(
      'kind: Pod\napiVersion: v1\nmetadata: {name: p, deletionTimestamp: "2030-01-01T00:00:00Z"}\nstatus: {phase: Running}\n',
    )
    expect(only(cluster.pods).meta.deletionTimestamp).toBe('2030-01-01T00:00:00Z')
  })

  it('the controlling owner is the owner', () => {
    const { cluster } = loadText(
      'kind: Pod\napiVersion: v1\nmetadata: {name: p, ownerReferences: [{kind: X, name: x}, {kind: Node, name: n1, controller: true}]}\n',
    )
    expect(only(cluster.pods).meta.owner).toEqual({ kind: 'Node', name: 'n1' })
  })
})

describe('a wrong field is told with its line, and the rest of the object is used', () => {
  it.each([
    [
      'a pod IP',
      'metadata: {name: p}\nspec: {nodeName: n, containers: [{name: c}]}\nstatus:\n  phase: Running\n  podIP: "10.244.1"\n',
      'in.yaml:7 pod-ip-invalid Pod default/p: status.podIP "10.244.1" is not an IP address: IPv4 has four octets',
    ],
    [
      'a number for a text',
      'metadata: {name: p, labels: {version: 12}}\n',
      'in.yaml:3 field-type Pod default/p: metadata.labels.version is a number, not text',
    ],
    [
      'a boolean of YAML 1.1',
      'metadata:\n  name: p\n  labels: {enabled: on}\n',
      'in.yaml:5 field-type Pod default/p: metadata.labels.enabled is true or false, not text',
    ],
    [
      'a list for an object',
      'metadata: {name: p}\nspec: []\n',
      'in.yaml:4 field-type Pod default/p: spec is a list, not an object',
    ],
    [
      'an object for a list',
      'metadata: {name: p}\nspec:\n  containers: {}\n',
      'in.yaml:5 field-type Pod default/p: spec.containers is an object, not a list',
    ],
    [
      'a text for a number',
      'metadata: {name: p}\nspec:\n  containers:\n  - ports: [{containerPort: "80"}]\n',
      'in.yaml:6 field-type Pod default/p: spec.containers[0].ports[0].containerPort is text, not a whole number',
    ],
    [
      'a text for a boolean',
      'metadata: {name: p}\nspec: {hostNetwork: "yes"}\n',
      'in.yaml:4 field-type Pod default/p: spec.hostNetwork is text, not true or false',
    ],
    [
      'an element that is no object',
      'metadata: {name: p}\nspec:\n  containers: [web]\n',
      'in.yaml:5 field-type Pod default/p: spec.containers[0] is text, not an object',
    ],
    [
      'a text of a list',
      'metadata: {name: p}\nspec: {dnsConfig: {searches: [1]}}\n',
      'in.yaml:4 field-type Pod default/p: spec.dnsConfig.searches[0] is a number, not text',
    ],
  ])('%s', (_, text, message) => {
    const loaded = loadText(`apiVersion: v1\nkind: Pod\n${text}`)
    expect(told(loaded)).toContain(message)
    expect(loaded.cluster.pods.map(({ meta }) => meta.name)).toEqual(['p'])
  })

  it('null is as good as absent', () => {
    const loaded = loadText(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: null}\nspec: {containers: null, nodeName: null}\nstatus: {phase: Running}\n',
    )
    expect(told(loaded)).toEqual([])
  })
})

describe('what the API server refuses', () => {
  const refused = (text: string) =>
    loadText(text).diagnostics.flatMap(({ refused, message, at }) => (refused ? [`${at?.line} ${message}`] : []))
  const meta = 'metadata: {name: x}'
  it.each([
    [
      'port names are at most 15 characters in a pod',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {containers: [{name: c, ports: [{name: sixteen-letters-x, containerPort: 80}]}]}`,
      [
        '4 Pod default/x is invalid: spec.containers[0].ports[0].name: Invalid value: "sixteen-letters-x": must be no more than 15 characters',
      ],
    ],
    [
      'a port name needs a letter',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {containers: [{name: c, ports: [{name: "80", containerPort: 80}]}]}`,
      [
        '4 Pod default/x is invalid: spec.containers[0].ports[0].name: Invalid value: "80": must contain at least one letter (a-z)',
      ],
    ],
    [
      'two ports of one name',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {containers: [{name: c, ports: [{name: a, containerPort: 80}, {name: a, containerPort: 81}]}]}`,
      ['4 Pod default/x is invalid: spec.containers[0].ports[1].name: Duplicate value: "a"'],
    ],
    [
      'a port number',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {containers: [{name: c, ports: [{containerPort: 70000}]}]}`,
      [
        '4 Pod default/x is invalid: spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'hostPort on the host network',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80, hostPort: 81}]}]}`,
      [
        '4 Pod default/x is invalid: spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
      ],
    ],
    [
      'dnsPolicy None without nameserver',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {dnsPolicy: None, dnsConfig: {searches: [a]}}`,
      [
        '4 Pod default/x is invalid: spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
      ],
    ],
    [
      'dnsPolicy None without dnsConfig',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {dnsPolicy: None}`,
      ['4 Pod default/x is invalid: spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'four nameservers',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}}`,
      [
        '4 Pod default/x is invalid: spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3 nameservers',
      ],
    ],
    [
      'an unknown policy',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {dnsPolicy: clusterfirst}`,
      [
        '4 Pod default/x is invalid: spec.dnsPolicy: Unsupported value: "clusterfirst": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
      ],
    ],
    [
      'a host alias',
      `apiVersion: v1\nkind: Pod\n${meta}\nspec: {hostAliases: [{ip: 1.2.3, hostnames: [a]}]}`,
      [
        '4 Pod default/x is invalid: spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      ],
    ],
    [
      'a pod name',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: "a_b"}',
      [
        "3 Pod default/a_b is invalid: metadata.name: Invalid value: \"a_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ],
    [
      'a Service port name of 64 letters',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{name: ${'a'.repeat(64)}, port: 80}]}`,
      [
        `4 Service default/x is invalid: spec.ports[0].name: Invalid value: "${'a'.repeat(64)}": must be no more than 63 characters`,
      ],
    ],
    [
      'a targetPort name of 16 letters',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 80, targetPort: sixteen-letters-x}]}`,
      [
        '4 Service default/x is invalid: spec.ports[0].targetPort: Invalid value: "sixteen-letters-x": must be no more than 15 characters',
      ],
    ],
    [
      'a nodePort of a ClusterIP Service',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 80, nodePort: 30080}]}`,
      ["4 Service default/x is invalid: spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'source ranges without a load balancer',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 80}], loadBalancerSourceRanges: [10.0.0.0/8]}`,
      [
        "4 Service default/x is invalid: spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
      ],
    ],
    [
      'a source range',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {type: LoadBalancer, ports: [{port: 80}], loadBalancerSourceRanges: [10.0/8]}`,
      [
        '4 Service default/x is invalid: spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0/8": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    [
      'an external IP',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 80}], externalIPs: [127.0.0.1]}`,
      [
        '4 Service default/x is invalid: spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      'three cluster IPs',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {clusterIP: 10.96.1.1, clusterIPs: [10.96.1.1, 10.96.1.2, 10.96.1.3], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}`,
      [
        '4 Service default/x is invalid: spec.clusterIPs: Invalid value: ["10.96.1.1","10.96.1.2","10.96.1.3"]: may only hold up to 2 values',
        '4 Service default/x is invalid: spec.clusterIPs: Invalid value: ["10.96.1.1","10.96.1.2","10.96.1.3"]: may specify no more than one IP for each IP family',
      ],
    ],
    [
      'clusterIPs that differ from clusterIP',
      `apiVersion: v1\nkind: Service\n${meta}\nspec: {clusterIP: 10.96.1.1, clusterIPs: [10.96.1.2], ports: [{port: 80}]}`,
      [
        '4 Service default/x is invalid: spec.clusterIPs: Invalid value: ["10.96.1.2"]: first value must match `clusterIP`',
      ],
    ],
    [
      'an ipBlock',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0}}]}]}`,
      [
        '4 NetworkPolicy default/x is invalid: spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "10.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
      ],
    ],
    [
      'an exception outside its block',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}`,
      [
        '4 NetworkPolicy default/x is invalid: spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
      ],
    ],
    [
      'a peer that is nobody',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{from: [{}]}]}`,
      ['4 NetworkPolicy default/x is invalid: spec.ingress[0].from[0]: Required value: must specify a peer'],
    ],
    [
      'a block and a selector',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}`,
      [
        '4 NetworkPolicy default/x is invalid: spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer',
      ],
    ],
    [
      'an endPort below its port',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{ports: [{port: 90, endPort: 80}]}]}`,
      [
        '4 NetworkPolicy default/x is invalid: spec.ingress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`',
      ],
    ],
    [
      'an endPort of a name',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {}, ingress: [{ports: [{port: http, endPort: 80}]}]}`,
      [
        '4 NetworkPolicy default/x is invalid: spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric',
      ],
    ],
    [
      'In without values',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {matchExpressions: [{key: a, operator: In}]}}`,
      [
        "4 NetworkPolicy default/x is invalid: spec.podSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
    [
      'Exists with values',
      `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}`,
      [
        "4 NetworkPolicy default/x is invalid: spec.podSelector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      ],
    ],
    [
      'a subset without addresses',
      `apiVersion: v1\nkind: Endpoints\n${meta}\nsubsets: [{ports: [{port: 80}]}]`,
      ['4 Endpoints default/x is invalid: subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
    ],
    [
      'an unspecified endpoint',
      `apiVersion: v1\nkind: Endpoints\n${meta}\nsubsets: [{addresses: [{ip: 0.0.0.0}]}]`,
      [
        '4 Endpoints default/x is invalid: subsets[0].addresses[0].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
      ],
    ],
    [
      'a multicast endpoint',
      `apiVersion: v1\nkind: Endpoints\n${meta}\nsubsets: [{addresses: [{ip: ff02::1}]}]`,
      [
        '4 Endpoints default/x is invalid: subsets[0].addresses[0].ip: Invalid value: "ff02::1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
      ],
    ],
  ])('%s', (_, text, messages) => expect(refused(text)).toEqual(messages))

  it.each([
    [
      'a name that begins with a digit',
      'apiVersion: v1\nkind: Service\nmetadata: {name: 1st}\nspec: {ports: [{port: 80}]}',
    ],
    [
      'an externalName that is an address',
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: ExternalName, externalName: 10.0.0.1}',
    ],
    [
      'an externalName with a dot at its end',
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: ExternalName, externalName: a.example.com.}',
    ],
    [
      'one number over two protocols',
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]}',
    ],
    [
      'a multicast endpoint beyond the link',
      'apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}\nsubsets: [{addresses: [{ip: 239.1.1.1}]}]',
    ],
  ])('%s is taken', (_, text) => expect(refused(text)).toEqual([]))

  it('what an API server printed, it took: told as a warning', () => {
    const loaded = loadText(
      'apiVersion: v1\nkind: Service\nmetadata: {name: Upper, uid: u}\nspec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}',
    )
    expect(
      loaded.diagnostics
        .filter(({ code }) => code === 'name-invalid')
        .map(({ severity, refused }) => [severity, refused]),
    ).toEqual([['warning', undefined]])
  })

  it('can be left out', () => {
    const text =
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: z}\nspec: {ports: [{port: 80}]}'
    const names = (refused: 'use' | 'drop') => loadText(text, { refused }).cluster.services.map(({ meta }) => meta.name)
    expect(names('use')).toEqual(['kubernetes', 'x', 'z'])
    expect(names('drop')).toEqual(['kubernetes', 'z'])
  })
})

describe('NetworkPolicies', () => {
  const policy = (spec: string) =>
    only(
      loadText(`apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: ${spec}`).cluster
        .networkPolicies,
    )
  it.each([
    ['no types, no egress', '{podSelector: {}}', ['Ingress']],
    ['no types, egress rules', '{podSelector: {}, egress: [{}]}', ['Ingress', 'Egress']],
    ['types as given', '{podSelector: {}, policyTypes: [Egress]}', ['Egress']],
  ])('types: %s', (_, spec, types) => expect(policy(spec).policyTypes).toEqual(types))

  it('protocol TCP is filled in, absent ports are all ports', () =>
    expect(policy('{podSelector: {}, ingress: [{ports: [{port: 80}, {protocol: UDP}]}]}').ingress[0]!.ports).toEqual([
      { protocol: 'TCP', port: 80, endPort: undefined },
      { protocol: 'UDP', port: undefined, endPort: undefined },
    ]))

  it('an empty rule allows everything, as in the API', () =>
    expect(policy('{podSelector: {}, ingress: [{}]}').ingress).toEqual([{ peers: [], ports: [] }]))

  it.each([
    ['a block', '[{ipBlock: {cidr: nonsense}}]'],
    ['a list of texts', '[web]'],
    ['a text', 'web'],
  ])('a wrong peer (%s) is nobody, never everybody', (_, from) =>
    expect(policy(`{podSelector: {}, ingress: [{from: ${from}}]}`).ingress[0]!.peers).toEqual([{}]),
  )

  it.each([
    ['a list of texts', '[http]'],
    ['a text', 'http'],
    ['an object as port', '[{port: {}}]'],
  ])('wrong ports (%s) open no port, never all', (_, ports) =>
    expect(policy(`{podSelector: {}, ingress: [{ports: ${ports}}]}`).ingress[0]!.ports.map(({ port }) => port)).toEqual(
      [0],
    ),
  )

  it('an unknown operator matches nothing', () =>
    expect(
      policy('{podSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}').podSelector.matchExpressions,
    ).toEqual([{ key: 'a', operator: 'In', values: [] }]))
})

describe('right objects are taken without a word', () => {
  it.each([
    [
      'a policy with every form of selector, peer and port',
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: {podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}, {key: c, operator: NotIn, values: [d]}, {key: e, operator: Exists}, {key: f, operator: DoesNotExist}]}, ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}}, {podSelector: {}, namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 80}, {port: http}, {port: 80, endPort: 80}, {}]}]}',
    ],
    [
      'a Service of every field',
      'apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: LoadBalancer, externalTrafficPolicy: Local, internalTrafficPolicy: Local, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}, loadBalancerSourceRanges: [10.0.0.0/8], loadBalancerClass: a/b, externalIPs: [198.51.100.7], trafficDistribution: PreferClose, ports: [{name: a, port: 80, targetPort: 65535, nodePort: 30080}, {name: b, port: 81, targetPort: web}]}',
    ],
    [
      'a pod of every field',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {hostNetwork: true, hostname: a, subdomain: b, dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1, "fd00::1"], searches: [a.b], options: [{name: ndots, value: "2"}, {name: edns0}]}, hostAliases: [{ip: 10.0.0.1, hostnames: [a]}], containers: [{name: c, ports: [{name: a, containerPort: 80, hostPort: 80}, {name: b, containerPort: 81, hostPort: 81, protocol: UDP}]}]}',
    ],
    [
      'Endpoints',
      'apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}\nsubsets: [{notReadyAddresses: [{ip: 10.9.0.1, hostname: a, nodeName: n1}], ports: [{name: a, port: 1}, {name: b, port: 65535, protocol: SCTP}]}]',
    ],
  ])('%s', (_, text) => expect(told(loadText(text))).toEqual([]))

  it('a slice of no Service', () => {
    const { cluster } = loadText(
      'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\n',
    )
    expect(only(cluster.endpointSlices).serviceName).toBe('')
    expect(cluster.index.slicesOfService.size).toBe(0)
  })
})

describe('Nodes', () => {
  it.each([
    ['podCIDRs', '{podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24, "fd00::/64"]}', ['10.1.0.0/24', 'fd00::/64']],
    ['podCIDR alone', '{podCIDR: 10.1.0.0/24}', ['10.1.0.0/24']],
    ['host bits are cut off', '{podCIDR: 10.1.0.1/24}', ['10.1.0.0/24']],
  ])('%s', (_, spec, expected) => {
    const { cluster } = loadText(`apiVersion: v1\nkind: Node\nmetadata: {name: n}\nspec: ${spec}`)
    expect(only(cluster.nodes).podCIDRs.map(formatPrefix)).toEqual(expected)
  })

  it('status: addresses, readiness, version, CPUs', () => {
    const { cluster } = loadText(`apiVersion: v1
kind: Node
metadata: {name: n, uid: u}
spec: {unschedulable: true, taints: [{key: a, effect: NoExecute}]}
status:
  addresses: [{type: InternalIP, address: 10.0.0.1}, {type: ExternalIP, address: 198.51.100.1}, {type: Hostname, address: h}]
  conditions: [{type: Ready, status: Unknown}]
  allocatable: {cpu: 1500m}
  nodeInfo: {kubeletVersion: v1.34.1}
`)
    const found = only(cluster.nodes)
    expect(found.internalIPs.map(formatIp)).toEqual(['10.0.0.1'])
    expect(found.externalIPs.map(formatIp)).toEqual(['198.51.100.1'])
    expect(found).toMatchObject({
      hostname: 'h',
      ready: false,
      unschedulable: true,
      kubeletVersion: 'v1.34.1',
      allocatableMilliCpu: 1500,
    })
    expect(found.taints).toEqual([{ key: 'a', value: '', effect: 'NoExecute' }])
    expect(cluster.facts.kubernetesVersion).toBe('v1.34.1')
  })
})

describe('workloads want', () => {
  it.each([
    ['Deployment', 'apps/v1', '{}', 1],
    ['Deployment', 'apps/v1', '{replicas: 3}', 3],
    ['Deployment', 'apps/v1', '{replicas: 0}', 0],
    ['Job', 'batch/v1', '{}', 1],
    ['Job', 'batch/v1', '{parallelism: 3, completions: 2}', 2],
    ['Job', 'batch/v1', '{parallelism: 2, completions: 5}', 2],
    ['Job', 'batch/v1', '{parallelism: 2}', 2],
    ['Job', 'batch/v1', '{suspend: true}', 0],
    ['CronJob', 'batch/v1', '{jobTemplate: {spec: {parallelism: 2}}}', 0],
  ])('%s %s %s: %d pods', (kind, apiVersion, spec, replicas) => {
    const { cluster } = loadText(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: w}\nspec: ${spec}`)
    expect(cluster.workloads.find((one) => one.kind === kind)!.replicas).toBe(replicas)
  })

  it('the template of a CronJob is that of its jobs', () => {
    const { cluster } = loadText(
      'apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: w}\nspec: {jobTemplate: {spec: {template: {metadata: {labels: {a: b}}}}}}',
    )
    expect(only(cluster.workloads).template.labels).toEqual({ a: 'b' })
  })
})

describe('EndpointSlices', () => {
  const slice = (text: string) =>
    only(
      loadText(
        `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: x}}\n${text}`,
      ).cluster.endpointSlices,
    )

  it.each([
    ['absent', '{}', [true, true, false]],
    ['not ready: serving all the same, as kube-proxy has it', '{ready: false}', [false, true, false]],
    ['terminating, serving absent: it still answers', '{ready: false, terminating: true}', [false, true, true]],
    ['terminating and not serving', '{ready: false, serving: false, terminating: true}', [false, false, true]],
    ['terminating and serving', '{ready: false, serving: true, terminating: true}', [false, true, true]],
    ['absent ready beside others', '{serving: true, terminating: true}', [true, true, true]],
  ])('conditions %s', (_, conditions, expected) => {
    const [endpoint] = slice(
      `addressType: IPv4\nendpoints: [{addresses: [10.9.0.1], conditions: ${conditions}}]`,
    ).endpoints
    expect([endpoint!.ready, endpoint!.serving, endpoint!.terminating]).toEqual(expected)
  })

  it('ports: an absent name is empty, an absent number stays absent', () =>
    expect(
      slice('addressType: IPv4\nports: [{port: 80}, {name: "b", port: 81, appProtocol: h2c}, {name: all}]').ports,
    ).toEqual([
      { name: '', port: 80, protocol: 'TCP' },
      { name: 'b', port: 81, protocol: 'TCP', appProtocol: 'h2c' },
      { name: 'all', port: undefined, protocol: 'TCP' },
    ]))

  it('null endpoints and ports are none', () => {
    const found = slice('addressType: IPv4\nendpoints: null\nports: null')
    expect([found.endpoints, found.ports]).toEqual([[], []])
  })

  it('hints, zone, node, hostname, target', () => {
    const [endpoint] = slice(
      'addressType: IPv4\nendpoints: [{addresses: [10.9.0.1], zone: z, nodeName: n1, hostname: h, targetRef: {kind: Pod, namespace: d, name: p}, hints: {forZones: [{name: z}], forNodes: [{name: n1}]}}]',
    ).endpoints
    expect(endpoint).toMatchObject({
      zone: 'z',
      nodeName: 'n1',
      hostname: 'h',
      hintZones: ['z'],
      hintNodes: ['n1'],
      targetRef: { kind: 'Pod', namespace: 'd', name: 'p' },
    })
  })

  it('names have no addresses, and an address of the other family is left out', () => {
    expect(slice('addressType: FQDN\nendpoints: [{addresses: [db.example.com]}]').endpoints[0]!.addresses).toEqual([])
    expect(slice('addressType: IPv4\nendpoints: [{addresses: ["fd00::1"]}]').endpoints[0]!.addresses).toEqual([])
  })
})

describe('objects in the input', () => {
  it('Secrets are counted and never read', () => {
    const { cluster } = loadText(
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: aHVudGVyMg==}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\n',
    )
    expect(cluster.inventory.skipped).toEqual({ Secret: 1 })
    expect(JSON.stringify(cluster)).not.toContain('aHVudGVyMg')
  })

  it('unknown kinds are counted', () => {
    const { cluster, diagnostics } = loadText(
      '{kind: Widget, apiVersion: example.com/v1}\n---\n{kind: Widget, apiVersion: v1}\n---\n{kind: constructor, apiVersion: v1}\n---\n{kind: Pod, apiVersion: v1, metadata: {name: p}}',
    )
    expect(cluster.inventory.skipped).toEqual({ Widget: 2, constructor: 1 })
    expect(diagnostics).toEqual([])
  })

  it('of two groups with one kind only the right one is read', () => {
    const { cluster } = loadText(
      '{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {selector: all()}}\n---\n{apiVersion: example.com/v1, kind: Pod, metadata: {name: p}}',
    )
    expect(cluster.networkPolicies).toEqual([])
    expect(cluster.pods).toEqual([])
    expect(cluster.others.map(({ objectKind, spec }) => [objectKind, spec])).toEqual([
      ['NetworkPolicy', { selector: 'all()' }],
    ])
  })

  it('an object without a name is told and left out', () => {
    const loaded = loadText('apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: p-\n')
    expect(codes(loaded)).toContain('name-missing:4')
    expect(loaded.cluster.pods).toEqual([])
  })

  it('an object without a kind is told', () =>
    expect(codes(loadText('metadata: {name: x}\n'))).toContain('kind-missing:1'))

  it('the copy of an object in its annotations is not kept', () => {
    const { cluster } = loadText(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {a: b, kubectl.kubernetes.io/last-applied-configuration: "{}"}}',
    )
    expect(only(cluster.pods).meta.annotations).toEqual({ a: 'b' })
  })
})

describe('one object twice', () => {
  const config = (value: string, meta = '') =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c${meta}}\ndata: {k: ${value}}\n`
  const load = (files: Record<string, string>) => {
    const loaded = loadText(files)
    return {
      value: loaded.cluster.configMaps[0]!.data.k,
      told: loaded.diagnostics.map(({ severity, at, notes }) => [severity, at?.file, notes?.[0]?.at?.file]),
    }
  }
  it.each([
    ['equal: nothing to say', { 'a.yaml': config('x'), 'b.yaml': config('x') }, 'x', []],
    [
      'two manifests: the later file',
      { 'a.yaml': config('x'), 'b.yaml': config('z') },
      'z',
      [['error', 'b.yaml', 'a.yaml']],
    ],
    [
      'whatever order they are given in',
      { 'b.yaml': config('z'), 'a.yaml': config('x') },
      'z',
      [['error', 'b.yaml', 'a.yaml']],
    ],
    [
      'a recorded one and a manifest: the recorded one',
      { 'a.yaml': config('x', ', uid: u'), 'b.yaml': config('z') },
      'x',
      [['note', 'a.yaml', 'b.yaml']],
    ],
    [
      'two recorded ones: the newer one',
      {
        'a.yaml': config('x', ', uid: u, resourceVersion: "12"'),
        'b.yaml': config('z', ', uid: u, resourceVersion: "9"'),
      },
      'x',
      [['warning', 'a.yaml', 'b.yaml']],
    ],
  ])('%s', (_, files, value, diagnostics) => expect(load(files)).toEqual({ value, told: diagnostics }))
})
