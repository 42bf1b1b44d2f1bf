import { describe, expect, it } from 'vitest'
import { fragmentIp } from '../../packet/fragment.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { type IpSkb, newSkb } from '../skb.ts'
import { nfHook } from './hooks.ts'
import { udp } from './testing/packets.ts'
import { newRouter, type Router } from './testing/router.ts'
import { link, story } from './testing/story.ts'

const RULES = '*nat\n-A PREROUTING -j ACCEPT\n-A POSTROUTING -j MASQUERADE\nCOMMIT'

const long = udp('10.0.1.2:1', '10.0.2.2:2')
const whole: IpPacket = {
  ...long,
  id: 9,
  dontFragment: false,
  payload: {
    kind: 'udp',
    srcPort: 1,
    dstPort: 2,
    noChecksum: false,
    payload: { kind: 'data', bytes: new Uint8Array(90).fill(7) },
  },
}
const [first, second] = fragmentIp(whole, 76)

type Way = 'routed' | 'bridged' | 'own'

function meet(router: Router, packet: IpPacket | undefined, way: Way): { verdict: string; skb: IpSkb } {
  if (packet === undefined) throw new Error('no such part')
  const dev = link(router, 'r0')
  const skb = newSkb(dev, packet, 1) as IpSkb
  if (way === 'bridged')
    skb.bridge = { physIn: dev, physOut: undefined, inPrerouting: true, passedUp: false, bridgedDnat: undefined }
  const verdict = way === 'own' ? nfHook(skb, 'output', { out: dev }) : nfHook(skb, 'prerouting', { in: dev })
  return { verdict: verdict.kind, skb }
}

describe('fragments where connections are tracked', () => {
  it('wait for each other, and go on as one packet that knows their sizes', () => {
    const router = newRouter({ rules: RULES })
    expect(meet(router, second, 'routed').verdict).toBe('stolen')
    const { verdict, skb } = meet(router, first, 'routed')
    expect(verdict).toBe('accept')
    expect(skb.packet).toEqual(whole)
    expect(skb.fragSizes).toEqual([76, 62])
    expect(skb.fragMaxSize).toBe(76)
    expect(story(router)).toContain('conntrack new')
  })

  it.each([
    ['routed', 'bridged'],
    ['bridged', 'own'],
    ['own', 'routed'],
  ] as const)('those that are %s do not mix with those that are %s', (one, other) => {
    const router = newRouter({ rules: RULES })
    expect(meet(router, first, one).verdict).toBe('stolen')
    expect(meet(router, second, other).verdict).toBe('stolen')
    expect(meet(router, second, one).verdict).toBe('accept')
    expect(meet(router, first, other).verdict).toBe('accept')
  })

  it('go on as they are where no rule asks for connections', () => {
    const router = newRouter({ rules: '*filter\n-A FORWARD -p udp -j ACCEPT\nCOMMIT' })
    expect(meet(router, first, 'routed').verdict).toBe('accept')
  })

  it('go on as they are on a packet that has its flow already (over lo), or shall have none', () => {
    const router = newRouter({ rules: RULES })
    const skb = newSkb(link(router, 'r0'), first ?? whole, 1) as IpSkb
    skb.ct = { state: 'untracked', direction: 'original', entry: undefined }
    expect(nfHook(skb, 'prerouting', { in: link(router, 'r0') }).kind).toBe('accept')
    expect(skb.packet).toBe(first)
  })
})
