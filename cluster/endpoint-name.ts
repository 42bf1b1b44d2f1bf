import { type Ip, parseIp } from '../packet/ip.ts'
import { type Parsed, parsed, refused } from '../packet/parsed.ts'

/**
 * How people name the ends of a question: `[KIND/][NAMESPACE/]NAME[:PORT[/PROTOCOL]]`, an address, a DNS name, a URL.
 */
export type EndpointName =
  | {
      readonly kind: 'object'
      readonly object: ObjectKind
      readonly namespace: string | undefined
      readonly name: string
      readonly port: PortName | undefined
    }
  | { readonly kind: 'address'; readonly ip: Ip; readonly port: PortName | undefined }
  /** A name without a kind: a DNS name as a target, an object as a source. */
  | { readonly kind: 'name'; readonly name: string; readonly port: PortName | undefined }
  | {
      readonly kind: 'url'
      readonly scheme: 'http' | 'https'
      readonly host: string
      readonly port: number
      readonly path: string
    }

export type ObjectKind = 'pod' | 'deploy' | 'sts' | 'ds' | 'svc' | 'node' | 'ing' | 'ext'

export interface PortName {
  /** A number, or the name of a port. */
  readonly port: number | string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | undefined
}

const KINDS: ReadonlyMap<string, ObjectKind> = new Map(
  Object.entries({
    pod: ['po', 'pods'],
    deploy: ['deployment', 'deployments'],
    sts: ['statefulset', 'statefulsets'],
    ds: ['daemonset', 'daemonsets'],
    svc: ['service', 'services'],
    node: ['no', 'nodes'],
    ing: ['ingress', 'ingresses'],
    ext: ['host', 'outside'],
  } satisfies Record<ObjectKind, string[]>).flatMap(([kind, others]) =>
    [kind, ...others].map((word) => [word, kind as ObjectKind] as const),
  ),
)

const KIND_WORDS = [...new Set(KINDS.values())].join(', ')

export function parseEndpointName(text: string): Parsed<EndpointName> {
  if (text === '')
    return refused('an endpoint is missing: pod/NAME, svc/NAME:PORT, node/NAME, an address, a DNS name or a URL')
  if (/^https?:\/\//.test(text)) return parseUrl(text)
  if (text.includes('://')) return refused(`"${text}": only http:// and https:// URLs are known`)
  const ends = splitPort(text)
  if (!ends.ok) return ends
  const { head, port } = ends.value
  const address = parseIp(head)
  if (address.ok) return parsed({ kind: 'address', ip: address.value, port })
  const parts = head.split('/')
  if (parts.some((part) => part === '')) return refused(`"${text}": a part between slashes is empty`)
  if (parts.length === 1) return parseBareName(text, head, port)
  const kind = KINDS.get((parts[0] ?? '').toLowerCase())
  const [name, namespace, ...more] = parts.slice(kind === undefined ? 0 : 1).reverse()
  if (kind === undefined && parts.length > 2)
    return refused(`"${text}": "${parts[0]}" is no kind; known are ${KIND_WORDS}`)
  if (name === undefined || more.length > 0)
    return refused(`"${text}" is not [KIND/][NAMESPACE/]NAME[:PORT[/PROTOCOL]]`)
  return parsed({ kind: 'object', object: kind ?? 'pod', namespace, name, port })
}

function parseBareName(text: string, name: string, port: PortName | undefined): Parsed<EndpointName> {
  if (/^[\d.]+$/.test(name)) return refused(`"${text}" looks like an address, but ${addressProblem(name)}`)
  if (!/^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?$/.test(name))
    return refused(`"${text}" is neither an address nor a name`)
  return parsed({ kind: 'name', name, port })
}

function addressProblem(text: string): string {
  const result = parseIp(text)
  return result.ok ? '' : result.reason
}

/** `NAME:PORT/PROTOCOL`; an IPv6 address with a port stands in brackets. */
function splitPort(text: string): Parsed<{ readonly head: string; readonly port: PortName | undefined }> {
  const bracketed = /^\[([^\]]*)\](?::(.+))?$/.exec(text)
  if (bracketed !== null) return withPort(text, bracketed[1] ?? '', bracketed[2])
  if (parseIp(text).ok) return parsed({ head: text, port: undefined })
  const colon = text.indexOf(':')
  if (colon < 0) return parsed({ head: text, port: undefined })
  if (text.indexOf(':', colon + 1) >= 0)
    return refused(`"${text}": an IPv6 address with a port is written [ADDRESS]:PORT`)
  return withPort(text, text.slice(0, colon), text.slice(colon + 1))
}

function withPort(
  text: string,
  head: string,
  tail: string | undefined,
): Parsed<{ readonly head: string; readonly port: PortName | undefined }> {
  if (tail === undefined) return parsed({ head, port: undefined })
  const [port = '', protocol, ...more] = tail.split('/')
  const upper = protocol?.toUpperCase()
  if (more.length > 0 || (upper !== undefined && upper !== 'TCP' && upper !== 'UDP' && upper !== 'SCTP'))
    return refused(`"${text}": "${protocol}" is not tcp, udp or sctp`)
  if (/^\d+$/.test(port)) {
    const number = Number(port)
    if (number < 1 || number > 65535) return refused(`"${text}": port ${port} is not 1 to 65535`)
    return parsed({ head, port: { port: number, protocol: upper } })
  }
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(port))
    return refused(`"${text}": "${port}" is neither a port number nor a port name`)
  return parsed({ head, port: { port, protocol: upper } })
}

function parseUrl(text: string): Parsed<EndpointName> {
  const parts = /^(https?):\/\/(\[[^\]]+\]|[^/:?#]+)(?::(\d+))?([/?#].*)?$/.exec(text)
  if (parts === null) return refused(`"${text}" is not a URL of the form http://HOST[:PORT][/PATH]`)
  const scheme = parts[1] === 'https' ? 'https' : 'http'
  const port = parts[3] === undefined ? (scheme === 'https' ? 443 : 80) : Number(parts[3])
  if (port < 1 || port > 65535) return refused(`"${text}": port ${port} is not 1 to 65535`)
  const host = (parts[2] ?? '').replace(/^\[|\]$/g, '')
  return parsed({ kind: 'url', scheme, host, port, path: parts[4] ?? '/' })
}
