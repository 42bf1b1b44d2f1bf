import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ruleOf } from './chain.ts'
import { reachOf, reachOfRule } from './rule-reach.ts'

const origin = { by: 'test' } as const
const line = (args: string) => ({ table: 'nat', chain: 'SERVICES', args, origin }) as const

const toPort = (protocol: number, port: number) => ({ kind: 'port', key: (protocol << 16) | port })
const to = (key: number | string) => ({ kind: 'destination', key })
const any = { kind: 'any' }

test.each([
  ['-m comment --comment "a b" -m tcp -p tcp -d 10.96.0.1 --dport 80 -j SVC-X', to(0x0a600001)],
  ['-m comment --comment a/b:c -p udp -m udp --dport 53 -d 10.96.0.1 -j REDIRECT --to-ports 40000', to(0x0a600001)],
  ['-d 10.96.0.1/32 -j SVC-X', to(0x0a600001)],
  ['-d 10.96.0.0/24 -p tcp --dport 80 -j SVC-X', toPort(6, 80)],
  ['! -d 10.96.0.1 -j SVC-X', any],
  ['-m tcp -p tcp --dport 30080 -j SVC-X', toPort(6, 30080)],
  ['-m sctp -p sctp --dport 30080 -j SVC-X', toPort(132, 30080)],
  ['-p tcp -m tcp ! --dport 30080 -j SVC-X', any],
  ['-p tcp -m tcp --dport 1:2 -j SVC-X', any],
  ['-p tcp -m tcp --sport 1 -j SVC-X', any],
  ['! -p tcp -j SVC-X', any],
  ['-j SVC-X', any],
  // What draws or counts before the port is asked for does so for every packet.
  ['-p tcp -m statistic --mode nth --every 2 --packet 0 -m tcp --dport 80 -j SVC-X', any],
  ['-p tcp -m tcp --dport 80 -m statistic --mode nth --every 2 --packet 0 -j SVC-X', toPort(6, 80)],
  // What iptables would have refused may have been meant for any packet.
  ['-m tcp -p tcp -d 10.96.0.1 --dport 80 -j SNAT', any],
  ['-m udp -p tcp -d 10.96.0.1 --dport 80 -j SVC-X', any],
  ['-m tcp -p tcp -d 10.96.0.999 --dport 80 -j SVC-X', any],
  ['-m tcp -p tcp -d fd00::1 --dport 80 -j SVC-X', any],
  ['-m tcp -p tcp -d 10.96.0.1 --dport 65536 -j SVC-X', any],
  ['-p tcp -m tcp --dport 80 -d 10.96.0.1 -j DNAT --to-destination 10.0.0.999:80', any],
  ['-m tcp -p tcp -d 10.96.0.1 --dport 80 -d 10.96.0.2 -j SVC-X', any],
] as const)('%s', (args, reach) => {
  expect(reachOf(4, line(args), (one) => ruleOf(4, one))).toEqual(reach)
})

describe('a line that is not parsed has the reach of the rule that it is parsed to', () => {
  const mostly = (usual: readonly string[], odd: readonly string[]) =>
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
  const port = mostly(['80', '443', '65535', '0'], ['65536', '080', '1:2', ''])
  const address4 = mostly(['10.96.0.1', ''], ['10.96.0.1/32', '10.96.0.0/16', '010.1.1.1', '10.0.0.999', '1.2.3'])
  const address6 = mostly(['fd00::1', ''], ['fd00::1/128', 'FD00::1', 'fd00::/64', '::ffff:1.2.3.4', ':::', 'fd00'])
  const long = `-m comment --comment "${'x'.repeat(256)}"`
  const text = (address: fc.Arbitrary<string>) =>
    fc
      .tuple(
        mostly(['-m comment --comment "a b"', '-m comment --comment a/b:c', ''], ['-m comment --comment', long]),
        mostly(['-m addrtype --dst-type LOCAL', ''], ['-m addrtype', '-m statistic --mode nth --every 2 --packet 0']),
        mostly(['-m tcp', ''], ['-m udp', '! -d 10.0.0.1']),
        mostly(['-p tcp', '-p tcp', '-p udp', '-p sctp'], ['', '! -p tcp', '-p icmp', '-p 6']),
        mostly(['-m tcp', ''], ['-m udp', '-m sctp']),
        address,
        fc.tuple(mostly([''], ['!']), port),
        fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: address }),
        mostly(
          ['-j SVC-X', '-j REJECT', '-j DROP', '-j REDIRECT --to-ports 40000', '-j DNAT --to-destination 10.0.0.1:80'],
          [
            '-j REDIRECT --to-ports 70000',
            '-j DNAT --to-destination 10.0.0.999:80',
            '-j DNAT',
            '-j LOG',
            '-j SNAT',
            '-g SVC-X',
            `-j ${'S'.repeat(29)}`,
            '-j S!',
            '',
          ],
        ),
      )
      .map(([comment, type, before, protocol, match, first, [not, number], second, target]) =>
        [
          comment,
          type,
          before,
          protocol,
          match,
          first === '' ? '' : `-d ${first}`,
          number === '' ? '' : `${not} --dport ${number}`,
          second === '' ? '' : `-d ${second}`,
          target,
        ]
          .join(' ')
          .replace(/ +/g, ' ')
          .trim(),
      )
  test.each([4, 6] as const)('IPv%i', (family) => {
    let unparsed = 0
    fc.assert(
      fc.property(text(family === 4 ? address4 : address6), (args) => {
        let parsed = false
        const reach = reachOf(family, line(args), (one) => {
          parsed = true
          return ruleOf(family, one)
        })
        if (!parsed) unparsed++
        expect(reach).toEqual(reachOfRule(ruleOf(family, line(args))))
      }),
      { numRuns: 20_000, seed: 7 },
    )
    expect(unparsed).toBeGreaterThan(2_000)
  })
})
