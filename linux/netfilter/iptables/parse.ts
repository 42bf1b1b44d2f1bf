import { type Family, parseIp } from '../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../packet/parsed.ts'
import { bitsOf, hostPrefix, type Prefix, parsePrefix } from '../../../packet/prefix.ts'
import { type Extension, type Given, parseUnsigned, type RuleContext } from './extension.ts'
import { MATCHES, protocolMatch } from './matches.ts'
import {
  type AddressTest,
  type LinkTest,
  type Match,
  PROTOCOL_NAMES,
  type ProtocolTest,
  type RuleSpec,
  type Target,
} from './rule.ts'
import { OTHER_TARGETS, TARGETS } from './targets.ts'
import { quoteWord, splitWords } from './words.ts'

/**
 * Reads what stands after the chain name in `iptables -A CHAIN ARGS`, as iptables 1.8.9 does. What iptables knows and
 * we do not is refused as `not modelled: -m owner --uid-owner 0`.
 */
export function parseRule(family: Family, args: string): Parsed<RuleSpec> {
  const rule = readRule(family, args)
  if (!rule.ok) return rule
  for (const part of [...rule.value.matches, rule.value.target])
    if (part?.kind === 'notModelled') return refused(`not modelled: ${part.text}`)
  return rule
}

/**
 * The same, but what is not modelled stays in the rule as a part of its own: the other parts may already tell that a
 * packet does not match.
 */
export function readRule(family: Family, args: string): Parsed<RuleSpec> {
  const words = splitWords(args)
  if (!words.ok) return words
  const reading: Reading = {
    family,
    words: words.value,
    at: 0,
    head: new Map(),
    fragments: undefined,
    parts: [],
    target: undefined,
  }
  while (reading.at < reading.words.length) {
    const trouble = readOption(reading)
    if (trouble !== undefined) return refused(trouble)
  }
  return finish(reading)
}

interface Reading {
  readonly family: Family
  readonly words: readonly string[]
  at: number
  /** -s, -d, -i, -o and -p by their short names. */
  readonly head: Map<string, Given>
  /** -f. */
  fragments: { readonly not: boolean } | undefined
  readonly parts: Part[]
  target: Part | undefined
}

/** A match or a target while its options come in. */
interface Part {
  readonly flag: '-m' | '-j' | '-g'
  readonly name: string
  readonly extension: Extension<Match | Target> | undefined
  readonly given: Map<string, Given>
  /** Its own words, in case it is not modelled. */
  readonly text: string[]
  modelled: boolean
}

const HEAD_OPTIONS: Readonly<Record<string, string>> = {
  '-s': '-s',
  '--source': '-s',
  '--src': '-s',
  '-d': '-d',
  '--destination': '-d',
  '--dst': '-d',
  '-i': '-i',
  '--in-interface': '-i',
  '-o': '-o',
  '--out-interface': '-o',
  '-p': '-p',
  '--protocol': '-p',
  '--proto': '-p',
}

const PART_OPTIONS: Readonly<Record<string, '-m' | '-j' | '-g'>> = {
  '-m': '-m',
  '--match': '-m',
  '-j': '-j',
  '--jump': '-j',
  '-g': '-g',
  '--goto': '-g',
}

/** Reads one option with its arguments; returns what is wrong with it. */
function readOption(reading: Reading): string | undefined {
  const not = reading.words[reading.at] === '!'
  if (not) reading.at++
  const word = reading.words[reading.at++]
  if (word === undefined) return 'nothing stands after "!"'
  if (word === '!') return 'two "!" in a row'
  if (!word.startsWith('-')) return `"${word}" is not an option`
  const equals = word.startsWith('--') ? word.indexOf('=') : -1
  if (equals > 0) return readLongOption(reading, word.slice(0, equals), { not, first: word.slice(equals + 1) })
  const head = HEAD_OPTIONS[word]
  if (head !== undefined) return readHeadOption(reading, head, not)
  const part = PART_OPTIONS[word]
  if (part !== undefined) return not ? `"!" may not stand before ${word}` : readPart(reading, part)
  if (word === '-4' || word === '-6') return wrongFamily(reading.family, word)
  if (word === '-f' || word === '--fragments') return readFragments(reading, not)
  return readLongOption(reading, word, { not, first: undefined })
}

const wrongFamily = (family: Family, word: '-4' | '-6'): string | undefined =>
  word === `-${family}` ? undefined : `${word} in a rule of IPv${family}`

/** ipt_ip's IPT_F_FRAG, which IPv6 does not have: its fragments are found by their extension header. */
function readFragments(reading: Reading, not: boolean): string | undefined {
  if (reading.family === 6) return '-f in a rule of IPv6'
  if (reading.fragments !== undefined) return '-f is given twice'
  reading.fragments = { not }
  return undefined
}

