import type { Op } from '../../../linux/op.ts'
import { mac } from '../../../packet/mac.ts'
import type { LabMachine } from '../lab.ts'
import type { Listener, Scenario } from '../scenario.ts'
import { alive, withExtras } from './extras.ts'
import { flannelNode, forwarder, outsideHost, pod, type Service, vtepMac } from './flannel.ts'
import type { RecipeBase } from './recipe.ts'
import { inRoot, route } from './words.ts'

/** Nodes on one segment as flannel sets them up, with services by iptables, and a host outside. */
export interface FlannelRecipe extends RecipeBase {
  readonly kind: 'flannel'
  readonly mode: 'vxlan' | 'host-gw' | 'udp'
  readonly nodes: number
  readonly bridgeNetfilter: 0 | 1
  readonly hairpin: boolean
  /** Undefined: no rule at all. */
  readonly services: readonly Service[] | undefined
  readonly defaultRoute: boolean
  readonly faults: readonly FlannelFault[]
}

export type FlannelFault =
  | {
      readonly kind: 'fdbMissing' | 'neighMissing' | 'routeMissing' | 'neighWrong'
      readonly node: number
      readonly peer: number
    }
  | { readonly kind: 'linkDown'; readonly node: number; readonly link: string }
  | { readonly kind: 'blackhole'; readonly node: number; readonly prefix: string }
  /** All links of the pods' side take another MTU. */
  | { readonly kind: 'podMtu'; readonly mtu: number }

/** Ports that every pod of a flannel recipe listens on. */
export const POD_TCP = 8080
export const POD_UDP = 5353

export function buildFlannel(recipe: FlannelRecipe): Pick<Scenario, 'lab' | 'standing'> {
  const peers = Array.from({ length: recipe.nodes }, (_, i) => i + 1)
  const hosts = peers.map((number) => {
    const way = recipe.defaultRoute ? [route('0.0.0.0/0', { via: '192.168.40.2', dev: 'ens33' })] : []
    const { bridgeNetfilter, hairpin, services } = recipe
    const node = flannelNode({
      number,
      peers,
      backend: recipe.mode,
      bridgeNetfilter,
      hairpin,
      more: way,
      ...(services === undefined ? {} : { services }),
    })
    return recipe.faults.reduce((machine, fault) => withFault(machine, fault, number), node)
  })
  const lab = withExtras({ hosts: [...hosts, outsideHost()] }, recipe)
  const listeners = peers.flatMap((number) =>
    (['a', 'b'] as const).flatMap((name): Listener[] => [
      { ...pod(number, name), program: 'listen', protocol: 'tcp', family: 4, port: POD_TCP },
      { ...pod(number, name), program: 'listen', protocol: 'udp', family: 4, port: POD_UDP },
    ]),
  )
  const forwarders = recipe.mode === 'udp' ? peers.map((number) => forwarder(number, peers)) : []
  return { lab, standing: alive([...listeners, ...forwarders], recipe) }
}

function withFault(machine: LabMachine, fault: FlannelFault, number: number): LabMachine {
  const change = (ops: readonly Op[]): LabMachine => ({ ...machine, ops })
  if (fault.kind === 'podMtu') return change(machine.ops.map((op) => withMtu(op, fault.mtu)))
  if (fault.node !== number) return machine
  switch (fault.kind) {
    case 'fdbMissing':
      return change(machine.ops.filter((op) => op.kind !== 'fdb.append' || op.mac !== mac(vtepMac(fault.peer))))
    case 'neighMissing':
      return change(machine.ops.filter((op) => op.kind !== 'neigh.replace' || op.mac !== mac(vtepMac(fault.peer))))
    case 'neighWrong':
      return change(
        machine.ops.map((op) =>
          op.kind === 'neigh.replace' && op.mac === mac(vtepMac(fault.peer))
            ? { ...op, mac: mac('1e:57:a2:ff:ff:ff') }
            : op,
        ),
      )
    case 'routeMissing':
      return change(
        machine.ops.filter(
          (op) =>
            op.kind !== 'route.replace' || op.netns !== 'root' || op.route.destination.address.d !== podNet(fault.peer),
        ),
      )
    case 'linkDown':
      return change([...machine.ops, ...inRoot({ kind: 'link.set', name: fault.link, up: false })])
    case 'blackhole':
      return change([...machine.ops, ...inRoot(route(fault.prefix, { type: 'blackhole' }))])
  }
}

const podNet = (node: number): number => ((10 << 24) | (244 << 16) | (node << 8)) >>> 0

function withMtu(op: Op, mtu: number): Op {
  if (op.kind !== 'link.add') return op
  if (op.type.kind === 'veth') return { ...op, mtu, type: { ...op.type, peer: { ...op.type.peer, mtu } } }
  return op.type.kind === 'bridge' ? { ...op, mtu } : op
}
