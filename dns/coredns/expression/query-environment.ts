import { formatIp, type Ip, parseIp } from '../../../packet/ip.ts'
import { contains, parsePrefix } from '../../../packet/prefix.ts'
import { encodeMessage } from '../../message-encode.ts'
import { clientSize } from '../edns.ts'
import type { Request } from '../plugin.ts'
import type { Environment, Value } from './evaluate.ts'

/** Functions of a query that expressions of `view` and `template` may call (plugin/pkg/expression). */
export const QUERY_FUNCTIONS = [
  'incidr',
  'metadata',
  'type',
  'name',
  'class',
  'proto',
  'size',
  'client_ip',
  'port',
  'id',
  'opcode',
  'do',
  'bufsize',
  'server_ip',
  'server_port',
] as const

/** They read the query as it is now. */
export function queryFunctions(request: Request): Environment['functions'] {
  const { question, client, transport, server } = request
  const { message } = request.shared
  return {
    incidr: (address, cidr) => incidr(address, cidr),
    metadata: (label) => request.metadata?.get(String(label)) ?? '',
    type: () => question.type,
    name: () => request.name,
    class: () => question.class,
    proto: () => transport,
    size: () => sizeOf(request),
    client_ip: () => formatIp(client.ip),
    port: () => String(client.port),
    id: () => message.id,
    opcode: () => message.opcode,
    do: () => message.edns?.dnssecOk ?? false,
    bufsize: () => clientSize(request),
    server_ip: () => addressText(request.local),
    server_port: () => String(server.port),
  }
}

const addressText = (ip: Ip | undefined): string => (ip ? formatIp(ip) : '::')

function sizeOf({ shared }: Request): number {
  const bytes = encodeMessage(shared.message)
  return bytes.ok ? bytes.value.length : 0
}

/** An argument that is no address, or no CIDR, is an error; here a comparison that no value passes. */
function incidr(address: Value | undefined, cidr: Value | undefined): Value {
  const ip = typeof address === 'string' ? parseIp(address) : undefined
  const net = typeof cidr === 'string' ? parsePrefix(cidr, 'mask') : undefined
  if (!ip?.ok || !net?.ok) return null
  return contains(net.value, ip.value)
}