function readHeadOption(reading: Reading, option: string, not: boolean): string | undefined {
  const argument = reading.words[reading.at++]
  if (argument === undefined) return `${option} needs an argument`
  if (reading.head.has(option)) return `${option} is given twice`
  reading.head.set(option, { not, args: [argument] })
  return undefined
}

function emptyPart(flag: Part['flag'], name: string): Part {
  const table: Readonly<Record<string, Extension<Match | Target>>> =
    flag === '-m' ? MATCHES : flag === '-j' ? TARGETS : {}
  const extension = Object.hasOwn(table, name) ? table[name] : undefined
  return { flag, name, extension, given: new Map(), text: [flag, name], modelled: true }
}

/** `-m icmpv6` and `-m ipv6-icmp` are other names of icmp6. */
const MATCH_ALIASES: ReadonlyMap<string, string> = new Map([
  ['icmpv6', 'icmp6'],
  ['ipv6-icmp', 'icmp6'],
])

function readPart(reading: Reading, flag: Part['flag']): string | undefined {
  const name = reading.words[reading.at++]
  if (name === undefined) return `${flag} needs an argument`
  if (flag === '-m') {
    const part = emptyPart(flag, MATCH_ALIASES.get(name) ?? name)
    part.modelled = part.extension !== undefined
    reading.parts.push(part)
    return undefined
  }
  if (reading.target !== undefined) return `${flag}: a second target`
  const part = emptyPart(flag, name)
  if (flag === '-j' && OTHER_TARGETS.has(name)) part.modelled = false
  else if (part.extension === undefined && !isChainName(name)) return `${flag}: "${name}" is not a chain name`
  reading.target = part
  return undefined
}

/** XT_EXTENSION_MAXNAMELEN leaves 28 characters. */
const isChainName = (name: string): boolean => /^[^\s!-][^\s]{0,27}$/.test(name)

/** An option of the target or of a match, the newest first; or of the protocol's own match, which then is loaded. */
function readLongOption(
  reading: Reading,
  option: string,
  { not, first }: { not: boolean; first: string | undefined },
): string | undefined {
  const part = ownerOf(reading, option)
  if (part === undefined) return `unknown option "${option}"`
  const spelled = not ? ['!', option] : [option]
  const shape =
    part.extension !== undefined && Object.hasOwn(part.extension.options, option)
      ? part.extension.options[option]
      : undefined
  if (shape === undefined) {
    part.modelled = false
    part.text.push(...spelled, ...(first === undefined ? [] : [first]), ...takeArguments(reading))
    return undefined
  }
  if (not && !shape.not) return `"!" may not stand before ${option}`
  const args = first === undefined ? [] : [first]
  while (args.length < shape.args) {
    const argument = reading.words[reading.at++]
    if (argument === undefined) return `${option} needs ${shape.args === 1 ? 'an argument' : `${shape.args} arguments`}`
    args.push(argument)
  }
  const name = shape.as ?? option
  if (part.given.has(name)) return `${option} is given twice`
  part.given.set(name, { not, args })
  part.text.push(...spelled, ...args)
  return undefined
}

function ownerOf(reading: Reading, option: string): Part | undefined {
  const newestFirst = [...(reading.target === undefined ? [] : [reading.target]), ...reading.parts.toReversed()]
  const owner = newestFirst.find((part) => knows(part, option))
  if (owner !== undefined) return owner
  const implicit = implicitMatch(reading)
  if (implicit !== undefined && knows(implicit, option)) {
    reading.parts.push(implicit)
    return implicit
  }
  return newestFirst.find((part) => !part.modelled)
}

function knows(part: Part, option: string): boolean {
  if (part.extension === undefined) return false
  return Object.hasOwn(part.extension.options, option) || part.extension.notModelled?.includes(option) === true
}

function implicitMatch(reading: Reading): Part | undefined {
  const protocol = reading.head.get('-p')
  const number = protocol === undefined ? undefined : readProtocol(protocol)
  const name = number?.ok === true && number.value !== undefined ? protocolMatch(number.value.number) : undefined
  if (name === undefined || reading.parts.some((part) => part.name === name)) return undefined
  return emptyPart('-m', name)
}

/** Whatever follows an option of which we do not know how many arguments it has. */
function takeArguments(reading: Reading): string[] {
  const taken: string[] = []
  for (;;) {
    const word = reading.words[reading.at]
    if (word === undefined || word === '!' || word.startsWith('-')) return taken
    taken.push(word)
    reading.at++
  }
}

