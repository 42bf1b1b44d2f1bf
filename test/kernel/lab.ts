import type { Op, OpBody } from '../../linux/op.ts'
import { type LabMachine, netnsOf } from '../../render/materialise/lab-machine.ts'

export type { LabMachine, Place } from '../../render/materialise/lab-machine.ts'

/** What both sides are given: machines by their ops. Cards that name one segment are plugged into one cable or switch. */
export interface KernelLab {
  readonly hosts: readonly LabMachine[]
}

/**
 * The lab with what the judge needs set on both sides alike: no limit on ICMP errors, ping sockets for everybody, no
 * memory of earlier connections.
 */
export function withKnobs(lab: KernelLab): KernelLab {
  const hosts = lab.hosts.map(({ name, ops }) => {
    const made = netnsOf(ops).flatMap((netns) => KNOBS.map((body): Op => ({ ...body, netns, origin: JUDGE })))
    const namespaces = ops.filter((op) => op.kind === 'netns.add')
    return { name, ops: [...namespaces, ...made, ...ops.filter((op) => op.kind !== 'netns.add')] }
  })
  return { hosts }
}

const JUDGE = { by: 'kernel judge' }

const KNOBS: readonly OpBody[] = [
  ['net.ipv4.icmp_ratelimit', '0'],
  ['net.ipv4.icmp_msgs_per_sec', '10000'],
  ['net.ipv4.icmp_msgs_burst', '10000'],
  ['net.ipv6.icmp.ratelimit', '0'],
  ['net.ipv4.ping_group_range', '0 2147483647'],
  ['net.ipv4.tcp_no_metrics_save', '1'],
  // The window scale offered follows from the largest receive buffer, whose default follows from the machine's memory.
  ['net.ipv4.tcp_rmem', '4096 131072 6291456'],
].map(([key, value]) => ({ kind: 'sysctl.set', key: key!, value: value! }))
