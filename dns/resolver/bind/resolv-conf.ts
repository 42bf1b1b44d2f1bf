import { type Ip, isUnspecified, LOOPBACK_V4, LOOPBACK_V6 } from '../../../packet/ip.ts'
import { numericHost } from '../numeric-host.ts'

/** What dig, host and nslookup take from /etc/resolv.conf: lib/irs/resconf.c of BIND 9.18. */
export interface BindConf {
  readonly servers: readonly Ip[]
  readonly search: readonly string[]
  readonly ndots: number
  /** Seconds; 0 where nothing says it. */
  readonly timeout: number
  readonly attempts: number
}

const MAX_SERVERS = 3
const MAX_SEARCH = 8
const MAX_NUMBER = 0xff
/** What an address of an IPv4 host is taken for. */
const FALLBACK = [LOOPBACK_V6, LOOPBACK_V4]

/** Undefined: the tools refuse to start with such a file. */
export function parseBindConf(text: string | undefined): BindConf | undefined {
  const servers: Ip[] = []
  let search: readonly string[] = []
  const numbers = { ndots: 1, attempts: 3, timeout: 0 }
  for (const raw of (text ?? '').split('\n')) {
    // A comment may stand behind white space.
    const line = raw.replace(/(^|\s)[;#].*$/, '')
    const [keyword, ...words] = line.split(/\s+/).filter(Boolean)
    switch (keyword) {
      case 'nameserver': {
        const server = words.length === 1 ? numericHost((words[0] ?? '').split('%', 1)[0] ?? '') : undefined
        if (words.length !== 1) return undefined
        if (servers.length === MAX_SERVERS) break
        if (!server) return undefined
        servers.push(server.family === 4 && isUnspecified(server) ? LOOPBACK_V4 : server)
        break
      }
      case 'domain':
        if (words.length !== 1) return undefined
        search = words
        break
      case 'search':
        if (words.length === 0) return undefined
        search = words.slice(0, MAX_SEARCH)
        break
      case 'sortlist':
      case 'options': {
        if (words.length === 0) return undefined
        for (const word of keyword === 'options' ? words : []) {
          const number = /^(ndots|attempts|timeout):(.*)$/.exec(word)
          if (!number) continue
          const value = Number(number[2])
          if (!/^\d*$/.test(number[2] ?? '') || value > MAX_NUMBER) return undefined
          numbers[number[1] as keyof typeof numbers] = value
        }
        break
      }
    }
  }
  return { servers: servers.length > 0 ? servers : FALLBACK, search, ...numbers }
}
