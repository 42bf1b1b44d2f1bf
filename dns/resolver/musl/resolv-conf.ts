import { type Ip, LOOPBACK_V4 } from '../../../packet/ip.ts'
import { numericHost } from '../numeric-host.ts'

/** What musl takes from /etc/resolv.conf: __get_resolv_conf of src/network/resolvconf.c (1.1.13 and later). */
export interface MuslConf {
  readonly servers: readonly Ip[]
  readonly search: readonly string[]
  readonly ndots: number
  /** Seconds. */
  readonly timeout: number
  readonly attempts: number
}

const MAX_SERVERS = 3
const MAX = { ndots: 15, attempts: 10, timeout: 60 } as const
/** A line of more octets, its end not counted, is passed over whole. */
const MAX_LINE = 254

export function parseMuslConf(text: string | undefined): MuslConf {
  const servers: Ip[] = []
  let search: readonly string[] = []
  const numbers = { ndots: 1, attempts: 2, timeout: 5 }
  const lines = (text ?? '').split('\n')
  for (const [i, line] of lines.entries()) {
    // What ends the file without a newline is one octet shorter in the buffer.
    const last = i === lines.length - 1
    if (line.length > MAX_LINE + (last ? 1 : 0)) continue
    if (/^options\s/.test(line)) {
      for (const name of ['ndots', 'attempts', 'timeout'] as const) {
        const at = line.indexOf(`${name}:`)
        const digits = at < 0 ? undefined : /^\d+/.exec(line.slice(at + name.length + 1))?.[0]
        if (digits !== undefined) numbers[name] = Math.min(Number(digits), MAX[name])
      }
    } else if (/^nameserver\s/.test(line)) {
      const server = numericHost((line.slice(11).trimStart().split(/\s/, 1)[0] ?? '').split('%', 1)[0] ?? '')
      if (server && servers.length < MAX_SERVERS) servers.push(server)
    } else if (/^(domain|search)\s/.test(line)) search = line.slice(7).split(/\s+/).filter(Boolean)
  }
  return { servers: servers.length > 0 ? servers : [LOOPBACK_V4], search, ...numbers }
}
