import type { Mac } from '../packet/mac.ts'
import { sha1 } from './sha1.ts'

/**
 * Hardware addresses. Where the real programs draw a random one, podwalk takes a locally administered unicast
 * address whose first octet says what it is on and whose other five are the SHA-1 of names: the same cluster always
 * has the same addresses, and two devices have different ones.
 *
 *   0a  a pod's eth0            pod network namespace
 *   0e  the host end of a veth  pod network namespace
 *   12  a bridge                node, bridge
 *   16  a flannel VTEP          node, device (only where the node's annotation does not tell it)
 */
const ROLE = { podEth0: 0x0a, hostVeth: 0x0e, bridge: 0x12, vtep: 0x16 } as const

export function deterministicMac(role: keyof typeof ROLE, ...names: readonly string[]): Mac {
  return (ROLE[role] * 0x10000000000 + Number.parseInt(sha1(names.join('\n')).slice(0, 10), 16)) as Mac
}

/** The one address all calico host interfaces have (cni-plugin dataplane_linux.go). */
export const CALICO_HOST_MAC = 0xeeeeeeeeeeee as Mac

/** `veth` and eight hexadecimal digits, random in the plugins (containernetworking/plugins pkg/ip RandomVethName). */
export const vethName = (netns: string): string => `veth${sha1(netns).slice(0, 8)}`
