import { listConntrack } from '../../linux/netfilter/conntrack-table.ts'
import { newRouter, receive } from '../../linux/netfilter/testing/router.ts'
import { emitIp } from '../../packet/emit.ts'
import { parseFrame } from '../../packet/parse.ts'
import { machineOnCable } from './machine.ts'
import type { Plan, Recorded } from './session.ts'

/** What our machine sends when it hears what was recorded, and what its program is told. */
export function replayMachine(
  plan: Plan,
  { cable }: Recorded,
): { readonly sent: readonly string[]; readonly told: readonly string[] } {
  const sent: string[] = []
  const machine = machineOnCable(plan.family, (frame) => sent.push(Buffer.from(frame).toString('hex')))
  machine.start(plan.calls, plan.on)
  for (const event of cable) {
    if ('in' in event) machine.arrive(Buffer.from(event.in, 'hex'))
    if ('passNs' in event) machine.pass(event.passNs)
  }
  return { sent, told: machine.told }
}

export interface Routed {
  /** `rs HEX`: IP packets as they left the router. */
  readonly out: readonly string[]
  /** Lines of the connection table whenever one changed, without what events do not print. */
  readonly conntrack: readonly string[]
}

const CARDS = { rc: 'r0', rs: 'r1' } as const

/** The recorded packets through our router, under the same rules. */
export function replayRouter(plan: Plan, { router: seen }: Recorded): Routed {
  const router = newRouter(plan.family === 4 ? { rules: plan.rules } : { rules6: plan.rules })
  const out: string[] = []
  const conntrack: string[] = []
  for (const { link, out: left, frame } of seen) {
    if (left) continue
    const parsed = parseFrame(Buffer.from(frame, 'hex'))
    if (!parsed.ok || parsed.value.payload.kind !== 'ip') throw new Error(`no IP: ${frame}`)
    receive(router, CARDS[link], parsed.value.payload)
    for (const { link: by, packet } of router.sent.splice(0))
      out.push(`${by === 'r0' ? 'rc' : 'rs'} ${Buffer.from(emitIp(packet)).toString('hex')}`)
    for (const line of listConntrack(router.ns, plan.family)) {
      const text = line.replace(/ mark=.*/, '')
      if (stateOf(text) !== stateOf(conntrack.at(-1) ?? '')) conntrack.push(text)
    }
  }
  return { out, conntrack }
}

/** Without the seconds that are left. */
const stateOf = (line: string): string => line.replace(/^(\S+ +\S+) \d+/, '$1')

/** The same of the real router. */
export function recordedRouter({ router: seen, conntrack }: Recorded): Routed {
  return {
    out: seen.filter(({ out }) => out).map(({ link, frame }) => `${link} ${frame.slice(28)}`),
    conntrack: conntrack.map((line) => wholeSeconds(line.replace(/^ *\[\w+\] /, '').trimEnd())),
  }
}

/** A tick after it was set a timeout of 210 s is printed as 209. */
const wholeSeconds = (line: string): string =>
  line.replace(/^(\S+ +\S+) (2|9|29|209) /, (_, flow, seconds) => `${flow} ${Number(seconds) + 1} `)

/** What went out of our machine when it was recorded. */
export const recordedSent = ({ cable }: Recorded): readonly string[] =>
  cable.flatMap((event) => ('out' in event ? [event.out] : []))
