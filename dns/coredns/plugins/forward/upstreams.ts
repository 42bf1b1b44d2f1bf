import type { SocketAddress } from '../../../../linux/process.ts'
import { parseIp } from '../../../../packet/ip.ts'
import { type Parsed, parsed, refused } from '../../../../packet/parsed.ts'
import { isDomainName } from '../../../name.ts'
import type { Controller } from '../../plugin.ts'
import { parseClientConfig } from '../../resolv-conf.ts'

const TRANSPORTS = ['tls', 'dns', 'quic', 'grpc', 'https3', 'https', 'unix'] as const
/** Over which it can forward. */
const ALLOWED: readonly string[] = ['dns', 'tls', 'quic', 'https']
const PORT = 53

/** What stands behind `to`: addresses, or files in the form of resolv.conf; names are not looked up. */
export function parseUpstreams(controller: Controller, to: readonly string[]): Parsed<readonly SocketAddress[]> {
  for (const text of to)
    if (text.startsWith('https://') && text.slice(8).includes('/'))
      return refused(
        `paths are not allowed in HTTPS upstream addresses (the /dns-query path is used by default): ${text}`,
      )
  const found = new Map<string, SocketAddress>()
  let unknown = 0
  for (const text of to) {
    const upstreams = parseUpstream(controller, text)
    if (!upstreams.ok) return upstreams
    if (upstreams.value === 'name') unknown++
    else for (const { key, address } of upstreams.value) if (!found.has(key)) found.set(key, address)
  }
  if (found.size + unknown === 0) return refused('no valid upstream addresses found')
  return parsed([...found.values()])
}

interface Upstream {
  /** Two of one key are one upstream. */
  readonly key: string
  readonly address: SocketAddress
}

function parseUpstream(controller: Controller, text: string): Parsed<readonly Upstream[] | 'name'> {
  const transport = TRANSPORTS.find((name) => text.startsWith(`${name}://`)) ?? 'dns'
  const host = text.startsWith(`${transport}://`) ? text.slice(transport.length + 3) : text
  if (host === '') return refused(`invalid address: ${JSON.stringify(text)}`)
  const address = parseAddress(host)
  if (!ALLOWED.includes(transport) && (address || transport === 'unix'))
    return refused(`'${transport}' is not supported as a destination protocol in forward: ${text}`)
  if (transport !== 'dns') controller.notModelled(`forward: transport ${transport} (to ${text})`)
  if (address) return parsed([{ key: `${transport} ${host.toLowerCase()}`, address }])
  const file = controller.world.file(host)
  if (file !== undefined)
    return parsed(
      parseClientConfig(file).servers.flatMap((word) => {
        const ip = parseIp(word.split('%', 1)[0] ?? '')
        return ip.ok ? [{ key: `dns ${word}`, address: { ip: ip.value, port: PORT } }] : []
      }),
    )
  const name = /^(.*):[^:]*$/.exec(host)?.[1] ?? host
  if (!isDomainName(name.replace(/^\[|\]$/g, '')) || !ALLOWED.includes(transport))
    return refused(`not an IP address, file, or valid domain: ${JSON.stringify(text)}`)
  // CoreDNS looks such a name up once, at the start, and does not start where it is not found.
  controller.notModelled(`forward: to ${text}, which is neither an address nor a file here`)
  return parsed('name')
}

/** With or without a port, an IPv6 zone left out. A port that is no number is taken, and never reached. */
function parseAddress(text: string): SocketAddress | undefined {
  const bare = parseIp(withoutScope(text.replace(/^\[(.*)\]$/, '$1')))
  if (bare.ok) return { ip: bare.value, port: PORT }
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text)
  const ip = match ? parseIp(withoutScope(match[1] ?? match[2] ?? '')) : undefined
  if (!match || !ip?.ok) return undefined
  const port = /^\d+$/.test(match[3] ?? '') ? Number(match[3]) : 0
  return { ip: ip.value, port: port <= 0xffff ? port : 0 }
}

const withoutScope = (host: string): string => host.replace(/%.*$/, '')
