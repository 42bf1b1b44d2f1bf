import type { Pod } from '../../cluster/objects.ts'
import { type Op, ROOT_NETNS } from '../../linux/op.ts'
import { compareIp, formatIp } from '../../packet/ip.ts'
import { contains } from '../../packet/prefix.ts'
import { podOrigin } from '../origin.ts'
import { podNetns } from '../pod-netns.ts'
import { sha1 } from '../sha1.ts'
import type { BridgeConf } from './bridge-conf.ts'

/**
 * host-local's files: one per address in use with the container's id and interface, and the last address given out
 * of each range (containernetworking/plugins v1.9 plugins/ipam/host-local). The container's id is not in the API;
 * podwalk writes a hash of the pod's name.
 */
export function hostLocalOps(pods: readonly Pod[], conf: BridgeConf): Op[] {
  const directory = `/var/lib/cni/networks/${conf.network}`
  return conf.subnets.flatMap((subnet, range) => {
    const leases = pods
      .flatMap((pod) => pod.ips.filter((ip) => contains(subnet, ip)).map((ip) => ({ pod, ip })))
      .sort((x, y) => compareIp(x.ip, y.ip))
    const files = leases.map(({ pod, ip }): Op => {
      const text = `${sha1(`${podNetns(pod)}\nsandbox`)}\r\neth0`
      return write(`${directory}/${formatIp(ip)}`, text, pod)
    })
    const last = leases.at(-1)
    return last === undefined
      ? files
      : [...files, write(`${directory}/last_reserved_ip.${range}`, formatIp(last.ip), last.pod)]
  })
}

const write = (path: string, text: string, pod: Pod): Op => ({
  kind: 'file.write',
  path,
  text,
  netns: ROOT_NETNS,
  origin: podOrigin('host-local (CNI plugin)', pod),
})
