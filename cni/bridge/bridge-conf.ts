import type { Prefix } from '../../packet/prefix.ts'

/** What the bridge plugin is given for every pod of a node (its network configuration after delegation). */
export interface BridgeConf {
  /** The network's name, `cbr0` for flannel: host-local's directory, and part of comments. */
  readonly network: string
  readonly bridge: string
  readonly mtu: number
  readonly hairpinMode: boolean
  readonly isDefaultGateway: boolean
  /** The plugin itself masquerades what pods send out of the network. */
  readonly ipMasq: boolean
  /** host-local's ranges: the node's pod subnets, at most one of a family. */
  readonly subnets: readonly Prefix[]
  /** host-local's routes: given to pods by way of the bridge. */
  readonly routes: readonly Prefix[]
}
