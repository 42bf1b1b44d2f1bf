import type { Draw, DrawPurpose, DrawSite } from '../../linux/draw.ts'
import { pick } from '../../linux/draw.ts'
import { emitTransport } from '../../packet/emit.ts'
import { formatIp } from '../../packet/ip.ts'
import {
  type Frame,
  type IpPacket,
  PROTOCOL,
  protocolOf,
  type RawPayload,
  type Tcp,
  type Transport,
} from '../../packet/packet.ts'
import { parseIpPacket } from '../../packet/parse.ts'
import type { ListedEntry } from './conntrack-line.ts'
import { earlyAck } from './early-ack.ts'
import { FLANNEL_UDP } from './exceptions.ts'
import type { KernelLab } from './lab.ts'
import { type NftChainIn, nftChains, outcomesOf } from './nft-chains.ts'
import type { Observed } from './observed.ts'

/**
 * Chance, fed from the kernel. Each draw first answers a number that can be told from all others (a token). Where a
 * frame of ours carries a token and the kernel's frame at the same place another number, that number is what the
 * kernel drew; the next run answers it. Only header fields of a draw's own kind are looked at, and every draw is
 * solved once: from then on all its uses must agree.
 */
export interface DrawScript {
  readonly draw: Draw
  /** Draws of this run, by purpose: how many of them the kernel's frames have answered. */
  readonly solved: () => number
  /** Learns from frames that stand at the same place; true where anything was learned. */
  readonly learn: (ours: Observed, kernel: Observed) => boolean
  /** Forgets the run, keeps what was learned. */
  readonly rewind: () => void
}

/** Fields that a draw can show up in. */
type Field = 'ip-id' | 'sequence' | 'timestamp' | 'port' | 'tunnel-port' | 'echo-id' | 'flow-label' | 'fragment-id'

interface Token {
  readonly key: string
  readonly purpose: DrawPurpose
  /** What was answered: an index from 0. */
  readonly index: number
}

/** Where a draw may show; NAT gives flows of ICMP a new identifier. The first names the token's spacing. */
const FIELDS: Partial<Record<DrawPurpose, readonly Field[]>> = {
  'ip-id': ['ip-id'],
  'tcp-isn': ['sequence'],
  'tcp-timestamp': ['timestamp'],
  'ephemeral-port': ['port'],
  'nat-port': ['port', 'echo-id'],
  'vxlan-source-port': ['tunnel-port'],
  'icmp-id': ['echo-id'],
  'flow-label': ['flow-label'],
  'fragment-id': ['fragment-id'],
}

/** How far a number may have counted up from its draw and still be known for it. */
const REACH: Record<Field, number> = {
  'ip-id': 0x40,
  sequence: 0x100000,
  timestamp: 0x100000,
  port: 1,
  'tunnel-port': 1,
  'echo-id': 1,
  'flow-label': 1,
  'fragment-id': 0x40,
}

/** Tokens of purposes that can stand in the same field lie apart; 100 unless said. */
const FIRST_TOKEN: Partial<Record<DrawPurpose, number>> = { 'nat-port': 10_000, 'vxlan-source-port': 20_000 }

const FIRST_EPHEMERAL = 32768
/** Ports and identifiers are drawn as an index above one of these; tokens lie further apart than 0 and 1. */
const BASES: Record<Field, readonly number[]> = {
  'ip-id': [0],
  sequence: [0],
  timestamp: [0],
  port: [FIRST_EPHEMERAL, 1024, 600, 512, 1, 0],
  'tunnel-port': [FIRST_EPHEMERAL],
  'echo-id': [1, 0, 1024],
  'flow-label': [0],
  'fragment-id': [0],
}

