import { type Ip, ip, parseIp } from '../../packet/ip.ts'
import { domainOfHost } from './etc.ts'

/** What glibc takes from /etc/resolv.conf (resolv/res_init.c, glibc 2.36). */
export interface ResolvConf {
  readonly servers: readonly Ip[]
  readonly search: readonly string[]
  readonly ndots: number
  /** Seconds. */
  readonly timeout: number
  readonly attempts: number
  /** Option words that are flags: `rotate`, `use-vc`. */
  readonly flags: ReadonlySet<ResolvFlag>
}

export type ResolvFlag = (typeof RESOLV_FLAGS)[number]

/** Each with the release that brought it, where glibc 2.17 did not have it. */
export const RESOLV_FLAGS = [
  'rotate',
  'edns0',
  'single-request',
  'single-request-reopen',
  'no-tld-query',
  'no-reload',
  'use-vc',
  'trust-ad',
  'no-aaaa',
] as const
const FLAG_SINCE: Partial<Record<ResolvFlag, number>> = { 'no-reload': 26, 'trust-ad': 31, 'no-aaaa': 36 }

/** Upper ends of the numeric options, resolv/resolv.h. */
const MAX = { ndots: 15, timeout: 30, attempts: 5 } as const
const MAX_SERVERS = 3
/** Before 2.26: domains and characters of the search list. */
const OLD_SEARCH = { domains: 6, characters: 256 } as const
const LOOPBACK = ip('127.0.0.1')

export interface ResolvConfSurroundings {
  /** Minor of glibc 2.x. */
  readonly glibc: number
  readonly hostname: string
  readonly env: ReadonlyMap<string, string>
}

/** Reads the file's text; undefined text is a file that is not there. */
export function parseResolvConf(text: string | undefined, around: ResolvConfSurroundings): ResolvConf {
  const servers: Ip[] = []
  let search: readonly string[] | undefined
  const options = newOptions()
  for (const line of (text ?? '').split('\n')) {
    if (line.startsWith('#') || line.startsWith(';')) continue
    const match = /^(domain|search|nameserver|options)[ \t]+(.*)$/.exec(line)
    if (!match) continue
    const rest = match[2] ?? ''
    switch (match[1]) {
      case 'nameserver': {
        const address = serverAddress(rest)
        if (address && servers.length < MAX_SERVERS) servers.push(address)
        break
      }
      case 'domain':
        search = words(rest).slice(0, 1)
        break
      case 'search':
        search = words(rest)
        break
      case 'options':
        readOptions(options, rest, around.glibc)
        break
    }
  }
  const localDomain = around.env.get('LOCALDOMAIN')
  if (localDomain !== undefined) search = words(localDomain)
  const resOptions = around.env.get('RES_OPTIONS')
  if (resOptions !== undefined) readOptions(options, resOptions, around.glibc)
  return {
    servers: servers.length > 0 ? servers : [LOOPBACK],
    search: cutSearch(search ?? domainOfHost(around.hostname), around.glibc),
    ndots: options.ndots,
    timeout: options.timeout,
    attempts: options.attempts,
    flags: options.flags,
  }
}

const words = (text: string): readonly string[] => text.split(/[ \t\r]+/).filter((word) => word !== '')

function serverAddress(text: string): Ip | undefined {
  const word = words(text)[0] ?? ''
  const result = parseIp(word.includes(':') ? (word.split('%', 1)[0] ?? word) : word)
  return result.ok ? result.value : undefined
}

function cutSearch(search: readonly string[], glibc: number): readonly string[] {
  if (glibc >= 26) return search
  let list = search.slice(0, OLD_SEARCH.domains)
  while (list.join(' ').length >= OLD_SEARCH.characters) list = list.slice(0, -1)
  return list
}

interface Options {
  ndots: number
  timeout: number
  attempts: number
  readonly flags: Set<ResolvFlag>
}

const newOptions = (): Options => ({ ndots: 1, timeout: 5, attempts: 2, flags: new Set() })

/** res_setoptions: words it does not know are passed over. */
function readOptions(options: Options, text: string, glibc: number): void {
  for (const word of words(text)) {
    const number = /^(ndots|timeout|attempts):(\d*)/.exec(word)
    if (number) {
      const name = number[1] as keyof typeof MAX
      options[name] = Math.min(Number(number[2] ?? 0), MAX[name])
      continue
    }
    // A word counts by its beginning, the longest option first: `single-request-reopen` is not `single-request`.
    const flag = [...RESOLV_FLAGS].sort((a, b) => b.length - a.length).find((name) => word.startsWith(name))
    if (flag && glibc >= (FLAG_SINCE[flag] ?? 0)) options.flags.add(flag)
  }
}
