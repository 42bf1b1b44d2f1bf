import { type Ip, LOOPBACK_V4, LOOPBACK_V6, parseIp } from '../../../packet/ip.ts'
import { fqdn } from '../../name.ts'
import { domainOfHost } from '../etc.ts'
import type { GoVersion } from './version.ts'
import { SINCE } from './version.ts'

/** What Go takes from /etc/resolv.conf: dnsReadConfig of src/net/dnsconfig_unix.go. */
export interface GoConf {
  readonly servers: readonly Ip[]
  /** Absolute, with the final dot. */
  readonly search: readonly string[]
  readonly ndots: number
  /** Seconds, of one try. */
  readonly timeout: number
  readonly attempts: number
  readonly rotate: boolean
  readonly singleRequest: boolean
  readonly useTcp: boolean
  readonly trustAd: boolean
  /** Words it does not know: with cgo the lookup is libc's then. */
  readonly unknown: readonly string[]
}

const MAX_SERVERS = 3
const MAX_NDOTS = 15
/** defaultNS. */
const DEFAULT_SERVERS = [LOOPBACK_V4, LOOPBACK_V6]

export interface GoSurroundings {
  readonly hostname: string
  readonly version: GoVersion
}

export function parseGoConf(text: string | undefined, { hostname, version }: GoSurroundings): GoConf {
  const servers: Ip[] = []
  const unknown: string[] = []
  let search: readonly string[] = []
  const numbers = { ndots: 1, timeout: 5, attempts: 2 }
  const flags = { rotate: false, singleRequest: false, useTcp: false, trustAd: false }
  for (const line of (text ?? '').split('\n')) {
    if (line.startsWith(';') || line.startsWith('#')) continue
    const [keyword, ...words] = line.split(/[ \r\t\n]+/).filter(Boolean)
    const [first] = words
    switch (keyword) {
      case undefined:
        break
      case 'nameserver': {
        const address = parseIp((first ?? '').split('%', 1)[0] ?? '')
        if (address.ok && servers.length < MAX_SERVERS) servers.push(address.value)
        break
      }
      case 'domain':
        if (first !== undefined) search = [fqdn(first)]
        break
      case 'search':
        // `search .` was an empty item of the list until 1.19.
        search = words.map(fqdn).filter((name) => name !== '.')
        break
      case 'options':
        for (const word of words) readOption(word, { numbers, flags, unknown, version })
        break
      case 'lookup':
        break
      default:
        unknown.push(keyword)
    }
  }
  return {
    servers: servers.length > 0 ? servers : DEFAULT_SERVERS,
    search: search.length > 0 ? search : domainOfHost(hostname).map(fqdn),
    ...numbers,
    ...flags,
    unknown,
  }
}

interface Options {
  readonly numbers: { ndots: number; timeout: number; attempts: number }
  readonly flags: { rotate: boolean; singleRequest: boolean; useTcp: boolean; trustAd: boolean }
  readonly unknown: string[]
  readonly version: GoVersion
}

function readOption(word: string, { numbers, flags, unknown, version }: Options): void {
  const number = /^(ndots|timeout|attempts):(\d*)/.exec(word)
  if (number) {
    const value = Number(number[2] || 0)
    if (number[1] === 'ndots') numbers.ndots = Math.min(value, MAX_NDOTS)
    else numbers[number[1] as 'timeout' | 'attempts'] = Math.max(value, 1)
  } else if (word === 'rotate') flags.rotate = true
  else if (word === 'single-request' || word === 'single-request-reopen') flags.singleRequest = true
  else if (word === 'use-vc' || word === 'usevc' || word === 'tcp') flags.useTcp = true
  else if (word === 'trust-ad' && version >= SINCE.trustAd) flags.trustAd = true
  else if (word !== 'edns0' && word !== 'no-reload') unknown.push(word)
}
