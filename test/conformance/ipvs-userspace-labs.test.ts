import { describe, expect, it } from 'vitest'
import { ask } from '../../engine/ask.ts'
import { type Built, build } from '../../engine/build.ts'
import type { Conversation } from '../../engine/conversation.ts'
import { readQuestion } from '../../engine/question.ts'
import { checkTrace } from '../../engine/trace.ts'
import { must } from '../../packet/parsed.ts'
import type { ProxyModeName } from '../../proxy/proxy-mode.ts'
import { LAB_NAMES, type LabProbe, openLab, probesOf } from '../labs.ts'

const MODES = ['ipvs', 'userspace'] as const

/** REDIRECT takes the first address of the device that a packet came in by, and Calico's have none. */
const walkable = (mode: (typeof MODES)[number]): readonly string[] =>
  mode === 'userspace' ? LAB_NAMES.filter((name) => !name.includes('calico')) : LAB_NAMES

/**
 * Every question of every lab has the same answer in ipvs and in userspace mode as in iptables mode, but for what is
 * truly different there. It is named here, by the question.
 */
interface Difference {
  readonly probe: RegExp
  readonly lab?: RegExp
  readonly kind: Conversation['disposition']['kind']
  readonly why: string
}

const NOT_LOCAL = /^externalTrafficPolicy Local without a local pod is silent$/

const DIFFERENT: Readonly<Record<(typeof MODES)[number], readonly Difference[]>> = {
  ipvs: [
    {
      probe: NOT_LOCAL,
      lab: /calico/,
      kind: 'noListener',
      why: 'all endpoints are used (kubernetes/kubernetes#97081); the pod answers past the node, and the client resets',
    },
    { probe: NOT_LOCAL, kind: 'delivered', why: 'the same, but flannel masquerades who is no pod' },
    {
      probe: /^a ClusterIP is not there for ping/,
      kind: 'rejected',
      why: 'the address is there, and since 1.26 KUBE-IPVS-FILTER refuses whatever is not for a Service',
    },
  ],
  userspace: [
    { probe: NOT_LOCAL, lab: /flannel|racks/, kind: 'delivered', why: 'the relay knows no traffic policies' },
    {
      probe: /^a Service without endpoints refuses at once$/,
      lab: /flannel|racks/,
      kind: 'rejected',
      why: 'the client is connected: the relay accepts before it looks for an endpoint, and hangs up',
    },
  ],
}

describe.each(MODES)('in %s mode', (mode) => {
  const used = new Set<Difference>()

  describe.each(walkable(mode))('%s', (name) => {
    const plain = openLab(name)
    const iptables = (probe: LabProbe): Built => (probe.lab === undefined ? plain : openLab(name, probe.lab))
    const other = new Map<Built, Built>()
    const inMode = (built: Built): Built => {
      const known = other.get(built) ?? build(built.cluster, { proxyMode: mode })
      other.set(built, known)
      return known
    }

    it.each(probesOf(name).map((probe) => [probe.name, probe] as const))('%s', (_, probe) => {
      const one = iptables(probe)
      const [before, after] = [one, inMode(one)].map((built) => ask(built, must(readQuestion(built, probe))))
      for (const trace of after?.packets ?? []) expect(checkTrace(trace)).toEqual([])
      const difference = DIFFERENT[mode].find(
        (known) => known.probe.test(probe.name) && known.lab?.test(name) !== false,
      )
      if (difference !== undefined) {
        used.add(difference)
        expect(after?.disposition.kind).toBe(difference.kind)
      } else expect(verdictOf(after, mode)).toEqual(verdictOf(before, mode))
    })
  })

  it('every named difference came up', () => {
    expect(DIFFERENT[mode].filter((known) => !used.has(known))).toEqual([])
  })
})

/** What happened, and, where the mode keeps it, what the server saw; but for the choice of an endpoint. */
function verdictOf(answer: Conversation | undefined, mode: ProxyModeName) {
  const { kind } = answer?.disposition ?? {}
  const peer = mode === 'userspace' ? undefined : answer?.server?.peer.replace(/:\d+$/, '')
  return { outcome: answer?.outcome.kind, kind, peer }
}

describe('userspace mode on a network whose devices have no addresses', () => {
  it('drops what pods send to Services', () => {
    const lab = build(openLab('textbook-calico-bgp').cluster, { proxyMode: 'userspace' })
    const answer = ask(lab, must(readQuestion(lab, { from: 'pod/client', to: 'svc/near:80' })))
    expect(answer.disposition.kind).toBe('dropped')
    expect(answer.disposition.detail).toContain('KUBE-PORTALS-CONTAINER')
  })
})

describe('pinging a ClusterIP in ipvs mode', () => {
  it.each([
    ['v1.25.16', 'delivered'],
    ['v1.26.15', 'rejected'],
    ['v1.36.3', 'rejected'],
  ])('of kube-proxy %s: %s', (version, kind) => {
    const { cluster } = openLab('textbook-flannel-vxlan')
    const lab = build({ ...cluster, facts: { ...cluster.facts, kubernetesVersion: version } }, { proxyMode: 'ipvs' })
    const answer = ask(lab, must(readQuestion(lab, { from: 'pod/client', to: '10.100.0.12', protocol: 'icmp' })))
    expect(answer.disposition.kind).toBe(kind)
  })
})

describe('what the server sees in userspace mode', () => {
  const lab = build(openLab('textbook-flannel-vxlan').cluster, { proxyMode: 'userspace' })
  const seen = (from: string, to: string) => {
    const answer = ask(lab, must(readQuestion(lab, { from, to })))
    return { kind: answer.disposition.kind, peer: answer.server?.peer.replace(/:\d+$/, '') }
  }

  it.each([
    ['pod/client', 'svc/far:80', '10.244.1.0'],
    ['pod/client', 'svc/near:80', '10.244.1.1'],
    ['pod/near', 'svc/near:80', '10.244.1.1'],
    ['node/xianchaonode1', 'svc/far:80', '10.244.1.0'],
    ['ext/laptop', '192.168.40.181:30082', '10.244.1.0'],
    ['ext/laptop', '192.168.40.181:30083', '10.244.1.1'],
  ])('is the node: from %s to %s', (from, to, peer) => {
    expect(seen(from, to)).toEqual({ kind: 'delivered', peer })
  })
})
