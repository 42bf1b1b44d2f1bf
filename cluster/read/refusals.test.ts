import { describe, expect, it } from 'vitest'
import { loadText } from '../testing/load-text.ts'

/** Refusals with their line and path, without the object's name: `4 spec.rules: Required value`. */
const refused = (text: string): string[] =>
  loadText(text).diagnostics.flatMap(({ refused, message, at }) =>
    refused ? [`${at?.line} ${message.slice(message.indexOf(': ') + 2)}`] : [],
  )

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const QUALIFIED =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

describe('Ingress', () => {
  const BACKEND = 'backend: {service: {name: s, port: {number: 80}}}'
  const ingress = (spec: string, annotations = '{}') =>
    `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, annotations: ${annotations}}\nspec: ${spec}\n`
  const path = (text: string) => ingress(`{rules: [{http: {paths: [{${text}}]}}]}`)
  const backend = (text: string) => ingress(`{defaultBackend: ${text}}`)
  it.each([
    ['a right one', path(`path: /, pathType: Prefix, ${BACKEND}`), []],
    ['any path where the implementation decides', path(`pathType: ImplementationSpecific, ${BACKEND}`), []],
    [
      'a wildcard host',
      ingress(`{rules: [{host: "*.example.com", http: {paths: [{path: /, pathType: Exact, ${BACKEND}}]}}]}`),
      [],
    ],
    [
      'neither rules nor a default',
      ingress('{ingressClassName: nginx}'),
      ['4 spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    [
      'no pathType',
      path(`path: /, ${BACKEND}`),
      ['4 spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
    ],
    [
      'another pathType',
      path(`path: /, pathType: Regex, ${BACKEND}`),
      [
        '4 spec.rules[0].http.paths[0].pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"',
      ],
    ],
    [
      'a path that is not absolute',
      path(`path: a, pathType: Exact, ${BACKEND}`),
      ['4 spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path'],
    ],
    [
      'a path with two slashes',
      path(`path: /a//b, pathType: Prefix, ${BACKEND}`),
      [`4 spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain '//'`],
    ],
    [
      'an exact path with two slashes',
      path(`path: /a//b, pathType: Exact, ${BACKEND}`),
      [`4 spec.rules[0].http.paths[0].path: Invalid value: "/a//b": must not contain '//'`],
    ],
    ['the implementation takes such a path', path(`path: /a//b, pathType: ImplementationSpecific, ${BACKEND}`), []],
    [
      'a path that ends in dots',
      path(`path: /a/.., pathType: Prefix, ${BACKEND}`),
      [`4 spec.rules[0].http.paths[0].path: Invalid value: "/a/..": cannot end with '/..'`],
    ],
    ['no path', ingress('{rules: [{http: {paths: []}}]}'), ['4 spec.rules[0].http.paths: Required value']],
    [
      'a host that is an address',
      ingress(`{rules: [{host: 192.0.2.1}]}`),
      ['4 spec.rules[0].host: Invalid value: "192.0.2.1": must be a DNS name, not an IP address'],
    ],
    [
      'a host in capitals',
      ingress(`{rules: [{host: Books}]}`),
      [expect.stringMatching(/^4 spec\.rules\[0\]\.host: Invalid value: "Books": a lowercase RFC 1123 subdomain/)],
    ],
    [
      'a wildcard in the middle',
      ingress(`{rules: [{host: a.*.b}]}`),
      [
        expect.stringMatching(
          /^4 spec\.rules\[0\]\.host: Invalid value: "a\.\*\.b": a wildcard DNS-1123 subdomain must start with/,
        ),
      ],
    ],
    [
      'no backend',
      backend('{}'),
      ['4 spec.defaultBackend: Invalid value: "": resource or service backend is required'],
    ],
    [
      'two backends',
      backend('{service: {name: s, port: {number: 1}}, resource: {kind: K, name: n}}'),
      ['4 spec.defaultBackend: Invalid value: "": cannot set both resource and service backends'],
    ],
    [
      'a resource without a kind',
      backend('{resource: {name: n}}'),
      ['4 spec.defaultBackend.resource.kind: Required value'],
    ],
    [
      'a Service without a name',
      backend('{service: {port: {number: 1}}}'),
      ['4 spec.defaultBackend.service.name: Required value'],
    ],
    [
      'a Service name',
      backend('{service: {name: S, port: {number: 1}}}'),
      [`4 spec.defaultBackend.service.name: Invalid value: "S": ${LABEL}`],
    ],
    [
      'no port',
      backend('{service: {name: s}}'),
      ['4 spec.defaultBackend: Required value: port name or number is required'],
    ],
    [
      'both ports',
      backend('{service: {name: s, port: {name: a, number: 1}}}'),
      ['4 spec.defaultBackend: Invalid value: "": cannot set both port name & port number'],
    ],
    [
      'a port name',
      backend('{service: {name: s, port: {name: A}}}'),
      [
        '4 spec.defaultBackend.service.port.name: Invalid value: "A": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        '4 spec.defaultBackend.service.port.name: Invalid value: "A": must contain at least one letter (a-z)',
      ],
    ],
    [
      'a port number',
      backend('{service: {name: s, port: {number: 65536}}}'),
      ['4 spec.defaultBackend.service.port.number: Invalid value: 65536: must be between 1 and 65535, inclusive'],
    ],
    [
      'a class said twice',
      ingress(
        `{ingressClassName: a, defaultBackend: {service: {name: s, port: {number: 1}}}}`,
        '{kubernetes.io/ingress.class: b}',
      ),
      [
        '3 annotations.kubernetes.io/ingress.class: Invalid value: "b": must match `ingressClassName` when both are specified',
      ],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

describe('Node', () => {
  const node = (spec: string) => `apiVersion: v1\nkind: Node\nmetadata: {name: node1}\nspec: ${spec}\n`
  it.each([
    [
      'a right one',
      node('{taints: [{key: a.b/c, value: d, effect: NoSchedule}], podCIDRs: [10.0.0.0/24, "fd00::/64"]}'),
      [],
    ],
    ['one taint with two effects', node('{taints: [{key: a, effect: NoSchedule}, {key: a, effect: NoExecute}]}'), []],
    [
      'an effect',
      node('{taints: [{key: a, effect: noschedule}]}'),
      [
        '4 metadata.taints[0].effect: Unsupported value: "noschedule": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    ['no effect', node('{taints: [{key: a}]}'), ['4 metadata.taints[0].effect: Required value']],
    [
      'a key',
      node('{taints: [{key: "a b", effect: NoSchedule}]}'),
      [`4 metadata.taints[0].key: Invalid value: "a b": name part ${QUALIFIED}`],
    ],
    [
      'a value',
      node('{taints: [{key: a, value: "b c", effect: NoSchedule}]}'),
      [`4 metadata.taints[0].value: Invalid value: "b c": ${VALUE}`],
    ],
    [
      'a taint twice',
      node('{taints: [{key: a, effect: NoSchedule}, {key: a, value: b, effect: NoSchedule}]}'),
      [
        '4 metadata.taints[1]: Duplicate value: {"Key":"a","Value":"b","Effect":"NoSchedule","TimeAdded":null}: taints must be unique by key and effect pair',
      ],
    ],
    [
      'two podCIDRs of a family',
      node('{podCIDRs: [10.0.0.0/24, 10.0.1.0/24]}'),
      [
        '4 spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ],
    [
      'one podCIDR twice',
      node('{podCIDRs: [10.0.0.0/24, 10.0.0.0/24]}'),
      [
        '4 spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ],
    [
      'one that is none beside one that is',
      node('{podCIDRs: [10.0.0, 10.0.1.0/24]}'),
      [
        '4 spec.podCIDRs[0]: Invalid value: "10.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        '4 spec.podCIDRs: Internal error: invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[0]: <nil> (invalid CIDR address: 10.0.0)',
        '4 spec.podCIDRs: Invalid value: ["10.0.0","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ],
    [
      'podCIDR and podCIDRs that differ: the latter are forgotten',
      node('{podCIDR: 10.0.1.1/24, podCIDRs: [10.0.0]}'),
      ['4 spec.podCIDRs[0]: Invalid value: "10.0.1.1/24": must not have bits set beyond the prefix length'],
    ],
    [
      'no podCIDR',
      node('{podCIDRs: [10.0.0]}'),
      ['4 spec.podCIDRs[0]: Invalid value: "10.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

describe('EndpointSlice', () => {
  const slice = (text: string) => `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\n${text}\n`
  const many = (count: number) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${(i % 250) + 1}`).join(', ')
  it.each([
    [
      'a right one',
      slice(
        'addressType: IPv4\nports: [{name: a, port: 1}, {name: b, port: 2}]\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: z}]}}]',
      ),
      [],
    ],
    ['no addressType', slice('endpoints: []'), ['1 addressType: Required value']],
    [
      'another addressType',
      slice('addressType: IP\nendpoints: []'),
      ['4 addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'],
    ],
    [
      'no address',
      slice('addressType: IPv4\nendpoints: [{addresses: []}]'),
      ['5 endpoints[0].addresses: Required value: must contain at least 1 address'],
    ],
    [
      'an address of the other family',
      slice('addressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]'),
      ['5 endpoints[0].addresses: Invalid value: "10.0.0.1": must be an IPv6 address'],
    ],
    ['100 addresses', slice(`addressType: IPv4\nendpoints: [{addresses: [${many(100)}]}]`), []],
    [
      '101 addresses',
      slice(`addressType: IPv4\nendpoints: [{addresses: [${many(101)}]}]`),
      ['5 endpoints[0].addresses: Too many: 101: must have at most 100 items'],
    ],
    [
      '1001 endpoints',
      slice(`addressType: IPv4\nendpoints: [${'{addresses: [10.0.0.1]}, '.repeat(1001)}]`),
      ['5 endpoints: Too many: 1001: must have at most 1000 items'],
    ],
    [
      'a port name twice',
      slice('addressType: IPv4\nports: [{name: a, port: 1}, {name: a, port: 2}]'),
      ['5 ports[1].name: Duplicate value: "a"'],
    ],
    [
      'two unnamed ports',
      slice('addressType: IPv4\nports: [{port: 1}, {port: 2}]'),
      ['5 ports[1].name: Duplicate value: ""'],
    ],
    [
      'a port name',
      slice('addressType: IPv4\nports: [{name: A, port: 1}]'),
      [`5 ports[0].name: Invalid value: "A": ${LABEL}`],
    ],
    [
      'a hostname',
      slice('addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hostname: H}]'),
      [`5 endpoints[0].hostname: Invalid value: "H": ${LABEL}`],
    ],
    [
      'one zone twice',
      slice('addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [{name: z}, {name: z}]}}]'),
      ['5 endpoints[0].hints.forZones[1].name: Duplicate value: "z"'],
    ],
    [
      'nine zones',
      slice(
        `addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], hints: {forZones: [${[1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `{name: z${i}}`)}]}}]`,
      ),
      ['5 endpoints[0].hints.forZones: Too many: 9: must have at most 8 items'],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

describe('Endpoints', () => {
  const endpoints = (subset: string) =>
    `apiVersion: v1\nkind: Endpoints\nmetadata: {name: e}\nsubsets: [{addresses: [{ip: 10.0.0.1}], ${subset}}]\n`
  it.each([
    ['one unnamed port', endpoints('ports: [{port: 1}]'), []],
    [
      'two unnamed ports',
      endpoints('ports: [{port: 1}, {name: b, port: 2}]'),
      ['4 subsets[0].ports[0].name: Required value'],
    ],
    [
      'a protocol',
      endpoints('ports: [{port: 1, protocol: tcp}]'),
      ['4 subsets[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'a hostname',
      endpoints('notReadyAddresses: [{ip: 10.0.0.2, hostname: H}]'),
      [`4 subsets[0].notReadyAddresses[0].hostname: Invalid value: "H": ${LABEL}`],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

describe('Service', () => {
  const service = (spec: string, annotations = '{}') =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: ${annotations}}\nspec: ${spec}\n`
  it.each([
    [
      'a type',
      service('{type: Nodeport, ports: [{port: 80}]}'),
      [
        '4 spec.type: Unsupported value: "Nodeport": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      'a family',
      service('{ipFamilies: [ipv4], ports: [{port: 80}]}'),
      ['4 spec.ipFamilies[0]: Unsupported value: "ipv4": supported values: "IPv4", "IPv6"'],
    ],
    [
      'a port that is left out',
      service('{ports: [{name: a}]}'),
      [
        '4 spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        '4 spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'a targetPort',
      service('{ports: [{port: 80, targetPort: 70000}]}'),
      ['4 spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    ['targetPort 0 is as port', service('{ports: [{port: 80, targetPort: 0}]}'), []],
    [
      'no seconds of affinity',
      service(
        '{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}, ports: [{port: 80}]}',
      ),
      [
        '4 spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400',
      ],
    ],
    [
      'a headless load balancer',
      service('{type: LoadBalancer, clusterIP: None, ports: [{port: 80}]}'),
      [`4 spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services`],
    ],
    [
      'a selector value',
      service('{selector: {app: "a b"}, ports: [{port: 80}]}'),
      [`4 spec.selector: Invalid value: "a b": ${VALUE}`],
    ],
    [
      'a selector key',
      service('{selector: {"a/b/c": d}, ports: [{port: 80}]}'),
      [
        `4 spec.selector: Invalid value: "a/b/c": a valid label key ${QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ],
    ],
    [
      'an appProtocol',
      service('{ports: [{port: 80, appProtocol: "http 2"}]}'),
      [`4 spec.ports[0].appProtocol: Invalid value: "http 2": name part ${QUALIFIED}`],
    ],
    [
      'affinity configured and not asked for is forgotten',
      service('{sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}, ports: [{port: 80}]}'),
      [],
    ],
    [
      'a health check port without a health check',
      service('{healthCheckNodePort: 30000, ports: [{port: 80}]}'),
      [
        "4 spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
    [
      'a health check port with one',
      service('{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30000, ports: [{port: 80}]}'),
      [],
    ],
    [
      'a name with families',
      service('{type: ExternalName, externalName: a.b, ipFamilyPolicy: SingleStack}'),
      ['4 spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services'],
    ],
    [
      'a name with an address',
      service('{type: ExternalName, externalName: a.b, clusterIP: 10.96.0.77}'),
      ['4 spec.clusterIPs: Forbidden: may not be set for ExternalName services'],
    ],
    [
      'two annotations that disagree',
      service(
        '{ports: [{port: 80}]}',
        '{service.kubernetes.io/topology-mode: Auto, service.kubernetes.io/topology-aware-hints: Disabled}',
      ),
      [
        '3 metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
      ],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

describe('NetworkPolicy', () => {
  const policy = (spec: string) =>
    `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: ${spec}\n`
  it.each([
    [
      'a type',
      policy('{podSelector: {}, policyTypes: [ingress]}'),
      ['4 spec.policyTypes[0]: Unsupported value: "ingress": supported values: "Ingress", "Egress"'],
    ],
    [
      'three types',
      policy('{podSelector: {}, policyTypes: [Ingress, Egress, Both]}'),
      ['4 spec.policyTypes: Invalid value: ["Ingress","Egress","Both"]: may not specify more than two policyTypes'],
    ],
    [
      'an operator',
      policy('{podSelector: {matchExpressions: [{key: a, operator: Is}]}}'),
      ['4 spec.podSelector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator'],
    ],
    [
      'a value of an expression',
      policy('{podSelector: {matchExpressions: [{key: a, operator: In, values: ["b c"]}]}}'),
      [`4 spec.podSelector.matchExpressions[0].values[0]: Invalid value: "b c": ${VALUE}`],
    ],
    [
      'a key without a name',
      policy('{podSelector: {matchLabels: {"a/": b}}}'),
      [
        '4 spec.podSelector.matchLabels: Invalid value: "a/": name part must be non-empty',
        `4 spec.podSelector.matchLabels: Invalid value: "a/": name part ${QUALIFIED}`,
      ],
    ],
    [
      'a key without a prefix',
      policy('{podSelector: {matchLabels: {"/a": b}}}'),
      ['4 spec.podSelector.matchLabels: Invalid value: "/a": prefix part must be non-empty'],
    ],
    [
      'a block without a range',
      policy('{podSelector: {}, ingress: [{from: [{ipBlock: {}}]}]}'),
      ['4 spec.ingress[0].from[0].ipBlock.cidr: Required value'],
    ],
    [
      'an endPort alone',
      policy('{podSelector: {}, ingress: [{ports: [{endPort: 80}]}]}'),
      ['4 spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is not specified'],
    ],
    [
      'an endPort that is no port',
      policy('{podSelector: {}, ingress: [{ports: [{port: 80, endPort: 70000}]}]}'),
      ['4 spec.ingress[0].ports[0].endPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))

  it('what is wrong opens nothing: the rule without a range lets nobody in', () => {
    const { networkPolicies } = loadText(
      policy('{podSelector: {}, ingress: [{from: [{ipBlock: {}}], ports: [{endPort: 80}]}]}'),
    ).cluster
    expect(networkPolicies[0]!.ingress[0]!.peers).toEqual([{}])
  })
})

describe('Pod', () => {
  const pod = (spec: string, labels = '{}') =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: ${labels}}\nspec: ${spec}\n`
  it.each([
    [
      'one port of the host twice',
      pod('{containers: [{ports: [{containerPort: 1, hostPort: 80}]}, {ports: [{containerPort: 2, hostPort: 80}]}]}'),
      ['4 spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"'],
    ],
    [
      'on two addresses',
      pod(
        '{containers: [{ports: [{containerPort: 1, hostPort: 80, hostIP: 10.0.0.1}, {containerPort: 2, hostPort: 80, hostIP: 10.0.0.2}]}]}',
      ),
      [],
    ],
    [
      'over two protocols',
      pod(
        '{containers: [{ports: [{containerPort: 1, hostPort: 80}, {containerPort: 1, hostPort: 80, protocol: UDP}]}]}',
      ),
      [],
    ],
    [
      'an alias name',
      pod('{hostAliases: [{ip: 10.0.0.1, hostnames: [ok, Not_ok]}]}'),
      [
        expect.stringMatching(
          /^4 spec\.hostAliases\[0\]\.hostnames\[1\]: Invalid value: "Not_ok": a lowercase RFC 1123 subdomain/,
        ),
      ],
    ],
    [
      'an option without a name',
      pod('{dnsConfig: {options: [{value: "1"}]}}'),
      ['4 spec.dnsConfig.options[0]: Required value: must not be empty'],
    ],
    ['a label', pod('{}', '{app: "a b"}'), [`3 metadata.labels: Invalid value: "a b": ${VALUE}`]],
    ['a label of 63 letters', pod('{}', `{${'k'.repeat(63)}: ${'a'.repeat(63)}}`), []],
    [
      'a key of 64 letters',
      pod('{}', `{${'k'.repeat(64)}: a}`),
      [`3 metadata.labels: Invalid value: "${'k'.repeat(64)}": name part must be no more than 63 bytes`],
    ],
    [
      'a port of the host',
      pod('{containers: [{ports: [{containerPort: 1, hostPort: 70000}]}]}'),
      ['4 spec.containers[0].ports[0].hostPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'hostPort 0 is none',
      pod('{containers: [{ports: [{containerPort: 1, hostPort: 0}, {containerPort: 2, hostPort: 0}]}]}'),
      [],
    ],
    ['32 search paths', pod(`{dnsConfig: {searches: [${'a, '.repeat(32)}]}}`), []],
    [
      '33 search paths',
      pod(`{dnsConfig: {searches: [${'a, '.repeat(33)}]}}`),
      [
        `4 spec.dnsConfig.searches: Invalid value: ${JSON.stringify(Array(33).fill('a'))}: must not have more than 32 search paths`,
      ],
    ],
    [
      'a label of 64 letters',
      pod('{}', `{app: ${'a'.repeat(64)}}`),
      [`3 metadata.labels: Invalid value: "${'a'.repeat(64)}": must be no more than 63 bytes`],
    ],
  ])('%s', (_, text, expected) => expect(refused(text)).toEqual(expected))
})

it('a namespace is a label', () =>
  expect(refused('apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}')).toEqual([
    '3 metadata.name: Invalid value: "a.b": must not contain dots',
  ]))