export function scriptedDraws(kernel: Observed, lab: KernelLab): DrawScript {
  const known = new Map<string, number>()
  const asked = new Map<string, number>()
  let tokens: Token[] = []
  /** Draws of ticks by what they are about. */
  const ticks = new Map<string, string>()
  const count = new Map<Field, number>()
  const statistics = statisticOutcomes(kernel)
  const numgens = numgenOutcomes(kernel, lab)
  /** Numbers that the kernel's trace does not show: tried one after the other. */
  const guesses = new Map<string, { readonly range: number; readonly taken: number }>()

  const draw: Draw = (site, choices) => {
    const key = keyOf(site, asked)
    if (site.purpose === 'statistic') return statistics(site, asked.get(turnKey(site)) ?? 1) ? 0 : 1
    const range = typeof choices === 'number' ? choices : choices.length
    if (site.purpose === 'numgen') {
      const seen = numgens(site, asked.get(turnKey(site)) ?? 1)
      if (seen === undefined) guesses.set(key, { range, taken: guesses.get(key)?.taken ?? 0 })
      return seen ?? guesses.get(key)?.taken ?? 0
    }
    const learned = known.get(key)
    if (learned !== undefined) return learned % range
    if (site.purpose === 'tick') {
      ticks.set(site.entry, key)
      return 0
    }
    const field = FIELDS[site.purpose]?.[0]
    if (field === undefined) return pick(0.5, choices)
    const nth = (count.get(field) ?? 0) + 1
    count.set(field, nth)
    const index = (nth * (REACH[field] + 1) + (FIRST_TOKEN[site.purpose] ?? 100)) % range
    tokens.push({ key, purpose: site.purpose, index })
    return index
  }

  return {
    draw,
    solved: () => known.size,
    learn(ours, theirs) {
      const before = known.size
      const unsolved = new Map<Field, Token[]>()
      for (const token of tokens)
        for (const field of FIELDS[token.purpose] ?? []) unsolved.set(field, [...(unsolved.get(field) ?? []), token])
      const length = Math.min(ours.frames.length, theirs.frames.length)
      for (let i = 0; i < length; i++) {
        const [mine, other] = [ours.frames[i], theirs.frames[i]]
        if (mine?.frame === undefined || other?.frame === undefined || mine.tap !== other.tap) break
        for (const pair of pairs(mine.frame, other.frame)) take(pair)
      }
      for (const pair of [...socketPairs(ours, theirs), ...entryPairs(ours, theirs)]) take(pair)
      const early = earlyAck(ours, theirs)
      const tick = early === undefined ? undefined : ticks.get(`tcp ack ${early}`)
      if (tick !== undefined) known.set(tick, 1)
      // Last, what shows nowhere else: of several entries alike any may be any.
      const hidden = known.size === before ? hiddenPairs(ours, theirs) : []
      for (let i = 0; i < hidden.length && known.size === before; i++) take(hidden[i]!)
      return known.size > before || (!goAlike(ours, theirs) && guessAgain(guesses))

      function take([field, value, wanted]: Pair): void {
        if (value === wanted) return
        const found = tokenOf(unsolved.get(field) ?? [], field, value)
        if (found === undefined || known.has(found.token.key)) return
        const answer = wanted - (value - found.token.index)
        if (answer >= 0) known.set(found.token.key, answer)
      }
    },
    rewind() {
      asked.clear()
      count.clear()
      ticks.clear()
      tokens = []
    },
  }
}

/** Whether both sides saw the same places, and frames for the same destinations there. */
const goAlike = (ours: Observed, theirs: Observed): boolean =>
  ours.frames.length === theirs.frames.length &&
  ours.frames.every(
    (one, i) => one.tap === theirs.frames[i]?.tap && goalOf(one.frame) === goalOf(theirs.frames[i]?.frame),
  )

function goalOf(frame: Frame | IpPacket | undefined): string {
  const packet = frame === undefined || 'kind' in frame ? frame : frame.payload
  if (packet?.kind === 'arp') return formatIp(packet.targetIp)
  return packet?.kind === 'ip' ? formatIp(packet.dst) : ''
}

/** Counts the guesses on, as digits of one number; false when all have been made. */
function guessAgain(guesses: Map<string, { readonly range: number; readonly taken: number }>): boolean {
  for (const [key, { range, taken }] of guesses) {
    guesses.set(key, { range, taken: (taken + 1) % range })
    if (taken + 1 < range) return true
  }
  return false
}

/** Draws of one purpose in one namespace, by their order: what they are for may itself follow from a draw. */
const turnKey = (site: DrawSite): string =>
  site.purpose === 'statistic' || site.purpose === 'numgen'
    ? `${site.host}/${site.netns} ${site.entry}`
    : `${site.host}/${site.netns} ${site.purpose}`

function keyOf(site: DrawSite, asked: Map<string, number>): string {
  const key = turnKey(site)
  const turn = (asked.get(key) ?? 0) + 1
  asked.set(key, turn)
  return `${key} ${turn}`
}

function tokenOf(tokens: readonly Token[], field: Field, value: number): { token: Token } | undefined {
  for (const base of BASES[field])
    for (const token of tokens) {
      const ahead = value - base - token.index
      if (ahead >= 0 && ahead < REACH[field]) return { token }
    }
  return undefined
}

/**
 * Whether the kernel took a rule, by the order in which it was asked: the trace shows what matched, so a rule that
 * stands between two that did was tried in vain.
 */
