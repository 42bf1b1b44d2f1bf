import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ping, tcp, udp } from '../testing/packets.ts'
import { newRouter, type Router } from '../testing/router.ts'
import { pass } from '../testing/story.ts'
import type { Chain } from './chain.ts'

/** What a chain leaves out by its index is what a linear walk tries and does not match: no step differs. */

const addresses = ['10.0.2.2', '10.0.2.3', '10.0.2.4']
const ports = ['80', '81', '82']

const target = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('-j MARK --or-mark 0x1', '-j MARK --xor-mark 0x2', '') },
  { weight: 3, arbitrary: fc.constantFrom('-j NEXT-A', '-j NEXT-B', '-g NEXT-A') },
  { weight: 1, arbitrary: fc.constantFrom('-j ACCEPT', '-j DROP', '-j RETURN', '-j REJECT', '-j LOG') },
)

/** Most ask for a destination or a port, as in the chains that lead to Services; some draw, count or remember. */
const rule = fc
  .tuple(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc
          .tuple(fc.constantFrom('tcp', 'udp'), fc.constantFrom(...addresses), fc.constantFrom(...ports))
          .map(
            ([protocol, ip, port]) =>
              `-m comment --comment "x y" -m ${protocol} -p ${protocol} -d ${ip} --dport ${port}`,
          ),
      },
      {
        weight: 8,
        arbitrary: fc
          .tuple(fc.constantFrom('tcp', 'udp'), fc.constantFrom(...ports))
          .map(([protocol, port]) => `-p ${protocol} -m ${protocol} --dport ${port}`),
      },
      { weight: 2, arbitrary: fc.constantFrom('', '-p udp', '-d 10.0.2.0/24', '! -d 10.0.2.2', '-m mark --mark 0x1') },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '-p udp -m statistic --mode nth --every 2 --packet 0 -m udp --dport 80',
          '-p udp -m udp --dport 80 -m statistic --mode nth --every 2 --packet 1',
          '-p udp -m recent --name L --set -m udp --dport 81',
          '-d 10.0.2.2 -m recent --name L --rcheck',
          '-p udp -m owner --uid-owner 0 -m udp --dport 82',
        ),
      },
    ),
    target,
  )
  .map(([tests, then]) => `${tests} ${then}`.trim())

const packet = fc.oneof(
  fc
    .tuple(fc.constantFrom(...addresses), fc.constantFrom(...ports, '83'))
    .map(([ip, port]) => udp('10.0.1.2:1000', `${ip}:${port}`)),
  fc
    .tuple(fc.constantFrom(...addresses), fc.constantFrom(...ports, '83'))
    .map(([ip, port]) => tcp('10.0.1.2:1000', `${ip}:${port}`, { flags: 'S' })),
  fc.constantFrom(...addresses).map((ip) => ping('10.0.1.2', ip, 7)),
)

function unindex({ ns }: Router): void {
  for (const { chains } of ns.netfilter.iptables[4].tables.values())
    for (const chain of chains.values())
      (chains as Map<string, Chain>).set(chain.name, { ...chain, candidates: () => undefined })
}

test('an indexed chain is walked as one without an index', () => {
  let indexed = 0
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 16, maxLength: 40 }),
      fc.array(rule, { maxLength: 20 }),
      fc.array(packet, { minLength: 1, maxLength: 6 }),
      (forward, next, packets) => {
        const rules = [
          '*filter',
          ':NEXT-A - [0:0]',
          ':NEXT-B - [0:0]',
          ...forward.map((text) => `-A FORWARD ${text}`),
          ...next.filter((text) => !text.includes('NEXT-A')).map((text) => `-A NEXT-A ${text}`),
          ...next.filter((text) => !text.includes('NEXT')).map((text) => `-A NEXT-B ${text}`),
          'COMMIT',
        ].join('\n')
        const [ours, linear] = [newRouter({ rules }), newRouter({ rules })]
        unindex(linear)
        const chain = ours.ns.netfilter.iptables[4].tables.get('filter')?.chains.get('FORWARD')
        for (const each of packets) {
          if (chain?.candidates(each) !== undefined) indexed++
          expect(pass(ours, 'r0', each)).toEqual(pass(linear, 'r0', each))
          const tried = ({ steps }: Router) => steps.flatMap((step) => ('triedFrom' in step ? [step.triedFrom] : []))
          expect(tried(ours)).toEqual(tried(linear))
        }
      },
    ),
    { numRuns: 300, seed: 11 },
  )
  expect(indexed).toBeGreaterThan(500)
})
