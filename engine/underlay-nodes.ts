import type { KubeNode } from '../cluster/objects.ts'
import { parseMac } from '../packet/mac.ts'
import type { UnderlaySegment } from './underlay.ts'
import { addMachine, cardMac, type Draft, segmentOf, withLength } from './underlay-draft.ts'

/** A node with its one card. */
export function addNode(draft: Draft, node: KubeNode): void {
  const { name } = node.meta
  const lab = draft.cluster.lab.nodes?.[name] ?? {}
  const segment = segmentOfNode(draft, node)
  if (segment === undefined) return
  const card = lab.interface ?? 'eth0'
  if (lab.interface === undefined)
    draft.assumptions.push({
      code: 'underlay-interface-name',
      text: `the network card of ${name} is called ${card}`,
      object: `Node ${name}`,
      set: `spec.nodes.${name}.interface in a Lab document`,
      collect: `ip route show default   (on ${name})`,
    })
  const given = lab.mac === undefined ? undefined : parseMac(lab.mac)
  const down = (draft.cluster.lab.faults ?? []).some((fault) => fault.kind === 'nodeDown' && fault.node === name)
  addMachine(draft, {
    name,
    kind: 'node',
    cards: [
      {
        name: card,
        segment: segment.name,
        mac: given?.ok === true ? given.value : cardMac(name, card),
        mtu: lab.mtu ?? segment.mtu,
        addresses: node.internalIPs.map((address) => withLength(segment, address)),
      },
    ],
    gateways: [],
    down,
  })
}

function segmentOfNode(draft: Draft, node: KubeNode): UnderlaySegment | undefined {
  const named = (draft.cluster.lab.networks ?? []).find((network) => network.nodes?.includes(node.meta.name))
  if (named !== undefined) return draft.segments.get(named.name)
  const [address] = node.internalIPs
  const found = address === undefined ? undefined : segmentOf(draft, address)
  return found ?? [...draft.segments.values()].find((segment) => !segment.outside)
}
