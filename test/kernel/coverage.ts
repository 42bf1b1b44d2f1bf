import { follow, indexSteps } from '../../engine/follow.ts'
import type { Step } from '../../engine/step.ts'
import { DISPOSITIONS, type DispositionKind } from '../../engine/trace.ts'
import type { StepBody } from '../../linux/step.ts'
import type { Scenario } from './scenario.ts'

/** What a case shows. */
export interface Covered {
  readonly steps: ReadonlySet<string>
  /** How packets ended. */
  readonly ends: ReadonlySet<string>
  readonly modes: ReadonlySet<string>
  readonly backends: ReadonlySet<string>
}

/** Every kind of step of a machine; a text says why no case can show it. */
const KINDS: Readonly<Record<StepBody['kind'], true | string>> = {
  'socket.send': true,
  'arp.send': true,
  'icmp.send': 'what the kernel sends is a socket.send too',
  'link.rx': true,
  'link.tx': true,
  'bridge.learn': true,
  'bridge.forward': true,
  'hook.enter': true,
  'rule.match': true,
  'chain.end': true,
  'nft.match': true,
  'nft.end': true,
  'mark.set': true,
  conntrack: true,
  'conntrack.confirm': true,
  'nat.rewrite': true,
  'ipvs.connection': 'this kernel has no ip_vs',
  'route.lookup': true,
  forward: true,
  'neigh.lookup': true,
  'neigh.update': true,
  fragment: true,
  reassemble: true,
  'tunnel.encap': true,
  'tunnel.decap': true,
  'tun.read': true,
  'tun.write': true,
  'socket.deliver': true,
  notModelled: 'the kernel knows what it does',
  drop: true,
}

/** Ends that no kernel shows. */
const NO_ENDS: ReadonlySet<DispositionKind> = new Set([
  // Cables of a lab lead nowhere else.
  'leftCluster',
  // Packets that go round die of their TTL.
  'loop',
  'insufficientInfo',
])

export const STEP_KINDS: readonly string[] = Object.entries(KINDS).flatMap(([kind, is]) => (is === true ? [kind] : []))
export const ENDS: readonly DispositionKind[] = DISPOSITIONS.filter((kind) => !NO_ENDS.has(kind))

export function coveredBy(one: {
  readonly steps: readonly Step[]
  readonly scenario: Scenario
  readonly recorded: Readonly<Record<string, string>>
}): Covered {
  const index = indexSteps(one.steps)
  const packets = new Set(one.steps.map(({ packet }) => packet))
  return {
    steps: new Set(one.steps.map(({ kind }) => kind)),
    ends: new Set([...packets].flatMap((packet) => follow(index, packet)?.disposition.kind ?? [])),
    modes: new Set([one.scenario.mode ?? 'by hand']),
    backends: new Set([one.recorded.backend ?? 'legacy']),
  }
}
