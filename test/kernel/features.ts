import { formatIp } from '../../packet/ip.ts'
import type { LabMachine } from './lab.ts'
import { CLUSTER_PROXIES } from './scenario/cluster-shape.ts'
import { FAULTS } from './scenario/fault.ts'
import type { Recipe } from './scenario/recipe.ts'
import { MODES } from './scenario/recipe.ts'
import type { Scenario, ScenarioFlow } from './scenario.ts'

/**
 * What a lab and its flows are about, in words that are counted in the report. `FEATURES` lists all that scenarios
 * made up from a seed must show in a long run.
 */
export const FEATURES = [
  ...MODES.map((mode) => `mode ${mode}`),
  'rules iptables-legacy',
  'rules iptables-nft',
  'family IPv4',
  'family IPv6',
  'family both',
  'bridge-nf-call 0',
  'bridge-nf-call 1',
  'hairpin 0',
  'hairpin 1',
  'rp_filter 0',
  'rp_filter 1',
  'rp_filter 2',
  'ip_forward 0',
  'ip_forward 1',
  'FORWARD policy ACCEPT',
  'FORWARD policy DROP',
  'MTU 1500',
  'MTU smaller',
  'DF clear',
  'segments 1',
  'segments more',
  ...FAULTS.map((fault) => `fault ${fault}`),
  'fault duplicate podCIDR',
  'fault dead server',
  ...CLUSTER_PROXIES.map((proxy) => `kube-proxy ${proxy}`),
  'service ClusterIP',
  'service NodePort',
  'service externalIPs',
  'service loadBalancer',
  'service without endpoints',
  'service affinity',
  'service Local policy',
  'made-up rule raw',
  'made-up rule mangle',
  'made-up rule nat',
  'made-up rule filter',
  'probe tcp with data',
  'probe tcp without data',
  'probe tcp left open',
  'probe udp',
  'probe icmp',
  'probe big packet',
  'probe TTL',
  'probe from another own address',
  'probe repeated',
  'probe to itself',
  'probe watched for timers',
] as const

export type Feature = (typeof FEATURES)[number]

/** Features of a whole recipe; each at most once. */
export function featuresOf(recipe: Recipe, [scenario]: readonly Scenario[]): ReadonlySet<string> {
  const found = new Set<string>([`mode ${recipe.mode}`, `rules iptables-${recipe.backend}`])
  for (const { kind } of recipe.faults) found.add(`fault ${kind}`)
  for (const { table } of recipe.rules) found.add(`made-up rule ${table}`)
  if (recipe.dead.length > 0) found.add('fault dead server')
  if (recipe.observeMs !== undefined) found.add('probe watched for timers')
  if (recipe.kind === 'cluster') {
    found.add(`kube-proxy ${recipe.proxy}`)
    addServices(found, recipe)
  }
  if (recipe.kind === 'flannel') {
    if (recipe.services?.some(({ endpoints }) => endpoints.length === 0)) found.add('service without endpoints')
    if ((recipe.services ?? []).length > 0) found.add('service ClusterIP')
  }
  for (const machine of scenario?.lab.hosts ?? []) addMachine(found, machine)
  addFamilies(found, scenario)
  for (const flows of recipe.rounds) addFlows(found, flows, scenario)
  return found
}

function addServices(found: Set<string>, { services, duplicatePodCidr }: Extract<Recipe, { kind: 'cluster' }>): void {
  if (duplicatePodCidr) found.add('fault duplicate podCIDR')
  for (const service of services) {
    found.add('service ClusterIP')
    if (service.nodePort !== undefined) found.add('service NodePort')
    if (service.externalIp) found.add('service externalIPs')
    if (service.loadBalancer) found.add('service loadBalancer')
    if (service.endpoints.length === 0) found.add('service without endpoints')
    if (service.affinity !== undefined) found.add('service affinity')
    if (service.externalPolicy === 'Local' || service.internalPolicy === 'Local') found.add('service Local policy')
  }
}

const SETTINGS: ReadonlyMap<string, string> = new Map([
  ['net.bridge.bridge-nf-call-iptables', 'bridge-nf-call'],
  ['net.ipv4.conf.all.rp_filter', 'rp_filter'],
  ['net.ipv4.ip_forward', 'ip_forward'],
])

function addMachine(found: Set<string>, { ops }: LabMachine): void {
  for (const op of ops) {
    if (op.kind === 'sysctl.set') {
      const name = SETTINGS.get(op.key)
      if (name !== undefined) found.add(`${name} ${op.value}`)
      if (op.key === 'net.ipv4.ip_no_pmtu_disc' && op.value !== '0') found.add('DF clear')
    } else if (op.kind === 'bridge.port' && op.hairpin === true) found.add('hairpin 1')
    else if (op.kind === 'link.set' && op.master !== undefined) found.add('bridge')
    else if (op.kind === 'chain.policy' && op.chain === 'FORWARD') found.add(`FORWARD policy ${op.policy}`)
    else if (op.kind === 'link.add') found.add(op.mtu === 1500 ? 'MTU 1500' : 'MTU smaller')
  }
  if (!ops.some((op) => op.kind === 'chain.policy' && op.chain === 'FORWARD')) found.add('FORWARD policy ACCEPT')
}

function addFamilies(found: Set<string>, scenario: Scenario | undefined): void {
  const families = new Set<number>()
  const segments = new Set<string>()
  for (const { ops } of scenario?.lab.hosts ?? [])
    for (const op of ops) {
      if (op.kind === 'addr.add') families.add(op.address.ip.family)
      if (op.kind === 'link.add' && op.type.kind === 'physical') segments.add(op.type.segment)
    }
  found.add(families.size === 2 ? 'family both' : `family IPv${[...families][0]}`)
  found.add(segments.size > 1 ? 'segments more' : 'segments 1')
  if (!found.has('hairpin 1')) found.add('hairpin 0')
}

const BIG = 1400

function addFlows(found: Set<string>, flows: readonly ScenarioFlow[], scenario: Scenario | undefined): void {
  for (const [index, flow] of flows.entries()) {
    if (flow.protocol === 'tcp') found.add(`probe tcp ${flow.sends.length > 0 ? 'with' : 'without'} data`)
    else found.add(`probe ${flow.protocol}`)
    if (flow.stay === true) found.add('probe tcp left open')
    if (flow.ttl !== undefined) found.add('probe TTL')
    if (flow.ip !== undefined) found.add('probe from another own address')
    if (flow.sends.some((message) => typeof message === 'number' && message >= BIG)) found.add('probe big packet')
    if (index > 0 && flows[index - 1] === flow) found.add('probe repeated')
    if (isOwn(flow, scenario)) found.add('probe to itself')
  }
}

const isOwn = ({ host, netns, to }: ScenarioFlow, scenario: Scenario | undefined): boolean =>
  (scenario?.lab.hosts ?? []).some(
    (machine) =>
      machine.name === host &&
      machine.ops.some((op) => op.kind === 'addr.add' && op.netns === netns && formatIp(op.address.ip) === to.ip),
  )
