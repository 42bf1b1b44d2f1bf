import type { KernelLab, Place } from './lab.ts'

/** A lab, what stands in it, and what is asked of it: the same for the kernel and for our model. */
export interface Scenario {
  /** kebab-case; the name of the recorded case. */
  readonly name: string
  /** One sentence: what it shows. */
  readonly about: string
  /** What kind of lab it is, for the count by mode. */
  readonly mode?: string
  /** Which iptables writes the rules; legacy unless said. */
  readonly backend?: 'legacy' | 'nft'
  readonly lab: KernelLab
  readonly standing: readonly Standing[]
  /** One after the other, each when the one before has come to rest. */
  readonly flows: readonly ScenarioFlow[]
  /** How long each flow is watched at least: for timers. */
  readonly observeMs?: number
}

/** A program that is there before the probe. */
export type Standing = Listener | UdpForwarder

export interface Listener extends Place {
  readonly program: 'listen'
  readonly protocol: 'tcp' | 'udp'
  readonly family: 4 | 6
  /** The wildcard address unless said. */
  readonly ip?: string
  readonly port: number
  /** `echo` unless said. TCP: closes after the client has. */
  readonly answers?: 'echo' | 'silent'
}

/** flanneld's UDP forwarder. */
export interface UdpForwarder extends Place {
  readonly program: 'flannel-udp'
  readonly device: string
  readonly tunIp: string
  readonly ip: string
  readonly port: number
  readonly routes: readonly { readonly prefix: string; readonly via: string }[]
}

/**
 * A client. TCP: connects, sends each message when the one before has been answered in full, closes. UDP: a connected
 * socket, the same way. ICMP: echo requests by a ping socket.
 */
export interface ScenarioFlow extends Place {
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  readonly to: { readonly ip: string; readonly port: number }
  /** Own address and port; chosen by the kernel unless said. */
  readonly ip?: string
  readonly port?: number
  readonly ttl?: number
  readonly sends: readonly Message[]
  readonly stay?: boolean
}

/** A text, or so many octets 0, 1, 2, ... 255, 0, ... */
export type Message = string | number

export function messageBytes(message: Message): Uint8Array {
  return typeof message === 'string'
    ? new TextEncoder().encode(message)
    : Uint8Array.from({ length: message }, (_, i) => i & 255)
}

/** `tcp/80@node1/root` (`tcp6/80@...` in IPv6): what events of a standing program are called in the log. */
export function standingName(one: Standing): string {
  const what = one.program === 'listen' ? `${one.protocol}${one.family === 6 ? 6 : ''}/${one.port}` : one.program
  return `${what}@${one.host}/${one.netns}`
}

/** `client 1`, `client 2`, ...: what events of a flow are called in the log. */
export const flowName = (index: number): string => `client ${index + 1}`
