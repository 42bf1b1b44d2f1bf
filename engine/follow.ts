import type { DropReason } from '../linux/step.ts'
import { sameIp } from '../packet/ip.ts'
import { TCP_FLAG } from '../packet/packet.ts'
import { formatSocket } from '../packet/text.ts'
import type { Step } from './step.ts'
import type { Disposition, DispositionKind, Hop, Trace } from './trace.ts'

/** Steps of a walk, by the traveller they happened to. */
export interface StepIndex {
  readonly byPacket: ReadonlyMap<number, readonly Step[]>
  /** What each traveller made happen: answers, errors, datagrams of a forwarder. */
  readonly caused: ReadonlyMap<number, readonly number[]>
  /** What a relay in user space sent on for a client, by `relayKey`. */
  readonly relayed: ReadonlyMap<string, Relayed>
}

/** The relay said whom it dials, and then sent the first packet there. */
interface Relayed {
  readonly note: Step
  readonly packet: number
}

const relayKey = (at: Pick<Step, 'host' | 'netns'>, process: string, client: string): string =>
  `${at.host}|${at.netns}|${process}|${client}`

type SendStep = Extract<Step, { kind: 'socket.send' }>

export const sendStepOf = (steps: readonly Step[]): SendStep | undefined =>
  steps.find((step): step is SendStep => step.kind === 'socket.send')

export function indexSteps(steps: readonly Step[]): StepIndex {
  const byPacket = new Map<number, Step[]>()
  const caused = new Map<number, number[]>()
  const relayed = new Map<string, Relayed>()
  const dialling = new Map<string, Step>()
  for (const step of steps) {
    if (step.kind === 'relay.dial') dialling.set(`${step.host}|${step.netns}|${step.process}`, step)
    if (step.packet === 0) continue
    if (step.kind === 'socket.send') addRelayed(relayed, dialling, step)
    const list = byPacket.get(step.packet)
    if (list === undefined) byPacket.set(step.packet, [step])
    else list.push(step)
    if (step.kind !== 'socket.send' || step.cause === undefined) continue
    const effects = caused.get(step.cause)
    if (effects === undefined) caused.set(step.cause, [step.packet])
    else effects.push(step.packet)
  }
  return { byPacket, caused, relayed }
}

/** The first packet that a relay sends after it said so is the client's, sent on. */
function addRelayed(relayed: Map<string, Relayed>, dialling: Map<string, Step>, step: SendStep): void {
  const place = `${step.host}|${step.netns}|${step.by}`
  const note = dialling.get(place)
  if (note?.kind !== 'relay.dial' || !sameIp(note.to.ip, step.sent.dst)) return
  dialling.delete(place)
  const key = relayKey(step, step.by, formatSocket(note.client.ip, note.client.port))
  if (!relayed.has(key)) relayed.set(key, { note, packet: step.packet })
}

/** The whole way of a traveller; where a forwarder in user space read it, on with the datagram that it sent. */
export function follow(index: StepIndex, packet: number): Trace | undefined {
  const steps = index.byPacket.get(packet)
  const sent = steps === undefined ? undefined : sendStepOf(steps)
  if (steps === undefined || sent === undefined) return undefined
  const hops = hopsOf(passedOn(index, packet))
  return {
    packet,
    sent: sent.sent,
    by: sent.by,
    ...(sent.cause === undefined ? {} : { cause: sent.cause }),
    hops,
    disposition: dispositionOf(hops),
  }
}

/** All steps on the way, those of datagrams in user space included. */
function passedOn(index: StepIndex, packet: number): readonly Step[] {
  const steps = [...(index.byPacket.get(packet) ?? [])]
  const relay = relayOf(index, steps)
  if (relay !== undefined && relay.packet !== packet) return [...steps, relay.note, ...passedOn(index, relay.packet)]
  const read = steps.findLast((step) => step.kind === 'tun.read')
  if (read?.kind !== 'tun.read') return steps
  for (const effect of index.caused.get(packet) ?? []) {
    const next = index.byPacket.get(effect) ?? []
    if (sendStepOf(next)?.by === read.process) return [...steps, ...passedOn(index, effect)]
  }
  return steps
}

