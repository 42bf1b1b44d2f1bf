import type { Step } from '../engine/step.ts'
import type { Hop } from '../engine/trace.ts'
import { formatIp } from '../packet/ip.ts'
import { formatMac } from '../packet/mac.ts'
import type { IpPacket } from '../packet/packet.ts'
import { formatSocket, layersOf, summaryOf } from '../packet/text.ts'
import { originText } from './origin-text.ts'
import { routeText } from './route-text.ts'
import { type ChainEndStep, choicesOf, isRuleStep, type RuleStep, ruleNotes, ruleText } from './rule-notes.ts'

/** How much is told: what changed the packet's way; headers and hooks too; every rule tried too. */
export type Detail = 'normal' | 'headers' | 'rules'

/** One thing that happened at a hop: a word for its kind, and a sentence. */
export interface HopLine {
  readonly label: string
  readonly text: string
  /** Who put the entry there. */
  readonly because?: string
}

/** What happened to the packet at a hop, in order, as lines to read. */
export function hopLines(hop: Hop, detail: Detail): readonly HopLine[] {
  const lines: HopLine[] = []
  const { steps } = hop
  for (const [i, step] of steps.entries()) lines.push(...stepLines(step, { steps, i, detail }))
  return lines
}

interface Around {
  readonly steps: readonly Step[]
  readonly i: number
  readonly detail: Detail
}

function stepLines(step: Step, around: Around): readonly HopLine[] {
  const { detail } = around
  const more = detail !== 'normal'
  switch (step.kind) {
    case 'socket.send':
      return [{ label: 'send', text: `${summaryOf(step.sent)} ttl ${step.sent.ttl}` }, ...headers(step.sent, around)]
    case 'link.rx':
      return more ? [{ label: 'in', text: step.link }, ...frameHeaders(step.frame, around)] : []
    case 'link.tx':
      return more ? [{ label: 'out', text: step.link }, ...frameHeaders(step.frame, around)] : []
    case 'bridge.forward':
      return [bridgeLine(step)]
    case 'bridge.learn':
      return more ? [{ label: 'bridge', text: `${step.bridge} learns ${formatMac(step.mac)} on ${step.port}` }] : []
    case 'hook.enter':
      return more ? [{ label: 'hook', text: hookText(step) }] : []
    case 'rule.match':
    case 'nft.match':
      return ruleLines(step, around)
    case 'chain.end':
    case 'nft.end':
      return chainEndLines(step, around)
    case 'mark.set':
      return more ? [{ label: 'mark', text: `${hex(step.before)} -> ${hex(step.after)}` }] : []
    case 'conntrack':
      return more || step.state === 'invalid'
        ? [
            {
              label: 'conntrack',
              text: `${step.state}${step.direction === 'reply' ? ', reply direction' : ''}${step.entry === undefined ? '' : `: ${step.entry}`}`,
            },
          ]
        : []
    case 'conntrack.confirm':
      return [{ label: 'conntrack', text: `keeps ${step.entry}` }]
    case 'ipvs.connection':
      return [ipvsLine(step)]
    case 'nat.rewrite':
      return [natLine(step, around)]
    case 'route.lookup':
      return [routeLine(step)]
    case 'forward':
      return [{ label: 'forward', text: `TTL ${step.ttlBefore} -> ${step.ttlAfter}, from ${step.in} to ${step.out}` }]
    case 'neigh.lookup':
      return neighborLines(step, more)
    case 'neigh.update':
      return more
        ? [{ label: 'neigh', text: `${formatIp(step.ip)} is at ${step.mac === undefined ? '?' : formatMac(step.mac)}` }]
        : []
    case 'fragment':
      return [{ label: 'fragment', text: `cut into ${step.parts} for ${step.mtu} octets` }]
    case 'reassemble':
      return [
        {
          label: 'fragment',
          text: step.done ? `${step.parts} parts put together` : `part ${step.parts}, waits for the rest`,
        },
      ]
    case 'tunnel.encap':
      return [
        {
          label: 'encap',
          text: `VXLAN vni ${step.vni} to ${formatIp(step.remote)}, ${step.overhead} octets more`,
          ...(step.origin === undefined
            ? {}
            : { because: `fdb entry for ${formatMac(step.inner.dst)} ${originText(step.origin)}` }),
        },
      ]
    case 'tunnel.decap':
      return [{ label: 'decap', text: `VXLAN vni ${step.vni}: the inner frame comes in by ${step.link}` }]
    case 'tun.read':
      return [{ label: 'user', text: `${step.process} reads it from ${step.link} (kernel -> user space)` }]
    case 'tun.write':
      return [{ label: 'user', text: `${step.process} writes it to ${step.link} (user space -> kernel)` }]
    case 'socket.deliver':
      return [
        {
          label: 'deliver',
          text: `to ${step.socket}${step.process === undefined ? '' : `, ${step.process}`}; source ${sourceOf(step.received)}, ttl ${step.received.ttl}`,
        },
      ]
    case 'drop':
      return [
        {
          label: 'DROP',
          text: `${step.reason}: ${step.detail}`,
          ...(step.origin === undefined ? {} : { because: originText(step.origin) }),
        },
      ]
    case 'notModelled':
      return [{ label: 'STOP', text: `not modelled: ${step.text}` }]
    case 'relay.dial':
      return [{ label: 'user', text: relayText(step) }]
    case 'wire.left':
      return [{ label: 'wire', text: `leaves by ${step.segment}: what is there the input does not say` }]
    case 'wire.lost':
      return [{ label: 'LOST', text: `on ${step.segment}: ${step.detail}` }]
    case 'lab.unknown':
      return [{ label: 'STOP', text: `${step.what}: ${step.detail}` }]
    default:
      return []
  }
}

