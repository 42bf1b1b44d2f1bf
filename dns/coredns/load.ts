import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import type { ConfigLine } from '../step.ts'
import { Dispenser } from './corefile/dispenser.ts'
import { type CorefileSource, parseCorefile, type ServerBlock } from './corefile/parser.ts'
import { DIRECTIVES, type Directive, isDirective } from './order.ts'
import type { Handler, Plugin, World } from './plugin.ts'
import { plugins } from './plugins.ts'
import { type Listener, newZone, type Zone } from './server.ts'
import { parseServerKey } from './zones.ts'

/** A Corefile made into listeners, one per port. */
export interface LoadedCorefile {
  readonly listeners: readonly Listener[]
  /** What the Corefile asks for and podwalk does not emulate. */
  readonly notModelled: readonly NotModelled[]
}

export interface NotModelled {
  /** `not modelled: plugin rewrite (Corefile:7)`, or of an import that found nothing. */
  readonly text: string
  readonly line: ConfigLine
}

/** Directives that let a listener answer classes other than IN (core/dnsserver EnableChaos). */
const ANY_CLASS: readonly Directive[] = ['chaos', 'forward']
const DEFAULT_PORT = 53
const DEFAULT_TEXT = '.:53 {\nwhoami\nlog\n}\n'

/** A Corefile taken apart: server blocks with the words of their directives. Plain data that several servers can share. */
export interface ReadCorefile {
  readonly name: string
  readonly blocks: readonly KeyedBlock[]
  readonly notModelled: readonly NotModelled[]
  /** No other file is part of it. */
  readonly isWhole: boolean
}

/** Reads a Corefile; refused with CoreDNS's own words. */
export function readCorefile(source: Omit<CorefileSource, 'isDirective'>): Parsed<ReadCorefile> {
  const text = source.text.trim() === '' ? DEFAULT_TEXT : source.text
  const file = parseCorefile({ ...source, text, isDirective })
  if (!file.ok) return refused(file.error.message)
  const keyed = keyedBlocks(file.blocks)
  if (!keyed.ok) return keyed
  const notModelled = file.emptyImports.map(({ pattern, file: name, line }) => ({
    text: `no file is known that matches import ${pattern} (${name}:${line})`,
    line: { file: name, line },
  }))
  return parsed({ name: source.name, blocks: keyed.value, notModelled, isWhole: file.isWhole })
}

/** Reads and sets up a Corefile as CoreDNS does at its start. */
export function loadCorefile(source: Omit<CorefileSource, 'isDirective'>, world: World): Parsed<LoadedCorefile> {
  const read = readCorefile(source)
  return read.ok ? setUpCorefile(read.value, world) : read
}

/** Sets up the plugins, each with a state of its own; refused where CoreDNS would not start. */
export function setUpCorefile(read: ReadCorefile, world: World): Parsed<LoadedCorefile> {
  const { blocks, name } = read
  const notModelled: NotModelled[] = [...read.notModelled]
  const echoedOptions = new Set<number>()
  const handlers = new Map<KeyedBlock, Handler[]>(blocks.map((block) => [block, []]))
  for (const directive of DIRECTIVES)
    for (const block of blocks) {
      const tokens = block.directives.get(directive)
      const [first] = tokens ?? []
      if (!tokens || !first) continue
      const line = { file: first.file, line: first.line }
      const tell = (what: string) =>
        notModelled.push({ text: `not modelled: ${what} (${line.file}:${line.line})`, line })
      const plugin = (plugins as Partial<Record<Directive, Plugin>>)[directive]
      if (!plugin) {
        tell(`plugin ${directive}`)
        handlers.get(block)?.push(missingLink(directive, line))
        continue
      }
      const words = new Dispenser(name, tokens)
      const setup = plugin.setup({
        words,
        line,
        zones: block.zones,
        world,
        notModelled: tell,
        echoedOptions,
        root: rootOf(block),
      })
      if (!setup.ok) return setup
      handlers.get(block)?.push(...setup.value)
    }
  const listeners = listenersOf(blocks, { handlers, echoedOptions })
  if (!listeners.ok) return listeners
  const twice = servedTwice(blocks)
  if (twice !== undefined) return refused(`cannot serve ${twice} - it is already defined`)
  for (const links of handlers.values())
    for (const handler of links) {
      const wrong = handler.link?.(links)
      if (wrong !== undefined) return refused(wrong)
    }
  for (const block of blocks)
    for (const { transport } of block.keys)
      if (transport !== 'dns')
        notModelled.push({
          text: `not modelled: ${transport} listener (${name}:${block.line})`,
          line: { file: name, line: block.line },
        })
  return parsed({ listeners: listeners.value, notModelled })
}

