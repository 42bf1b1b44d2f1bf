import type { IpvsDestinationSpec, IpvsForward, IpvsOp, IpvsProtocol, IpvsServiceKey } from '../linux/op.ts'
import { formatIp } from '../packet/ip.ts'

/** One line of `ipvsadm -R`, which is also what stands after `ipvsadm` on the command line. */
export function ipvsLine(op: IpvsOp): string {
  switch (op.kind) {
    case 'ipvs.timeouts':
      return `--set ${op.tcp} ${op.tcpFin} ${op.udp}`
    case 'ipvs.service': {
      const { scheduler, flags = [], persistent, onePacket } = op.service
      return [
        `-A ${serviceOption(op.service)} -s ${scheduler}`,
        flags.length === 0 ? '' : `-b ${flags.join(',')}`,
        persistent === undefined ? '' : `-p ${persistent.seconds}`,
        persistent?.mask === undefined ? '' : `-M ${maskText(op.service, persistent.mask)}`,
        onePacket === true ? '-o' : '',
      ]
        .filter((word) => word !== '')
        .join(' ')
    }
    case 'ipvs.destination':
      return `-a ${serviceOption(op.service)} ${serverOption(op.destination)} ${FORWARD_OPTION[op.destination.forward]} -w ${op.destination.weight}${thresholds(op.destination)}`
  }
}

const PROTOCOL_OPTION: Readonly<Record<IpvsProtocol, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' }
const FORWARD_OPTION: Readonly<Record<IpvsForward, string>> = { masquerade: '-m', route: '-g', tunnel: '-i' }

export const serviceOption = (service: IpvsServiceKey): string =>
  `${PROTOCOL_OPTION[service.protocol]} ${addressPort(service)}`

export const serverOption = (server: Pick<IpvsDestinationSpec, 'address' | 'port'>): string =>
  `-r ${addressPort(server)}`

/** `10.96.0.1:443`, `[fd00::1]:443`. */
export const addressPort = ({ address, port }: Pick<IpvsServiceKey, 'address' | 'port'>): string =>
  address.family === 4 ? `${formatIp(address)}:${port}` : `[${formatIp(address)}]:${port}`

/** IPv4 masks are written out, IPv6's are lengths. */
export function maskText({ address }: Pick<IpvsServiceKey, 'address'>, length: number): string {
  if (address.family === 6) return String(length)
  const bits = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.')
}

function thresholds({ upperThreshold = 0, lowerThreshold = 0 }: IpvsDestinationSpec): string {
  return `${upperThreshold === 0 ? '' : ` -x ${upperThreshold}`}${lowerThreshold === 0 ? '' : ` -y ${lowerThreshold}`}`
}
