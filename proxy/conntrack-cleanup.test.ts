import { describe, expect, it } from 'vitest'
import type { EndpointSlice, Service } from '../cluster/objects.ts'
import type { ConntrackEntry } from '../linux/netfilter/conntrack.ts'
import { entriesOf, removeEntry } from '../linux/netfilter/conntrack-table.ts'
import { ends, udp } from '../linux/netfilter/testing/packets.ts'
import { newRouter, type Router, receive } from '../linux/netfilter/testing/router.ts'
import { sentEnds } from '../linux/netfilter/testing/story.ts'
import { ip } from '../packet/ip.ts'
import { PROTOCOL } from '../packet/packet.ts'
import { deletedFlows, staleFlows } from './conntrack-cleanup.ts'
import { iptablesMode } from './iptables/compile.ts'
import { serviceMap } from './service-map.ts'
import {
  DEFAULT_CONFIG,
  DRAINING,
  type EndpointText,
  machine,
  NOT_READY,
  node,
  service,
  slice,
  smallCluster,
} from './testing/small-cluster.ts'

const NEWEST = 'v1.36.3'

const DNS = service('dns', {
  type: 'LoadBalancer',
  clusterIPs: ['10.96.0.10'],
  externalIPs: ['198.51.100.1'],
  vips: ['203.0.113.1'],
  ports: [{ port: 53, protocol: 'UDP', nodePort: 30_053 }],
})

interface State {
  readonly services?: readonly Service[]
  readonly endpoints?: readonly (string | EndpointText)[]
}

const sliceOf = (endpoints: State['endpoints'] = []): EndpointSlice =>
  slice({ of: 'dns', ports: [{ port: 5353, protocol: 'UDP' }], endpoints, addressType: 'IPv4' })

const mapOf = ({ services = [DNS], endpoints }: State, version: string) =>
  serviceMap(smallCluster({ services, slices: [sliceOf(endpoints)], version }), 4, version)

/** `10.96.0.10:53 > 10.244.1.2:5353`: who was called, and who answers. */
function entry(text: string, protocol: number = PROTOCOL.udp): ConntrackEntry {
  const [, dst = '', dport, src = '', sport] = /^(.*):(\d+) > (.*):(\d+)$/.exec(text) ?? []
  return {
    id: 1,
    original: { protocol, src: ip('192.0.2.1'), srcKey: 1000, dst: ip(dst), dstKey: Number(dport) },
    reply: { protocol, src: ip(src), srcKey: Number(sport), dst: ip('192.0.2.1'), dstKey: 1000 },
    status: 0,
    timeout: 0,
    flow: undefined,
    masqueradeLink: undefined,
  }
}

const stale = (text: string, before: State, after: State, version = NEWEST, protocol?: number): boolean =>
  staleFlows([entry(text, protocol)], {
    before: mapOf(before, version),
    after: mapOf(after, version),
    version,
  }).length > 0

const A = '10.244.1.2'
const B = '10.244.1.3'

describe.each(['v1.20.15', 'v1.31.14', 'v1.32.13', NEWEST])('kube-proxy %s deletes flows of UDP', (version) => {
  const both: State = { endpoints: [A, B] }
  const onlyB: State = { endpoints: [B] }

  it.each(['10.96.0.10:53', '198.51.100.1:53', '203.0.113.1:53', '192.0.2.11:30053'])(
    'to an endpoint that is gone, which were called at %s',
    (called) => {
      expect(stale(`${called} > ${A}:5353`, both, onlyB, version)).toBe(true)
      expect(stale(`${called} > ${B}:5353`, both, onlyB, version)).toBe(false)
      expect(stale(`${called} > ${A}:5353`, both, onlyB, version, PROTOCOL.tcp)).toBe(false)
      expect(stale(`${called} > ${A}:5353`, both, onlyB, version, PROTOCOL.sctp)).toBe(false)
    },
  )

  it('that nobody translated while there was no endpoint', () => {
    expect(stale('10.96.0.10:53 > 10.96.0.10:53', {}, onlyB, version)).toBe(true)
    expect(stale('192.0.2.11:30053 > 192.0.2.11:30053', {}, onlyB, version)).toBe(true)
    expect(stale('10.96.0.10:53 > 10.96.0.10:53', {}, {}, version)).toBe(false)
  })

  it('of others not', () => {
    expect(stale(`10.96.0.11:53 > ${A}:5353`, both, onlyB, version)).toBe(false)
    expect(stale(`8.8.8.8:53 > 8.8.8.8:53`, both, onlyB, version)).toBe(false)
  })
})

