import { type Ip, isLinkLocal, isLoopback, isMulticast, isUnspecified } from '../../packet/ip.ts'
import { type Place, refuse } from './place.ts'

/** ValidateEndpointIP of pkg/apis/core/validation: addresses that no endpoint and no externalIP may have. */
export function refuseSpecialIp(place: Place, key: string | number, of: { ip: Ip; written: string }): void {
  const why = specialness(of.ip, of.written)
  if (why !== undefined) refuse(place, key, { code: 'ip-special', text: `Invalid value: "${of.written}": ${why}` })
}

function specialness(ip: Ip, written: string): string | undefined {
  if (isUnspecified(ip)) return `may not be unspecified (${written})`
  if (isLoopback(ip)) return 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  if (isLinkLocal(ip)) return 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  if (isMulticast(ip) && isLinkLocalMulticast(ip))
    return 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
  return undefined
}

const isLinkLocalMulticast = (ip: Ip): boolean => (ip.family === 4 ? ip.d >>> 8 === 0xe00000 : ip.a >>> 16 === 0xff02)
