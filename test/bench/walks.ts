import { ask } from '../../engine/ask.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'
import { must } from '../../packet/parsed.ts'
import { openLab } from '../labs.ts'

export interface WalksBench {
  readonly walks: number
  readonly hops: number
  readonly hopsPerSecond: number
  readonly microsecondsPerWalk: number
}

/** Whole conversations on the textbook cluster, name to reply, with the full trace kept; nodes are compiled before. */
export function benchWalks(walks = 600): WalksBench {
  const built = openLab('textbook-flannel-vxlan')
  const probe = must(readQuestion(built, { from: 'pod/client', to: 'http://my-nginx' }))
  for (let seed = 0; seed < 100; seed++) ask(built, probe, { seed })
  const start = performance.now()
  let hops = 0
  for (let seed = 0; seed < walks; seed++) hops += hopsOf(ask(built, probe, { seed }))
  const seconds = (performance.now() - start) / 1000
  return {
    walks,
    hops,
    hopsPerSecond: Math.round(hops / seconds),
    microsecondsPerWalk: Math.round((seconds * 1e6) / walks),
  }
}

/** Every stay of a packet in a namespace, ARP and answers among them: it begins by being sent, or with a link. */
const hopsOf = ({ steps }: Conversation): number =>
  steps.filter(
    (step) =>
      step.kind === 'socket.send' ||
      step.kind === 'arp.send' ||
      (step.kind === 'link.rx' && /^(eth|ens|veth)/.test(step.link)),
  ).length
