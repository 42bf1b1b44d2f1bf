import { formatIp, type Ip } from '../../packet/ip.ts'
import type { LookupIo, LookupOutcome } from './lookup.ts'

/** A lookup's first line in the trace: who asks, and what its configuration says. */
export interface Begun {
  readonly resolver: string
  readonly name: string
  readonly types: readonly string[]
  readonly servers: readonly Ip[]
  readonly search: readonly string[]
  readonly ndots: number
}

export function noteBegun(io: LookupIo, { servers, ...begun }: Begun): void {
  io.note({ kind: 'dns.lookup', ...begun, servers: servers.map(formatIp) })
}

export function noteCandidate(io: LookupIo, name: string, why: string): void {
  io.note({ kind: 'dns.candidate', name, why })
}

export function noteSource(io: LookupIo, source: string, name: string, found: readonly Ip[]): void {
  io.note({ kind: 'dns.source', source, name, found: found.map(formatIp) })
}

/** A lookup's last line in the trace; hands the outcome on. */
export function noted(io: LookupIo, name: string, outcome: LookupOutcome): LookupOutcome {
  io.note({
    kind: 'dns.result',
    name,
    addresses: outcome.ok ? outcome.addresses : [],
    ...(outcome.ok ? { canonicalName: outcome.canonicalName } : { error: `${outcome.error}: ${outcome.message}` }),
  })
  return outcome
}
