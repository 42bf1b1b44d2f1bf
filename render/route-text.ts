import type { Route } from '../linux/op.ts'
import { formatIp } from '../packet/ip.ts'
import { bitsOf, formatPrefix } from '../packet/prefix.ts'

/** A route in the words of ip-route(8), short: `10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink`. */
export function routeText(route: Route): string {
  const { destination, type, via, dev, onlink } = route
  const network =
    destination.length === 0
      ? 'default'
      : destination.length === bitsOf(destination.address.family)
        ? formatIp(destination.address)
        : formatPrefix(destination)
  return [
    type === 'unicast' ? '' : type,
    network,
    via === undefined ? '' : `via ${formatIp(via)}`,
    dev === undefined ? '' : `dev ${dev}`,
    onlink === true ? 'onlink' : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}
