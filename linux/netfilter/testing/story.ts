import type { IpPacket } from '../../../packet/packet.ts'
import { ipSend } from '../../ip-output.ts'
import type { Link } from '../../netns.ts'
import { routeOutput } from '../../route.ts'
import { type IpSkb, newSkb } from '../../skb.ts'
import { nfHook } from '../hooks.ts'
import { ends } from './packets.ts'
import { drain, type Router, receive } from './router.ts'

/** What was recorded, in short: hooks, chains reached, verdicts. */
export function story(router: Router): string[] {
  return router.steps.flatMap((step) => {
    switch (step.kind) {
      case 'hook.enter':
        return [
          `${step.hook}${step.in === undefined ? '' : ` in ${step.in}`}${step.out === undefined ? '' : ` out ${step.out}`}`,
        ]
      case 'rule.match':
      case 'nft.match':
        return [`${step.table} ${step.chain} ${step.index} ${step.verdict.kind}`]
      case 'chain.end':
      case 'nft.end':
        return [`${step.table} ${step.chain} ${step.policy}`]
      case 'conntrack':
        return [`conntrack ${step.state}`]
      case 'conntrack.confirm':
        return ['confirm']
      case 'nat.rewrite':
        return [`${step.undo ? 'undo ' : ''}${step.which} at ${step.hook}: ${ends(step.after)}`]
      case 'mark.set':
        return [`mark ${step.before} ${step.after}`]
      case 'drop':
        return [`drop ${step.reason} ${step.detail}`]
      case 'notModelled':
        return [`not modelled: ${step.text}`]
      default:
        return []
    }
  })
}

/** A packet comes in by a wire; what happened. */
export function pass(router: Router, link: string, packet: IpPacket): string[] {
  router.steps.length = 0
  router.sent.length = 0
  receive(router, link, packet)
  return story(router)
}

export const sentEnds = (router: Router): string[] => router.sent.map(({ link, packet }) => `${link} ${ends(packet)}`)

/** The machine sends a packet of its own. */
export function send(router: Router, packet: IpPacket, mark = 0): string[] {
  router.steps.length = 0
  router.sent.length = 0
  const route = routeOutput(router.ns, { dst: packet.dst, src: packet.src })
  if (route.kind !== 'ok') throw new Error('no route')
  ipSend(router.ns, { packet, by: 'test', socket: 3, mark }, route)
  drain(router)
  return story(router)
}

export function link(router: Router, name: string): Link {
  const found = router.ns.links.get(name)
  if (found === undefined) throw new Error(name)
  return found
}

/** A packet that has passed the first hook. */
export function track(router: Router, packet: IpPacket, hook: 'prerouting' | 'output' = 'prerouting'): IpSkb {
  const skb = newSkb(link(router, 'r0'), packet, 99) as IpSkb
  if (hook === 'prerouting') nfHook(skb, hook, { in: link(router, 'r0') })
  return skb
}
