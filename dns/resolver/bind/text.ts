import type { Errno } from '../../../linux/process.ts'
import { formatIp, type Ip } from '../../../packet/ip.ts'
import { rcodeName } from '../../record.ts'

/** How BIND's tools write things. */

/** isc_sockaddr_format. */
export const serverText = (server: Ip): string => `${formatIp(server)}#53`

/** rcode_totext of bin/dig: names up to 15, BADVERS. */
export function rcodeText(rcode: number): string {
  if (rcode >= 11 && rcode <= 15) return `RESERVED${rcode}`
  const name = rcodeName(rcode)
  return /^RCODE/.test(name) || rcode > 16 ? `?${rcode}` : name
}

const ERRNO_TEXT: Partial<Record<Errno, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'timed out',
  EADDRNOTAVAIL: 'address not available',
}

/** isc_result_totext of what an errno becomes. */
export const errnoText = (errno: Errno): string => ERRNO_TEXT[errno] ?? 'failure'