/** What a relay made of a packet that was delivered to it: only the first one of a client goes on as another's first. */
export function relayOf(index: StepIndex, steps: readonly Step[]): Relayed | undefined {
  const deliver = steps.findLast((step) => step.kind === 'socket.deliver')
  if (deliver?.kind !== 'socket.deliver' || deliver.process === undefined) return undefined
  const { src, payload } = deliver.received
  const opens = payload.kind === 'udp' || (payload.kind === 'tcp' && (payload.flags & TCP_FLAG.syn) !== 0)
  if (!opens || !('srcPort' in payload)) return undefined
  return index.relayed.get(relayKey(deliver, deliver.process, formatSocket(src, payload.srcPort)))
}

/** Cuts the way where it crosses into another namespace. Copies of a flooded frame that nobody took are left out. */
function hopsOf(steps: readonly Step[]): readonly Hop[] {
  const visits: Step[][] = []
  const open = new Map<string, Step[]>()
  let current: Step[] = []
  for (const step of steps) {
    const [before] = current
    if (before?.host === step.host && before.netns === step.netns) {
      current.push(step)
      continue
    }
    const place = `${step.host}|${step.netns}`
    const visit = open.get(place)
    const cameBack = step.kind === 'link.rx' && visit?.at(-1)?.kind === 'link.tx'
    if (visit === undefined || cameBack) {
      current = [step]
      visits.push(current)
      open.set(place, current)
    } else {
      current = visit
      current.push(step)
    }
  }
  const ways = visits.filter((visit) => !isUnwantedCopy(visit))
  return (ways.length === 0 ? visits : ways).map(hopOf)
}

const isUnwantedCopy = (visit: readonly Step[]): boolean =>
  visit.length > 0 &&
  visit.every((step) => step.kind === 'link.rx' || (step.kind === 'drop' && step.reason === 'OTHERHOST')) &&
  visit.length <= 2

function hopOf(steps: readonly Step[]): Hop {
  const [first] = steps
  const last = steps.findLast((step) => step.kind === 'link.tx')
  const left =
    last !== undefined &&
    steps.slice(steps.indexOf(last) + 1).every((step) => step.kind === 'wire.left' || step.kind === 'wire.lost')
  return {
    host: first?.host ?? '',
    netns: first?.netns ?? '',
    steps,
    ...(first?.kind === 'link.rx' ? { in: first.link } : {}),
    ...(left && last.kind === 'link.tx' ? { out: last.link } : {}),
  }
}

const BY_REASON: Partial<Record<DropReason, DispositionKind>> = {
  TTL_EXPIRED: 'ttlExpired',
  RECURSION_LIMIT: 'loop',
  NEIGH_FAILED: 'neighborUnreachable',
  PKT_TOO_BIG: 'tooBig',
  IP_INNOROUTES: 'noRoute',
  IP_OUTNOROUTES: 'noRoute',
  NO_SOCKET: 'noListener',
}

/** How the way ended: the last step that decided something. What was read from a tun device to be sent on had not. */
function dispositionOf(hops: readonly Hop[]): Disposition {
  let end: { readonly hop: number; readonly step: Step } | undefined
  for (const [hop, { steps }] of hops.entries())
    for (const step of steps) {
      if (step.kind === 'tun.write') end = undefined
      else if (decides(step, end?.step)) end = { hop, step }
    }
  if (end !== undefined) {
    const { hop, step } = end
    return { hop, host: step.host, netns: step.netns, ...endOf(step, hops[hop]?.steps ?? []) }
  }
  const last = hops.at(-1)
  const flooded = last?.steps.findLast((step) => step.kind === 'bridge.forward')
  const isLost = flooded?.kind === 'bridge.forward' && flooded.decision === 'flood'
  return {
    kind: 'dropped',
    detail: isLost
      ? `bridge ${flooded.bridge} sent it out by all its ports, and nobody there has its destination MAC`
      : 'it was still waiting when the walk ended',
    hop: hops.length - 1,
    ...(last === undefined ? {} : { host: last.host, netns: last.netns }),
  }
}

