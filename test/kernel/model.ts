import { udpForwarder } from '../../cni/flannel/udp-forwarder.ts'
import type { Blueprint, Segment, SegmentPort } from '../../engine/blueprint.ts'
import { type Network, newNetwork, run } from '../../engine/network.ts'
import type { Step } from '../../engine/step.ts'
import { applyOps } from '../../linux/apply.ts'
import type { Draw } from '../../linux/draw.ts'
import type { HostConfig, RefusedOp } from '../../linux/host-config.ts'
import { USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import type { Host } from '../../linux/netns.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import type { Program } from '../../linux/process.ts'
import { startProcess } from '../../linux/run-process.ts'
import { netnsOf } from '../../render/materialise/lab-machine.ts'
import { type KernelLab, withKnobs } from './lab.ts'
import { clientProgram, listenerProgram } from './model-programs.ts'
import { flowName, type Scenario, type Standing, standingName, type UdpForwarder } from './scenario.ts'

/** What our model did with a scenario. */
export interface ModelRun {
  readonly steps: readonly Step[]
  readonly hosts: ReadonlyMap<string, Host>
  readonly refused: readonly RefusedOp[]
  /** Virtual nanoseconds at the end. */
  readonly now: number
}

/** How long a flow is watched unless the scenario says: no timer of the kernel's is that short. */
const WATCHED_MS = 3

/** Runs the flows one after the other, each until nothing moves but timers later than it is watched. */
export function runInModel(scenario: Scenario, draw: Draw): ModelRun {
  const lab = withKnobs(scenario.lab)
  const network = newNetwork(blueprintOf(lab, scenario.standing), draw)
  for (const { name } of lab.hosts) network.host(name)
  settle(network, WATCHED_MS)
  const before = network.steps.length
  for (const [index, flow] of scenario.flows.entries()) {
    const name = flowName(index)
    const ns = network.host(flow.host)?.netns.get(flow.netns)
    if (ns === undefined) throw new Error(`no namespace ${flow.netns} on ${flow.host}`)
    startProcess(ns, name, clientProgram(flow, name), {})
    settle(network, scenario.observeMs ?? WATCHED_MS)
  }
  const refused = lab.hosts.flatMap(({ name }) => network.configOf(name)?.refused ?? [])
  return { steps: network.steps.slice(before), hosts: network.hosts, refused, now: network.queue.now }
}

const MAX_EVENTS = 200_000

function settle(network: Network, milliseconds: number): void {
  const { queue } = network
  const end = queue.now + milliseconds * 1_000_000
  const ended = run(network, {
    until: () => (queue.nextAt() ?? Number.POSITIVE_INFINITY) > end,
    maxEvents: MAX_EVENTS,
    maxTime: end,
  })
  if (ended === 'tooManyEvents') throw new Error('the model goes round in circles')
  queue.now = end
}

function blueprintOf(lab: KernelLab, standing: readonly Standing[]): Blueprint {
  const programs = new Map<string, Program>()
  const configs = new Map<string, () => HostConfig>()
  for (const { name, ops } of lab.hosts) {
    const own = standing.filter((one) => one.host === name)
    const config = applyOps(name, [...ops, ...netnsOf(ops).flatMap(noLimits), ...own.map(startOp)], USUAL_CAPABILITIES)
    configs.set(name, () => config)
    for (const one of own)
      programs.set(standingName(one), one.program === 'listen' ? listenerProgram(one, standingName(one)) : udpForwarder)
  }
  return { hosts: configs, segments: segmentsOf(lab), program: (name) => programs.get(name) }
}

/** The agent sets them for the whole machine, where alone they can be set. */
const noLimits = (netns: string): Op[] =>
  [
    ['net.ipv4.route.redirect_silence', '-1'],
    ['net.ipv4.route.error_cost', '0'],
  ].map(([key = '', value = '']) => ({ kind: 'sysctl.set', key, value, netns, origin: { by: 'kernel judge' } }))

const startOp = (one: Standing): Op => ({
  kind: 'process.start',
  netns: one.netns,
  name: standingName(one),
  program: standingName(one),
  args: one.program === 'flannel-udp' ? forwarderArgs(one) : {},
  origin: { by: 'kernel judge' },
})

const forwarderArgs = (one: UdpForwarder): Readonly<Record<string, string>> => ({
  device: one.device,
  address: one.tunIp,
  listen: `${one.ip}:${one.port}`,
  routes: one.routes.map(({ prefix, via }) => `${prefix}=${via}`).join(' '),
})

function segmentsOf(lab: KernelLab): ReadonlyMap<string, Segment> {
  const segments = new Map<string, SegmentPort[]>()
  for (const { name, ops } of lab.hosts)
    for (const op of ops) {
      if (op.kind !== 'link.add' || op.type.kind !== 'physical' || op.netns !== ROOT_NETNS) continue
      const ports = segments.get(op.type.segment) ?? []
      // Newest first: a bridge floods in the order of its port_list, and the real switch is one.
      segments.set(op.type.segment, [{ host: name, link: op.name, mac: op.mac, addresses: [] }, ...ports])
    }
  return new Map(
    [...segments].map(([name, ports]) => [name, { name, ports, outside: false, blockedUdpPorts: [], virtual: true }]),
  )
}
