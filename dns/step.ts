import type { Ip } from '../packet/ip.ts'

/** What a resolver or a DNS server did, as seen in the trace beside the packets. Plain data. */
export type DnsStep = DnsStepHead & DnsStepBody

export interface DnsStepHead {
  /** Nanoseconds on the virtual clock. */
  readonly at: number
  readonly host: string
  readonly netns: string
}

/** A place in a Corefile or another configuration file: `Corefile:7`. */
export interface ConfigLine {
  readonly file: string
  readonly line: number
}

export interface DnsQuestion {
  readonly name: string
  readonly type: string
}

export type DnsStepBody = ResolverStep | ServerStep

export type ResolverStep =
  /** A lookup starts: what was asked of the library, and what its configuration says. */
  | {
      readonly kind: 'dns.lookup'
      readonly resolver: string
      readonly name: string
      readonly types: readonly string[]
      readonly servers: readonly string[]
      readonly search: readonly string[]
      readonly ndots: number
    }
  /** A name of the search ladder is tried; `why` it is this one's turn. */
  | { readonly kind: 'dns.candidate'; readonly name: string; readonly why: string }
  | {
      readonly kind: 'dns.query'
      readonly question: DnsQuestion
      readonly id: number
      readonly server: Ip
      readonly transport: 'udp' | 'tcp'
      /** The program's descriptor: queries with the same one share a source port. */
      readonly fd: number
      /** Counts from 1 per name and server. */
      readonly attempt: number
      readonly edns?: number
    }
  | {
      readonly kind: 'dns.reply'
      readonly question: DnsQuestion
      readonly server: Ip
      readonly transport: 'udp' | 'tcp'
      readonly rcode: string
      readonly truncated: boolean
      /** Records of the answer section in presentation form. */
      readonly answers: readonly string[]
      readonly size: number
    }
  /** Nothing came in time, or the network said no. */
  | {
      readonly kind: 'dns.noReply'
      readonly server: Ip
      readonly questions: readonly DnsQuestion[]
      readonly reason: string
    }
  /** What the resolver made of it, and what it does next. */
  | { readonly kind: 'dns.decision'; readonly name: string; readonly result: string; readonly next: string }
  /** A source before DNS answered, or was asked in vain: /etc/hosts, a literal address. */
  | { readonly kind: 'dns.source'; readonly source: string; readonly name: string; readonly found: readonly string[] }
  | {
      readonly kind: 'dns.result'
      readonly name: string
      readonly addresses: readonly Ip[]
      readonly canonicalName?: string
      readonly error?: string
    }

export type ServerStep =
  | {
      readonly kind: 'dns.server'
      readonly server: string
      readonly event: 'started' | 'failed' | 'notModelled'
      readonly text: string
      readonly line?: ConfigLine
    }
  | {
      readonly kind: 'dns.request'
      readonly server: string
      readonly question: DnsQuestion
      readonly from: Ip
      readonly transport: 'udp' | 'tcp'
    }
  /** One plugin of the chain: what it did with the question, from which object. */
  | {
      readonly kind: 'dns.plugin'
      readonly plugin: string
      readonly line?: ConfigLine
      readonly question: DnsQuestion
      readonly action: PluginAction
      readonly detail: string
      /** `Service shop/web`, with its place in the input. */
      readonly object?: string
      readonly source?: string
    }
  | {
      readonly kind: 'dns.answer'
      readonly server: string
      readonly question: DnsQuestion
      readonly rcode: string
      /** The plugin that made the reply; undefined: the server itself. */
      readonly by: string | undefined
      readonly answers: readonly string[]
      readonly size: number
      readonly truncated: boolean
    }

export type PluginAction = 'answered' | 'passed' | 'fellThrough' | 'changed' | 'asked' | 'failed' | 'stored'
