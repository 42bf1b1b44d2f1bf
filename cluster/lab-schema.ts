import Type, { type TSchema } from 'typebox'

/**
 * The Lab document as a JSON Schema: what editors complete from and what the loader checks against. `Lab` in lab.ts is
 * its spec as a type.
 */

const closed = { additionalProperties: false } as const

const described = (description: string) => ({ description })
const text = (description: string) => Type.String({ minLength: 1, description })
const optional = (schema: TSchema) => Type.Optional(schema)
const texts = (description: string) => Type.Array(Type.String(), described(description))
const port = Type.Integer({ minimum: 1, maximum: 65_535, description: 'a port number' })
const mtu = Type.Integer({ minimum: 68, maximum: 65_535, description: 'the largest IP packet in bytes' })

const network = Type.Object(
  {
    name: text('how routers and hosts name it; a network called internet lies outside'),
    cidr: text('its IPv4 prefix: 192.168.40.0/24'),
    cidr6: optional(text('its IPv6 prefix')),
    nodes: optional(texts('the nodes whose interface is on it')),
    mtu: optional(mtu),
  },
  { ...closed, ...described('an L2 segment') },
)

const router = Type.Object(
  {
    name: text('its name'),
    networks: texts('the networks that it joins'),
    addresses: optional(Type.Record(Type.String(), Type.String(), described('its address on each network'))),
  },
  { ...closed, ...described('a router between networks') },
)

const host = Type.Object(
  {
    name: text('its name'),
    network: text('the network it is on'),
    ip: text('its address'),
    gateway: optional(text('its default gateway')),
  },
  { ...closed, ...described('a machine that is no node') },
)

const upstreamDns = Type.Object(
  {
    ip: text('the address of the resolver'),
    records: optional(texts('lines of a zone file: www.example.com. 300 IN A 93.184.216.34')),
    behave: optional(
      Type.Record(Type.String(), Type.String(), described('per name: SERVFAIL, REFUSED, NXDOMAIN, drop or tc')),
    ),
    delayMs: optional(Type.Number({ minimum: 0, description: 'how long an answer takes' })),
  },
  { ...closed, ...described('a DNS resolver outside the cluster') },
)

const node = Type.Object(
  {
    interface: optional(text('the name of its network interface: eth0')),
    mtu: optional(mtu),
    gateway: optional(text('its default gateway')),
    mac: optional(text('the MAC address of its interface')),
    sysctls: optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()]), described('sysctls that differ')),
    ),
    resolvConf: optional(Type.String(described('its /etc/resolv.conf'))),
    calicoBlocks: optional(texts('the blocks of pod addresses that calico gave it')),
    nextOrdinal: optional(
      Type.Integer({ minimum: 0, description: 'the place in its podCIDR or block that its next pod gets' }),
    ),
    forwardPolicy: optional(Type.Enum(['ACCEPT', 'DROP'], described("the policy of the machine's own FORWARD chain"))),
    capabilities: optional(
      Type.Record(Type.String(), Type.Boolean(), described('kernel capabilities that differ: nfacct, randomFully')),
    ),
  },
  { ...closed, ...described('what a Node object does not hold') },
)

const listener = Type.Object(
  {
    pod: optional(text('namespace/name of a pod')),
    host: optional(text('the name of a host or node')),
    port,
    protocol: optional(Type.Enum(['TCP', 'UDP', 'SCTP'])),
    answers: optional(Type.Enum(['echo', 'http', 'silent', 'none'])),
  },
  { ...closed, ...described('what a process listens on') },
)

const nodeName = text('the name of a node')
/** One shape for each family of faults. */
export const faultVariants = [
  Type.Object(
    { kind: Type.Enum(['fdbMissing', 'arpMissing', 'routeMissing']), node: nodeName, peer: nodeName },
    closed,
  ),
  Type.Object({ kind: Type.Enum(['nodeDown', 'flanneldDown']), node: nodeName }, closed),
  Type.Object({ kind: Type.Enum(['linkDown']), node: nodeName, link: text('the name of an interface') }, closed),
  Type.Object(
    {
      kind: Type.Enum(['conntrackRace']),
      node: nodeName,
      clash: optional(
        Type.Enum(
          ['dropped', 'kept'],
          described('what becomes of the packet that loses: dropped as by kernels before 2020 (the default), or kept'),
        ),
      ),
    },
    { ...closed, ...described('packets that a socket sends at one moment are tracked on several CPUs at once') },
  ),
  Type.Object({ kind: Type.Enum(['serverDown']), pod: text('namespace/name of a pod') }, closed),
  Type.Object({ kind: Type.Enum(['udpBlocked']), port, network: optional(text('only on this network')) }, closed),
] as const
const fault = Type.Union([...faultVariants], described('something that is broken'))

export const labSpecSchema = Type.Object(
  {
    networks: optional(Type.Array(network)),
    routers: optional(Type.Array(router)),
    hosts: optional(Type.Array(host)),
    upstreamDNS: optional(Type.Array(upstreamDns)),
    versions: optional(Type.Record(Type.String(), Type.String(), described('kubernetes, flannel, calico: v1.36.3'))),
    podCIDRs: optional(texts('the pod network, where no ConfigMap tells')),
    serviceCIDRs: optional(texts('the range of Service addresses')),
    dnsDomain: optional(text('the cluster domain: cluster.local')),
    nodes: optional(Type.Record(Type.String(), node)),
    listeners: optional(Type.Array(listener)),
    cni: optional(
      Type.Object(
        { name: optional(text('flannel, calico, ...')), backend: optional(text('vxlan, host-gw, udp, bgp, ...')) },
        described('the CNI and its configuration, over what ConfigMaps say'),
      ),
    ),
    proxy: optional(
      Type.Object(
        { mode: optional(text('iptables, nftables, ipvs, ...')) },
        described("kube-proxy's configuration, over what its ConfigMap says"),
      ),
    ),
    faults: optional(Type.Array(fault)),
  },
  closed,
)

/** The whole document. */
export const labSchema = Type.Object(
  {
    apiVersion: Type.Literal('podwalk/v1alpha1'),
    kind: Type.Literal('Lab'),
    metadata: optional(Type.Object({ name: optional(Type.String()) })),
    spec: optional(labSpecSchema),
  },
  {
    ...closed,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'podwalk Lab',
    description: 'What a cluster snapshot cannot hold: networks, routers, resolvers outside, faults.',
  },
)
