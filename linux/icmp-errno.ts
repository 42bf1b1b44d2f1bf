import { ICMP4, ICMP6, type Icmp } from '../packet/packet.ts'
import type { Errno } from './process.ts'

/** What an ICMP error means to a socket. `fatal`: it ends the attempt even where the process asked for no details. */
export interface IcmpErrno {
  readonly errno: Errno
  readonly fatal: boolean
}

const soft = (errno: Errno): IcmpErrno => ({ errno, fatal: false })
const fatal = (errno: Errno): IcmpErrno => ({ errno, fatal: true })

/** By code of ICMP destination unreachable (icmp_err_convert, Linux net/ipv4/icmp.c). */
const UNREACHABLE4: readonly IcmpErrno[] = [
  soft('ENETUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('ENOPROTOOPT'),
  fatal('ECONNREFUSED'),
  soft('EMSGSIZE'),
  soft('EOPNOTSUPP'),
  fatal('ENETUNREACH'),
  fatal('EHOSTDOWN'),
  fatal('ENONET'),
  fatal('ENETUNREACH'),
  fatal('EHOSTUNREACH'),
  soft('ENETUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
]

/** By code of ICMPv6 destination unreachable (tab_unreach, Linux net/ipv6/icmp.c). */
const UNREACHABLE6: readonly IcmpErrno[] = [
  soft('ENETUNREACH'),
  fatal('EACCES'),
  soft('EHOSTUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('ECONNREFUSED'),
  fatal('EACCES'),
  fatal('EACCES'),
]

/** icmp_err_convert and icmpv6_err_convert; undefined for what is no error to a socket. */
export function icmpErrno(icmp: Icmp, family: 4 | 6): IcmpErrno | undefined {
  if (family === 4) {
    if (icmp.type === ICMP4.timeExceeded) return soft('EHOSTUNREACH')
    return icmp.type === ICMP4.unreachable ? UNREACHABLE4[icmp.code] : undefined
  }
  if (icmp.type === ICMP6.timeExceeded) return soft('EHOSTUNREACH')
  if (icmp.type === ICMP6.tooBig) return soft('EMSGSIZE')
  if (icmp.type === ICMP6.parameterProblem) return fatal('EPROTO')
  return icmp.type === ICMP6.unreachable ? (UNREACHABLE6[icmp.code] ?? soft('EPROTO')) : undefined
}
