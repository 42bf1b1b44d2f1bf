import type { KubeNode, Taint } from '../objects.ts'
import { readMeta } from './meta.ts'
import { child, children, flag, ipAt, oneOf, optionalText, type Place, text } from './place.ts'
import { milliCpu, parseQuantity } from './quantity.ts'
import { nodePodCIDRs, validateNodeSpec } from './validate-node.ts'

/** Reads a Node. Host bits of a podCIDR are cut off as the kubelet and the CNIs do. */
export function readNode(root: Place): Omit<KubeNode, 'kind' | 'at' | 'assumed'> {
  const meta = readMeta(root, 'cluster')
  const spec = child(root, 'spec')
  const status = child(root, 'status')
  const addresses = children(status, 'addresses')
  const ofType = (type: string) =>
    addresses.flatMap((address) => {
      const ip = text(address, 'type') === type ? ipAt(address, 'address') : undefined
      return ip === undefined ? [] : [ip]
    })
  const named = addresses.find((address) => text(address, 'type') === 'Hostname')
  const ready = children(status, 'conditions').find((condition) => text(condition, 'type') === 'Ready')
  const kubeletVersion = optionalText(child(status, 'nodeInfo'), 'kubeletVersion')
  const allocatable = child(status, 'allocatable')
  const cpu = milliCpu(text(allocatable, 'cpu'))
  const memory = parseQuantity(text(allocatable, 'memory'))
  const pods = parseQuantity(text(allocatable, 'pods'))
  const podCIDRs = nodePodCIDRs(spec)
  validateNodeSpec(spec)
  return {
    meta,
    podCIDRs,
    internalIPs: ofType('InternalIP'),
    externalIPs: ofType('ExternalIP'),
    hostname: (named === undefined ? '' : text(named, 'address')) || meta.name,
    taints: children(spec, 'taints').map(taintOf),
    unschedulable: flag(spec, 'unschedulable'),
    // A manifest has no conditions; the machine is taken to be up.
    ready: ready === undefined || text(ready, 'status') === 'True',
    ...(kubeletVersion === undefined || kubeletVersion === '' ? {} : { kubeletVersion }),
    ...(cpu === undefined ? {} : { allocatableMilliCpu: cpu }),
    ...(memory === undefined ? {} : { allocatableMemory: memory }),
    ...(pods === undefined ? {} : { allocatablePods: pods }),
  }
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

const taintOf = (taint: Place, i: number): Taint => ({
  key: text(taint, 'key'),
  value: text(taint, 'value'),
  effect: oneOf(taint, 'effect', {
    values: EFFECTS,
    absent: 'NoSchedule',
    shown: ['metadata', 'taints', i, 'effect'],
  }),
})