const hex = (mark: number): string => `0x${mark.toString(16)}`

function sourceOf({ src, payload }: IpPacket): string {
  return 'srcPort' in payload ? formatSocket(src, payload.srcPort) : formatIp(src)
}

function headers(packet: IpPacket, { detail }: Around): readonly HopLine[] {
  return detail === 'normal' ? [] : layersOf(packet).map((layer) => ({ label: '', text: layer }))
}

function frameHeaders(frame: Parameters<typeof layersOf>[0], { detail }: Around): readonly HopLine[] {
  return detail === 'normal' ? [] : layersOf(frame).map((layer) => ({ label: '', text: layer }))
}

function bridgeLine({ bridge, decision, inPort, outPorts }: Extract<Step, { kind: 'bridge.forward' }>): HopLine {
  const from = inPort === undefined ? '' : `${inPort} -> `
  switch (decision) {
    case 'unicast':
      return { label: 'bridge', text: `${bridge}: ${from}${outPorts.join(', ')}` }
    case 'flood':
      return { label: 'bridge', text: `${bridge}: ${from}all ports (${outPorts.join(', ')}), the MAC is not known` }
    default:
      return { label: 'bridge', text: `${bridge}: ${from}up, the frame is for the bridge itself` }
  }
}

function hookText({ hook, in: from, out, bridged }: Extract<Step, { kind: 'hook.enter' }>): string {
  const devices = [from === undefined ? '' : `in ${from}`, out === undefined ? '' : `out ${out}`]
    .filter((part) => part !== '')
    .join(', ')
  return `${hook.toUpperCase()}${devices === '' ? '' : ` (${devices})`}${bridged ? ', bridged: br_netfilter' : ''}`
}

/** A rule that decided something; in full detail every rule that matched, and those tried before it. */
function ruleLines(step: RuleStep, { detail, steps, i }: Around): readonly HopLine[] {
  const place = `${step.table} ${step.chain}:${step.index}`
  if (detail === 'normal')
    return decides(step, steps.slice(i + 1))
      ? [{ label: 'rule', text: `${place}  ${inShort(step)}`, because: originText(step.origin) }]
      : []
  const before = detail === 'rules' ? tried(step, step.index - 1) : []
  return [...before, { label: 'rule', text: `${place}  ${ruleText(step.rule)}`, because: originText(step.origin) }]
}

/** Rules that people ask about: refusals, and those that sent the packet to its backend. Accepting is silent. */
function decides(step: RuleStep, after: readonly Step[]): boolean {
  const { verdict } = step
  if (verdict.kind === 'drop' || verdict.kind === 'reject' || verdict.kind === 'notModelled') return true
  if (step.kind === 'nft.match' && verdict.kind === 'nat') return choicesOf(step.rule) > 1
  if ((verdict.kind !== 'jump' && verdict.kind !== 'goto') || isWayIn(step)) return false
  for (const next of after) {
    if (next.kind === 'nat.rewrite') return !next.undo && next.which === 'dst'
    if (next.kind === 'ipvs.connection') return false
    if (next.kind === 'hook.enter' || (isChainEnd(next) && next.chain === verdict.chain)) return false
  }
  return false
}

const isChainEnd = (step: Step): step is ChainEndStep => step.kind === 'chain.end' || step.kind === 'nft.end'

/** A jump that every packet of a hook takes. */
const isWayIn = (step: RuleStep): boolean =>
  step.kind === 'nft.match'
    ? step.verdict.kind === 'jump' && step.rule.statements.length === 1
    : step.chain === 'PREROUTING' || step.chain === 'OUTPUT'

/** What a rule does, without the tests that led to it: its comment, its chance, its target. */
function inShort(step: RuleStep): string {
  const { verdict } = step
  const parts = [...ruleNotes(step)]
  if (verdict.kind === 'jump' || verdict.kind === 'goto') parts.push(`-> ${verdict.chain}`)
  else if (verdict.kind === 'reject') parts.push(`REJECT with ${verdict.with}`)
  else if (verdict.kind === 'notModelled') parts.push(`not modelled: ${verdict.text}`)
  else parts.push(verdict.kind.toUpperCase())
  return parts.join(' ')
}