function statisticOutcomes(kernel: Observed): (site: DrawSite, turn: number) => boolean {
  const outcomes = new Map<string, boolean[]>()
  for (const [place, rules] of Object.entries(kernel.rules)) {
    let at = new Map<string, number>()
    for (const rule of rules) {
      const [, chain = '', index = ''] = /^(.*):(\d+|end)$/.exec(rule) ?? []
      const next = index === 'end' ? Number.POSITIVE_INFINITY : Number(index)
      let from = at.get(chain) ?? 0
      if (next <= from) {
        at = new Map()
        from = 0
      }
      for (let tried = from + 1; tried <= Math.min(next, from + 1000); tried++) {
        const key = `${place} ${chain.replace('/', ' ')} ${tried}`
        outcomes.set(key, [...(outcomes.get(key) ?? []), tried === next])
      }
      at.set(chain, next)
    }
  }
  return (site, turn) => outcomes.get(turnKey(site))?.[turn - 1] ?? false
}

/**
 * What the kernel's numgen gave, by where the packet was sent on to: the trace shows the rule, not the number.
 * Undefined where the packet was not seen again.
 */
function numgenOutcomes(kernel: Observed, lab: KernelLab): (site: DrawSite, turn: number) => number | undefined {
  const tables = new Map<string, readonly NftChainIn[]>()
  return (site, turn) => {
    const place = `${site.host}/${site.netns}`
    const ops = lab.hosts.find(({ name }) => name === site.host)?.ops.filter(({ netns }) => netns === site.netns) ?? []
    const chains = tables.get(place) ?? [...nftChains(ops, 4), ...nftChains(ops, 6)]
    tables.set(place, chains)
    const [table = '', chain = '', index = ''] = site.entry.split(' ')
    const rule = `${table}/${chain}:${index}`
    const asked = (kernel.passes?.[place] ?? []).filter(({ rules }) => rules.includes(rule))
    const outcomes = chains.flatMap((one) => (one.chain.name === chain ? outcomesOf(one, Number(index) - 1) : []))
    const pass = asked[turn - 1]
    const next = pass?.rules[pass.rules.indexOf(rule) + 1]?.replace(/^[^/]*\/|:[^:]*$/g, '') ?? ''
    const at = outcomes.findIndex((one) => one.chain === next || one.destination === pass?.becomes)
    return at < 0 ? undefined : at
  }
}

type Pair = readonly [field: Field, ours: number, theirs: number]

/** Numbers of the same field at the same depth of two frames. */
function pairs(ours: Frame | IpPacket, theirs: Frame | IpPacket): Pair[] {
  const mine = 'kind' in ours ? ours : ours.payload
  const other = 'kind' in theirs ? theirs : theirs.payload
  return mine.kind === 'ip' && other.kind === 'ip' ? packetPairs(mine, other) : []
}

function packetPairs(ours: IpPacket, theirs: IpPacket): Pair[] {
  if (ours.src.family !== theirs.src.family) return []
  const id: Pair = [ours.src.family === 4 ? 'ip-id' : 'fragment-id', ours.id, theirs.id]
  const label: Pair[] = ours.src.family === 6 ? [['flow-label', ours.flowLabel, theirs.flowLabel]] : []
  return [id, ...label, ...transportPairs(ours, theirs.payload)]
}

function transportPairs(packet: IpPacket, theirs: Transport): Pair[] {
  const ours = packet.payload
  if (ours.kind === 'tcp' && theirs.kind === 'tcp') return tcpPairs(ours, theirs)
  if (ours.kind === 'udp' && theirs.kind === 'udp') {
    const { payload } = ours
    const other = theirs.payload
    if (payload.kind === 'vxlan' && other.kind === 'vxlan')
      // NAT may have drawn it anew.
      return [
        ['tunnel-port', ours.srcPort, theirs.srcPort],
        ['port', ours.srcPort, theirs.srcPort],
        ...pairs(payload.frame, other.frame),
      ]
    const ports: Pair[] = [
      ['port', ours.srcPort, theirs.srcPort],
      ['port', ours.dstPort, theirs.dstPort],
    ]
    if (ours.dstPort !== FLANNEL_UDP || payload.kind !== 'data' || other.kind !== 'data') return ports
    const [inner, innerOther] = [parseIpPacket(payload.bytes), parseIpPacket(other.bytes)]
    return inner.ok && innerOther.ok ? [...ports, ...packetPairs(inner.value, innerOther.value)] : ports
  }
  // A quote that was cut cannot be read as a whole: its first octets can.
  if (theirs.kind === 'raw') return partPairs(rawOf(packet), theirs)
  if (ours.kind !== 'icmp' || theirs.kind !== 'icmp') return []
  const [body, other] = [ours.body, theirs.body]
  if (body.kind === 'echo' && other.kind === 'echo') return [['echo-id', body.id, other.id]]
  if ('quote' in body && 'quote' in other) return packetPairs(body.quote.packet, other.quote.packet)
  return []
}

