import type { HostFacts } from '../../linux/host-facts.ts'

/** Cards that count (FelixConfiguration mtuIfacePattern's default), and what is taken where there is none. */
const CARD = /^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)/
const FALLBACK_MTU = 1460

/** The MTU pods get where nothing is encapsulated: the least of the node's cards. */
export function autoMtu(facts: HostFacts): number {
  const mtus = facts.interfaces.filter(({ name }) => CARD.test(name)).map(({ mtu }) => mtu)
  return mtus.length === 0 ? FALLBACK_MTU : Math.min(...mtus)
}
