import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { load as parseYaml } from 'js-yaml'
import type { Lab } from '../../../cluster/lab.ts'
import { load } from '../../../cluster/load.ts'
import { type Built, build } from '../../../engine/build.ts'
import type { Probe } from '../../../engine/probe.ts'
import { type Question, readQuestion } from '../../../engine/question.ts'
import type { Op } from '../../../linux/op.ts'
import { formatIp } from '../../../packet/ip.ts'
import type { LabMachine } from '../lab.ts'
import type { Scenario, ScenarioFlow, Standing } from '../scenario.ts'

/**
 * Every lab of topologies/ with its own probes: the ops that the compilers make of it, given to the kernel. Probes that
 * go by a name are left out: CoreDNS runs in our walk alone.
 */

const TOPOLOGIES = join(fileURLToPath(new URL('../../..', import.meta.url)), 'topologies')

/** A lab's document, by its name within the project wherever that lies. */
export const topologySource = (name: string): { readonly name: string; readonly bytes: Uint8Array } => ({
  name: `topologies/${name}/lab.yaml`,
  bytes: new Uint8Array(readFileSync(join(TOPOLOGIES, name, 'lab.yaml'))),
})

export function topologyScenarios(): readonly Scenario[] {
  const labs = readdirSync(TOPOLOGIES).filter((name) => existsSync(join(TOPOLOGIES, name, 'lab.yaml')))
  return labs.sort().flatMap((name) => [...labScenarios(name), ...(NFTABLES.has(name) ? nftScenarios(name) : [])])
}

/** Labs that are asked in kube-proxy's nftables mode too. */
const NFTABLES: ReadonlySet<string> = new Set(['textbook-flannel-vxlan', 'textbook-calico-bgp'])

/** Only nf_tables tells of rules of nft. */
const nftScenarios = (name: string): readonly Scenario[] =>
  labScenarios(name, 'nftables').map((scenario) => ({
    ...scenario,
    name: `${scenario.name}-nftables`,
    about: `${scenario.about} In nftables mode.`,
    backend: 'nft',
  }))

interface LabProbe extends Question {
  readonly name: string
  readonly lab?: Lab
}

function labScenarios(name: string, proxyMode?: string): Scenario[] {
  const { probes } = parseYaml(readFileSync(join(TOPOLOGIES, name, 'probes.yaml'), 'utf8')) as {
    probes: readonly LabProbe[]
  }
  const mode = proxyMode === undefined ? {} : { proxyMode }
  const plain = build(load([topologySource(name)]).cluster, mode)
  return probes.flatMap((probe) => {
    const built =
      probe.lab === undefined ? plain : build(load([topologySource(name)], { lab: probe.lab }).cluster, mode)
    const read = readQuestion(built, probe)
    const flow = read.ok ? flowOf(read.value) : undefined
    if (flow === undefined) return []
    return [
      {
        name: `${name}-${slug(probe.name)}`,
        about: `${name}: ${probe.name}.`,
        ...clusterScenario(built),
        flows: [flow],
      },
    ]
  })
}

/** The machines of a built cluster, and what stands on them that the agent can run. */
export function clusterScenario(built: Built): Pick<Scenario, 'lab' | 'standing'> {
  const hosts: LabMachine[] = []
  const standing: Standing[] = []
  for (const name of built.underlay.machines.keys()) {
    const ops = built.opsOf(name) ?? []
    hosts.push({ name, ops: ops.filter((op) => op.kind !== 'process.start' && op.kind !== 'file.write') })
    standing.push(...ops.flatMap((op) => standingOf(name, op)))
  }
  return { lab: { hosts }, standing }
}

function standingOf(host: string, op: Op): Standing[] {
  if (op.kind !== 'process.start') return []
  const { netns, args } = op
  if (op.program === 'listener')
    return (['tcp', 'udp'] as const).flatMap((protocol) =>
      (args[protocol] ?? '')
        .split(',')
        .filter((port) => port !== '')
        .map((port): Standing => ({ host, netns, program: 'listen', protocol, family: 4, port: Number(port) })),
    )
  if (op.program !== 'flanneld-udp') return []
  const [ip = '', port = ''] = (args.listen ?? '').split(':')
  const routes = (args.routes ?? '').split(' ').filter((route) => route !== '')
  return [
    {
      host,
      netns,
      program: 'flannel-udp',
      device: args.device ?? '',
      tunIp: args.address ?? '',
      ip,
      port: Number(port),
      routes: routes.map((route) => ({ prefix: route.split('=')[0] ?? '', via: route.split('=')[1] ?? '' })),
    },
  ]
}

/** What is sent is echoed here, whatever it would be answered by a real server. */
function flowOf({ kind, from, target, payload, ttl }: Probe): ScenarioFlow | undefined {
  if (target.ip === undefined || kind === 'resolve') return undefined
  const protocol = kind === 'ping' ? 'icmp' : kind === 'datagram' ? 'udp' : 'tcp'
  return {
    host: from.host,
    netns: from.netns,
    protocol,
    to: { ip: formatIp(target.ip), port: target.port },
    sends: kind === 'connect' ? [] : [payload],
    ...(ttl === undefined ? {} : { ttl }),
  }
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
