import type { Op } from '../../../linux/op.ts'
import { ROOT_NETNS } from '../../../linux/op.ts'
import { mac } from '../../../packet/mac.ts'
import type { KernelLab, LabMachine } from '../lab.ts'
import { inRoot, route, rules } from './words.ts'

/** What is wrong with a lab that was set up right. `nth` counts from 0, around. */
export type Fault =
  /** The tunnel's forwarding entry, or its permanent neighbour, or a route to a peer is not there. */
  | { readonly kind: 'fdbMissing' | 'arpMissing' | 'routeMissing'; readonly host: string; readonly nth: number }
  /** A permanent neighbour has the MAC of nobody. */
  | { readonly kind: 'staleMac'; readonly host: string; readonly nth: number }
  | { readonly kind: 'linkDown'; readonly host: string; readonly link: string }
  | { readonly kind: 'blackhole'; readonly host: string; readonly prefix: string }
  /** Datagrams to the tunnel's port are dropped on arrival. */
  | { readonly kind: 'udpDropped'; readonly host: string; readonly port: number }

export const FAULTS = [
  'fdbMissing',
  'arpMissing',
  'routeMissing',
  'staleMac',
  'linkDown',
  'blackhole',
  'udpDropped',
] as const satisfies readonly Fault['kind'][]

export function withFaults(lab: KernelLab, faults: readonly Fault[]): KernelLab {
  return {
    hosts: lab.hosts.map((machine) =>
      faults.filter(({ host }) => host === machine.name).reduce((changed, fault) => withFault(changed, fault), machine),
    ),
  }
}

function withFault({ name, ops }: LabMachine, fault: Fault): LabMachine {
  switch (fault.kind) {
    case 'fdbMissing':
      return { name, ops: without(ops, isRemote, fault.nth) }
    case 'arpMissing':
      return { name, ops: without(ops, isNeighbour, fault.nth) }
    case 'routeMissing':
      return { name, ops: without(ops, isPeerRoute, fault.nth) }
    case 'staleMac': {
      const at = nthOf(ops, isNeighbour, fault.nth)
      return { name, ops: ops.map((op, i) => (i === at && op.kind === 'neigh.replace' ? { ...op, mac: NOBODY } : op)) }
    }
    case 'linkDown':
      return { name, ops: [...ops, ...inRoot({ kind: 'link.set', name: fault.link, up: false })] }
    case 'blackhole':
      return { name, ops: [...ops, ...inRoot(route(fault.prefix, { type: 'blackhole' }))] }
    case 'udpDropped':
      return {
        name,
        ops: [...ops, ...inRoot(...rules(4, 'raw', `-A PREROUTING -p udp -m udp --dport ${fault.port} -j DROP`))],
      }
  }
}

const NOBODY = mac('1e:57:a2:ff:ff:ff')

const isRemote = (op: Op): boolean => op.kind === 'fdb.append' && op.dst !== undefined
const isNeighbour = (op: Op): boolean => op.kind === 'neigh.replace'
const isPeerRoute = (op: Op): boolean =>
  op.kind === 'route.replace' && op.netns === ROOT_NETNS && op.route.via !== undefined

function nthOf(ops: readonly Op[], is: (op: Op) => boolean, nth: number): number {
  const found = ops.flatMap((op, i) => (is(op) ? [i] : []))
  return found.length === 0 ? -1 : found[nth % found.length]!
}

function without(ops: readonly Op[], is: (op: Op) => boolean, nth: number): readonly Op[] {
  const at = nthOf(ops, is, nth)
  return at < 0 ? ops : ops.toSpliced(at, 1)
}