/** Whether a step ends the way. What is not known beats all; a copy that somebody else threw away says nothing. */
function decides(step: Step, before: Step | undefined): boolean {
  if (before?.kind === 'notModelled' || before?.kind === 'lab.unknown') return false
  switch (step.kind) {
    case 'notModelled':
    case 'lab.unknown':
    case 'socket.deliver':
    case 'wire.left':
    case 'wire.lost':
    case 'flanneld.discard':
      return true
    case 'drop':
      return before?.kind !== 'socket.deliver' || step.reason !== 'OTHERHOST'
    default:
      return false
  }
}

function endOf(step: Step, around: readonly Step[]): Disposition {
  switch (step.kind) {
    case 'socket.deliver':
      return { kind: 'delivered', detail: `to ${step.socket}${step.process === undefined ? '' : ` (${step.process})`}` }
    case 'wire.left':
      return { kind: 'leftCluster', detail: 'it went where the input describes nothing' }
    case 'wire.lost':
      return { kind: 'dropped', detail: step.detail }
    case 'flanneld.discard':
      return { kind: 'ttlExpired', detail: 'flanneld took the last of its TTL, and says nothing' }
    case 'lab.unknown':
      return { kind: 'insufficientInfo', detail: `${step.what}: ${step.detail}` }
    case 'notModelled':
      return { kind: 'insufficientInfo', detail: `not modelled: ${step.text}` }
    case 'drop': {
      const rule = ruleBefore(step, around)
      const rejected = rule?.verdict.kind === 'reject' || step.rejectedWith !== undefined
      const kind = rejected ? 'rejected' : (BY_REASON[step.reason] ?? 'dropped')
      const detail =
        rule === undefined ? step.detail : `${rule.table} ${rule.chain} rule ${rule.index}${commentOf(rule)}`
      const origin = step.origin ?? rule?.origin
      return { kind, detail, reason: step.reason, ...(origin === undefined ? {} : { origin }) }
    }
    default:
      return { kind: 'dropped', detail: step.kind }
  }
}

type RuleStep = Extract<Step, { kind: 'rule.match' | 'nft.match' }>

const OF_CHAINS: ReadonlySet<Step['kind']> = new Set(['rule.match', 'nft.match', 'chain.end', 'nft.end'])

/** The rule that dropped or rejected a packet: the last one that matched before. */
function ruleBefore(drop: Step, around: readonly Step[]): RuleStep | undefined {
  if (drop.kind !== 'drop' || drop.reason !== 'NETFILTER_DROP') return undefined
  const last = around.slice(0, around.indexOf(drop)).findLast((step) => OF_CHAINS.has(step.kind))
  if (last?.kind !== 'rule.match' && last?.kind !== 'nft.match') return undefined
  return last.verdict.kind === 'drop' || last.verdict.kind === 'reject' ? last : undefined
}

function commentOf(step: RuleStep): string {
  const comment = step.kind === 'nft.match' ? step.rule.comment : commentIn(step.rule)
  const said = comment === undefined ? '' : ` "${comment}"`
  return `${said}${step.verdict.kind === 'reject' ? `, REJECT with ${step.verdict.with}` : ''}`
}

function commentIn({ matches }: Extract<Step, { kind: 'rule.match' }>['rule']): string | undefined {
  const comment = matches.find((match) => match.kind === 'comment')
  return comment?.kind === 'comment' ? comment.text : undefined
}
