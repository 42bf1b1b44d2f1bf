import { describe, expect, it } from 'vitest'
import { ask, askAll } from '../../engine/ask.ts'
import { type Built, build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'
import { checkTrace } from '../../engine/trace.ts'
import { must } from '../../packet/parsed.ts'
import { LAB_NAMES, type LabProbe, openLab, probesOf } from '../labs.ts'

/**
 * Every question of every lab has the same answer in nftables mode as in iptables mode, but for what is truly
 * different there.
 */

/**
 * In nftables mode what is sent to a ClusterIP and was not translated is rejected, a ping too (chain cluster-ips-check,
 * pkg/proxy/nftables/proxier.go); in iptables mode it is routed like any other packet.
 */
const REJECTED_PINGS = /^a ClusterIP is not there for ping/

describe.each(LAB_NAMES)('%s', (name) => {
  const plain = openLab(name)
  const iptables = (probe: LabProbe): Built => (probe.lab === undefined ? plain : openLab(name, probe.lab))
  const inNftables = new Map<Built, Built>()
  const nftables = (built: Built): Built => {
    const known = inNftables.get(built) ?? build(built.cluster, { proxyMode: 'nftables' })
    inNftables.set(built, known)
    return known
  }

  it.each(probesOf(name).map((probe) => [probe.name, probe] as const))('%s', (_, probe) => {
    const one = iptables(probe)
    const [before, after] = [one, nftables(one)].map((built) => ask(built, must(readQuestion(built, probe))))
    for (const trace of after?.packets ?? []) expect(checkTrace(trace)).toEqual([])
    if (REJECTED_PINGS.test(probe.name)) {
      expect(after?.disposition.kind).toBe('rejected')
      expect(after?.disposition.detail).toContain('cluster-ips-check')
    } else expect(verdictOf(after)).toEqual(verdictOf(before))
  })
})

/** What happened, and what the server saw, but for the choice of an endpoint. */
function verdictOf(answer: Conversation | undefined) {
  const { kind, reason } = answer?.disposition ?? {}
  const peer = answer?.server?.peer.replace(/:\d+$/, '')
  return { outcome: answer?.outcome.kind, kind, reason, peer }
}

describe('the choice of an endpoint', () => {
  it.each(['a Service by name', 'the Service by its address'])('is as likely in both modes: %s', (title) => {
    const lab = openLab('two-racks')
    const to = title.endsWith('name') ? 'svc/my-nginx' : '10.99.198.177:80'
    const ways = [lab, build(lab.cluster, { proxyMode: 'nftables' })].map((built) =>
      likelihoods(askAll(built, must(readQuestion(built, { from: 'pod/client', to })))),
    )
    expect(ways[0]?.size).toBe(2)
    expect(ways[1]).toEqual(ways[0])
  })
})

function likelihoods(answers: readonly Conversation[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { server, probability } of answers) {
    const key = server === undefined ? '' : `${server.netns} from ${server.peer.replace(/:\d+$/, '')}`
    found.set(key, Math.round(((found.get(key) ?? 0) + probability) * 1e6) / 1e6)
  }
  return new Map([...found].sort())
}
