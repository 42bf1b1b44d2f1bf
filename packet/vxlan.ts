/**
 * VXLAN (RFC 7348), between a UDP header and an Ethernet frame.
 *
 *  0               1               2               3
 * +---------------+-----------------------------------------------+
 * |0 0 0 0 I 0 0 0|                   reserved                    |
 * +---------------+-------------------------------+---------------+
 * |        VXLAN network identifier (VNI)         |   reserved    |
 * +-----------------------------------------------+---------------+
 */
import { get8, get32, put32 } from './octets.ts'

export const VXLAN_HEADER = 8

/** IANA's port, which calico uses, and the port Linux used before there was one, which flannel uses. */
export const isVxlanPort = (port: number): boolean => port === 4789 || port === 8472

const VALID_VNI = 0x08000000

export function writeVxlanHeader(out: Uint8Array, at: number, vni: number): void {
  put32(out, at, VALID_VNI)
  put32(out, at + 4, vni << 8)
}

/**
 * The VNI, or undefined where Linux would not take it for plain VXLAN: the I flag missing, or a reserved bit set
 * (drivers/net/vxlan/vxlan_core.c, vxlan_rcv).
 */
export function readVxlanHeader(bytes: Uint8Array, at: number): number | undefined {
  if (get32(bytes, at) !== VALID_VNI || get8(bytes, at + 7) !== 0) return undefined
  return get32(bytes, at + 4) >>> 8
}
