import type { Errno, SocketAddress } from '../../linux/process.ts'
import type { Family, Ip } from '../../packet/ip.ts'
import type { Parsed } from '../../packet/parsed.ts'
import type { Message, Question } from '../message.ts'
import type { ResourceRecord } from '../record.ts'
import type { ConfigLine, DnsStepBody } from '../step.ts'
import type { DnsApiView } from './api-view.ts'
import type { CorefileError, Dispenser } from './corefile/dispenser.ts'
import type { Entry } from './service-backend.ts'

/** A query on its way down the chain. A plugin that changes it hands on a new one. */
export interface Request {
  readonly message: Message
  readonly question: Question
  /** The question's name in lower case. */
  readonly name: string
  readonly client: SocketAddress
  /** The address it was sent to. */
  readonly local: Ip | undefined
  readonly transport: 'udp' | 'tcp'
  readonly server: ServerAccess
  /** What plugins know of the query, by label; undefined without the metadata plugin. Plugins add to it. */
  readonly metadata: Map<string, string> | undefined
  /** How often the server has asked itself on the way here (dnsserver.LoopKey). */
  readonly depth: number
  /**
   * CoreDNS's plugins share one message and change it: what the server reads of it when it sends (OPT, flags) is as the
   * last of them left it. `question` and `message` above are as they were when this plugin got them.
   */
  readonly shared: { message: Message }
}

/** What a plugin may ask of the server that runs it. */
export interface ServerAccess {
  /** `dns://.:53`. */
  readonly name: string
  readonly port: number
  /** EDNS options of a query that go back with the reply (edns.SetSupportedOption). */
  readonly echoedOptions: ReadonlySet<number>
  /** Whether a reply is cut before it is sent. */
  isCut(request: Request, reply: Message): boolean
  /** The families of its own addresses. */
  readonly families: readonly Family[]
  /** Nanoseconds on the virtual clock. */
  now(): number
  /** 0 .. choices-1. */
  draw(entry: string, choices: number): number
  /** Tells what happened; a function is only called where somebody wants to know. */
  note(body: DnsStepBody | (() => DnsStepBody)): void
  /** Asks this server again from the top, as for the target of an alias; undefined where it writes nothing. */
  serve(request: Request): Serving<Message | undefined>
}

/** What a plugin did with a query. */
export type Outcome =
  /** It wrote a reply; `rcode` is what the chain is told, `error` what the errors plugin would log. */
  | { readonly kind: 'reply'; readonly message: Message; readonly by: string; readonly error?: string }
  /** It wrote nothing: the server sends that code (SERVFAIL, REFUSED, FORMERR, NOTIMP). */
  | { readonly kind: 'code'; readonly rcode: number; readonly error?: string }
  /** Nothing is sent at all. */
  | { readonly kind: 'silence' }

/** What the chain needs from outside while it works; it goes on once that has come. */
export type Effect =
  | {
      readonly kind: 'exchange'
      readonly to: SocketAddress
      readonly transport: 'udp' | 'tcp'
      /** A message without the length that TCP puts in front. */
      readonly bytes: Uint8Array
      /** Nanoseconds to wait for the reply. */
      readonly patience: number
      /** Nanoseconds that an idle connection is kept for the next query. */
      readonly expire: number
    }
  /** Work that goes on beside, as a goroutine does. */
  | { readonly kind: 'background'; readonly work: Serving<void> }
  | { readonly kind: 'sleep'; readonly duration: number }
  /** The process ends with these last words; nothing comes back. */
  | { readonly kind: 'exit'; readonly text: string }

export type EffectResult =
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'error'; readonly errno: Errno }
  | { readonly kind: 'done' }

/** Work that may have to wait: it yields what it waits for. */
export type Serving<Result = Outcome> = Generator<Effect, Result, EffectResult>

/** The rest of the chain. */
export interface Next {
  (request: Request): Serving
  /** The plugin it begins with; undefined: nothing stands behind. */
  readonly leadsTo?: string
}

/** A plugin as one directive set it up. */
export interface Handler {
  readonly plugin: string
  readonly line: ConfigLine
  serve(request: Request, next: Next): Serving
  /** What it does once the server listens. */
  start?(server: ServerAccess): Serving<void>
  /** Whether its server block is for this query at all (dnsserver.Viewer). */
  admits?(request: Request): boolean
  /** Once all plugins are set up: takes what it needs of others in its block, or says why the server cannot start. */
  link?(block: readonly Handler[]): string | undefined
  readonly offers?: Offers
  /** Whether what the block's plugins know of this query is gathered: the metadata plugin. */
  collects?(request: Request): boolean
  /** What it tells of a query before the chain begins, by label (plugin/metadata Provider). */
  describe?(request: Request): Iterable<readonly [label: string, value: string]>
}

/** What a plugin has for others of its server block. */
export interface Offers {
  /** The search path of a client, for autopath: names with a final dot, `''` at the end. */
  searchPath?(request: Request): readonly string[] | undefined
  /** Names outside the cluster's own zone, for k8s_external. */
  readonly external?: ExternalSource
  /** The names it has records of, in lower case, and the types worth asking for. */
  names?(): Iterable<{ readonly name: string; readonly types: readonly string[] }>
  /** All records of a zone, for transfer: undefined where the zone is not this plugin's. */
  transfer?(zone: string, serial: number): readonly ResourceRecord[] | undefined
}

/** What k8s_external asks of the kubernetes plugin (plugin/k8s_external Externaler). */
export interface ExternalSource {
  services(
    question: { readonly name: string; readonly type: string },
    where: { readonly zone: string; readonly headless: boolean },
  ): { readonly entries: readonly Entry[]; readonly rcode: number }
  /** Names of services that have an external address, relative to the zone; undefined where none has it. */
  reverse(ip: Ip): readonly Entry[]
  addresses(zone: string, headless: boolean): readonly Ip[]
  /** Names that may have records, relative to the zone. */
  names(headless: boolean): Iterable<string>
  readonly serial: number
}

/** What a directive's setup gives: links of the chain, or the reason the server does not start. */
export type Setup = Parsed<readonly Handler[]>

/** A plugin of CoreDNS: one file, one line in `plugins.ts`. */
export interface Plugin {
  readonly name: string
  setup(controller: Controller): Setup
}

/** What setup sees: its own words of the Corefile, and the world around. */
export interface Controller {
  readonly words: Dispenser
  readonly line: ConfigLine
  /** The zones of the server block. */
  readonly zones: readonly string[]
  /** The folder of directive `root`, for relative paths. */
  readonly root: string | undefined
  readonly world: World
  /** Tells that something is not emulated. */
  notModelled(what: string): void
  /** EDNS options that the server is to send back where a query has them. */
  readonly echoedOptions: Set<number>
}

/** The process CoreDNS runs as. */
export interface World {
  readonly api: DnsApiView | undefined
  readonly file: (path: string) => string | undefined
  readonly addresses: () => readonly Ip[]
  readonly hostname: string
}

/** The first error of a directive, as its plugin reports it: `plugin/cache: ...`. */
export const pluginError = (plugin: string, error: CorefileError | string): Parsed<never> => ({
  ok: false,
  reason: `plugin/${plugin}: ${typeof error === 'string' ? error : error.message}`,
})

/** A link of the chain that hands every query on. */
export const passThrough = (plugin: string, line: ConfigLine): Handler => ({
  plugin,
  line,
  serve: (request, next) => next(request),
})
