import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { emitIp } from '../../packet/emit.ts'
import type { IpPacket } from '../../packet/packet.ts'
import { parseIpPacket } from '../../packet/parse.ts'
import { must } from '../../packet/parsed.ts'
import { listConntrack } from './conntrack-table.ts'
import { newRouter, receive } from './testing/router.ts'

/** What a real kernel did with the same packets: test/cases/netfilter/record.py. */
interface Recorded {
  readonly kernel: string
  readonly cases: readonly Case[]
}

interface Case {
  readonly name: string
  readonly rules: string
  readonly rules6: string
  readonly sysctls: Readonly<Record<string, number>>
  readonly steps: readonly {
    /** Seconds. */
    readonly at: number
    readonly listed: number
    readonly wire: 'a' | 'b'
    readonly packet: string
    readonly out: readonly { readonly wire: 'a' | 'b'; readonly packet: string }[]
    readonly conntrack: readonly string[]
    readonly draws?: readonly (readonly [string, number])[]
  }[]
}

const recorded = JSON.parse(
  readFileSync(new URL('../../test/cases/netfilter/kernel-cases.json', import.meta.url), 'utf8'),
) as Recorded

const LINK = { a: 'r0', b: 'r1' } as const

const fromHex = (hex: string): IpPacket => must(parseIpPacket(Uint8Array.from(Buffer.from(hex, 'hex'))))

/**
 * Identification and flow label of what the router itself makes (its TTL is still whole) are its own business, and so
 * is the identification of IPv6 fragments that it cuts.
 */
function comparable(packet: IpPacket): IpPacket {
  const own = packet.fragment === undefined ? packet.ttl === 64 : packet.src.family === 6
  return { ...packet, flowLabel: 0, id: own ? 0 : packet.id }
}

const toHex = (packet: IpPacket): string => Buffer.from(emitIp(packet)).toString('hex')

/** The same line, and for how long the entry has still to live within a second. */
function withoutSeconds(line: string): { line: string; seconds: number } {
  const found = /^(\S+ +\d+) (\d+) (.*)$/.exec(line)
  return { line: `${found?.[1]} ${found?.[3]}`, seconds: Number(found?.[2]) }
}

const bySeen = (x: { line: string }, y: { line: string }) => (x.line < y.line ? -1 : x.line > y.line ? 1 : 0)

describe(`Linux ${recorded.kernel} does the same`, () => {
  it.each(recorded.cases)('$name', ({ rules, rules6, sysctls, steps }) => {
    // The kernel that was recorded had no SCTP of its own.
    const router = newRouter({ rules, rules6, sysctls, capabilities: { sctp: false } })
    const family = rules6 === '' ? 4 : 6
    for (const [i, step] of steps.entries()) {
      router.now = Math.round(step.at * 1e9)
      router.sent.length = 0
      router.drawn.length = 0
      for (const [purpose, value] of step.draws ?? []) router.draws.push({ purpose, value })
      receive(router, LINK[step.wire], fromHex(step.packet))
      const where = `packet ${i + 1}`
      const sent = router.sent.map(({ link, packet }) => `${link} ${toHex(comparable(packet))}`)
      const out = step.out.map(({ wire, packet }) => `${LINK[wire]} ${toHex(comparable(fromHex(packet)))}`)
      expect(sent, where).toEqual(out)
      expect(router.draws, `${where}: outcomes of draws that were not made`).toEqual([])
      const natPorts = router.drawn.filter(({ site }) => site.purpose === 'nat-port')
      if (step.draws === undefined) expect(natPorts, `${where}: a port was drawn`).toEqual([])
      router.now = Math.round(step.listed * 1e9)
      const ours = listConntrack(router.ns, family).map(withoutSeconds).sort(bySeen)
      const theirs = step.conntrack.map(withoutSeconds).sort(bySeen)
      expect(
        ours.map(({ line }) => line),
        where,
      ).toEqual(theirs.map(({ line }) => line))
      for (const [n, { seconds, line }] of ours.entries())
        expect(
          Math.abs(seconds - (theirs[n]?.seconds ?? 0)),
          `${where}: ${line}: ${seconds} s, not ${theirs[n]?.seconds}`,
        ).toBeLessThanOrEqual(1)
    }
  })
})
