import { type Ip, ipKey, LOOPBACK_V4, parseIp } from '../../../packet/ip.ts'
import { SECOND } from '../exchange.ts'
import { GLIBC, resolve as glibcResolve } from '../glibc/getaddrinfo.ts'
import type { LookupIo, LookupOutcome, LookupRequest, Resolver, Waiting } from '../lookup.ts'
import { noted, noteSource } from '../told.ts'

/**
 * InetAddress.getAllByName of OpenJDK 17 on glibc (Inet6AddressImpl.c): getaddrinfo without AI_ADDRCONFIG, IPv4 before
 * IPv6, and what came is kept in the process: 30 s what was found, 10 s what was not (networkaddress.cache.ttl and
 * networkaddress.cache.negative.ttl of java.security, no security manager).
 */
export const javaInetAddress: Resolver = {
  name: 'java',
  about: 'InetAddress of OpenJDK 17 on glibc: both families, IPv4 first, kept 30 s, failures 10 s',
  *lookup(io, request) {
    return noted(io, request.name, yield* getAllByName(io, request))
  },
}

const KEPT = 30 * SECOND
const KEPT_FAILURE = 10 * SECOND
const MEMORY = 'java InetAddress'

interface Kept {
  readonly outcome: LookupOutcome
  readonly until: number
}

function* getAllByName(io: LookupIo, request: LookupRequest): Waiting<LookupOutcome> {
  const { name } = request
  if (name === '') return { ok: true, addresses: [LOOPBACK_V4], canonicalName: 'localhost' }
  const literal = parseIp(name)
  if (literal.ok) {
    noteSource(io, 'literal address', name, [literal.value])
    return { ok: true, addresses: [literal.value], canonicalName: name }
  }
  const cache = cacheOf(io)
  const kept = cache.get(name)
  if (kept && kept.until > io.now) {
    const { outcome } = kept
    noteSource(
      io,
      `InetAddress cache, for ${(kept.until - io.now) / SECOND} s more`,
      name,
      outcome.ok ? outcome.addresses : [],
    )
    return outcome
  }
  const outcome = inOrder(
    name,
    yield* glibcResolve(io, { ...request, family: familyOf(io, request), addrConfig: false }, GLIBC),
  )
  cache.set(name, { outcome, until: io.now + (outcome.ok ? KEPT : KEPT_FAILURE) })
  return outcome
}

/** Without any IPv6 address on the machine, not even of loopback, IPv6 is not asked for (ipv6_available). */
const familyOf = (io: LookupIo, { family }: LookupRequest): LookupRequest['family'] =>
  family === 'unspec' && !io.addresses().some((ip) => ip.family === 6) ? 4 : family

/** java.net.preferIPv6Addresses=false: IPv4 first, each family as getaddrinfo sorted it, no address twice. */
function inOrder(name: string, outcome: LookupOutcome): LookupOutcome {
  if (!outcome.ok) return { ...outcome, message: `${name}: ${outcome.message}` }
  const unique = new Map(outcome.addresses.map((ip): readonly [number | string, Ip] => [ipKey(ip), ip]))
  const addresses = [...unique.values()]
  return { ...outcome, addresses: [4, 6].flatMap((family) => addresses.filter((ip) => ip.family === family)) }
}

function cacheOf(io: LookupIo): Map<string, Kept> {
  const known = io.memory.get(MEMORY)
  if (known instanceof Map) return known
  const cache = new Map<string, Kept>()
  io.memory.set(MEMORY, cache)
  return cache
}
