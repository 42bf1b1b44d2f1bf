import type { RuleLine } from '../../linux/netfilter/block.ts'
import type { IptablesTable } from '../../linux/op.ts'
import type { Origin } from '../../linux/origin.ts'
import { formatIp, type Ip, isLoopback } from '../../packet/ip.ts'
import { matchingAddresses } from '../node-port-addresses.ts'
import {
  EXTERNAL_SERVICES,
  FIREWALL,
  FORWARD,
  MARK_MASQ,
  NODEPORTS,
  POSTROUTING,
  PROXY_FIREWALL,
  SERVICES,
} from './chain-names.ts'
import type { SyncSetup } from './sync-setup.ts'

/** The rules around those of the services, which no Service accounts for. */
export interface FrameRules {
  /** Chains that are emptied and written anew, in the order of their lines. */
  readonly chains: Readonly<Record<'filter' | 'nat', readonly string[]>>
  /** Before and after the rules of the services. */
  readonly head: readonly RuleLine[]
  readonly tail: readonly RuleLine[]
}

const filterChains = ({ features }: SyncSetup, guard: boolean): readonly string[] => [
  SERVICES,
  EXTERNAL_SERVICES,
  FORWARD,
  ...(features.healthCheckRule ? [NODEPORTS] : []),
  ...(features.marksDrops ? [] : [PROXY_FIREWALL]),
  ...(guard ? [FIREWALL] : []),
]

const NAT_CHAINS = [SERVICES, NODEPORTS, POSTROUTING, MARK_MASQ]

/** Counters that kube-proxy makes for its metrics. */
const INVALID_COUNTER = 'ct_state_invalid_dropped_pkts'

export function frameRules(setup: SyncSetup): FrameRules {
  const guard = setup.family === 4 && setup.localhostNodePorts && setup.features.writesLocalnetGuard
  return {
    chains: { filter: filterChains(setup, guard), nat: NAT_CHAINS },
    head: [...masquerading(setup), ...(guard ? [localnetGuard(setup)] : [])],
    tail: [...nodePortJumps(setup), ...forwarding(setup)],
  }
}

function line(setup: SyncSetup, at: readonly [IptablesTable, string], args: string, reason: string): RuleLine {
  return { table: at[0], chain: at[1], args, origin: frameOrigin(setup, reason) }
}

export const frameOrigin = (setup: Pick<SyncSetup, 'config'>, reason: string): Origin => ({
  by: 'kube-proxy',
  reason,
  ...(setup.config.source === undefined ? {} : { source: setup.config.source }),
})

/** The mark is taken off again, so that a packet that passes the stack twice is not masqueraded twice. */
function masquerading(setup: SyncSetup): readonly RuleLine[] {
  const { mark } = setup
  const randomFully = setup.facts.capabilities.randomFully ? ' --random-fully' : ''
  const post = ['nat', POSTROUTING] as const
  const why = `packets with mark ${mark} are masqueraded`
  return [
    line(setup, post, `-m mark ! --mark ${mark}/${mark} -j RETURN`, why),
    line(setup, post, `-j MARK --xor-mark ${mark}`, why),
    line(setup, post, `${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE${randomFully}`, why),
    line(setup, ['nat', MARK_MASQ], `-j MARK --or-mark ${mark}`, why),
  ]
}

/** CVE-2020-8558: with route_localnet=1, neighbours could reach what listens on 127.0.0.1. */
function localnetGuard(setup: SyncSetup): RuleLine {
  const match = '-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT'
  return line(
    setup,
    ['filter', FIREWALL],
    `${comment('block incoming localnet connections')} ${match} -j DROP`,
    'nodePorts on localhost need route_localnet=1, which must not let outsiders reach 127.0.0.0/8',
  )
}

function nodePortJumps(setup: SyncSetup): readonly RuleLine[] {
  const last = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')
  return nodePortDestinations(setup).map((destination) =>
    line(setup, ['nat', SERVICES], `${last} ${destination} -j ${NODEPORTS}`, 'addresses that serve nodePorts'),
  )
}

/** kube-proxy takes the addresses in random order; here they are in the order of their texts. */
function nodePortDestinations(setup: SyncSetup): readonly string[] {
  if (setup.nodePortAddresses.kind === 'cidrs') {
    const served = (ip: Ip) =>
      ip.family === setup.family && (!isLoopback(ip) || setup.localhostNodePorts || !setup.features.sparesLoopback6)
    const addresses = matchingAddresses(setup.nodePortAddresses.cidrs, setup.facts)
    return addresses
      .filter(served)
      .map((ip) => `-d ${formatIp(ip)}`)
      .sort()
  }
  const local = '-m addrtype --dst-type LOCAL'
  if (setup.family === 6) return [setup.features.sparesLoopback6 ? `${local} ! -d ::1/128` : local]
  return [setup.localhostNodePorts ? local : `${local} ! -d 127.0.0.0/8`]
}

function forwarding(setup: SyncSetup): readonly RuleLine[] {
  const { mark } = setup
  const forward = ['filter', FORWARD] as const
  const counter = setup.counters ? ` -m nfacct --nfacct-name ${INVALID_COUNTER}` : ''
  return [
    ...(setup.dropsInvalid
      ? [
          line(
            setup,
            forward,
            `-m conntrack --ctstate INVALID${counter} -j DROP`,
            'a packet that conntrack cannot place would reach the client with a wrong address and reset it',
          ),
        ]
      : []),
    line(
      setup,
      forward,
      `${comment('kubernetes forwarding rules')} -m mark --mark ${mark}/${mark} -j ACCEPT`,
      'service traffic to be masqueraded passes whatever the policy of FORWARD is',
    ),
    ...setup.features.iptablesForwardComments.map((text) =>
      line(
        setup,
        forward,
        `${comment(text)} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
        'what follows an accepted packet is accepted',
      ),
    ),
  ]
}

const comment = (text: string): string => `-m comment --comment "${text}"`
