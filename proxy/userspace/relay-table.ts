import type { SocketAddress } from '../../linux/process.ts'
import { type Ip, parseIp } from '../../packet/ip.ts'
import { hostPort } from '../endpoint.ts'

/** The name of the relay in `process.start`. */
export const RELAY_PROGRAM = 'kube-proxy-userspace'

/** One port that the relay listens on, and where it leads. */
export interface RelayService {
  /** `ns/name:port`. */
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** Undefined: every address of the machine. */
  readonly boundTo: Ip | undefined
  /** Seconds of ClientIP affinity; 0: none. */
  readonly affinity: number
  readonly endpoints: readonly SocketAddress[]
}

/** One line for each: `default/web:http tcp *:41234 0 10.244.1.2:80,10.244.2.3:80`. */
export const emitRelayTable = (services: readonly RelayService[]): string =>
  services
    .map(({ name, protocol, port, boundTo, affinity, endpoints }) => {
      const listen = boundTo === undefined ? `*:${port}` : hostPort(boundTo, port)
      return `${name} ${protocol} ${listen} ${affinity} ${endpoints.map((to) => hostPort(to.ip, to.port)).join(',')}\n`
    })
    .join('')

export function parseRelayTable(text: string): readonly RelayService[] {
  return text.split('\n').flatMap((line) => {
    const [name, protocol, listen, affinity, endpoints = ''] = line.split(' ')
    const at = parseSocket(listen ?? '')
    if (name === undefined || (protocol !== 'tcp' && protocol !== 'udp') || at === undefined) return []
    return [
      {
        name,
        protocol,
        port: at.port,
        boundTo: at.ip,
        affinity: Number(affinity),
        endpoints: endpoints.split(',').flatMap((one) => {
          const to = parseSocket(one)
          return to?.ip === undefined ? [] : [{ ip: to.ip, port: to.port }]
        }),
      },
    ]
  })
}

function parseSocket(text: string): { readonly ip: Ip | undefined; readonly port: number } | undefined {
  const [, six, four, port] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(text) ?? []
  if (port === undefined) return undefined
  if (four === '*') return { ip: undefined, port: Number(port) }
  const ip = parseIp(six ?? four ?? '')
  return ip.ok ? { ip: ip.value, port: Number(port) } : undefined
}
