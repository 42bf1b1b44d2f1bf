import { fnv1a128 } from '../allocate/fnv.ts'
import type { EndpointPort } from '../objects.ts'
import { byText } from '../order.ts'

/**
 * The order of a slice's ports: by a hash of how Go's spew prints each port. Neither the Service's order nor the
 * number's; found in the slices of a real v1.36 control plane, all of which it explains.
 */
export function inSliceOrder(ports: readonly EndpointPort[]): EndpointPort[] {
  return ports
    .map((port) => ({ port, hash: fnv1a128(printed(port)) }))
    .sort((x, y) => byText(x.hash, y.hash))
    .map(({ port }) => port)
}

const printed = ({ name, protocol, port, appProtocol }: EndpointPort): string =>
  `(v1.EndpointPort){Name:(*string)${name ?? ''} Protocol:(*v1.Protocol)${protocol} Port:(*int32)${port ?? 0} AppProtocol:(*string)${appProtocol ?? '<nil>'}}`
