import { ip } from '../../../packet/ip.ts'
import { mac } from '../../../packet/mac.ts'
import type { IpPacket } from '../../../packet/packet.ts'
import { must } from '../../../packet/parsed.ts'
import { parseInterfaceAddress, prefix } from '../../../packet/prefix.ts'
import { applyOps } from '../../apply.ts'
import type { DrawSite } from '../../draw.ts'
import type { MachineEvent } from '../../event.ts'
import { type Capabilities, USUAL_CAPABILITIES } from '../../host-facts.ts'
import { arrive, boot, handle } from '../../machine.ts'
import type { Netns } from '../../netns.ts'
import { type IptablesTable, type Op, type OpBody, ROOT_NETNS } from '../../op.ts'
import type { StepBody } from '../../step.ts'

/** For tests: a router between two wires, whose far ends the test plays itself. */
export interface Router {
  readonly ns: Netns
  /** What happened since the last `clear`. */
  readonly steps: StepBody[]
  /** What went out by the wires, oldest first. */
  readonly sent: { readonly link: string; readonly packet: IpPacket }[]
  /** Nanoseconds. */
  now: number
  /** Outcomes of draws, the next first; other draws answer 0. */
  readonly draws: { readonly purpose: string; readonly value: number | ((choices: unknown) => number) }[]
  readonly drawn: { readonly site: DrawSite; readonly choices: number | readonly number[] }[]
}

export interface RouterSetup {
  /** As iptables-restore takes it. */
  readonly rules?: string
  readonly rules6?: string
  readonly sysctls?: Readonly<Record<string, number>>
  readonly ops?: readonly OpBody[]
  readonly capabilities?: Partial<Capabilities>
}

const ORIGIN = { by: 'test' }

export function newRouter(setup: RouterSetup): Router {
  const ops: Op[] = [...baseOps(setup), ...(setup.ops ?? [])].map(
    (op) => ({ origin: ORIGIN, ...op, netns: ROOT_NETNS }) as Op,
  )
  const config = applyOps('router', ops, { ...USUAL_CAPABILITIES, ...setup.capabilities })
  if (config.refused.length > 0) throw new Error(JSON.stringify(config.refused))
  const steps: StepBody[] = []
  const waiting: MachineEvent[] = []
  const sent: Router['sent'] = []
  const draws: Router['draws'] = []
  const drawn: Router['drawn'] = []
  let packets = 0
  const host = boot(config, {
    now: () => router.now,
    newPacket: () => ++packets,
    draw: (site, choices) => {
      drawn.push({ site, choices })
      const at = draws.findIndex(({ purpose }) => purpose === site.purpose)
      const value = at < 0 ? 0 : draws.splice(at, 1)[0]?.value
      return typeof value === 'function' ? value(choices) : (value ?? 0)
    },
    record: (_, step) => steps.push(step),
    note: () => undefined,
    emit: (event) => waiting.push(event),
  })
  const ns = host.netns.get(ROOT_NETNS)
  if (ns === undefined) throw new Error('no root namespace')
  const router: Router = { ns, steps, sent, now: 0, draws, drawn }
  events.set(router, waiting)
  return router
}

const events = new WeakMap<Router, MachineEvent[]>()

function baseOps({ rules, rules6, sysctls }: RouterSetup): OpBody[] {
  const ops: OpBody[] = [
    { kind: 'sysctl.set', key: 'net.ipv4.ip_forward', value: '1' },
    { kind: 'sysctl.set', key: 'net.ipv6.conf.all.forwarding', value: '1' },
    { kind: 'sysctl.set', key: 'net.ipv4.icmp_ratelimit', value: '0' },
    { kind: 'sysctl.set', key: 'net.ipv6.icmp.ratelimit', value: '0' },
    { kind: 'link.set', name: 'lo', up: true },
  ]
  for (const n of [1, 2]) {
    const name = `r${n - 1}`
    const type = { kind: 'physical', segment: name } as const
    ops.push({ kind: 'link.add', name, mac: mac(`02:00:00:00:00:0${n}`), mtu: 1500, type })
    for (const key of ['ipv4.conf.all', 'ipv4.conf.default', `ipv4.conf.${name}`])
      ops.push({ kind: 'sysctl.set', key: `net.${key}.rp_filter`, value: '0' })
    ops.push({ kind: 'link.set', name, up: true })
    for (const text of [`10.0.${n}.1/24`, `fd00:${n}::1/64`])
      ops.push({ kind: 'addr.add', link: name, address: must(parseInterfaceAddress(text)) })
    for (let host = 2; host < 10; host++)
      for (const address of [`10.0.${n}.${host}`, `fd00:${n}::${host}`])
        ops.push({ kind: 'neigh.replace', link: name, ip: ip(address), mac: FAR_MAC })
  }
  ops.push({
    kind: 'route.replace',
    route: { type: 'unicast', destination: prefix('192.0.2.0/24'), via: ip('10.0.2.9'), protocol: 'boot' },
  })
  for (const [key, value] of Object.entries(sysctls ?? {})) ops.push({ kind: 'sysctl.set', key, value: String(value) })
  return [...ops, ...iptablesOps(4, rules ?? ''), ...iptablesOps(6, rules6 ?? '')]
}

const FAR_MAC = mac('02:00:00:00:0a:02')

/** The ops that iptables-restore input comes down to. */
export function iptablesOps(family: 4 | 6, text: string): OpBody[] {
  let table: IptablesTable = 'filter'
  const ops: OpBody[] = []
  for (const line of text.split('\n')) {
    const [, star, chain, policy, appendTo, args = ''] =
      /^(?:\*(\w+)|:(\S+) (\S+).*|-A (\S+) ?(.*)|COMMIT|)$/.exec(line.trim()) ?? []
    if (star !== undefined) table = star as IptablesTable
    else if (chain !== undefined && (policy === 'ACCEPT' || policy === 'DROP'))
      ops.push({ kind: 'chain.policy', family, table, chain, policy })
    else if (chain !== undefined) ops.push({ kind: 'chain.new', family, table, chain })
    else if (appendTo !== undefined) ops.push({ kind: 'rule.append', family, table, chain: appendTo, args })
  }
  return ops
}

/** A packet comes in by `link`, and everything that follows at once happens. */
export function receive(router: Router, link: string, packet: IpPacket): void {
  const dev = router.ns.links.get(link)
  if (dev === undefined) throw new Error(`no link ${link}`)
  arrive(dev, { src: FAR_MAC, dst: dev.mac, payload: packet }, { id: router.ns.host.kernel.newPacket() })
  drain(router)
}

export function drain(router: Router): void {
  const waiting = events.get(router) ?? []
  for (let event = waiting.shift(); event !== undefined; event = waiting.shift())
    if (event.kind === 'wire') {
      const { payload } = event.frame
      if (payload.kind === 'ip' && !isMulticastNoise(payload))
        router.sent.push({ link: event.link.name, packet: payload })
    } else if (event.kind !== 'timer') handle(event)
}

const isMulticastNoise = (packet: IpPacket): boolean => packet.dst.family === 6 && packet.dst.a >>> 24 === 0xff
