import { type Parsed, parsed, refused } from '../../packet/parsed.ts'
import { type GoObject, goBoolean, goField, goNumber, mistyped } from '../go-json.ts'

/** How flannel carries packets between nodes, with the settings of net-conf.json's `Backend`. */
export type FlannelBackend = VxlanBackend | { readonly kind: 'host-gw' } | UdpBackend

export interface VxlanBackend {
  readonly kind: 'vxlan'
  readonly vni: number
  /** 8472 (the kernel's default) where net-conf says 0 or nothing. */
  readonly port: number
  /** Peers that are reached without a gateway get a plain route. */
  readonly directRouting: boolean
  readonly learning: boolean
  /** MTU of the underlay, where set; the device has 50 less. */
  readonly mtu: number | undefined
}

export interface UdpBackend {
  readonly kind: 'udp'
  readonly port: number
}

/** Octets of IP MTU that the backend's headers take: outer IPv4, UDP, VXLAN and inner Ethernet; or IPv4 and UDP. */
export const ENCAP_OVERHEAD: Readonly<Record<FlannelBackend['kind'], number>> = { vxlan: 50, 'host-gw': 0, udp: 28 }

/** Backends flannel has that are not computed here. */
export const OTHER_BACKENDS: Readonly<Record<string, string>> = {
  ipip: 'the flannel.ipip device and its routes',
  wireguard: 'the flannel-wg device, its peers and keys',
  ipsec: 'the xfrm policies and states',
  extension: 'the commands the user configured',
  alloc: 'it only hands out subnets; routing is made by something else',
  'tencent-vpc': 'routes in the cloud',
}

const DEFAULT_VXLAN_PORT = 8472
const DEFAULT_UDP_PORT = 8285

/**
 * The backend of that type with the options of `options` (pkg/backend/{vxlan/vxlan.go,udp/udp_amd64.go,hostgw}).
 * Option names match whatever their case, the type is lower-cased by the backend manager.
 */
export function parseBackend(type: string, options: GoObject): Parsed<FlannelBackend> {
  const kind = type.toLowerCase()
  switch (kind) {
    case 'vxlan': {
      const wrong = mistyped(options, {
        VNI: 'number',
        Port: 'number',
        MTU: 'number',
        Learning: 'boolean',
        DirectRouting: 'boolean',
        GBP: 'boolean',
      })
      if (wrong !== undefined) return refused(`error decoding VXLAN backend config: ${wrong}`)
      return parsed({
        kind,
        vni: goNumber(options, 'VNI') ?? 1,
        port: goNumber(options, 'Port') || DEFAULT_VXLAN_PORT,
        directRouting: goBoolean(options, 'DirectRouting') ?? false,
        learning: goBoolean(options, 'Learning') ?? false,
        mtu: goNumber(options, 'MTU'),
      })
    }
    case 'host-gw':
      return parsed({ kind })
    case 'udp': {
      const wrong = mistyped(options, { Port: 'number' })
      if (wrong !== undefined) return refused(`error decoding UDP backend config: ${wrong}`)
      return parsed({ kind, port: goNumber(options, 'Port') ?? DEFAULT_UDP_PORT })
    }
    default:
      return refused(`unknown backend type: ${type}`)
  }
}

/** True where packets with the group policy extension are asked for, which changes their VXLAN header. */
export const usesGbp = (options: GoObject): boolean => goField(options, 'GBP') === true
