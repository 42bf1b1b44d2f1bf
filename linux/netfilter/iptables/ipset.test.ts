import { describe, expect, it } from 'vitest'
import type { OpBody } from '../../op.ts'
import { udp } from '../testing/packets.ts'
import { newRouter } from '../testing/router.ts'
import { pass } from '../testing/story.ts'

describe('ipsets', () => {
  const set = (name: string, type: string, ...entries: string[]): OpBody[] => [
    { kind: 'set.new', set: name, type },
    ...entries.map((entry) => ({ kind: 'set.add', set: name, entry }) as const),
  ]
  const ops = [
    ...set('nets', 'hash:net family inet hashsize 1024', '10.0.0.0/8', '10.0.2.0/24 nomatch', '10.0.2.3'),
    ...set('ips', 'hash:ip', '10.0.2.2'),
    ...set('ports', 'hash:ip,port', '10.0.2.2,udp:53', '10.0.1.2,tcp:53'),
    ...set('nets6', 'hash:net family inet6', 'fd00:2::/64'),
    ...set('pairs', 'hash:ip,port,ip', '10.0.2.2,udp:53,10.0.1.2', '10.0.2.2,udp:1,10.0.1.2'),
    ...set('clients', 'hash:ip,port,net', '10.0.2.2,udp:53,10.0.0.0/8', '10.0.2.3,udp:53,10.0.1.2/31 nomatch'),
    ...set('numbers', 'bitmap:port range 0-65535', '53', '60-70'),
    ...set('odd', 'hash:net,net', '10.0.0.0/8,10.0.0.0/8'),
    ...set('strange', 'hash:ip', '10.0.2.2-10.0.2.9'),
  ]
  it.each([
    ['nets src', '10.0.2.2', true],
    ['nets dst', '10.0.2.2', false],
    ['nets dst', '10.0.2.3', true],
    ['nets dst', '192.0.2.1', false],
    ['ips dst', '10.0.2.2', true],
    ['ips src', '10.0.2.2', false],
    ['ports dst,dst', '10.0.2.2', true],
    ['ports dst,src', '10.0.2.2', false],
    ['ports src,dst', '10.0.2.2', false],
    ['nets6 dst', 'fd00:2::2', true],
    ['nets6 src', 'fd00:2::2', false],
    ['nets dst', 'fd00:2::2', false],
    ['pairs dst,dst,src', '10.0.2.2', true],
    ['pairs dst,dst,src', '10.0.2.3', false],
    ['pairs dst,src,src', '10.0.2.2', true],
    ['pairs dst,dst,dst', '10.0.2.2', false],
    ['clients dst,dst,src', '10.0.2.2', true],
    ['clients dst,dst,src', '10.0.2.3', false],
    ['clients src,dst,src', '10.0.2.2', false],
    ['numbers dst', '10.0.2.2', true],
    ['numbers src', '10.0.2.2', false],
    ['none dst', '10.0.2.2', 'the set none does not exist'],
    ['odd src,dst', '10.0.2.2', 'sets of the type hash:net,net are not modelled'],
    ['strange dst', '10.0.2.2', 'the set entry "10.0.2.2-10.0.2.9" is not modelled'],
  ] as const)('%s to %s: %s', (match, to, expected) => {
    for (const not of [false, true]) {
      const rules = `*filter\n-A FORWARD -m set ${not ? '! ' : ''}--match-set ${match} -j DROP\nCOMMIT`
      const router = newRouter({ rules, rules6: rules, ops })
      const six = to.includes(':')
      pass(router, 'r0', six ? udp('[fd00:1::2]:1', `[${to}]:53`) : udp('10.0.1.2:1', `${to}:53`))
      const end = router.steps.find((step) => step.kind === 'rule.match')
      if (typeof expected === 'string') expect(end).toMatchObject({ verdict: { kind: 'notModelled', text: expected } })
      else expect(end?.kind === 'rule.match' && end.verdict.kind === 'drop').toBe(expected !== not)
    }
  })
})
