import { formatIp, type Ip, isLinkLocal, isLoopback, isMulticast, isUnspecified } from '../../packet/ip.ts'
import { type Place, refuse } from './place.ts'

/** ValidateNonSpecialIP of pkg/apis/core/validation: addresses that no endpoint and no externalIP may have. */
export function refuseSpecialIp(place: Place, key: string | number, ip: Ip): void {
  const why = specialness(ip)
  if (why !== undefined) refuse(place, key, { code: 'ip-special', text: `Invalid value: "${formatIp(ip)}": ${why}` })
}

function specialness(ip: Ip): string | undefined {
  if (isUnspecified(ip)) return `may not be unspecified (${formatIp(ip)})`
  if (isLoopback(ip)) return 'may not be in the loopback range (127.0.0.0/8, ::1/128)'
  if (isLinkLocal(ip)) return 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'
  if (isMulticast(ip) && isLinkLocalMulticast(ip))
    return 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'
  return undefined
}

const isLinkLocalMulticast = (ip: Ip): boolean => (ip.family === 4 ? ip.d >>> 8 === 0xe00000 : ip.a >>> 16 === 0xff02)