function finish(reading: Reading): Parsed<RuleSpec> {
  const { family, head } = reading
  const protocol = readProtocol(head.get('-p'))
  if (!protocol.ok) return protocol
  const source = readAddress(family, '-s', head.get('-s'))
  if (!source.ok) return source
  const destination = readAddress(family, '-d', head.get('-d'))
  if (!destination.ok) return destination
  const in_ = readLink('-i', head.get('-i'))
  if (!in_.ok) return in_
  const out = readLink('-o', head.get('-o'))
  if (!out.ok) return out
  const context: RuleContext = { family, protocol: protocol.value }
  const matches: Match[] = []
  for (const part of reading.parts) {
    const match = readExtension(part, context)
    if (!match.ok) return match
    matches.push(match.value as Match)
  }
  const target = readTarget(reading.target, context)
  if (!target.ok) return target
  return parsed({
    family,
    source: source.value,
    destination: destination.value,
    in: in_.value,
    out: out.value,
    protocol: protocol.value,
    fragments: reading.fragments,
    matches,
    target: target.value,
  })
}

function readTarget(part: Part | undefined, context: RuleContext): Parsed<Target | undefined> {
  if (part === undefined) return parsed(undefined)
  if (part.flag === '-g') return parsed({ kind: 'goto', chain: part.name })
  if (part.extension === undefined && part.modelled) return parsed({ kind: 'jump', chain: part.name })
  return readExtension(part, context) as Parsed<Target>
}

function readExtension(part: Part, context: RuleContext): Parsed<Match | Target> {
  if (!part.modelled || part.extension === undefined)
    return parsed({ kind: 'notModelled', text: part.text.map(quoteArgument).join(' ') })
  const result = part.extension.read(part.given, context)
  if (!result.ok && result.reason.startsWith('not modelled: '))
    return parsed({ kind: 'notModelled', text: part.text.map(quoteArgument).join(' ') })
  return result
}

const quoteArgument = (word: string): string => (/[\s"'\\]/.test(word) || word === '' ? quoteWord(word) : word)

function readProtocol(given: Given | undefined): Parsed<ProtocolTest | undefined> {
  if (given === undefined) return parsed(undefined)
  const name = (given.args[0] ?? '').toLowerCase()
  const number = PROTOCOL_NUMBERS.get(name) ?? numericProtocol(name)
  if (number === undefined) return refused(`-p: "${name}" is not a protocol we know`)
  if (number !== 0) return parsed({ not: given.not, number })
  return given.not ? refused('-p: "! -p all" never matches') : parsed(undefined)
}

const PROTOCOL_NUMBERS: ReadonlyMap<string, number> = new Map([
  ...[...PROTOCOL_NAMES].map(([number, name]) => [name, number] as const),
  ['all', 0],
  ['icmpv6', 58],
  ['ipv6-mh', 135],
  ['mh', 135],
])

function numericProtocol(text: string): number | undefined {
  const number = parseUnsigned(text, 255)
  return number.ok ? number.value : undefined
}

function readAddress(family: Family, option: string, given: Given | undefined): Parsed<AddressTest | undefined> {
  if (given === undefined) return parsed(undefined)
  const text = given.args[0] ?? ''
  if (text.includes(',')) return refused(`${option}: "${text}" is a list; write one rule for each address`)
  const prefix = parseNetwork(text)
  if (!prefix.ok) return refused(`${option}: ${prefix.reason}`)
  if (prefix.value.address.family !== family)
    return refused(`${option}: "${text}" is IPv${prefix.value.address.family} in a rule of IPv${family}`)
  if (prefix.value.length > 0) return parsed({ not: given.not, prefix: prefix.value })
  return given.not ? refused(`${option}: "! ${option} ${text}" never matches`) : parsed(undefined)
}

/** An address, an address/length (host bits are cut off), or an address/mask. */
function parseNetwork(text: string): Parsed<Prefix> {
  if (!text.includes('/')) {
    const address = parseIp(text)
    return address.ok ? parsed(hostPrefix(address.value)) : address
  }
  const [address, mask] = text.split('/', 2)
  const dotted = mask !== undefined && /[.:]/.test(mask) ? maskLength(mask) : parsed(mask ?? '')
  return dotted.ok ? parsePrefix(`${address}/${dotted.value}`, 'mask') : dotted
}

/** The prefix length that a mask in address form stands for. */
function maskLength(text: string): Parsed<string> {
  const mask = parseIp(text)
  if (!mask.ok) return mask
  const { family, a, b, c, d } = mask.value
  const words = family === 4 ? [d] : [a, b, c, d]
  const bits = words.map((word) => word.toString(2).padStart(32, '0')).join('')
  if (!/^1*0*$/.test(bits)) return refused(`not modelled: the mask ${text} has holes`)
  const length = bits.indexOf('0')
  return parsed(String(length < 0 ? bitsOf(family) : length))
}

/** IFNAMSIZ leaves 15 characters. */
const MAX_LINK_NAME = 15

function readLink(option: string, given: Given | undefined): Parsed<LinkTest | undefined> {
  if (given === undefined) return parsed(undefined)
  const name = given.args[0] ?? ''
  if (name === '' || name.length > MAX_LINK_NAME)
    return refused(`${option}: "${name}" is not an interface name of 1 to ${MAX_LINK_NAME} characters`)
  return parsed(name === '+' && !given.not ? undefined : { not: given.not, name })
}