/** What NAT hides from every frame shows in what sockets are told, ... */
function socketPairs(ours: Observed, kernel: Observed): Pair[] {
  const port = (value: unknown): number => {
    const found = typeof value === 'object' && value !== null && 'port' in value ? value.port : undefined
    return typeof found === 'number' ? found : 0
  }
  return kernel.sockets.flatMap((theirs, i): Pair[] => {
    const mine = ours.sockets[i]
    if (mine === undefined || mine.actor !== theirs.actor || mine.event !== theirs.event) return []
    return [
      ['port', port(mine.local), port(theirs.local)],
      ['port', port(mine.peer), port(theirs.peer)],
    ]
  })
}

/** ... and in the conntrack table, where one entry has that shape, or of several one that answer by the same ports. */
function entryPairs(ours: Observed, kernel: Observed): Pair[] {
  return Object.entries(kernel.conntrack).flatMap(([place, entries]) =>
    entries.flatMap((theirs): Pair[] => {
      const alike = (ours.conntrack[place] ?? []).filter(({ shape }) => shape === theirs.shape)
      const answering = alike.filter(({ keys }) => keys[2] === theirs.keys[2] && keys[3] === theirs.keys[3])
      const [mine, another] = alike.length > 1 ? answering : alike
      if (mine === undefined || another !== undefined) return []
      return keyPairs(mine, theirs)
    }),
  )
}

/** Entries that the other side does not have, each with the one of its shape that it is likest, the likest first. */
function hiddenPairs(ours: Observed, kernel: Observed): Pair[] {
  return Object.entries(kernel.conntrack).flatMap(([place, entries]) => {
    const mine = ours.conntrack[place] ?? []
    const other = entries.filter(({ text }) => !mine.some((entry) => entry.text === text))
    const alone = mine.filter(({ text }) => !entries.some((entry) => entry.text === text))
    const likeness = (one: ListedEntry, theirs: ListedEntry) =>
      one.keys.filter((key, i) => key === theirs.keys[i]).length
    const pairs = alone.flatMap((one) =>
      other
        .filter(({ shape }) => shape === one.shape)
        .map((theirs) => ({ one, theirs, likeness: likeness(one, theirs) })),
    )
    return pairs.sort((x, y) => y.likeness - x.likeness).flatMap(({ one, theirs }) => keyPairs(one, theirs))
  })
}

function keyPairs(ours: ListedEntry, theirs: ListedEntry): Pair[] {
  const fields: readonly Field[] = /^protocol (1|58) /.test(theirs.shape) ? ['echo-id'] : ['port', 'tunnel-port']
  return theirs.keys.flatMap((key, i) => fields.map((field): Pair => [field, ours.keys[i] ?? 0, key]))
}

/** Ports, or the echo identifier, at the head of a first fragment; later ones have octets there that both sides know. */
const rawOf = (packet: IpPacket): RawPayload => ({
  kind: 'raw',
  protocol: protocolOf(packet),
  bytes: emitTransport(packet),
})

function partPairs(ours: RawPayload, theirs: RawPayload): Pair[] {
  const word = ({ bytes }: RawPayload, at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  const long = (raw: RawPayload, at: number) => word(raw, at) * 0x10000 + word(raw, at + 2)
  if (ours.protocol === PROTOCOL.icmp || ours.protocol === PROTOCOL.icmpv6)
    return [['echo-id', word(ours, 4), word(theirs, 4)]]
  if (ours.protocol !== PROTOCOL.udp && ours.protocol !== PROTOCOL.tcp) return []
  const ports: Pair[] = [
    ['port', word(ours, 0), word(theirs, 0)],
    ['port', word(ours, 2), word(theirs, 2)],
  ]
  if (ours.protocol !== PROTOCOL.tcp || theirs.bytes.length < TCP_NUMBERS) return ports
  return [...ports, ['sequence', long(ours, 4), long(theirs, 4)], ['sequence', long(ours, 8), long(theirs, 8)]]
}

/** Octets of a TCP header up to and with the acknowledgement. */
const TCP_NUMBERS = 12

function tcpPairs(ours: Tcp, theirs: Tcp): Pair[] {
  const found: Pair[] = [
    ['port', ours.srcPort, theirs.srcPort],
    ['port', ours.dstPort, theirs.dstPort],
    ['sequence', ours.seq, theirs.seq],
    ['sequence', ours.ack, theirs.ack],
  ]
  const times = (tcp: Tcp) => tcp.options.find((option) => option.kind === 'timestamps')
  const [mine, other] = [times(ours), times(theirs)]
  if (mine !== undefined && other !== undefined)
    found.push(['timestamp', mine.value, other.value], ['timestamp', mine.echo, other.echo])
  return found
}
