import { describe, expect, it } from 'vitest'
import { formatIp } from '../../../packet/ip.ts'
import { udp } from '../testing/packets.ts'
import { newRouter, type Router } from '../testing/router.ts'
import { pass } from '../testing/story.ts'

const RULES = `*filter
-A FORWARD -p udp --dport 1 -m recent --name L --set -j ACCEPT
-A FORWARD -p udp --dport 2 -m recent --name L --rcheck --seconds 10 --reap -j DROP
-A FORWARD -p udp --dport 3 -m recent --name L --update --seconds 10 --reap -j DROP
-A FORWARD -p udp --dport 4 -m recent --name L --rcheck --hitcount 255 -j DROP
-A FORWARD -p udp --dport 5 -m recent --name L --rcheck --rttl -j DROP
COMMIT`

const listed = (router: Router) =>
  [...(router.ns.netfilterState.recent.get('L')?.entries.values() ?? [])].map(({ address }) => formatIp(address))

/** Whether the packet was dropped. */
function meet(router: Router, second: number, source: string, port: number, ttl = 64): boolean {
  router.now = second * 1e9
  return pass(router, 'r0', { ...udp(`${source}:9`, `10.0.2.2:${port}`), ttl }).some((line) => line.startsWith('drop'))
}

describe('a list of recent addresses', () => {
  it('holds a hundred; then the least recently used one goes', () => {
    const router = newRouter({ rules: RULES })
    for (let i = 0; i < 100; i++) meet(router, i, `10.0.1.${100 + i}`, 1)
    meet(router, 100, '10.0.1.100', 1)
    expect(listed(router)).toHaveLength(100)
    meet(router, 101, '10.0.1.9', 1)
    expect(listed(router)).toHaveLength(100)
    expect(listed(router)).not.toContain('10.0.1.101')
    expect(listed(router)).toContain('10.0.1.100')
  })

  it('--reap drops the oldest address alone, and only if it is too old', () => {
    const router = newRouter({ rules: RULES })
    for (const [second, source] of [
      [0, '10.0.1.2'],
      [1, '10.0.1.3'],
      [9, '10.0.1.4'],
    ] as const)
      meet(router, second, source, 1)
    expect(meet(router, 10, '10.0.1.4', 2)).toBe(true)
    expect(listed(router)).toEqual(['10.0.1.2', '10.0.1.3', '10.0.1.4'])
    expect(meet(router, 12, '10.0.1.4', 2)).toBe(true)
    expect(listed(router)).toEqual(['10.0.1.3', '10.0.1.4'])
  })

  it('--update keeps the address that it has just seen', () => {
    const router = newRouter({ rules: RULES })
    meet(router, 0, '10.0.1.2', 1)
    expect(meet(router, 9, '10.0.1.2', 3)).toBe(true)
    expect(meet(router, 18, '10.0.1.2', 3)).toBe(true)
    expect(listed(router)).toEqual(['10.0.1.2'])
    expect(meet(router, 29, '10.0.1.2', 3)).toBe(false)
    expect(listed(router)).toEqual([])
  })

  it('counts up to 255 hits, and keeps no more stamps than the kernel', () => {
    const router = newRouter({ rules: RULES })
    for (let i = 0; i < 254; i++) meet(router, i, '10.0.1.2', 1)
    expect(meet(router, 300, '10.0.1.2', 4)).toBe(false)
    for (let i = 0; i < 10; i++) meet(router, 301 + i, '10.0.1.2', 1)
    expect(meet(router, 320, '10.0.1.2', 4)).toBe(true)
    expect([...(router.ns.netfilterState.recent.get('L')?.entries.values() ?? [])][0]?.stamps).toHaveLength(256)
  })

  it('--rttl asks for the same TTL too', () => {
    const router = newRouter({ rules: RULES })
    meet(router, 0, '10.0.1.2', 1, 60)
    expect(meet(router, 1, '10.0.1.2', 5, 60)).toBe(true)
    expect(meet(router, 2, '10.0.1.2', 5, 61)).toBe(false)
  })
})
