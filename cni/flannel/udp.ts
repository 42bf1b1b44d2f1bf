import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { formatIp } from '../../packet/ip.ts'
import type { Mac } from '../../packet/mac.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import { originOf } from '../origin.ts'
import { ENCAP_OVERHEAD, type UdpBackend } from './backend.ts'
import type { FlannelConfig } from './config.ts'
import { addressOf, type ExtIface } from './ext-iface.ts'
import type { FamilyLease, Lease } from './lease.ts'
import { ofFamily, peersOf } from './peers.ts'

/** A tun device has no hardware address. */
const NO_MAC = 0 as Mac

/** The device flanneld opens, with one route for the whole pod network (pkg/backend/udp); IPv4 only. */
export const TUN_DEVICE = 'flannel0'

/** The device, its route, and flanneld's forwarder with its own table of peers. */
export function udpOps(config: FlannelConfig, backend: UdpBackend, lease: Lease, iface: ExtIface): Op[] {
  const own = ofFamily(lease, 4)
  const network = config.networks.find((one) => one.address.family === 4)
  const local = addressOf(iface, 4)
  if (own === undefined || network === undefined || local === undefined) return []
  const origin = originOf('flanneld', `podCIDR ${formatPrefix(own.subnet)}`, config.configMap)
  const at = (body: OpBody): Op => ({ ...body, netns: ROOT_NETNS, origin })
  return [
    at({ kind: 'link.add', name: TUN_DEVICE, mac: NO_MAC, mtu: iface.mtu - ENCAP_OVERHEAD.udp, type: { kind: 'tun' } }),
    at({ kind: 'addr.add', link: TUN_DEVICE, address: { ip: own.subnet.address, length: 32 } }),
    at({ kind: 'link.set', name: TUN_DEVICE, up: true }),
    at({
      kind: 'route.replace',
      route: { type: 'unicast', destination: network, dev: TUN_DEVICE, scope: 'global', protocol: 'boot' },
    }),
    at({
      kind: 'process.start',
      name: 'flanneld',
      program: 'flanneld-udp',
      args: {
        device: TUN_DEVICE,
        address: formatIp(own.subnet.address),
        listen: `${formatIp(local)}:${backend.port}`,
        routes: routesText(config, lease),
      },
    }),
  ]
}

/** `10.244.0.0/24=192.168.40.180 10.244.2.0/24=192.168.40.182`: the forwarder's own route table. */
function routesText(config: FlannelConfig, lease: Lease): string {
  const peers = peersOf(config, lease, 4).map(
    ({ lease: theirs }: { readonly lease: FamilyLease }) =>
      `${formatPrefix(theirs.subnet)}=${formatIp(theirs.publicIp)}`,
  )
  return peers.join(' ')
}