/** Stands where a plugin stands that is not modelled: every query it might have changed says so. */
const missingLink = (plugin: Directive, line: ConfigLine): Handler => ({
  plugin,
  line,
  serve(request, next) {
    const detail = 'not modelled: goes on as if the plugin were not there'
    request.server.note({ kind: 'dns.plugin', plugin, line, question: request.question, action: 'passed', detail })
    return next(request)
  },
})

export interface KeyedBlock extends ServerBlock2 {
  readonly keys: readonly { readonly transport: string; readonly zone: string; readonly port: number }[]
  /** Zones of all keys. */
  readonly zones: readonly string[]
}
type ServerBlock2 = Pick<ServerBlock, 'directives' | 'line'>

const rootOf = ({ directives }: KeyedBlock): string | undefined => directives.get('root')?.[1]?.text

/** Which port a transport has where the key names none. */
const TRANSPORT_PORT: Readonly<Record<string, number>> = {
  dns: DEFAULT_PORT,
  tls: 853,
  quic: 853,
  grpc: 443,
  https: 443,
  https3: 443,
}

/** InspectServerBlocks of core/dnsserver/register.go. */
function keyedBlocks(blocks: readonly ServerBlock[]): Parsed<readonly KeyedBlock[]> {
  const keyed: KeyedBlock[] = []
  for (const { keys, directives, line } of blocks) {
    const own: { transport: string; zone: string; port: number }[] = []
    for (const text of keys) {
      const key = parseServerKey(text)
      if (!key.ok) return refused(`error inspecting server blocks: ${key.reason}`)
      const { transport, zones, port = TRANSPORT_PORT[transport] ?? DEFAULT_PORT } = key.value
      for (const zone of zones) own.push({ transport, zone, port })
    }
    keyed.push({ keys: own, zones: [...new Set(own.map(({ zone }) => zone))], directives, line })
  }
  return parsed(keyed)
}

/** A zone that is served twice; blocks with a view do not count (validateZonesAndListeningAddresses). */
function servedTwice(blocks: readonly KeyedBlock[]): string | undefined {
  const taken = new Set<string>()
  for (const { keys, directives } of blocks) {
    if (directives.has('view')) continue
    for (const { transport, zone, port } of keys) {
      const name = `${transport}://${zone}:${port}`
      if (taken.has(name)) return name
      taken.add(name)
    }
  }
  return undefined
}

function listenersOf(
  blocks: readonly KeyedBlock[],
  made: {
    readonly handlers: ReadonlyMap<KeyedBlock, readonly Handler[]>
    readonly echoedOptions: ReadonlySet<number>
  },
): Parsed<readonly Listener[]> {
  const ports = new Map<number, { zones: Map<string, Zone[]>; anyClass: boolean }>()
  for (const block of blocks)
    for (const { transport, zone, port } of block.keys) {
      if (port < 0 || port > 0xffff) return refused(`address ${port}: invalid port`)
      if (transport !== 'dns') continue
      const listener = ports.get(port) ?? { zones: new Map<string, Zone[]>(), anyClass: false }
      ports.set(port, listener)
      const own = newZone(zone, made.handlers.get(block) ?? [])
      listener.zones.set(zone, [...(listener.zones.get(zone) ?? []), own])
      listener.anyClass ||= ANY_CLASS.some((directive) => block.directives.has(directive))
    }
  return parsed(
    [...ports].map(([port, { zones, anyClass }]) => ({ port, zones, anyClass, echoedOptions: made.echoedOptions })),
  )
}