/** The rules of a chain that were tried and did not match, up to rule `upTo` (1-based, inclusive). */
function tried(
  { rules, triedFrom, table, chain }: Pick<RuleStep, 'rules' | 'triedFrom' | 'table' | 'chain'>,
  upTo: number,
): readonly HopLine[] {
  const lines: HopLine[] = []
  for (let number = triedFrom; number <= upTo; number++) {
    const rule = rules.at(number - 1)
    if (rule !== undefined) lines.push({ label: '  tried', text: `${table} ${chain}:${number}  ${ruleText(rule)}` })
  }
  return lines
}

function chainEndLines(step: ChainEndStep, { detail }: Around): readonly HopLine[] {
  const lines: HopLine[] = detail === 'rules' ? [...tried(step, step.rules.length)] : []
  const text = step.policy === 'RETURN' ? 'end of chain, back to the caller' : `end of chain, policy ${step.policy}`
  if (detail === 'rules' || step.policy === 'DROP')
    lines.push({ label: 'rule', text: `${step.table} ${step.chain}  ${text}` })
  return lines
}

/** `DNAT 10.99.198.177:80 -> 10.244.2.3:80`, with the rule that chose it. */
function natLine(step: Extract<Step, { kind: 'nat.rewrite' }>, { steps, i }: Around): HopLine {
  const { which, undo, before, after } = step
  const end = (packet: IpPacket): string => {
    const { payload } = packet
    const ip = which === 'dst' ? packet.dst : packet.src
    if (!('srcPort' in payload)) return formatIp(ip)
    return formatSocket(ip, which === 'dst' ? payload.dstPort : payload.srcPort)
  }
  const word = undo ? `un-${which === 'dst' ? 'S' : 'D'}NAT` : `${which === 'dst' ? 'D' : 'S'}NAT`
  const rule = undo
    ? undefined
    : steps.slice(0, i).findLast((o) => o.kind === 'ipvs.connection' || (isRuleStep(o) && o.verdict.kind === 'nat'))
  const because =
    rule !== undefined && isRuleStep(rule)
      ? { because: `${rule.chain} rule ${rule.index} ${originText(rule.origin)}` }
      : rule === undefined && !undo && isKnownFlow(steps.slice(0, i))
        ? { because: 'as conntrack does with this flow: no rule is asked' }
        : {}
  return {
    label: 'nat',
    text: `${word} ${which === 'dst' ? 'destination' : 'source'} ${end(before)} -> ${end(after)}`,
    ...because,
  }
}

/** The packet belongs to a flow that an earlier one opened: its translation was settled then. */
function isKnownFlow(before: readonly Step[]): boolean {
  const last = before.findLast((step) => step.kind === 'conntrack')
  return last?.kind === 'conntrack' && last.state === 'established' && last.direction === 'original'
}

/** The client's address ends here: what goes on is the relay's own. */
function relayText({ process, client, to, affinity }: Extract<Step, { kind: 'relay.dial' }>): string {
  const why = affinity ? ' (the client was here before)' : ''
  return `${process} takes what ${formatSocket(client.ip, client.port)} sends, and dials ${formatSocket(to.ip, to.port)}${why} from an address of its own`
}

const IPVS_BY = { known: 'the connection is known', template: 'the client was here before' } as const

/** `TCP 10.96.0.1:80 rr -> 10.244.1.7:8080`, and why there. */
function ipvsLine({ by, service, destination, origin }: Extract<Step, { kind: 'ipvs.connection' }>): HopLine {
  const server = `${service.protocol} ${formatSocket(service.address, service.port)} ${service.scheduler}`
  const how = by === 'scheduler' ? '' : ` (${IPVS_BY[by]})`
  return {
    label: 'ipvs',
    text: `${server} -> ${formatSocket(destination.address, destination.port)}${how}`,
    because: originText(origin),
  }
}

function routeLine(step: Extract<Step, { kind: 'route.lookup' }>): HopLine {
  if (step.result === 'local')
    return { label: 'route', text: `${formatIp(step.destination)} is an address of this machine` }
  if (step.route === undefined) return { label: 'route', text: `${formatIp(step.destination)}: ${step.result}` }
  const because = step.origin === undefined || step.origin.by === 'kernel' ? {} : { because: originText(step.origin) }
  return { label: 'route', text: routeText(step.route), ...because }
}

function neighborLines(step: Extract<Step, { kind: 'neigh.lookup' }>, more: boolean): readonly HopLine[] {
  const { state, ip, mac, link } = step
  if (state === 'none' || state === 'failed' || state === 'incomplete')
    return [
      {
        label: 'neigh',
        text: `${formatIp(ip)} on ${link} is not known: ${ip.family === 4 ? 'ARP who-has' : 'neighbour solicitation'}, the packet waits`,
      },
    ]
  if (!more) return []
  const because = step.origin === undefined ? {} : { because: originText(step.origin) }
  return [
    {
      label: 'neigh',
      text: `${formatIp(ip)} is at ${mac === undefined ? '?' : formatMac(mac)} (${state.toUpperCase()})`,
      ...because,
    },
  ]
}
