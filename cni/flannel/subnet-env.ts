import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { formatIp, ipPlus } from '../../packet/ip.ts'
import { formatPrefix } from '../../packet/prefix.ts'
import { originOf } from '../origin.ts'
import type { FlannelConfig } from './config.ts'
import type { Lease } from './lease.ts'
import { ofFamily } from './peers.ts'

/** /run/flannel/subnet.env, by which flanneld tells the CNI plugin what the node's pods get (pkg/subnet WriteSubnetFile). */
export function subnetEnvOp(config: FlannelConfig, lease: Lease, mtu: number): Op {
  const lines: string[] = []
  for (const [family, infix] of [
    [4, ''],
    [6, 'IPV6_'],
  ] as const) {
    const own = ofFamily(lease, family)
    const network = config.networks.find((one) => one.address.family === family)
    if (own === undefined || network === undefined) continue
    lines.push(`FLANNEL_${infix}NETWORK=${formatPrefix(network)}`)
    lines.push(`FLANNEL_${infix}SUBNET=${formatIp(ipPlus(own.subnet.address, 1))}/${own.subnet.length}`)
  }
  lines.push(`FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${config.args.ipMasq}`)
  return {
    kind: 'file.write',
    path: '/run/flannel/subnet.env',
    text: `${lines.join('\n')}\n`,
    netns: ROOT_NETNS,
    origin: originOf('flanneld', `Node ${lease.node.meta.name}`, lease.node),
  }
}
