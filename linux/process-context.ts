import { type Ip, isLoopback, sameIp } from '../packet/ip.ts'
import type { Netns } from './netns.ts'
import type { ProcessContext } from './process.ts'
import { routeOutput } from './route.ts'

/** What a program sees of the namespace that it runs in. A class, so that `now` is the clock's of the moment. */
export class NetnsContext implements ProcessContext {
  readonly host: string
  readonly netns: string
  readonly args: Readonly<Record<string, string>>
  private readonly ns: Netns

  constructor(ns: Netns, args: Readonly<Record<string, string>>) {
    this.host = ns.host.name
    this.netns = ns.name
    this.args = args
    this.ns = ns
  }

  get now(): number {
    return this.ns.host.kernel.now()
  }

  readonly file: ProcessContext['file'] = (path) => this.ns.files.get(path)

  readonly draw: ProcessContext['draw'] = (purpose, entry, choices) =>
    this.ns.host.kernel.draw({ host: this.host, netns: this.netns, purpose, entry }, choices)

  readonly addresses = (): readonly Ip[] => {
    const found: Ip[] = []
    for (const link of this.ns.links.values()) for (const { ip } of link.addresses) if (!isLoopback(ip)) found.push(ip)
    return found
  }

  readonly sourceFor = (destination: Ip): Ip | undefined => {
    const route = routeOutput(this.ns, { dst: destination })
    return route.kind === 'ok' ? route.source : undefined
  }

  readonly prefixLengthOf = (own: Ip): number | undefined => {
    for (const { addresses } of this.ns.links.values())
      for (const { ip, length } of addresses) if (sameIp(ip, own)) return length
    return undefined
  }
}
