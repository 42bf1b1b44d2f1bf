import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { type Family, readIp } from '../../packet/ip.ts'
import { parseFrame, parseIpPacket } from '../../packet/parse.ts'
import { hostPort } from '../../proxy/endpoint.ts'
import { iptablesTables } from '../../render/iptables-restore.ts'
import type { KernelFrame, KernelRuleHit } from './agent.ts'
import type { KernelTruth, RulePass, SeenFrame } from './case-file.ts'
import { frameText } from './frame-text.ts'
import type { KernelLab, Place } from './lab.ts'
import { nftChains } from './nft-chains.ts'
import { isNoise, isNoiseEntry, withoutNoise } from './noise.ts'
import type { KernelRun } from './record.ts'

/** What a run showed, by the lab's own names and with noise taken out. */
export function truthOf(run: KernelRun): KernelTruth {
  const { answer, materialised } = run
  const placeOf = (netns: string): string => {
    const place = materialised.places.get(netns)
    return place === undefined ? `cable/${netns}` : `${place.host}/${place.netns}`
  }
  const byPlace = <T>(tables: Readonly<Record<string, readonly T[]>>): Record<string, readonly T[]> =>
    Object.fromEntries(
      Object.entries(tables)
        .filter(([netns, entries]) => materialised.places.has(netns) && entries.length > 0)
        .map(([netns, entries]) => [placeOf(netns), entries]),
    )
  const chains = new ChainRules(run.lab)
  return {
    refused: run.refused,
    sockets: answer.sockets,
    frames: seenFrames(
      answer.frames.filter((frame) => materialised.places.has(frame.netns)),
      placeOf,
    ),
    rules: Object.fromEntries(
      Object.entries(answer.rules).map(([netns, hits]) => {
        const place = materialised.places.get(netns) ?? { host: netns, netns: ROOT_NETNS }
        return [placeOf(netns), rulePasses(withoutNoise(hits), place, chains)]
      }),
    ),
    conntrack: byPlace(mapValues(answer.conntrack, (entries) => entries.filter((entry) => !isNoiseEntry(entry)))),
    neighbours: byPlace(answer.neighbours),
    fdb: byPlace(answer.fdb),
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

/** A frame seen again after this long is another one: it was sent again by a timer. */
const SAME_FRAME_NANOSECONDS = 5_000_000

function seenFrames(frames: readonly KernelFrame[], placeOf: (netns: string) => string): SeenFrame[] {
  const groups: (SeenFrame & { seen: string[] })[] = []
  let lastAt = 0
  const start = frames[0]?.at ?? 0
  for (const frame of frames) {
    if (isNoise(frame)) continue
    const tap = `${placeOf(frame.netns)} ${frame.device} ${frame.direction}`
    const last = groups.at(-1)
    const same = last !== undefined && last.bytes === frame.bytes && last.kind === frame.kind
    if (same && !last.seen.includes(tap) && frame.at - lastAt < SAME_FRAME_NANOSECONDS) last.seen.push(tap)
    else
      groups.push({
        ms: Math.round((frame.at - start) / 1e6),
        seen: [tap],
        text: bytesText(frame.bytes, frame.kind),
        kind: frame.kind,
        bytes: frame.bytes,
      })
    lastAt = frame.at
  }
  return groups
}

/** A line for people. */
export function bytesText(hex: string, kind: 'ethernet' | 'ip'): string {
  const bytes = Buffer.from(hex, 'hex')
  const read = kind === 'ip' ? parseIpPacket(bytes) : parseFrame(bytes)
  return read.ok ? frameText(read.value) : `unreadable: ${read.reason}`
}

type OpenPass = RulePass & { readonly rules: string[]; readonly hit: KernelRuleHit }

function rulePasses(hits: readonly KernelRuleHit[], place: Place, chains: ChainRules): RulePass[] {
  const passes: OpenPass[] = []
  for (const hit of hits) {
    const rules = chains.of(place, hit.family, `${hit.table}/${hit.chain}`)
    const rule = `${hit.table}/${hit.chain}:${hit.index > rules.length ? 'end' : hit.index}`
    // nf_tables tells of a REJECT after the packets that it sends; iptables-legacy, and we, before.
    if (hit.table === MARKS) {
      const last = passes.at(-1)
      if (last === undefined || !isSameWalk(last.hit, hit)) passes.push({ ...passOf(hit), rules: [] })
      continue
    }
    const isLate = hit.walk !== undefined && REJECTS.test(rules[hit.index - 1] ?? '')
    const found = isLate ? passes.findLast((pass) => isSameWalk(pass.hit, hit)) : passes.at(-1)
    if (found !== undefined && isSameWalk(found.hit, hit)) found.rules.push(rule)
    else passes.push({ ...passOf(hit), rules: [rule] })
  }
  const walked = passes.filter(({ rules }) => rules.length > 0)
  return walked.map(({ hit, ...pass }, i) => {
    const becomes = hit.walk === undefined ? undefined : destinationAfter(walked, i)
    return becomes === undefined ? pass : { ...pass, becomes }
  })
}

/** The agent's own table, which shows where packets are. */
const MARKS = 'kernel_judge'

const passOf = (hit: KernelRuleHit): Omit<OpenPass, 'rules'> => ({
  family: hit.family,
  in: hit.in,
  out: hit.out,
  mark: hit.mark,
  text: bytesText(hit.packet, 'ip'),
  hit,
})

const REJECTS = /-j REJECT|^reject\b| reject\b/

/** An ICMP redirect to the sender may go by the rules between two passes of one packet. */
const PASSES_BETWEEN = 1

/** Where the packet of a pass is going when it is next seen, if that is somewhere else. */
function destinationAfter(passes: readonly OpenPass[], at: number): string | undefined {
  const before = headOf(passes[at])
  const heads = passes.slice(at + 1, at + 2 + PASSES_BETWEEN).map(headOf)
  const after = heads.find((head) => head !== undefined && head.kept === before?.kept)
  if (before === undefined || after === undefined) return undefined
  return before.destination === after.destination ? undefined : after.destination
}

/** A trace shows the IP header and the first octets after it. `kept`: what NAT of the destination leaves as it is. */
function headOf(pass: OpenPass | undefined): { readonly kept: string; readonly destination: string } | undefined {
  const bytes = Buffer.from(pass?.hit.packet ?? '', 'hex')
  const version = (bytes[0] ?? 0) >> 4
  const family = version === 4 ? 4 : 6
  const [addresses, ports] = family === 4 ? [12, ((bytes[0] ?? 0) & 15) * 4] : [8, 40]
  const size = family === 4 ? 4 : 16
  if ((version !== 4 && version !== 6) || bytes.length < ports + 4) return undefined
  const destination = hostPort(readIp(bytes, addresses + size, family), bytes.readUInt16BE(ports + 2))
  const [source, id] = [bytes.subarray(addresses, addresses + size), bytes.subarray(4, 6)]
  return {
    kept: Buffer.concat([source, bytes.subarray(ports, ports + 2), family === 4 ? id : source]).toString('hex'),
    destination,
  }
}

function isSameWalk(one: KernelRuleHit, other: KernelRuleHit): boolean {
  if (one.walk !== undefined) return one.walk === other.walk && (other.packet === '' || other.packet === one.packet)
  return one.packet === other.packet && one.in === other.in && one.out === other.out && one.mark === other.mark
}

/** The rules of each chain of a lab: what a trace calls rule N+1 is the chain's end. */
class ChainRules {
  private readonly known = new Map<string, ReadonlyMap<string, readonly string[]>>()
  private readonly lab: KernelLab

  constructor(lab: KernelLab) {
    this.lab = lab
  }

  of({ host, netns }: Place, family: 4 | 6, chain: string): readonly string[] {
    const key = `${host} ${netns} ${family}`
    const chains = this.known.get(key) ?? this.read(host, netns, family)
    this.known.set(key, chains)
    return chains.get(chain) ?? []
  }

  private read(host: string, netns: string, family: 4 | 6): ReadonlyMap<string, readonly string[]> {
    const ops = this.lab.hosts.find(({ name }) => name === host)?.ops.filter((op) => op.netns === netns) ?? []
    return new Map([
      ...nftRuleTexts(ops, family),
      ...[...iptablesTables(ops, family)].flatMap(([table, chains]) =>
        [...chains].map(([chain, { rules }]): [string, readonly string[]] => [`${table}/${chain}`, rules]),
      ),
    ])
  }
}

const nftRuleTexts = (ops: readonly Op[], family: Family): [string, readonly string[]][] =>
  nftChains(ops, family).map(({ chain }) => [`${chain.table}/${chain.name}`, chain.lines.map(({ rule }) => rule)])
