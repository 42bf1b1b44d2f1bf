import { type Ip, LOOPBACK_V4, parseIp, sameIp } from '../../../packet/ip.ts'
import { domainOfHost } from '../etc.ts'

/** What c-ares takes from /etc/resolv.conf and the environment: ares_sysconfig_files.c of 1.34. */
export interface CaresConf {
  /** As many as there are. */
  readonly servers: readonly Ip[]
  readonly search: readonly string[]
  readonly ndots: number
  /** Milliseconds; undefined where nothing says it. */
  readonly timeout: number | undefined
  readonly tries: number | undefined
  readonly rotate: boolean
  readonly useTcp: boolean
}

export interface CaresSurroundings {
  readonly hostname: string
  readonly env: ReadonlyMap<string, string>
}

export function parseCaresConf(text: string | undefined, { hostname, env }: CaresSurroundings): CaresConf {
  const servers: Ip[] = []
  const options: Options = { ndots: 1, timeout: undefined, tries: undefined, rotate: false, useTcp: false }
  let search: readonly string[] | undefined
  for (const line of (text ?? '').split('\n')) {
    const match = /^(\S+)\s+(.*\S)\s*$/.exec(line.trim())
    if (!match || /^[#;]/.test(line)) continue
    const value = match[2] ?? ''
    if (match[1] === 'nameserver')
      for (const word of value.split(/[\s,]+/)) {
        const server = serverOf(word)
        if (server && !servers.some((one) => sameIp(one, server))) servers.push(server)
      }
    else if (match[1] === 'search') search = listOf(value)
    else if (match[1] === 'domain') search ??= listOf(value).slice(0, 1)
    else if (match[1] === 'options') readOptions(options, value)
  }
  const localDomain = env.get('LOCALDOMAIN')
  if (localDomain !== undefined) search = listOf(localDomain).slice(0, 1)
  readOptions(options, env.get('RES_OPTIONS') ?? '')
  return {
    servers: servers.length > 0 ? servers : [LOOPBACK_V4],
    search: search ?? domainOfHost(hostname),
    ...options,
  }
}

interface Options {
  ndots: number
  timeout: number | undefined
  tries: number | undefined
  rotate: boolean
  useTcp: boolean
}

/** Domains that stand twice count once. */
const listOf = (text: string): readonly string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))]

/** An address, its zone cut off; a port behind it is not modelled, as resolv.conf(5) has none. */
function serverOf(word: string): Ip | undefined {
  const address = parseIp(word.replace(/^\[(.*)\].*$/, '$1').split('%', 1)[0] ?? '')
  return address.ok ? address.value : undefined
}

function readOptions(options: Options, text: string): void {
  for (const word of text.split(/[ \t]+/)) {
    const [name, value = ''] = word.split(':', 2)
    const number = /^\d+$/.test(value) ? Number(value) : undefined
    if (name === 'rotate') options.rotate = true
    else if (name === 'use-vc' || name === 'usevc') options.useTcp = true
    else if (number === undefined) continue
    else if (name === 'ndots') options.ndots = number
    else if ((name === 'timeout' || name === 'retrans') && number > 0) options.timeout = number * 1000
    else if ((name === 'attempts' || name === 'retry') && number > 0) options.tries = number
  }
}
