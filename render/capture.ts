import type { Conversation } from '../engine/conversation.ts'
import type { Step } from '../engine/step.ts'
import { emitFrame, emitIp } from '../packet/emit.ts'
import type { Frame, IpPacket } from '../packet/packet.ts'
import { summaryOf } from '../packet/text.ts'
import { type CaptureFile, type CaptureInterface, type CaptureName, type CapturePacket, LINK_TYPE } from './pcapng.ts'

/** A place to capture: a link in a namespace of a machine. */
export interface CapturePoint {
  readonly host: string
  readonly netns: string
  readonly link: string
}

/** `node1/eth0`, or `node1/default/client/eth0` for a link in a pod. */
export const capturePointName = ({ host, netns, link }: CapturePoint): string =>
  netns === 'root' ? `${host}/${link}` : `${host}/${netns}/${link}`

type TapStep = Extract<Step, { kind: 'link.rx' | 'link.tx' }>

const isTap = (step: Step): step is TapStep => step.kind === 'link.rx' || step.kind === 'link.tx'
const pointOf = ({ host, netns, link }: TapStep): CapturePoint => ({ host, netns, link })
const isFrame = (seen: Frame | IpPacket): seen is Frame => !('kind' in seen)

/** The links that any packet of the walk crossed, in the order it first did. */
export function capturePoints(conversation: Conversation): readonly CapturePoint[] {
  const points = new Map<string, CapturePoint>()
  for (const step of conversation.steps) {
    if (!isTap(step)) continue
    const point = pointOf(step)
    if (!points.has(capturePointName(point))) points.set(capturePointName(point), point)
  }
  return [...points.values()]
}

/** What captures at the given points would have recorded: one interface block each, packets in the walk's order. */
export function captureOf(
  conversation: Conversation,
  { at, names }: { readonly at: readonly CapturePoint[]; readonly names: readonly CaptureName[] },
): CaptureFile {
  const index = new Map(at.map((point, i) => [capturePointName(point), i]))
  const taps = conversation.steps.filter(isTap).filter((step) => index.has(capturePointName(pointOf(step))))
  const interfaces = at.map((point): CaptureInterface => {
    const seen = taps.find((step) => capturePointName(pointOf(step)) === capturePointName(point))
    const raw = seen !== undefined && !isFrame(seen.frame)
    return {
      name: capturePointName(point),
      description:
        point.netns === 'root'
          ? `${point.link} of machine ${point.host}`
          : `${point.link} of pod ${point.netns} on ${point.host}`,
      linkType: raw ? LINK_TYPE.raw : LINK_TYPE.ethernet,
    }
  })
  const packets = taps.map(
    (step): CapturePacket => ({
      interface: index.get(capturePointName(pointOf(step))) ?? 0,
      atNs: step.at,
      bytes: isFrame(step.frame) ? emitFrame(step.frame) : emitIp(step.frame),
      comment: `packet ${step.packet}: ${summaryOf(step.frame)}`,
      direction: step.kind === 'link.rx' ? 'in' : 'out',
    }),
  )
  return { interfaces, packets, names }
}