describe('from release to release', () => {
  const both: State = { endpoints: [A, B] }

  it('the last endpoint of a Service: until 1.31 its flows are deleted, since then they are left alone', () => {
    const flow = `10.96.0.10:53 > ${A}:5353`
    expect(stale(flow, both, {}, 'v1.31.14')).toBe(true)
    expect(stale(flow, both, {}, 'v1.32.13')).toBe(false)
    expect(stale(flow, both, {})).toBe(false)
  })

  it('a flow that was stale before is found since 1.32', () => {
    const flow = `10.96.0.10:53 > ${A}:5353`
    const onlyB: State = { endpoints: [B] }
    const another: State = { endpoints: [B, '10.244.1.4'] }
    expect(stale(flow, onlyB, another, 'v1.31.14')).toBe(false)
    expect(stale(flow, onlyB, another, 'v1.32.13')).toBe(true)
  })

  it('without any change of an endpoint nothing is looked for since 1.32', () => {
    const flow = `10.96.0.10:53 > ${A}:5353`
    const onlyB: State = { endpoints: [B] }
    const another: State = { endpoints: [B, '10.244.1.4'] }
    for (const version of ['v1.32.0', 'v1.33.13', NEWEST]) {
      expect(stale(flow, onlyB, onlyB, version)).toBe(false)
      expect(stale(flow, onlyB, another, version)).toBe(true)
      expect(stale(flow, onlyB, { endpoints: [{ ip: B, ...DRAINING }] }, version)).toBe(true)
    }
    const renumbered = service('dns', {
      clusterIPs: ['10.96.0.10'],
      ports: [{ port: 53, protocol: 'UDP', nodePort: 30_054 }],
    })
    expect(stale(`192.0.2.11:30054 > ${A}:5353`, onlyB, { ...onlyB, services: [renumbered] })).toBe(false)
  })

  it('another port of the same endpoint is another since 1.34', () => {
    const flow = `10.96.0.10:53 > ${A}:53`
    const three: State = { endpoints: [A, B, '10.244.1.4'] }
    expect(stale(flow, both, three, 'v1.33.13')).toBe(false)
    expect(stale(flow, both, three, 'v1.34.4')).toBe(true)
  })

  it('an endpoint that drains keeps its flows since 1.29', () => {
    const flow = `10.96.0.10:53 > ${A}:5353`
    const draining: State = { endpoints: [{ ip: A, ...DRAINING }, B] }
    const dead: State = { endpoints: [{ ip: A, ...NOT_READY }, B] }
    expect(stale(flow, both, draining, 'v1.28.15')).toBe(true)
    for (const version of ['v1.29.15', 'v1.32.13', NEWEST]) {
      expect(stale(flow, both, draining, version)).toBe(false)
      expect(stale(flow, both, dead, version)).toBe(true)
    }
  })

  it('a Service that is gone: its ClusterIP until 1.31', () => {
    const flow = `10.96.0.10:53 > ${A}:5353`
    expect(stale(flow, both, { services: [] }, 'v1.31.14')).toBe(true)
    expect(stale(flow, both, { services: [] })).toBe(false)
  })
})

describe('as conntrack(8) is told it', () => {
  const both: State = { endpoints: [A, B] }
  const onlyB: State = { endpoints: [B] }
  it.each<[string, string, State, State, string]>([
    ['v1.31.14', `10.96.0.10:53 > ${A}:5353`, both, onlyB, `--orig-dst 10.96.0.10 --dst-nat ${A}`],
    ['v1.31.14', `192.0.2.11:30053 > ${A}:5353`, both, onlyB, `--dport 30053 --dst-nat ${A}`],
    ['v1.31.14', '10.96.0.10:53 > 10.96.0.10:53', {}, onlyB, '--orig-dst 10.96.0.10'],
    ['v1.31.14', '192.0.2.11:30053 > 192.0.2.11:30053', {}, onlyB, '--dport 30053'],
    [NEWEST, `10.96.0.10:53 > ${A}:5353`, both, onlyB, `--orig-dst 10.96.0.10 --dport 53 --dst-nat ${A}`],
    [NEWEST, `192.0.2.11:30053 > ${A}:5353`, both, onlyB, `--dport 30053 --dst-nat ${A}`],
  ])('%s %s', (version, flow, before, after, options) => {
    const change = { before: mapOf(before, version), after: mapOf(after, version), version }
    expect(deletedFlows([entry(flow)], change).map(({ command }) => command)).toEqual([
      `conntrack -D -p udp ${options}`,
    ])
  })
})

describe('on a node', () => {
  /** The node with the rules for these endpoints, and what another had tracked. */
  function nodeWith(endpoints: readonly string[], from?: Router): Router {
    const ops = iptablesMode.compile(
      smallCluster({ services: [DNS], slices: [sliceOf(endpoints)] }),
      node('node1', { ips: ['10.0.1.1'] }),
      DEFAULT_CONFIG,
      machine(['10.0.1.1/24', '10.0.2.1/24']),
    )
    const router = newRouter({ ops })
    if (from === undefined) return router
    const { byTuple, bySource } = from.ns.netfilterState.conntrack
    const { conntrack } = router.ns.netfilterState
    for (const [key, found] of byTuple) conntrack.byTuple.set(key, found)
    for (const [key, list] of bySource) conntrack.bySource.set(key, list)
    return router
  }

  const ask = (router: Router): readonly string[] => {
    router.sent.length = 0
    receive(router, 'r0', udp('10.0.1.9:1000', '10.96.0.10:53'))
    return sentEnds(router)
  }

  const asked = (router: Router) => ask(router).map((text) => text.split(' > ')[1])

  it('a client that keeps its port goes on asking the dead endpoint until its flow is deleted', () => {
    const before = nodeWith(['10.0.2.2'])
    expect(asked(before)).toEqual(['10.0.2.2:5353'])
    const after = nodeWith(['10.0.2.3'], before)
    expect(asked(after)).toEqual(['10.0.2.2:5353'])
    const change = {
      before: mapOf({ endpoints: ['10.0.2.2'] }, NEWEST),
      after: mapOf({ endpoints: ['10.0.2.3'] }, NEWEST),
      version: NEWEST,
    }
    const found = staleFlows(entriesOf(after.ns), change)
    expect(found).toHaveLength(1)
    for (const one of found) removeEntry(after.ns, one)
    expect(asked(after)).toEqual(['10.0.2.3:5353'])
  })

  it('answers of an endpoint that is still there keep coming', () => {
    const router = nodeWith(['10.0.2.2'])
    ask(router)
    const [sent] = router.sent
    const answer = sent && udp(ends(sent.packet).split(' > ')[1] ?? '', ends(sent.packet).split(' > ')[0] ?? '')
    router.sent.length = 0
    if (answer !== undefined) receive(router, 'r1', answer)
    expect(sentEnds(router)).toEqual(['r0 10.96.0.10:53 > 10.0.1.9:1000'])
  })
})
