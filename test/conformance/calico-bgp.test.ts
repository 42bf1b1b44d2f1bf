import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { load } from '../../cluster/load.ts'
import { calico } from '../../cni/calico/calico.ts'
import { applyOps } from '../../linux/apply.ts'
import { type HostFacts, USUAL_CAPABILITIES } from '../../linux/host-facts.ts'
import { type Op, type OpBody, ROOT_NETNS } from '../../linux/op.ts'
import { ip } from '../../packet/ip.ts'
import { mac } from '../../packet/mac.ts'
import { must } from '../../packet/parsed.ts'
import { type InterfaceAddress, lastIp, parseInterfaceAddress, prefix } from '../../packet/prefix.ts'
import { renderIpRoute } from '../../render/ip-route.ts'
import { ownCasesFolder } from '../judge/cases-folder.ts'

/**
 * The routes that Calico's own BIRD (v0.3.3-208) and confd (v3.28.4) left in the kernels of small clusters without
 * encapsulation, in a full mesh, against what the calico compiler gives for the same objects.
 */

interface Machine {
  readonly node: boolean
  readonly nics: readonly { readonly name: string; readonly addrs: readonly string[] }[]
  readonly gateways?: readonly string[]
}

interface Case {
  readonly about: string
  readonly machines: Readonly<Record<string, Machine>>
  readonly objects: readonly unknown[]
  readonly expected: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
}

const folder = ownCasesFolder('calico-bgp')
const names = readdirSync(folder).sort()
const VERSION = { versions: { calico: 'v3.28.4' } }
/** Nodes whose Node object outlived its machine: nothing in the objects tells, a Lab does. */
const DEAD: Readonly<Record<string, readonly string[]>> = { 'hand-stale-node.json': ['gone', 'gone2'] }

describe('calico without encapsulation makes the routes that BIRD makes', () => {
  it('over all recorded clusters', () => expect(names.length).toBe(13))

  it.each(names)('%s', (name) => {
    const given: Case = JSON.parse(readFileSync(join(folder, name), 'utf8'))
    const bytes = new TextEncoder().encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: given.objects }))
    const faults = (DEAD[name] ?? []).map((node) => ({ kind: 'nodeDown', node }) as const)
    const { cluster } = load([{ name, bytes }], { lab: { ...VERSION, faults } })
    const { config, notModelled } = calico.configure(cluster)
    expect(notModelled).toBeUndefined()
    for (const [machine, state] of Object.entries(given.expected)) {
      const node = cluster.index.node.get(machine)!
      const { facts, ops } = machineOf(machine, given.machines[machine]!)
      const host = applyOps(machine, [...ops, ...calico.compile(cluster, node, config, facts)], USUAL_CAPABILITIES)
      expect(host.refused.map(({ error }) => error)).toEqual([])
      const { fib } = host.netns.get(ROOT_NETNS)!
      const own = (lines: readonly string[]) => lines.filter((line) => !line.includes('fe80::/64')).map(withoutCaliName)
      expect([machine, ...own(renderIpRoute(fib))]).toEqual([machine, ...own(state['ip route'] ?? [])])
      if (state['ip -6 route'] !== undefined)
        expect([machine, ...own(renderIpRoute(fib, { family: 6 }))]).toEqual([machine, ...own(state['ip -6 route'])])
    }
  })
})

/** The recorder named its devices after pods of its own; which pod is behind a route, the address tells. */
const withoutCaliName = (line: string): string => line.replace(/cali[0-9a-f]{11}/, 'cali*')

function machineOf(
  hostname: string,
  { nics, gateways = [] }: Machine,
): { readonly facts: HostFacts; readonly ops: readonly Op[] } {
  const at = (body: OpBody): Op => ({ ...body, netns: ROOT_NETNS, origin: { by: 'test' } })
  const interfaces = nics.map(({ name, addrs }) => ({
    name,
    mac: mac('52:54:00:00:00:01'),
    mtu: 1500,
    addresses: addrs.map((text) => must(parseInterfaceAddress(text))),
  }))
  const hops = gateways.map(ip)
  const dev = nics[0]?.name ?? ''
  const ops = [
    ...interfaces.flatMap(({ name, mac: address, mtu, addresses }) => [
      at({ kind: 'link.add', name, mac: address, mtu, type: { kind: 'physical', segment: 'lan' } }),
      at({ kind: 'link.set', name, up: true }),
      ...addresses.map((one) => at({ kind: 'addr.add', link: name, address: one, ...broadcastOf(one) })),
    ]),
    ...hops.map((via) =>
      at({
        kind: 'route.replace',
        route: {
          type: 'unicast',
          destination: prefix(via.family === 4 ? '0.0.0.0/0' : '::/0'),
          via,
          dev,
          protocol: 'boot',
        },
      }),
    ),
  ]
  const facts = {
    hostname,
    interfaces,
    defaultInterface: dev,
    gateways: hops,
    capabilities: USUAL_CAPABILITIES,
    files: new Map(),
  }
  return { facts, ops }
}

const broadcastOf = ({ ip: address, length }: InterfaceAddress) =>
  address.family === 4 ? { broadcast: lastIp({ address, length }) } : {}
