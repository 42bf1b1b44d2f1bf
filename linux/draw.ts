/** What a random choice is for. One list, because judges feed the kernel's own choices by purpose. */
export type DrawPurpose =
  | 'statistic'
  | 'numgen'
  /** Where somebody who serves in turn stands when a walk begins: nobody knows what came before. */
  | 'turn'
  | 'nat-port'
  | 'ephemeral-port'
  | 'ip-id'
  | 'tcp-isn'
  | 'tcp-timestamp'
  | 'sctp-tag'
  | 'sctp-tsn'
  | 'sctp-key'
  | 'sctp-heartbeat'
  | 'icmp-id'
  | 'vxlan-source-port'
  | 'flow-label'
  | 'fragment-id'
  | 'resolver-id'
  | 'record-order'
  /** Whether a tick of the timers falls between two things that happen at one time here. */
  | 'tick'

export interface DrawSite {
  readonly host: string
  readonly netns: string
  readonly purpose: DrawPurpose
  /** The entry that asks: a rule, a socket's 5-tuple, a name. */
  readonly entry: string
}

/**
 * The one source of chance. `choices` is a number of equally likely outcomes, or a list of weights.
 * Returns an index: 0 .. choices-1.
 */
export type Draw = (site: DrawSite, choices: number | readonly number[]) => number

/**
 * A draw that depends on the seed and the site alone, and on how often that site has asked before: one more draw
 * elsewhere changes nothing here.
 */
export function seededDraw(seed: number): Draw {
  const asked = new Map<string, number>()
  return (site, choices) => {
    const key = `${site.host}|${site.netns}|${site.purpose}|${site.entry}`
    const turn = asked.get(key) ?? 0
    asked.set(key, turn + 1)
    const random = hash32(`${seed}|${key}|${turn}`) / 0x100000000
    return pick(random, choices)
  }
}

/** The index that `random` (0 <= random < 1) falls on. */
export function pick(random: number, choices: number | readonly number[]): number {
  if (typeof choices === 'number') return Math.floor(random * choices)
  const total = choices.reduce((sum, weight) => sum + weight, 0)
  let rest = random * total
  for (const [index, weight] of choices.entries()) {
    if (rest < weight) return index
    rest -= weight
  }
  return choices.length - 1
}

/** FNV-1a over the text, then a finaliser (MurmurHash3 fmix32) so that near texts fall far apart. */
export function hash32(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
