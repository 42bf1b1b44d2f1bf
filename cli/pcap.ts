import { writeFileSync } from 'node:fs'
import { keyOf } from '../cluster/cluster.ts'
import { ask } from '../engine/ask.ts'
import type { Built } from '../engine/build.ts'
import { type CapturePoint, captureOf, capturePointName, capturePoints } from '../render/capture.ts'
import { type CaptureName, renderPcapng } from '../render/pcapng.ts'
import { EXIT } from './exit-code.ts'
import { probeOf, type QuestionOptions } from './question-options.ts'
import { reasonOf } from './read-input.ts'
import { openBuilt } from './snapshot.ts'
import { complain, Stop } from './terminal.ts'

export interface PcapOptions extends QuestionOptions {
  readonly at?: readonly string[]
  readonly write: string
}

/** `podwalk pcap`: the packets of a conversation as Wireshark reads them. */
export function pcap(options: PcapOptions): number {
  const { write } = options
  const built = openBuilt(options)
  const conversation = ask(built, probeOf(built, options), { seed: options.seed })
  const points = capturePoints(conversation)
  const at = options.at === undefined ? points : options.at.map((name) => pointNamed(points, name))
  const capture = captureOf(conversation, { at, names: namesOf(built) })
  try {
    writeFileSync(write, renderPcapng(capture))
  } catch (error) {
    throw new Stop(`${write} cannot be written: ${reasonOf(error)}`, { todo: 'name another file after -w' })
  }
  const packets = capture.packets.length
  const vxlan = conversation.steps.some((step) => step.kind === 'tunnel.encap')
  complain([
    `${packets} packets, ${at.length} ${at.length === 1 ? 'interface' : 'interfaces'}. Open with: wireshark ${write}${vxlan ? '   (VXLAN in it: add -d udp.port==8472,vxlan)' : ''}`,
  ])
  return EXIT.yes
}

function pointNamed(points: readonly CapturePoint[], name: string): CapturePoint {
  const found = points.find((point) => capturePointName(point) === name)
  if (found !== undefined) return found
  throw new Stop(`--at ${name}: no packet crosses that`, {
    todo: `choose one of ${points.map(capturePointName).join(', ')}`,
  })
}

/** Names for the name-resolution block: nodes, pods, Services. */
function namesOf({ cluster }: Built): readonly CaptureName[] {
  return [
    ...cluster.nodes.flatMap((node) => node.internalIPs.map((ip) => ({ ip, name: node.meta.name }))),
    ...cluster.pods.flatMap((pod) =>
      pod.spec.hostNetwork ? [] : pod.ips.map((ip) => ({ ip, name: `${pod.meta.name}.${pod.meta.namespace}` })),
    ),
    ...cluster.services.flatMap((service) =>
      service.clusterIPs.map((ip) => ({ ip, name: `${keyOf(service.meta).split('/').reverse().join('.')}.svc` })),
    ),
  ]
}
