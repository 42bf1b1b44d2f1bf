import type { Op, Route } from '../../linux/op.ts'
import { ROOT_NETNS } from '../../linux/op.ts'
import { type Family, formatIp, type Ip } from '../../packet/ip.ts'
import { formatPrefix, type Prefix, samePrefix } from '../../packet/prefix.ts'
import type { LabMachine } from './lab-machine.ts'

/**
 * A node-to-node mesh for BIRD 2, read from what the mesh ends in: a blackhole route that BIRD made is a block that the
 * node announces, and whoever has a route to it has learnt it from that node.
 */

interface Speaker {
  readonly name: string
  readonly blocks: readonly Prefix[]
  readonly learnt: readonly Prefix[]
  readonly addresses: readonly Ip[]
}

/** calico's AS for nodes that have none of their own. */
const AS = 64512

const byBird = (op: Op): op is Op & { readonly kind: 'route.replace'; readonly route: Route } =>
  op.kind === 'route.replace' && op.netns === ROOT_NETNS && op.route.protocol === 'bird'

function speakersOf(hosts: readonly LabMachine[]): readonly Speaker[] {
  return hosts.flatMap(({ name, ops }) => {
    const routes = ops.filter(byBird).map(({ route }) => route)
    if (routes.length === 0) return []
    const card = ops.find((op) => op.kind === 'link.add' && op.type.kind === 'physical')
    const addresses = ops.flatMap((op) =>
      op.kind === 'addr.add' && card?.kind === 'link.add' && op.link === card.name && op.netns === ROOT_NETNS
        ? [op.address.ip]
        : [],
    )
    const blocks = routes.filter((route) => route.type === 'blackhole').map((route) => route.destination)
    const learnt = routes.filter((route) => route.type === 'unicast').map((route) => route.destination)
    return [{ name, blocks, learnt, addresses }]
  })
}

const announces = (one: Speaker, destination: Prefix): boolean =>
  one.blocks.some((block) => samePrefix(block, destination))

/** The machines without the routes that BIRD will tell them. A route to a single pod is nobody's block, and stays. */
export function withoutLearnt(hosts: readonly LabMachine[]): readonly LabMachine[] {
  const speakers = speakersOf(hosts)
  const told = ({ destination }: Route) => speakers.some((one) => announces(one, destination))
  return hosts.map(({ name, ops }) => ({ name, ops: ops.filter((op) => !(byBird(op) && told(op.route))) }))
}

/** bird.conf by machine, where there is anything to tell. */
export function birdConfigs(hosts: readonly LabMachine[]): ReadonlyMap<string, string> {
  const speakers = speakersOf(hosts)
  return new Map(speakers.map((own) => [own.name, confOf(own, speakers)]))
}

function confOf(own: Speaker, speakers: readonly Speaker[]): string {
  const router = own.addresses.find(({ family }) => family === 4)
  const families = ([4, 6] as const).filter((family) => own.addresses.some((ip) => ip.family === family))
  return [
    `# ${own.name}: BIRD 2, a full mesh of internal BGP`,
    `router id ${router === undefined ? '0.0.0.1' : formatIp(router)};`,
    'protocol device { scan time 2; }',
    'protocol direct { ipv4; ipv6; interface "-cali*", "*"; }',
    ...families.flatMap((family) => [
      `protocol kernel kernel${family} {`,
      '  learn;',
      '  scan time 2;',
      `  ipv${family} { import all; export where source = RTS_BGP || proto = "blocks${family}"; };`,
      '}',
      `protocol static blocks${family} {`,
      `  ipv${family};`,
      ...own.blocks
        .filter((block) => block.address.family === family)
        .map((block) => `  route ${formatPrefix(block)} blackhole;`),
      '}',
      ...speakers.flatMap((peer) => sessionOf(own, peer, family)),
    ]),
    '',
  ].join('\n')
}

function sessionOf(own: Speaker, peer: Speaker, family: Family): readonly string[] {
  const [mine, theirs] = [own, peer].map(({ addresses }) => addresses.find((ip) => ip.family === family))
  const known = peer.blocks.some((block) => own.learnt.some((route) => samePrefix(route, block)))
  const knows = own.blocks.some((block) => peer.learnt.some((route) => samePrefix(route, block)))
  if (own === peer || mine === undefined || theirs === undefined || !(known || knows)) return []
  return [
    `protocol bgp '${peer.name}_${family}' {`,
    `  local ${formatIp(mine)} as ${AS};`,
    `  neighbor ${formatIp(theirs)} as ${AS};`,
    '  connect delay time 1;',
    '  connect retry time 1;',
    `  ipv${family} { import all; export where proto = "blocks${family}"; next hop self; gateway recursive; };`,
    '}',
  ]
}
